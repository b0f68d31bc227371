//! What the numbers are called, and how they are written for people: the same on the page, on badges and panels, and
//! in reports.

use super::explain::Metric;
use super::measure::{Measure, Measured};

/// What takes the place of a number that is made of too little.
pub const NOT_ENOUGH: &str = "not enough data";

/// A metric's name in a heading.
pub fn title(metric: Metric) -> &'static str {
    match metric {
        Metric::DeploymentFrequency => "Deployment frequency",
        Metric::LeadTimeForChanges => "Change lead time",
        Metric::ChangeFailureRate => "Change fail rate",
        Metric::FailedDeploymentRecoveryTime => "Failed deployment recovery time",
        Metric::DeploymentReworkRate => "Deployment rework rate",
        Metric::TimeToRestore => "Time to restore",
        Metric::TimeToDetect => "Time to detect",
        Metric::Incidents => "Incidents",
        Metric::Pipelines => "Failed pipelines",
    }
}

/// The number by which windows are compared, or that there is not enough to give one.
pub fn measure(metric: Metric, measure: Measure) -> String {
    match measure.value.filter(|_| measure.enough) {
        Some(found) => value(metric, found),
        None => NOT_ENOUGH.to_owned(),
    }
}

/// In its unit.
pub fn value(metric: Metric, value: f64) -> String {
    match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => per_day(value),
        Measured::Median => duration(value),
        Measured::Ratio => share(value),
    }
}

/// How much more or less it is than before, for example `12 % more`; `None`: it is the same, or nobody can say.
pub fn difference(metric: Metric, difference: Option<f64>, relative: Option<f64>) -> Option<String> {
    let by = difference.filter(|by| *by != 0.0)?;
    let size = match metric.measured() {
        // in points, because "50 % more" of 2 % frightens without need
        Measured::Ratio => format!("{} points", percent(by.abs())),
        Measured::PerDay | Measured::StartedPerDay | Measured::Median => match relative?.abs() {
            some if some >= 0.01 => format!("{} %", short((some * 100.0).round())),
            little => share(little),
        },
    };
    Some(format!("{size} {}", if by < 0.0 { "less" } else { "more" }))
}

/// A frequency, in the unit that makes it at least one.
pub fn per_day(per_day: f64) -> String {
    let (times, unit) = match per_day {
        v if v >= 1.0 || v <= 0.0 => (v, "a day"),
        v if v * 7.0 >= 1.0 => (v * 7.0, "a week"),
        v => (v * 365.25 / 12.0, "a month"),
    };
    format!("{} {unit}", short(times))
}

pub fn share(ratio: f64) -> String {
    format!("{} %", percent(ratio))
}

/// A part of a whole in hundredths of it: a little is never shown as nothing, and not quite all never as all.
pub fn percent(ratio: f64) -> String {
    let hundredths = ratio * 100.0;
    match hundredths.min(100.0 - hundredths) {
        rest if rest > 0.0 && rest < 0.01 => if ratio < 0.5 { "< 0.01" } else { "> 99.99" }.to_owned(),
        rest if rest > 0.0 && rest < 0.1 => trimmed(hundredths, 2),
        _ => short((ratio * 1000.0).round() / 10.0),
    }
}

/// Thousands apart, by a space that does not break.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// As many decimals as tell something.
pub fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    trimmed(number, decimals)
}

