//! Numbers and times as the pages show them. Pure.

use chrono::NaiveDateTime;

use crate::domain::Prose;
use crate::dora::{Interval, words};

/// A value and how it is written; the exact value goes along for scripts and for whoever asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub value: String,
    pub text: String,
}

impl Figure {
    pub fn count(n: u64) -> Self {
        Self { value: n.to_string(), text: words::count(n) }
    }

    pub fn seconds(seconds: f64) -> Self {
        Self { value: seconds.to_string(), text: words::duration(seconds) }
    }
}

pub fn moment(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M").to_string()
}

/// When something was written down: to the second.
pub fn precise_moment(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M:%S").to_string()
}

/// A part of a window: by its first day, and whether it is a whole one.
pub fn part(start: NaiveDateTime, interval: Interval, whole: bool) -> String {
    let label = match interval {
        Interval::Day => start.format("%a %-d %b %Y").to_string(),
        Interval::Week => format!("Week of {}", start.format("%-d %b %Y")),
        Interval::Month => start.format("%b %Y").to_string(),
    };
    if whole { label } else { format!("{label} (part)") }
}

/// The same as short as an axis needs it.
pub fn tick(start: NaiveDateTime, interval: Interval) -> String {
    let format = if interval == Interval::Month { "%b %y" } else { "%-d %b" };
    start.format(format).to_string()
}

/// An address that a sender chose, where it is nothing that a browser would run.
pub fn web_address(url: Option<Prose>) -> Option<String> {
    let url = url?.to_string();
    url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")).then_some(url)
}
