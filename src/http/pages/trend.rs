//! This window beside the one before, as `dora::trend` judges it, in words.

use super::shown::Shown;
use super::text::{percent, short};
use crate::dora::benchmark::METRICS;
use crate::dora::explain::Metric;
use crate::dora::measure::Measured;
use crate::dora::trend::{self, Side, Trend, Verdict};
use crate::dora::{Interval, Span};
use crate::report::{Question, Report};

/// The same question about the window before.
pub fn before(question: &Question) -> Question {
    // where there is none before 1970, an empty one has nothing to say
    let none = Span { to: question.span.from, ..question.span };
    Question { span: question.span.before().unwrap_or(none), ..question.clone() }
}

pub fn trends(interval: Interval, before: &Report, this: &Report) -> Vec<(Metric, Trend)> {
    METRICS.map(|metric| (metric, trend::trend(metric, interval, of(before), of(this)))).into()
}

fn of(Report { calendar, all, .. }: &Report) -> Side<'_> {
    Side { calendar, answer: all }
}

/// What became of a number.
#[derive(Debug)]
pub struct Change {
    /// Where the signals point.
    pub arrow: char,
    pub verdict: &'static str,
    /// Whether that is good; `None`: it is neither.
    pub good: Option<bool>,
    /// For example `12 % more`; empty when one of the two windows has too little to say.
    pub size: String,
    pub before: Shown,
    pub reason: String,
}

impl Change {
    pub fn new(metric: Metric, trend: &Trend) -> Self {
        let upwards = trend.better.map(|better| better == metric.more_is_better());
        let (arrow, verdict) = match (trend.verdict, trend.better, upwards) {
            (Verdict::Signal, Some(true), Some(true)) => ('↑', "Signal, better"),
            (Verdict::Signal, Some(true), _) => ('↓', "Signal, better"),
            (Verdict::Signal, Some(false), Some(true)) => ('↑', "Signal, worse"),
            (Verdict::Signal, Some(false), _) => ('↓', "Signal, worse"),
            (Verdict::Signal, None, _) => ('↕', "Signal"),
            (Verdict::Noise, ..) => ('≈', "Noise"),
            (Verdict::NotEnoughData, ..) => ('–', "Not enough data"),
        };
        Self {
            arrow,
            verdict,
            good: trend.better.filter(|_| trend.verdict == Verdict::Signal),
            size: size(metric, trend).unwrap_or_default(),
            before: Shown::new(metric, trend.before),
            reason: trend.reason.clone(),
        }
    }
}

fn size(metric: Metric, trend: &Trend) -> Option<String> {
    let difference = trend.difference?;
    let size = match metric.measured() {
        // in points, because "50 % more" of 2 % frightens without need
        Measured::Ratio => format!("{} points", percent(difference.abs())),
        Measured::PerDay | Measured::StartedPerDay | Measured::Median => {
            format!("{} %", short((trend.relative_difference?.abs() * 100.0).round()))
        }
    };
    Some(format!("{size} {}", if difference < 0.0 { "less" } else { "more" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dora::Measure;

    fn change(metric: Metric, (before, this): (f64, f64), verdict: Verdict, better: Option<bool>) -> Change {
        let measure = |value| Measure { n: 40, value: Some(value), enough: true };
        let difference = Some(this - before);
        let relative_difference = difference.filter(|_| before > 0.0).map(|difference| difference / before);
        let (this, before, reason) = (measure(this), measure(before), String::new());
        let (limits, points) = (None, Vec::new());
        let trend = Trend { this, before, difference, relative_difference, verdict, better, reason, limits, points };
        Change::new(metric, &trend)
    }

    #[test]
    fn the_arrow_points_where_the_signals_do_and_the_colour_says_whether_that_is_good() {
        use Metric::{DeploymentFrequency, LeadTimeForChanges};
        for (metric, better, arrow, word) in [
            (DeploymentFrequency, Some(true), '↑', "Signal, better"),
            (DeploymentFrequency, Some(false), '↓', "Signal, worse"),
            (LeadTimeForChanges, Some(true), '↓', "Signal, better"),
            (LeadTimeForChanges, Some(false), '↑', "Signal, worse"),
            (LeadTimeForChanges, None, '↕', "Signal"),
        ] {
            let change = change(metric, (2.0, 3.0), Verdict::Signal, better);
            assert_eq!((change.arrow, change.verdict, change.good), (arrow, word, better));
        }
        let noise = change(LeadTimeForChanges, (2.0, 3.0), Verdict::Noise, None);
        assert_eq!((noise.verdict, noise.good), ("Noise", None));
    }

    #[test]
    fn shares_differ_by_points_and_others_by_a_part_of_what_they_were() {
        let size = |metric, values| change(metric, values, Verdict::Noise, None).size;
        assert_eq!(size(Metric::ChangeFailureRate, (0.125, 0.1)), "2.5 points less");
        assert_eq!(size(Metric::ChangeFailureRate, (0.0, 0.1)), "10 points more");
        assert_eq!(size(Metric::LeadTimeForChanges, (200.0, 250.0)), "25 % more");
        assert_eq!(size(Metric::DeploymentFrequency, (0.0, 3.0)), "", "from nothing there is no percentage");
    }
}
