//! Numbers as people read them; the same in every form of a report.

use super::model::{Fact, Incident, Number, Report, Trend, Window};
use crate::dora::explain::Metric;
use crate::dora::words::{self, NOT_ENOUGH, duration};
use crate::dora::{Measure, Measured};

pub(super) fn title(report: &Report) -> String {
    format!("Engineering report, {} to {}", day(&report.from), day(&report.to))
}

/// What it is about, and what it is held against.
pub(super) fn about(report: &Report) -> String {
    let some =
        |what: &str, names: &Option<Vec<String>>| names.as_ref().map(|names| format!("{what} {}", names.join(", ")));
    let parts = [
        some("projects", &report.projects),
        some("teams", &report.teams),
        some("environments", &report.environments),
        Some(format!("{} to {} ({}), compared with the same time before", report.from, report.to, report.tz)),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The date of a time.
fn day(time: &str) -> &str {
    time.split('T').next().unwrap_or(time)
}

/// `Change lead time, median`
pub(super) fn name(number: &Number) -> String {
    let what = if number.metric.measured() == Measured::Median { ", median" } else { "" };
    format!("{}{what}", words::title(number.metric))
}

pub(super) fn value(metric: Metric, window: &Window) -> String {
    let Window { n, value, enough, .. } = *window;
    if value.is_none() { "-".to_owned() } else { words::measure(metric, Measure { n, value, enough }) }
}

pub(super) fn change(number: &Number) -> String {
    let Trend { difference, relative_difference, .. } = number.trend;
    let none = || if difference == Some(0.0) { "none".to_owned() } else { String::new() };
    words::difference(number.metric, difference, relative_difference).unwrap_or_else(none)
}

/// Of a signal what stands out: the window as a whole may point elsewhere, and its change stands beside this.
pub(super) fn verdict(trend: &Trend) -> String {
    match (trend.verdict.as_str(), &trend.stands_out, trend.better) {
        ("signal", Some(found), _) => match (found.better, found.worse) {
            (0, 0) => format!("signal: {} of {} far from the one before", found.jumps, found.of),
            (better, 0) => format!("signal: better on {better} of {}", found.of),
            (0, worse) => format!("signal: worse on {worse} of {}", found.of),
            (better, worse) => format!("signal: better on {better}, worse on {worse} of {}", found.of),
        },
        ("signal", None, Some(true)) => "signal: better".to_owned(),
        ("signal", None, Some(false)) => "signal: worse".to_owned(),
        ("signal", None, None) => "signal".to_owned(),
        ("noise", ..) => "noise".to_owned(),
        _ => NOT_ENOUGH.to_owned(),
    }
}

/// Which of the facts behind a number are shown.
pub(super) fn selection(number: &Number) -> String {
    let which = match number.metric.measured() {
        Measured::Ratio => "those that count against it",
        Measured::Median => "the longest",
        Measured::PerDay | Measured::StartedPerDay => "the newest",
    };
    let Number { counted, left_out, looked_at, facts, .. } = number;
    let among = if looked_at < counted { format!(" among the newest {looked_at}") } else { String::new() };
    format!("{counted} facts were counted, {left_out} left out; {which}{among}, {} of them:", facts.len())
}

/// What a fact adds.
pub(super) fn weight(fact: &Fact) -> String {
    fact.seconds.map(duration).unwrap_or_default()
}

pub(super) fn outcome(incident: &Incident) -> String {
    match (incident.time_to_restore_seconds, &incident.restored_at) {
        (Some(seconds), _) => format!("restored after {}", duration(seconds)),
        (None, Some(at)) => format!("restored at {at}"),
        (None, None) => "not restored".to_owned(),
    }
}
