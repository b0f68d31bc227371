//! A chart of one metric as SVG. Pure: what to draw comes in, text goes out. Everything is in attributes, so that it
//! looks the same under a policy that forbids styles.

mod axis;
mod draw;
mod text;

pub use draw::svg;

use crate::domain::Timestamp;
use crate::dora::explain::Metric;
use crate::dora::trend::Limits;
use crate::dora::{Interval, Measure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
}

/// What a panel shows.
#[derive(Debug)]
pub struct Panel {
    pub metric: Metric,
    pub interval: Interval,
    /// Sorted.
    pub projects: Vec<String>,
    /// Of the window as a whole.
    pub total: Measure,
    /// Oldest first.
    pub points: Vec<Point>,
    /// Of the values of [`Point::measure`].
    pub limits: Option<Limits>,
    /// Limits were asked for, and the values are too few or do not differ.
    pub no_limits: bool,
    /// The end of the window.
    pub as_of: Timestamp,
    pub theme: Theme,
    pub size: Size,
}

/// A day, week or month.
#[derive(Debug, Clone)]
pub struct Point {
    pub start: Timestamp,
    pub measure: Measure,
    /// Not cut by the window, and over.
    pub whole: bool,
    /// It stands out from the limits.
    pub signal: bool,
}
