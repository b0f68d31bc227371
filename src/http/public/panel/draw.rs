//! Where everything goes. The template only writes it down.

use askama::Template;

use super::axis::Axis;
use super::{Panel, Point, Theme, text};
use crate::dora::{Interval, Measured, words};
use crate::http::public::times;

const PADDING: f64 = 18.0;
/// Of the plot, from the edges of the panel.
const TOP: f64 = 78.0;
const BOTTOM: f64 = 58.0;
const TITLE: f64 = 16.0;
const HEADLINE: f64 = 22.0;
const SMALL: f64 = 12.0;
const TINY: f64 = 11.0;
/// Of a dot, where there is room for it.
const RADIUS: f64 = 3.5;

#[derive(Debug)]
struct Colours {
    paper: &'static str,
    edge: &'static str,
    ink: &'static str,
    muted: &'static str,
    grid: &'static str,
    data: &'static str,
    signal: &'static str,
}

const LIGHT: Colours = Colours {
    paper: "#ffffff",
    edge: "#d0d7de",
    ink: "#1f2328",
    muted: "#59636e",
    grid: "#e7ebef",
    data: "#2f6fd6",
    signal: "#bc4c00",
};

const DARK: Colours = Colours {
    paper: "#0d1117",
    edge: "#30363d",
    ink: "#e6edf3",
    muted: "#9198a1",
    grid: "#222831",
    data: "#58a6ff",
    signal: "#f0883e",
};

#[derive(Debug, Template)]
#[template(path = "panel.svg", config = "src/http/public/askama.toml")]
struct Drawing {
    width: u32,
    height: u32,
    colours: &'static Colours,
    title: String,
    subtitle: String,
    headline: String,
    /// Whether the headline is a number.
    known: bool,
    count: String,
    /// For those who do not see it.
    summary: String,
    left: String,
    right: String,
    edge_right: String,
    bottom: String,
    grid: Vec<Mark>,
    dates: Vec<Mark>,
    dates_at: String,
    bars: Vec<Bar>,
    lines: Vec<String>,
    dots: Vec<Dot>,
    radius: String,
    limits: Vec<Mark>,
    nothing: Option<Mark>,
    legend: String,
    legend_at: String,
    as_of: String,
}

/// A text or a line at a place on one axis.
#[derive(Debug)]
struct Mark {
    at: String,
    label: String,
    is_centre: bool,
}

#[derive(Debug)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    says: String,
    signal: bool,
    pale: bool,
}

#[derive(Debug)]
struct Dot {
    x: String,
    y: String,
    says: String,
    signal: bool,
    hollow: bool,
}

/// A point that has a value, in the unit it is drawn in.
struct Value<'a> {
    point: &'a Point,
    number: f64,
    x: f64,
}

pub fn svg(panel: &Panel) -> Result<String, askama::Error> {
    drawing(panel).render()
}

