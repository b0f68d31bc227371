//! A window beside the one before: how much a number differs, and whether that is more than the noise it always has.

#[cfg(test)]
mod tests;
mod xmr;

use super::explain::Metric;
use super::measure::Measure;
use super::tally::Answer;
use super::window::{Bucket, Calendar, Interval};
pub use xmr::{Limits, MIN_POINTS, NoLimits, RUN, Rule};

#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    pub this: Measure,
    pub before: Measure,
    /// This less before; `None` when one of the two is made of too little.
    pub difference: Option<f64>,
    /// The same as a part of before.
    pub relative_difference: Option<f64>,
    pub verdict: Verdict,
    /// Which way the signals of this window point; `None`: nowhere, or both ways.
    pub better: Option<bool>,
    /// The verdict for people.
    pub reason: String,
    /// The limits, and the window whose values gave them.
    pub limits: Option<(Limits, Window)>,
    /// The parts of both windows, oldest first.
    pub points: Vec<Point>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Signal,
    Noise,
    NotEnoughData,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    Before,
    This,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub bucket: Bucket,
    pub window: Window,
    /// A part that the window cuts, or that is still running, is not a whole one: it is shown and not judged.
    pub whole: bool,
    pub measure: Measure,
    /// From the last point that is judged.
    pub moving_range: Option<f64>,
    pub signals: Vec<Rule>,
}

/// A window cut by the interval, and its answers.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    pub calendar: &'a Calendar,
    pub answer: &'a Answer,
}

/// The limits come from the window before, so that this one is held against what was to be expected of it; when
/// that has too little, from this window, which is then only held against itself.
pub fn trend(metric: Metric, interval: Interval, before: Side<'_>, this: Side<'_>) -> Trend {
    let mut points = before.points(metric, interval, Window::Before);
    points.extend(this.points(metric, interval, Window::This));
    let values = |window| points.iter().filter(|point| point.window == window).filter_map(Point::judged).collect();
    let (values_before, values_this): (Vec<f64>, Vec<f64>) = (values(Window::Before), values(Window::This));
    let from_before = Limits::of(&values_before, metric.greatest());
    let from_this = Limits::of(&values_this, metric.greatest());
    let limits = match (from_before, from_this) {
        (Ok(limits), _) => Some((limits, Window::Before)),
        (Err(_), Ok(limits)) => Some((limits, Window::This)),
        (Err(_), Err(_)) => None,
    };
    mark(&mut points, limits);
    let (verdict, better, reason) = match limits {
        Some((_, from)) => judge(metric, interval, from, &points),
        None => without_limits(interval, &values_before, &values_this),
    };
    let (this, before) = (this.total(metric), before.total(metric));
    let comparable = this.enough && before.enough;
    let difference = this.value.zip(before.value).filter(|_| comparable).map(|(this, before)| this - before);
    let relative_difference = difference.zip(before.value.filter(|value| *value > 0.0)).map(|(by, of)| by / of);
    Trend { this, before, difference, relative_difference, verdict, better, reason, limits, points }
}

impl Side<'_> {
    fn total(&self, metric: Metric) -> Measure {
        metric.measure(&self.answer.total, self.calendar.length_in_days(self.calendar.whole()))
    }

    fn points(&self, metric: Metric, interval: Interval, window: Window) -> Vec<Point> {
        let parts = self.calendar.buckets.iter().zip(&self.answer.series);
        let point = |(bucket, keys): (&Bucket, _)| Point {
            bucket: *bucket,
            window,
            whole: self.calendar.is_whole(*bucket, interval),
            measure: metric.measure(keys, self.calendar.length_in_days(*bucket)),
            moving_range: None,
            signals: Vec::new(),
        };
        parts.map(point).collect()
    }
}

impl Point {
    fn judged(&self) -> Option<f64> {
        self.measure.value.filter(|_| self.whole)
    }
}

/// Says of each point that is judged how far it is from the one before, and what it signals.
fn mark(points: &mut [Point], limits: Option<(Limits, Window)>) {
    let mut last = None;
    for point in points.iter_mut() {
        if let Some(value) = point.judged() {
            point.moving_range = last.map(|last: f64| (value - last).abs());
            last = Some(value);
        }
    }
    let Some((limits, from)) = limits else { return };
    // limits of this window say nothing about the one before
    let held = |point: &&mut Point| point.judged().is_some() && (from == Window::Before || point.window == from);
    let held: Vec<_> = points.iter_mut().filter(held).collect();
    let values: Vec<_> = held.iter().filter_map(|point| point.judged()).collect();
    for (point, signals) in held.into_iter().zip(limits.signals(&values)) {
        point.signals = signals;
    }
}

fn judge(metric: Metric, interval: Interval, from: Window, points: &[Point]) -> (Verdict, Option<bool>, String) {
    let judged = points.iter().filter(|point| point.window == Window::This && point.judged().is_some());
    let signals: Vec<_> = judged.clone().filter(|point| !point.signals.is_empty()).collect();
    let of = judged.count();
    let parts = counted(interval, of);
    let basis = match from {
        Window::Before => "the limits drawn from the window before".to_owned(),
        Window::This => format!(
            "limits drawn from this window itself (the one before has fewer than {MIN_POINTS} whole {} with values \
             that differ)",
            counted(interval, MIN_POINTS)
        ),
    };
    if of == 0 {
        let reason = format!("this window has no whole {} with a value to hold against {basis}", interval.name());
        return (Verdict::NotEnoughData, None, reason);
    }
    if signals.is_empty() {
        let reason =
            format!("no signal in {of} whole {parts}, held against {basis}: differences between them are noise");
        return (Verdict::Noise, None, reason);
    }
    let points_to =
        |rules: [Rule; 2]| signals.iter().any(|point| rules.iter().any(|rule| point.signals.contains(rule)));
    let up = points_to([Rule::AboveLimit, Rule::RunAbove]);
    let down = points_to([Rule::BelowLimit, Rule::RunBelow]);
    let better = (up != down).then(|| up == metric.more_is_better());
    let way = match (up, down, better) {
        (true, false, Some(true)) => ", upwards, which is better",
        (true, false, _) => ", upwards, which is worse",
        (false, true, Some(true)) => ", downwards, which is better",
        (false, true, _) => ", downwards, which is worse",
        (true, true, _) => ", both upwards and downwards",
        (false, false, _) => "",
    };
    let count = signals.len();
    let reason = format!(
        "{count} of {of} whole {parts} {} out from {basis}{way}: more than noise",
        if count == 1 { "stands" } else { "stand" }
    );
    (Verdict::Signal, better, reason)
}

#[expect(clippy::float_cmp, reason = "whether they are the same number, not whether they are near")]
fn without_limits(interval: Interval, before: &[f64], this: &[f64]) -> (Verdict, Option<bool>, String) {
    let parts = counted(interval, MIN_POINTS);
    if before.len() >= MIN_POINTS && !this.is_empty() && before.iter().chain(this).all(|value| *value == before[0]) {
        return (Verdict::Noise, None, format!("nothing has changed: all whole {parts} have the same value"));
    }
    let has = |values: &[f64]| {
        let same = values.len() >= MIN_POINTS;
        format!("{}{}", values.len(), if same { " that are all the same" } else { "" })
    };
    let reason = format!(
        "limits take at least {MIN_POINTS} whole {parts} with values that differ: the window before has {}, this one {}",
        has(before),
        has(this)
    );
    (Verdict::NotEnoughData, None, reason)
}

fn counted(interval: Interval, n: usize) -> String {
    format!("{}{}", interval.name(), if n == 1 { "" } else { "s" })
}
