//! Numbers and times as people read them at a glance.

use chrono::{DateTime, Utc};

use crate::domain::Timestamp;
use crate::dora::Measure;
use crate::dora::explain::Metric;

const MINUTE: f64 = 60.0;
const HOUR: f64 = 60.0 * MINUTE;
const DAY: f64 = 24.0 * HOUR;

/// What takes the place of a number that is made of too little.
pub const NOT_ENOUGH: &str = "not enough data";

/// A metric's name in a heading.
pub fn title(metric: Metric) -> &'static str {
    match metric {
        Metric::DeploymentFrequency => "Deployment frequency",
        Metric::LeadTimeForChanges => "Lead time for changes",
        Metric::ChangeFailureRate => "Change fail rate",
        Metric::FailedDeploymentRecoveryTime => "Failed deployment recovery time",
        Metric::DeploymentReworkRate => "Deployment rework rate",
        Metric::TimeToRestore => "Time to restore",
        Metric::TimeToDetect => "Time to detect",
        Metric::Incidents => "Incidents",
        Metric::Pipelines => "Failed pipelines",
    }
}

/// The number, or that there is not enough to give one.
pub fn measure(metric: Metric, measure: Measure) -> String {
    match measure.value.filter(|_| measure.enough) {
        Some(value) => number(metric, value),
        None => NOT_ENOUGH.to_owned(),
    }
}

/// In the unit of its size.
pub fn number(metric: Metric, value: f64) -> String {
    use crate::dora::Measured;
    match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => rate(value),
        Measured::Median => duration(value),
        Measured::Ratio => percent(value),
    }
}

/// The largest of day, week and month (30 days) in which it happens at least once.
fn rate(per_day: f64) -> String {
    if per_day <= 0.0 {
        return "none".to_owned();
    }
    let (value, unit) = match per_day {
        v if v >= 1.0 => (v, "day"),
        v if 7.0 * v >= 1.0 => (7.0 * v, "week"),
        v => (30.0 * v, "month"),
    };
    format!("{}/{unit}", short(value))
}

fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < MINUTE => (s, "s"),
        s if s < HOUR => (s / MINUTE, "min"),
        s if s < 2.0 * DAY => (s / HOUR, "h"),
        s => (s / DAY, "days"),
    };
    format!("{} {unit}", short(value))
}

fn percent(ratio: f64) -> String {
    format!("{}%", short(100.0 * ratio))
}

/// Two digits or, above them, whole.
fn short(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { trimmed(value, 1) }
}

/// With so many decimals at most.
pub fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_owned() }
}

/// `15 Jun 2026, 12:00 UTC`
pub fn moment(at: Timestamp) -> String {
    utc(at).format("%-d %b %Y, %H:%M UTC").to_string()
}

/// `15 Jun`
pub fn day(at: Timestamp) -> String {
    utc(at).format("%-d %b").to_string()
}

/// `Jun 2026`
pub fn month(at: Timestamp) -> String {
    utc(at).format("%b %Y").to_string()
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_in_the_unit_of_their_size() {
        for (metric, value, expected) in [
            (Metric::DeploymentFrequency, 12.34, "12/day"),
            (Metric::DeploymentFrequency, 2.14, "2.1/day"),
            (Metric::DeploymentFrequency, 1.0, "1/day"),
            (Metric::DeploymentFrequency, 0.5, "3.5/week"),
            (Metric::Incidents, 0.1, "3/month"),
            (Metric::Incidents, 0.0, "none"),
            (Metric::LeadTimeForChanges, 12.0, "12 s"),
            (Metric::LeadTimeForChanges, 300.0, "5 min"),
            (Metric::LeadTimeForChanges, 12_240.0, "3.4 h"),
            (Metric::TimeToRestore, 450_000.0, "5.2 days"),
            (Metric::ChangeFailureRate, 0.0416, "4.2%"),
            (Metric::ChangeFailureRate, 0.0, "0%"),
            (Metric::Pipelines, 0.155, "16%"),
        ] {
            assert_eq!(number(metric, value), expected);
        }
    }

    #[test]
    fn too_little_is_not_shown_as_a_number() {
        let of = |value, enough| measure(Metric::ChangeFailureRate, Measure { n: 3, value, enough });
        assert_eq!(of(Some(0.5), true), "50%");
        assert_eq!(of(Some(0.5), false), "not enough data");
        assert_eq!(of(None, true), "not enough data");
    }

    #[test]
    fn times_are_in_utc() {
        let at = Timestamp::parse("2026-06-05T01:02:03+02:00").unwrap();
        assert_eq!((moment(at).as_str(), day(at).as_str()), ("4 Jun 2026, 23:02 UTC", "4 Jun"));
        assert_eq!(month(at), "Jun 2026");
    }
}