fn drawing(panel: &Panel) -> Drawing {
    let (width, height) = (f64::from(panel.size.width), f64::from(panel.size.height));
    let (bottom, plot_height) = (height - BOTTOM, height - BOTTOM - TOP);
    let measured = panel.metric.measured();
    let factor = factor(measured, panel.interval);
    let limits = panel.limits.map(|limits| [limits.lower, limits.centre, limits.upper].map(|value| value * factor));
    let values = panel.points.iter().map(|point| value(measured, factor, point));
    let greatest = values.clone().flatten().chain(limits.into_iter().flatten().filter(|limit| limit.is_finite()));
    let axis = Axis::new(measured, greatest.fold(0.0, f64::max), plot_height);
    let label_width = axis.ticks.iter().map(|tick| text::width(&tick.label, TINY)).fold(0.0, f64::max);
    let left = PADDING + label_width + 8.0;
    let right = width - PADDING;
    let y = |value: f64| bottom - value / axis.top * plot_height;
    let slot = (right - left) / count(panel.points.len().max(1));
    let middle = |index: usize| left + slot * (count(index) + 0.5);

    let drawn: Vec<Option<Value<'_>>> = values
        .zip(&panel.points)
        .enumerate()
        .map(|(index, (value, point))| value.map(|number| Value { point, number, x: middle(index) }))
        .collect();
    let is_counted = is_counted(measured);
    let present = || drawn.iter().flatten();
    let bars = if is_counted {
        present().map(|value| bar(panel, value, slot, y(value.number), bottom)).collect()
    } else {
        Vec::new()
    };
    let lines =
        if is_counted { Vec::new() } else { drawn.split(Option::is_none).filter_map(|run| line(run, y)).collect() };
    let dots =
        if is_counted { Vec::new() } else { present().map(|value| dot(panel, value, y(value.number))).collect() };

    let headline = words::measure(panel.metric, panel.total);
    let known = panel.total.enough && panel.total.value.is_some();
    let headline_size = if known { HEADLINE } else { SMALL };
    let room = right - PADDING - text::width(&headline, headline_size) - 16.0;
    let counted = format!("n = {}", panel.total.n);
    let subtitle = format!("{} · {}", unit_words(panel), panel.projects.join(", "));
    let as_of = format!("as of {}", times::moment(panel.as_of));
    let legend = legend(panel, is_counted);
    Drawing {
        width: panel.size.width,
        height: panel.size.height,
        colours: match panel.theme {
            Theme::Light => &LIGHT,
            Theme::Dark => &DARK,
        },
        title: text::fitted(words::title(panel.metric), TITLE * 1.06, room),
        subtitle: text::fitted(&subtitle, SMALL, right - PADDING - text::width(&counted, SMALL) - 16.0),
        summary: summary(panel, &headline, &subtitle, &as_of),
        headline,
        known,
        count: counted,
        left: pixels(left),
        right: pixels(right),
        edge_right: pixels(left - 8.0),
        bottom: pixels(bottom),
        grid: axis.ticks.iter().map(|tick| Mark::new(y(tick.value), tick.label.clone())).collect(),
        dates: dates(panel, slot, middle),
        dates_at: pixels(bottom + 17.0),
        bars,
        lines,
        dots,
        radius: pixels((slot * 0.35).clamp(1.2, RADIUS)),
        limits: limit_lines(limits, y),
        nothing: present()
            .all(|value| value.number <= 0.0 && is_counted)
            .then(|| Mark::new(f64::midpoint(left, right), "nothing happened in this time".to_owned())),
        legend: text::fitted(&legend, TINY, right - PADDING - text::width(&as_of, TINY) - 16.0),
        legend_at: pixels(height - 14.0),
        as_of,
    }
}

impl Mark {
    fn new(at: f64, label: String) -> Self {
        Self { at: pixels(at), label, is_centre: false }
    }
}

/// Counts are drawn as bars from 0, everything else as a line.
fn is_counted(measured: Measured) -> bool {
    matches!(measured, Measured::PerDay | Measured::StartedPerDay)
}

/// From a day to the interval, so that of what is counted a bar is the count itself. Months are of 30 days, so that they
/// can be compared.
fn factor(measured: Measured, interval: Interval) -> f64 {
    match interval {
        _ if !is_counted(measured) => 1.0,
        Interval::Day => 1.0,
        Interval::Week => 7.0,
        Interval::Month => 30.0,
    }
}

/// Of an interval that is not over, what has been counted so far: a rate would foretell the rest.
fn value(measured: Measured, factor: f64, point: &Point) -> Option<f64> {
    if is_counted(measured) && !point.whole {
        return u32::try_from(point.measure.n).ok().map(f64::from);
    }
    point.measure.value.map(|value| value * factor)
}

fn unit_words(panel: &Panel) -> String {
    let interval = match panel.interval {
        Interval::Month if is_counted(panel.metric.measured()) => "per 30 days",
        Interval::Day => "per day",
        Interval::Week => "per week",
        Interval::Month => "per month",
    };
    match panel.metric.measured() {
        Measured::PerDay => format!("Deployments {interval}"),
        Measured::StartedPerDay => format!("Incidents started {interval}"),
        Measured::Median => format!("Median {interval}"),
        Measured::Ratio => format!("Share {interval}"),
    }
}

fn bar(panel: &Panel, value: &Value<'_>, slot: f64, top: f64, bottom: f64) -> Bar {
    let width = (slot * 0.72).clamp(1.0, 56.0);
    // also nothing can be more than noise, and is to be seen then
    let height = (bottom - top).max(if value.point.signal { 2.0 } else { 0.0 });
    Bar {
        x: pixels(value.x - width / 2.0),
        y: pixels(bottom - height),
        width: pixels(width),
        height: pixels(height),
        says: format!("{}: {}", name_of(panel, value.point), words::trimmed(value.number, 1)),
        signal: value.point.signal,
        pale: !value.point.whole,
    }
}

