//! A metric and its number as people read them.

use super::text::Figure;
use crate::dora::explain::Metric;
use crate::dora::{Measure, words};

/// A number, whether it is one to act on, and of how many facts it is made.
#[derive(Debug)]
pub struct Shown {
    /// `None`: there is nothing to compute it from.
    pub figure: Option<Figure>,
    pub n: u64,
    pub enough: bool,
}

impl Shown {
    pub fn new(metric: Metric, measure: Measure) -> Self {
        let Measure { n, value, enough } = measure;
        Self { figure: value.map(|value| figure(metric, value)), n, enough }
    }

    /// What may be shown as the answer.
    pub fn answer(&self) -> Option<&Figure> {
        self.figure.as_ref().filter(|_| self.enough)
    }

    pub fn n_text(&self) -> String {
        words::count(self.n)
    }
}

pub fn figure(metric: Metric, value: f64) -> Figure {
    Figure { value: value.to_string(), text: words::value(metric, value) }
}
