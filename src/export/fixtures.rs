//! Totals for the tests of this room.

use std::time::Duration;

use crate::config::{self, Otel, Target};
use crate::domain::{Clock, Name, Timestamp};
use crate::metrics::{Labels, Metric, Observation, SeriesTotal};
use crate::storage::{Store, Writes};
use crate::telemetry::OwnMetrics;

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
        labels: labels(&format!("shop-{id}")).into(),
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
        sum_micros: micros.iter().copied().map(i128::from).sum(),
        buckets,
        ..counter(id, 0)
    }
}

/// A real store with a clock that stands still at second 1,000.
pub struct Bench {
    pub store: Store,
    pub own: OwnMetrics,
    pub clock: Clock,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = config::Storage { sqlite_db: folder.path().join("em.db"), ..config::Storage::default() };
        let store = Store::open(&settings, Duration::from_secs(15)).await.unwrap();
        let own = OwnMetrics::detached(&otel(None));
        Self { store, own, clock: Clock::manual(at(1_000)), _folder: folder }
    }

    /// One more `deployment_frequency` of the project; its series are made if it is the first.
    pub async fn deploy(&self, project: &str) {
        let observation = Observation { metric: Metric::DeploymentFrequency, labels: labels(project), micros: 0 };
        let mut writes = Writes::default();
        writes.totals.add(observation, self.clock.now());
        let mut tx = self.store.begin().await.unwrap();
        tx.write(&writes, None).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub fn otel(metrics: Option<Target>) -> Otel {
    Otel {
        service_name: "em_metrics".into(),
        deployment_environment: "test".into(),
        metrics,
        traces: None,
        export_interval: Duration::from_secs(15),
    }
}