fn dot(panel: &Panel, value: &Value<'_>, y: f64) -> Dot {
    let number = words::value(panel.metric, value.number);
    Dot {
        x: pixels(value.x),
        y: pixels(y),
        says: format!("{}: {number} (n = {})", name_of(panel, value.point), value.point.measure.n),
        signal: value.point.signal,
        hollow: !value.point.measure.enough || !value.point.whole,
    }
}

/// Through values without a gap between them.
fn line(run: &[Option<Value<'_>>], y: impl Fn(f64) -> f64) -> Option<String> {
    let points: Vec<_> =
        run.iter().flatten().map(|value| format!("{},{}", pixels(value.x), pixels(y(value.number)))).collect();
    (points.len() > 1).then(|| points.join(" "))
}

fn limit_lines(limits: Option<[f64; 3]>, y: impl Fn(f64) -> f64) -> Vec<Mark> {
    let Some([lower, centre, upper]) = limits else { return Vec::new() };
    let line = |value: f64, is_centre| Mark { is_centre, ..Mark::new(y(value), String::new()) };
    // at 0 it would lie on the axis
    let lower = (lower > 0.0).then(|| line(lower, false));
    let upper = upper.is_finite().then(|| line(upper, false));
    lower.into_iter().chain(upper).chain([line(centre, true)]).collect()
}

fn name_of(panel: &Panel, point: &Point) -> String {
    match panel.interval {
        Interval::Day => times::day(point.start),
        Interval::Week => format!("week of {}", times::day(point.start)),
        Interval::Month => times::month(point.start),
    }
}

/// As many as do not run into each other, from the newest back.
fn dates(panel: &Panel, slot: f64, middle: impl Fn(usize) -> f64) -> Vec<Mark> {
    let label = |point: &Point| match panel.interval {
        Interval::Day | Interval::Week => times::day(point.start),
        Interval::Month => times::month(point.start),
    };
    let widest = panel.points.iter().map(|point| text::width(&label(point), TINY)).fold(0.0, f64::max);
    let mut every = 1;
    while slot * count(every) < widest + 14.0 && every < panel.points.len() {
        every += 1;
    }
    let last = panel.points.len().saturating_sub(1);
    let shown = panel.points.iter().enumerate().filter(|(index, _)| (last - index).is_multiple_of(every));
    // the first may stand half outside
    let inside = shown.filter(|(index, _)| slot * (count(*index) + 0.5) >= widest / 2.0 - 10.0);
    // and the last is moved in as a whole
    let right_most = f64::from(panel.size.width) - PADDING - widest / 2.0;
    let mut marks: Vec<_> = inside.map(|(index, point)| (middle(index).min(right_most), label(point))).collect();
    if let [.., before, last] = marks.as_slice()
        && last.0 - before.0 < widest + 8.0
    {
        marks.remove(marks.len() - 2);
    }
    marks.into_iter().map(|(at, label)| Mark::new(at, label)).collect()
}

fn legend(panel: &Panel, is_counted: bool) -> String {
    let mut says = Vec::new();
    let drawn = || panel.points.iter().filter(|point| point.measure.value.is_some());
    match (is_counted, drawn().any(|point| !point.whole), drawn().any(|point| !point.measure.enough)) {
        (true, true, _) => says.push("pale: not over"),
        (false, true, true) => says.push("hollow: not over, or too little data"),
        (false, true, false) => says.push("hollow: not over"),
        (false, false, true) => says.push("hollow: too little data"),
        (_, false, _) => {}
    }
    if panel.limits.is_some() {
        says.push("dashed: process limits");
        if panel.points.iter().any(|point| point.signal) {
            says.push("orange: more than noise");
        }
    } else if panel.no_limits {
        says.push("no limits can be drawn");
    }
    says.join(" · ")
}

fn summary(panel: &Panel, headline: &str, subtitle: &str, as_of: &str) -> String {
    let all = format!("{headline}, n = {}. {subtitle}, {as_of}.", panel.total.n);
    let Some(limits) = panel.limits else { return all };
    let signals = panel.points.iter().filter(|point| point.signal).count();
    let (of, n) = (panel.points.len(), limits.n);
    format!("{all} {signals} of {of} stand out from natural process limits, which were drawn from {n} values.")
}

/// A tenth of a pixel is fine enough.
fn pixels(value: f64) -> String {
    words::trimmed(value, 1)
}

#[expect(clippy::cast_precision_loss, reason = "at most as many as a window has parts")]
fn count(n: usize) -> f64 {
    n as f64
}
