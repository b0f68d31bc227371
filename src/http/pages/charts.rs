//! The keys over time, between their natural limits. Each is a table; where scripts run, they draw it.

use super::filters::Filters;
use super::shown;
use super::text::{Figure, part, tick};
use super::trend::Change;
use crate::dora::explain::Metric;
use crate::dora::measure::Measured;
use crate::dora::trend::{Limits, Point, Rule, Trend, Window};
use crate::dora::words::{self, count, short};

#[derive(Debug)]
pub struct Chart {
    pub name: &'static str,
    pub metric: &'static str,
    /// What a script needs to know to draw it: `bars` or `line`.
    pub shape: &'static str,
    /// `count`, `seconds` or `share`
    pub unit: &'static str,
    pub column: &'static str,
    pub limits: Option<Drawn>,
    pub change: Change,
    pub rows: Vec<Row>,
}

/// The limits, which are the same for all points.
#[derive(Debug)]
pub struct Drawn {
    pub centre: Figure,
    pub lower: Figure,
    pub upper: Figure,
    pub from: &'static str,
}

#[derive(Debug)]
pub struct Row {
    /// As short as an axis needs it.
    pub tick: String,
    pub label: String,
    /// `None`: nothing happened that it could be made of.
    pub figure: Option<Figure>,
    pub n: String,
    /// Not judged: the window cuts it, or it is still running.
    pub partial: bool,
    /// Empty: none.
    pub signals: String,
    pub facts: String,
}

pub fn charts(filters: &Filters, trends: &[(Metric, Trend)]) -> Vec<Chart> {
    trends.iter().map(|(metric, trend)| chart(*metric, filters, trend)).collect()
}

fn chart(metric: Metric, filters: &Filters, trend: &Trend) -> Chart {
    let (shape, unit, column) = match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => ("bars", "count", "A day"),
        Measured::Median => ("line", "seconds", "Median"),
        Measured::Ratio => ("line", "share", "Share"),
    };
    let of_this = trend.points.iter().filter(|point| point.window == Window::This);
    Chart {
        name: words::title(metric),
        metric: metric.name(),
        shape,
        unit,
        column,
        limits: trend.limits.map(|(limits, from)| Drawn::new(metric, limits, from)),
        change: Change::new(metric, filters.interval(), trend),
        rows: of_this.map(|point| row(metric, filters, point)).collect(),
    }
}

impl Drawn {
    fn new(metric: Metric, limits: Limits, from: Window) -> Self {
        let from = match from {
            Window::Before => "the window before",
            Window::This => "this window",
        };
        let [centre, lower, upper] = [limits.centre, limits.lower, limits.upper].map(|value| figure(metric, value));
        Self { centre, lower, upper, from }
    }
}

fn row(metric: Metric, filters: &Filters, point: &Point) -> Row {
    let (start, interval) = (filters.shown(point.bucket.start), filters.interval());
    Row {
        tick: tick(start, interval),
        label: part(start, interval, point.whole),
        figure: point.measure.value.map(|value| figure(metric, value)),
        n: count(point.measure.n),
        partial: !point.whole,
        signals: point.signals.iter().map(|rule| signal(*rule)).collect::<Vec<_>>().join(", "),
        facts: filters.link_to_facts(metric.name(), point.bucket.start, point.bucket.end),
    }
}

/// Its name at the API, as words.
fn signal(rule: Rule) -> String {
    rule.name().replace('_', " ")
}

/// In one unit, to be compared with those above and below.
fn figure(metric: Metric, value: f64) -> Figure {
    match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => Figure { value: value.to_string(), text: short(value) },
        Measured::Median | Measured::Ratio => shown::figure(metric, value),
    }
}
