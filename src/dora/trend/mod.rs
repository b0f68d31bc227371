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
    /// What the signals of this window are; `None`: there are none.
    pub stands_out: Option<StandsOut>,
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

/// The parts of this window that are more than noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandsOut {
    /// Of so many whole parts with a value.
    pub of: usize,
    /// On the better side: outside the limits, or in a run.
    pub better: usize,
    pub worse: usize,
    /// Only far from the part before, which has no good and no bad side: often the way back.
    pub jumps: usize,
    /// Whether those with a side are runs, all of them: a change that stayed. Otherwise single ones stand out.
    pub lasting: bool,
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
    let (total_this, total_before) = (this.total(metric), before.total(metric));
    // where nothing at all had happened, nobody may have been telling yet
    let before_counts = total_before.enough && total_before.n > 0;
    let limits = limits(metric, before_counts, &values_before, &values_this);
    mark(&mut points, limits);
    let judgement = match limits {
        _ if total_this.n + total_before.n == 0 => {
            let reason = "nothing has happened, in this window and in the one before".to_owned();
            Judgement::without_signal(Verdict::NotEnoughData, reason)
        }
        _ if !total_this.enough => {
            let reason = format!("the whole window is made of too little to be judged (n = {})", total_this.n);
            Judgement::without_signal(Verdict::NotEnoughData, reason)
        }
        Some((_, from)) => judge(metric, interval, from, before_counts, &points),
        None => without_limits(interval, &values_before, &values_this),
    };
    let (this, before) = (total_this, total_before);
    let comparable = this.enough && before.enough;
    let difference = this.value.zip(before.value).filter(|_| comparable).map(|(this, before)| this - before);
    let relative_difference = difference.zip(before.value.filter(|value| *value > 0.0)).map(|(by, of)| by / of);
    let Judgement { verdict, stands_out, reason } = judgement;
    let better = stands_out.and_then(StandsOut::side);
    let otherwise = on_the_whole(metric, difference).filter(|whole| better.is_some_and(|better| better != *whole));
    let reason = match otherwise {
        None => reason,
        // without it "less" and "worse, upwards" read as if one of them were wrong
        Some(true) => format!("{reason}; the window as a whole is better than the one before"),
        Some(false) => format!("{reason}; the window as a whole is worse than the one before"),
    };
    Trend { this, before, difference, relative_difference, verdict, better, stands_out, reason, limits, points }
}

/// The limits to hold this window against, and the window that they are of. The window before must count.
fn limits(metric: Metric, before_counts: bool, before: &[f64], this: &[f64]) -> Option<(Limits, Window)> {
    let changed = before.first().is_some_and(|first| this.iter().any(|value| value.total_cmp(first).is_ne()));
    let of_before = match Limits::of(before, metric.greatest()) {
        _ if !before_counts => None,
        Ok(limits) => Some(limits),
        Err(NoLimits::NoVariation) if changed => Limits::of_one_value(before),
        Err(_) => None,
    };
    let of_this = || Limits::of(this, metric.greatest()).ok().map(|limits| (limits, Window::This));
    of_before.map(|limits| (limits, Window::Before)).or_else(of_this)
}

/// Whether a difference is for the better; `None`: there is none.
pub fn on_the_whole(metric: Metric, difference: Option<f64>) -> Option<bool> {
    difference.filter(|by| *by != 0.0).map(|by| (by > 0.0) == metric.more_is_better())
}

impl StandsOut {
    /// Counts what is marked in the points that are judged.
    fn of<'a>(metric: Metric, judged: impl Iterator<Item = &'a Point>) -> Self {
        let mut found = Self { of: 0, better: 0, worse: 0, jumps: 0, lasting: true };
        for point in judged {
            found.of += 1;
            let has = |rules: [Rule; 2]| rules.iter().any(|rule| point.signals.contains(rule));
            let (up, down) = (has([Rule::AboveLimit, Rule::RunAbove]), has([Rule::BelowLimit, Rule::RunBelow]));
            match (up || down, up == metric.more_is_better()) {
                (true, true) => found.better += 1,
                (true, false) => found.worse += 1,
                (false, _) => found.jumps += usize::from(!point.signals.is_empty()),
            }
            found.lasting &= !(up || down) || has([Rule::RunAbove, Rule::RunBelow]);
        }
        found.lasting &= found.better + found.worse > 0;
        found
    }

    /// Which way they point; `None`: nowhere, or both ways.
    pub fn side(self) -> Option<bool> {
        match (self.better, self.worse) {
            (0, 0) => None,
            (_, 0) => Some(true),
            (0, _) => Some(false),
            _ => None,
        }
    }
}

struct Judgement {
    verdict: Verdict,
    stands_out: Option<StandsOut>,
    reason: String,
}

impl Judgement {
    fn without_signal(verdict: Verdict, reason: String) -> Self {
        Self { verdict, stands_out: None, reason }
    }
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

fn judge(metric: Metric, interval: Interval, from: Window, before_counts: bool, points: &[Point]) -> Judgement {
    let judged = points.iter().filter(|point| point.window == Window::This && point.judged().is_some());
    let found = StandsOut::of(metric, judged);
    let StandsOut { of, better, worse, jumps, lasting } = found;
    let parts = counted(interval, of);
    let basis = match from {
        Window::Before => "the limits drawn from the window before".to_owned(),
        Window::This if !before_counts => {
            "limits drawn from this window itself (the one before is made of too little)".to_owned()
        }
        Window::This => format!(
            "limits drawn from this window itself (the one before has fewer than {MIN_POINTS} whole {} with values \
             that differ)",
            counted(interval, MIN_POINTS)
        ),
    };
    if of == 0 {
        let reason = format!("this window has no whole {} with a value to hold against {basis}", interval.name());
        return Judgement::without_signal(Verdict::NotEnoughData, reason);
    }
    if better + worse + jumps == 0 {
        let reason =
            format!("no signal in {of} whole {parts}, held against {basis}: differences between them are noise");
        return Judgement::without_signal(Verdict::Noise, reason);
    }
    let upwards = |better: bool| if better == metric.more_is_better() { "upwards" } else { "downwards" };
    let (count, way) = match (better, worse) {
        (0, 0) => (jumps, format!(" by being far from the {} before", interval.name())),
        (_, 0) => (better, format!(", {}, which is better", upwards(true))),
        (0, _) => (worse, format!(", {}, which is worse", upwards(false))),
        _ => (better + worse, format!(", {better} {} and {worse} {}", upwards(true), upwards(false))),
    };
    let run = if lasting { format!(", as a run of at least {RUN} on one side of their centre") } else { String::new() };
    let stands = if count == 1 { "stands" } else { "stand" };
    let reason = format!("{count} of {of} whole {parts} {stands} out from {basis}{run}{way}: more than noise");
    Judgement { verdict: Verdict::Signal, stands_out: Some(found), reason }
}

#[expect(clippy::float_cmp, reason = "whether they are the same number, not whether they are near")]
fn without_limits(interval: Interval, before: &[f64], this: &[f64]) -> Judgement {
    let parts = counted(interval, MIN_POINTS);
    if before.len() >= MIN_POINTS && !this.is_empty() && before.iter().chain(this).all(|value| *value == before[0]) {
        let reason = format!("nothing has changed: all whole {parts} have the same value");
        return Judgement::without_signal(Verdict::Noise, reason);
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
    Judgement::without_signal(Verdict::NotEnoughData, reason)
}

fn counted(interval: Interval, n: usize) -> String {
    format!("{}{}", interval.name(), if n == 1 { "" } else { "s" })
}
