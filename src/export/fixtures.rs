//! Totals for the tests of this room.

use crate::domain::{Name, Timestamp};
use crate::metrics::{Labels, Metric, SeriesTotal};

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000).unwrap()
}

pub fn labels(project: &str) -> Labels {
    let name = |text| Name::parse(text).unwrap();
    Labels { project_id: name(project), team_id: Some(name("crew")), environment: name("production") }
}

/// `deployment_frequency`, started at second 1,000.
pub fn counter(id: i64, count: i64) -> SeriesTotal {
    SeriesTotal {
        id,
        metric: Metric::DeploymentFrequency,
        labels: labels(&format!("shop-{id}")),
        started_at: at(1_000),
        count,
        sum_micros: 0,
        buckets: vec![],
    }
}

/// `lead_time_for_changes` with these values, started at second 1,000.
pub fn histogram(id: i64, micros: &[i64]) -> SeriesTotal {
    let bounds = Metric::LeadTimeForChanges.bounds().unwrap();
    let mut buckets = vec![0; usize::from(bounds.count) + 1];
    for value in micros {
        buckets[usize::from(bounds.bucket(*value))] += 1;
    }
    SeriesTotal {
        metric: Metric::LeadTimeForChanges,
        count: i64::try_from(micros.len()).unwrap(),
        sum_micros: micros.iter().sum(),
        buckets,
        ..counter(id, 0)
    }
}
