//! Which of the two text formats a caller gets.

/// A form of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text 0.0.4, what everyone understands.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// OpenMetrics only for those who name it and want it at least as much as text.
    pub fn from_accept(accept: &str) -> Self {
        let (mut text, mut open_metrics) = (0.0, 0.0);
        for range in ranges(accept) {
            let (best, versions) = match range.media_type.as_str() {
                "application/openmetrics-text" => (&mut open_metrics, ["1.0.0", ""]),
                "text/plain" => (&mut text, ["0.0.4", ""]),
                _ => continue,
            };
            if versions.contains(&range.version.unwrap_or_default()) {
                *best = range.quality.max(*best);
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Format::OpenMetrics } else { Format::Text }
    }
}

/// Whether this is how a scraper asks, not a person: by naming a version of a format.
pub fn asks_like_a_scraper(accept: &str) -> bool {
    ranges(accept).any(|range| range.version.is_some() || range.media_type == "application/openmetrics-text")
}

struct Range<'a> {
    media_type: String,
    version: Option<&'a str>,
    quality: f64,
}

fn ranges(accept: &str) -> impl Iterator<Item = Range<'_>> {
    accept.split(',').map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut range = Range { media_type, version: None, quality: 1.0 };
        for (key, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
            match key.trim().to_ascii_lowercase().as_str() {
                "version" => range.version = Some(value.trim().trim_matches('"')),
                "q" => range.quality = value.trim().parse().unwrap_or(0.0),
                _ => {}
            }
        }
        range
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
        text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const VICTORIA_METRICS: &str = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8,\
        application/signed-exchange;v=b3;q=0.7";

    #[test]
    fn each_caller_gets_what_it_understands_best() {
        for (accept, expected) in [
            (PROMETHEUS_3, Format::OpenMetrics),
            (PROMETHEUS_2, Format::OpenMetrics),
            (VICTORIA_METRICS, Format::Text),
            (BROWSER, Format::Text),
            ("*/*", Format::Text),
            ("", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"; q=1", Format::OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Format::Text),
            ("application/openmetrics-text;version=1.0.0;q=0, text/plain", Format::Text),
            ("application/openmetrics-text;version=1.0.0;q=0.2, text/plain;version=0.0.4;q=0.9", Format::Text),
            (";;=,q=x,,", Format::Text),
        ] {
            assert_eq!(Format::from_accept(accept), expected, "{accept}");
        }
    }

    #[test]
    fn scrapers_are_told_from_people() {
        assert!([PROMETHEUS_3, PROMETHEUS_2, VICTORIA_METRICS].into_iter().all(asks_like_a_scraper));
        assert!(!["*/*", "", "text/plain", BROWSER].into_iter().any(asks_like_a_scraper));
    }
}
