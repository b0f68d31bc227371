//! Names as Prometheus' OTLP translator makes them, so that a pushed and a scraped series are called the same.
//! Source of the rules: github.com/prometheus/otlptranslator (underscores, with suffixes).

/// What a metric becomes in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    /// A sum that may fall: a gauge that never gets `_ratio`.
    UpDownCounter,
    Gauge,
    Histogram,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::UpDownCounter | Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// The full name: unit and `_total` included.
pub fn metric(name: &str, unit: &str, kind: Kind) -> String {
    let mut words: Vec<&str> = split(name).collect();
    let (main, per) = units(unit);
    let per = per.map(|per| format!("per_{per}"));
    if let Some(main) = main
        && !words.contains(&main)
    {
        words.push(main);
    }
    if let Some(per) = &per
        && !words.contains(&per.as_str())
    {
        words.push(per);
    }
    let last = match kind {
        Kind::Counter => Some("total"),
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    let name = words.join("_");
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// The unit as it ends the name: `seconds`; `None` for annotations such as `{deployment}`.
pub fn unit(unit: &str) -> Option<String> {
    match units(unit) {
        (main, None) => main.map(str::to_owned),
        (None, Some(per)) => Some(format!("per_{per}")),
        (Some(main), Some(per)) => Some(format!("{main}_per_{per}")),
    }
}

pub fn label(key: &str) -> String {
    let name: String = key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("key_{name}")
    } else if name.starts_with('_') && !name.starts_with("__") {
        format!("key{name}")
    } else {
        name
    }
}

fn split(name: &str) -> impl Iterator<Item = &str> {
    name.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':')).filter(|word| !word.is_empty())
}

/// A UCUM unit as words: what it is, and per what. Unknown units stay as they are as long as they are words.
fn units(unit: &str) -> (Option<&str>, Option<&str>) {
    let (main, per) = unit.split_once('/').map_or((unit, ""), |(main, per)| (main, per));
    let known = |text: &&str| !text.is_empty() && !text.contains(['{', '}']);
    let main = Some(main.trim()).filter(known).map(main_unit);
    let per = Some(per.trim()).filter(known).map(per_unit);
    let word = |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    (main.filter(word), per.filter(word))
}

fn main_unit(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tibibytes",
        "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "1" => "",
        "%" => "percent",
        other => other,
    }
}

fn per_unit(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_translators() {
        for (name, unit, kind, expected) in [
            ("deployment_frequency", "{deployment}", Kind::Counter, "deployment_frequency_total"),
            ("lead_time_for_changes", "s", Kind::Histogram, "lead_time_for_changes_seconds"),
            ("http.server.request.duration", "s", Kind::Histogram, "http_server_request_duration_seconds"),
            ("http.server.active_requests", "{request}", Kind::UpDownCounter, "http_server_active_requests"),
            ("process.memory.usage", "By", Kind::UpDownCounter, "process_memory_usage_bytes"),
            ("disk.bytes", "By", Kind::Gauge, "disk_bytes"),
            ("cache.hit", "1", Kind::Gauge, "cache_hit_ratio"),
            ("cache.level", "1", Kind::UpDownCounter, "cache_level"),
            ("a.total.of", "1", Kind::Counter, "a_of_total"),
            ("io.speed", "By/s", Kind::Gauge, "io_speed_bytes_per_second"),
            ("calls", "{call}/min", Kind::Gauge, "calls_per_min"),
            ("9__lives..left", "", Kind::Gauge, "_9_lives_left"),
        ] {
            assert_eq!(metric(name, unit, kind), expected);
        }
    }

    #[test]
    fn labels_are_the_translators() {
        let labels = ["project_id", "http.request.method", "9a", "_a", "__a", "é"].map(label);
        assert_eq!(labels, ["project_id", "http_request_method", "key_9a", "key_a", "__a", "key_"]);
    }
}
