//! The instruments and what moves them. Pure: a fact in, observations out.
//! A new instrument is one entry in [`CATALOGUE`] and one line in its fact's file.

pub mod deployments;
pub mod incidents;
mod instrument;
pub mod past;

pub use instrument::{Bounds, CATALOGUE, Instrument, Kind, Metric, table_markdown};

use std::sync::Arc;

use crate::domain::Name;

/// The attributes of every data point (= Prometheus labels `project_id`, `team_id`, `environment`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels {
    pub project_id: Name,
    /// `None` is shown as `""`.
    pub team_id: Option<Name>,
    pub environment: Name,
}

impl Labels {
    pub fn team(&self) -> &str {
        self.team_id.as_ref().map_or("", Name::as_str)
    }
}

/// One step of one instrument: a counter by 1, a histogram by one value in microseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    pub metric: Metric,
    pub labels: Labels,
    /// Microseconds; 0 for counters.
    pub micros: i64,
}

/// The running total of one series, as the store keeps it. It only ever grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesTotal {
    /// Grows with the age of the series: a later series has a greater id.
    pub id: i64,
    pub metric: Metric,
    /// Shared by the series of all instruments.
    pub labels: Arc<Labels>,
    /// When the series was made; the start time of its points, for ever.
    pub started_at: crate::domain::Timestamp,
    pub count: i64,
    /// The sum of a histogram's values in microseconds; 0 for a counter.
    pub sum_micros: i128,
    /// A histogram's observations per bucket (not cumulative): one entry for each bound and one above
    /// all bounds. Empty for a counter.
    pub buckets: Vec<i64>,
}
