//! The keys over time. Each is a table; where scripts run, they draw it.

use super::cards::Key;
use super::filters::Filters;
use super::text::{Figure, part, tick};
use crate::report::Report;

#[derive(Debug)]
pub struct Chart {
    pub name: &'static str,
    pub metric: &'static str,
    /// What a script needs to know to draw it: `bars` or `line`.
    pub shape: &'static str,
    /// `count`, `seconds` or `share`
    pub unit: &'static str,
    pub column: &'static str,
    pub points: Vec<Point>,
}

#[derive(Debug)]
pub struct Point {
    /// As short as an axis needs it.
    pub tick: String,
    pub label: String,
    /// `None`: nothing happened that it could be made of.
    pub figure: Option<Figure>,
    pub n: u64,
    pub facts: String,
}

pub fn charts(filters: &Filters, report: &Report) -> Vec<Chart> {
    Key::ALL.into_iter().map(|key| chart(key, filters, report)).collect()
}

fn chart(key: Key, filters: &Filters, report: &Report) -> Chart {
    let metric = key.metric().name();
    let parts = report.calendar.buckets.iter().zip(&report.all.series);
    let points = parts.map(|(bucket, keys)| {
        let measured = key.measured(keys);
        let figure = match key {
            Key::Frequency => Some(Figure::count(measured.n)),
            _ => measured.value.map(|(_, figure)| figure),
        };
        Point {
            tick: tick(filters.shown(bucket.start), filters.interval()),
            label: part(filters.shown(bucket.start), filters.shown(bucket.end), filters.interval()),
            figure,
            n: measured.n,
            facts: filters.link_to_facts(metric, bucket.start, bucket.end),
        }
    });
    let (name, shape, unit, column) = match key {
        Key::Frequency => ("Deployments", "bars", "count", "Deployments"),
        Key::LeadTime | Key::RecoveryTime => (key.name(), "line", "seconds", "Median"),
        Key::FailureRate | Key::ReworkRate => (key.name(), "line", "share", "Share"),
    };
    Chart { name, metric, shape, unit, column, points: points.collect() }
}