/// With so many decimals at most.
pub fn trimmed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// A unit in seconds, and the one below it.
const UNITS: [(u64, &str, u64, &str); 3] = [(86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")];

/// The two largest units, rounded to the smaller.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of at most some centuries")]
pub fn duration(seconds: f64) -> String {
    if seconds < 59.5 {
        return if seconds < 1.0 && seconds > 0.0 { "under 1 s".to_owned() } else { format!("{seconds:.0} s") };
    }
    for (large, large_name, small, small_name) in UNITS {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let rounded = (seconds / small as f64).round() as u64 * small;
        if rounded >= large {
            let (whole, rest) = (rounded / large, rounded % large / small);
            let whole = count(whole);
            return match rest {
                0 => format!("{whole} {large_name}"),
                // from ten days on, hours say nothing any more
                _ if large == 86_400 && rounded >= 10 * large => format!("{whole} {large_name}"),
                rest => format!("{whole} {large_name} {rest} {small_name}"),
            };
        }
    }
    format!("{seconds:.0} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_and_never_sixty_of_the_smaller() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.2, "under 1 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (61.0, "1 min 1 s"),
            (3599.7, "1 h"),
            (7500.0, "2 h 5 min"),
            (7529.0, "2 h 5 min"),
            (86_390.0, "1 d"),
            (90_000.0, "1 d 1 h"),
            (10.4 * 86_400.0, "10 d"),
            (9.96 * 86_400.0, "9 d 23 h"),
            (1_234.0 * 86_400.0, "1\u{202f}234 d"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_are_as_long_as_they_tell_something() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(123), "123");
        for (number, text) in [(0.0, "0"), (3.0, "3"), (3.456, "3.46"), (34.56, "34.6"), (345.6, "346"), (0.1, "0.1")] {
            assert_eq!(short(number), text);
        }
        for (frequency, text) in [(3.2, "3.2 a day"), (0.5, "3.5 a week"), (0.1, "3.04 a month"), (0.0, "0 a day")] {
            assert_eq!(per_day(frequency), text);
        }
    }

    #[test]
    fn a_little_is_never_nothing_and_nearly_all_is_not_all() {
        for (ratio, text) in [
            (0.0, "0 %"),
            (1.0 / 300_000.0, "< 0.01 %"),
            (1.0 / 3000.0, "0.03 %"),
            (0.0009, "0.09 %"),
            (0.001, "0.1 %"),
            (0.0416, "4.2 %"),
            (0.125, "12.5 %"),
            (0.5, "50 %"),
            (0.9996, "99.96 %"),
            (0.999_99, "> 99.99 %"),
            (1.0, "100 %"),
        ] {
            assert_eq!(share(ratio), text, "{ratio}");
        }
    }

    #[test]
    fn each_metric_has_its_unit() {
        for (metric, number, text) in [
            (Metric::DeploymentFrequency, 2.14, "2.14 a day"),
            (Metric::Incidents, 0.5, "3.5 a week"),
            (Metric::LeadTimeForChanges, 12_240.0, "3 h 24 min"),
            (Metric::TimeToRestore, 300.0, "5 min"),
            (Metric::Pipelines, 0.155, "15.5 %"),
        ] {
            assert_eq!(value(metric, number), text);
        }
        let of = |value, enough| measure(Metric::ChangeFailureRate, Measure { n: 3, value, enough });
        assert_eq!([of(Some(0.5), true), of(Some(0.5), false), of(None, true)], ["50 %", NOT_ENOUGH, NOT_ENOUGH]);
    }

    #[test]
    fn shares_differ_by_points_and_others_by_a_part_of_what_they_were() {
        let of = |metric, before: f64, this: f64| {
            let by = this - before;
            difference(metric, Some(by), Some(by).filter(|_| before > 0.0).map(|by| by / before)).unwrap_or_default()
        };
        assert_eq!(of(Metric::ChangeFailureRate, 0.125, 0.1), "2.5 points less");
        assert_eq!(of(Metric::ChangeFailureRate, 0.0, 0.1), "10 points more");
        assert_eq!(of(Metric::Pipelines, 0.0, 1.0 / 3000.0), "0.03 points more");
        assert_eq!(of(Metric::LeadTimeForChanges, 200.0, 250.0), "25 % more");
        assert_eq!(of(Metric::LeadTimeForChanges, 2000.0, 2001.0), "0.05 % more");
        assert_eq!(of(Metric::LeadTimeForChanges, 200.0, 200.0), "");
        assert_eq!(of(Metric::DeploymentFrequency, 0.0, 3.0), "", "from nothing there is no percentage");
    }
}
