//! This window beside the one before, as `dora::trend` judges it, in words.

use super::shown::Shown;
use crate::dora::benchmark::METRICS;
use crate::dora::explain::Metric;
use crate::dora::trend::{self, Side, StandsOut, Trend, Verdict};
use crate::dora::{Interval, Span, words};
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
    /// What stands out, for example `Signal: single weeks stand out, worse on 2 of 12`.
    pub verdict: String,
    /// Whether that is good; `None`: it is neither, or the window as a whole says otherwise.
    pub good: Option<bool>,
    /// For example `12 % more`; empty when it is the same, or one of the two windows has too little to say.
    pub size: String,
    pub before: Shown,
    pub reason: String,
}

impl Change {
    pub fn new(metric: Metric, interval: Interval, trend: &Trend) -> Self {
        let whole = trend::on_the_whole(metric, trend.difference);
        let good = trend.better.filter(|better| whole.is_none_or(|whole| whole == *better));
        let arrow = match (trend.verdict, good.map(|good| good == metric.more_is_better())) {
            (Verdict::Signal, Some(true)) => '↑',
            (Verdict::Signal, Some(false)) => '↓',
            (Verdict::Signal, None) => '↕',
            (Verdict::Noise, _) => '≈',
            (Verdict::NotEnoughData, _) => '–',
        };
        let verdict = match (trend.verdict, trend.stands_out) {
            (Verdict::Signal, Some(found)) => format!("Signal: {}", stands_out(interval.name(), found)),
            (Verdict::Signal, None) => "Signal".to_owned(),
            (Verdict::Noise, _) => "Noise".to_owned(),
            (Verdict::NotEnoughData, _) => "Not enough data".to_owned(),
        };
        let size = words::difference(metric, trend.difference, trend.relative_difference).unwrap_or_default();
        Self { arrow, verdict, good, size, before: Shown::new(metric, trend.before), reason: trend.reason.clone() }
    }
}

/// What stands out, and where it points: never more than that, because the window as a whole may point elsewhere.
fn stands_out(part: &str, found: StandsOut) -> String {
    let StandsOut { of, better, worse, jumps, lasting } = found;
    let with_a_side = better + worse;
    let sides = match (better, worse) {
        (0, 0) if jumps == 1 => return format!("1 of {of} {part}s is far from the {part} before"),
        (0, 0) => return format!("{jumps} of {of} {part}s are far from the {part} before"),
        (_, 0) => format!("better on {better} of {of}"),
        (0, _) => format!("worse on {worse} of {of}"),
        _ => format!("better on {better} and worse on {worse} of {of}"),
    };
    match (lasting, with_a_side) {
        (true, _) => format!("a change that stayed, {sides} {part}s"),
        (false, 1) => format!("a single {part} stands out, {sides}"),
        (false, _) => format!("single {part}s stand out, {sides}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dora::Measure;

    fn change(metric: Metric, (before, this): (f64, f64), stands_out: Option<StandsOut>) -> Change {
        let measure = |value| Measure { n: 40, value: Some(value), enough: true };
        let difference = Some(this - before);
        let relative_difference = difference.filter(|_| before > 0.0).map(|difference| difference / before);
        let (this, before, reason) = (measure(this), measure(before), String::new());
        let (verdict, better) = match stands_out {
            Some(found) => (Verdict::Signal, found.side()),
            None => (Verdict::Noise, None),
        };
        let (limits, points) = (None, Vec::new());
        let trend = Trend {
            this,
            before,
            difference,
            relative_difference,
            verdict,
            better,
            stands_out,
            reason,
            limits,
            points,
        };
        Change::new(metric, Interval::Week, &trend)
    }

    const NONE: StandsOut = StandsOut { of: 12, better: 0, worse: 0, jumps: 0, lasting: false };

    #[test]
    fn the_arrow_points_where_the_signals_do_and_the_colour_says_whether_that_is_good() {
        use Metric::{DeploymentFrequency, LeadTimeForChanges};
        let (better, worse) = (StandsOut { better: 2, ..NONE }, StandsOut { worse: 2, ..NONE });
        for (metric, values, found, arrow, good) in [
            (DeploymentFrequency, (2.0, 3.0), better, '↑', Some(true)),
            (DeploymentFrequency, (3.0, 2.0), worse, '↓', Some(false)),
            (LeadTimeForChanges, (3.0, 2.0), better, '↓', Some(true)),
            (LeadTimeForChanges, (2.0, 3.0), worse, '↑', Some(false)),
            (LeadTimeForChanges, (2.0, 2.0), worse, '↑', Some(false)),
            (LeadTimeForChanges, (2.0, 3.0), StandsOut { jumps: 1, ..NONE }, '↕', None),
        ] {
            let change = change(metric, values, Some(found));
            assert_eq!((change.arrow, change.good), (arrow, good), "{metric:?} {found:?}");
        }
        let noise = change(LeadTimeForChanges, (2.0, 3.0), None);
        assert_eq!((noise.arrow, noise.verdict.as_str(), noise.good), ('≈', "Noise", None));
    }

    #[test]
    fn weeks_that_are_worse_in_a_window_that_is_better_do_not_make_it_worse() {
        let change = change(Metric::ChangeFailureRate, (0.15, 0.103), Some(StandsOut { worse: 2, ..NONE }));
        assert_eq!(change.size, "4.7 points less");
        assert_eq!(change.verdict, "Signal: single weeks stand out, worse on 2 of 12");
        assert_eq!((change.arrow, change.good), ('↕', None));
    }

    #[test]
    fn what_stands_out_is_said_in_words() {
        for (found, said) in [
            (StandsOut { worse: 1, jumps: 1, ..NONE }, "a single week stands out, worse on 1 of 12"),
            (StandsOut { better: 3, ..NONE }, "single weeks stand out, better on 3 of 12"),
            (StandsOut { better: 1, worse: 2, ..NONE }, "single weeks stand out, better on 1 and worse on 2 of 12"),
            (StandsOut { better: 9, lasting: true, ..NONE }, "a change that stayed, better on 9 of 12 weeks"),
            (StandsOut { jumps: 1, ..NONE }, "1 of 12 weeks is far from the week before"),
            (StandsOut { jumps: 2, ..NONE }, "2 of 12 weeks are far from the week before"),
        ] {
            assert_eq!(stands_out("week", found), said);
        }
    }
}
