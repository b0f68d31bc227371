//! A cycle of a process that does not stay: a function is frozen as soon as it has answered.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::{Delivery, Push, Turn, chain};
use crate::storage;
use crate::telemetry::Complaint;

/// How long nobody tries after a try that came to nothing: each one makes somebody wait. What was shown stays true.
const REST: Duration = Duration::from_mins(1);
const TURN: &str = "export";

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Once {
    /// It is not yet time, or somebody else does it.
    NotOurs,
    Exported,
    Failed,
}

impl Push {
    /// Exports the totals when an interval has passed since anybody last did so here, and no process that stays does it;
    /// then it gives up its turn, whatever has happened. Our own metrics are not sent: those of processes that come
    /// and go would be series without end.
    pub async fn once(&mut self, limit: Duration) -> Once {
        let mut delivery = Delivery::default();
        let done = timeout(limit, self.in_turn(&mut delivery)).await;
        // frozen it would keep the lock
        self.store.resign().await;
        let now = Instant::now();
        let complaint = match (done, delivery.unavailable) {
            (Ok(Ok(Once::Exported)), None) => {
                if let Some(outage) = self.collector.works(now) {
                    let seconds = outage.as_secs_f64();
                    info!(otlp.url = %self.url, outage_seconds = seconds, "the collector is back and up to date");
                }
                return Once::Exported;
            }
            (Ok(Ok(outcome)), None) => return outcome,
            (Ok(Ok(_)), Some(reason)) => reason,
            (Ok(Err(error)), _) => chain(&error),
            (Err(_), _) => format!("there was no time left for it after {} ms", limit.as_millis()),
        };
        if self.collector.fails(now) == Complaint::Begins {
            warn!(otlp.url = %self.url, error = complaint, "the totals cannot be exported; trying again every minute");
        }
        Once::Failed
    }

    async fn in_turn(&mut self, delivery: &mut Delivery) -> Result<Once, storage::Error> {
        let now = self.clock.now();
        // as if it were to fail: then nobody has to say so
        if !self.store.take_turn(TURN, now, now.later(REST.max(self.interval))).await? {
            return Ok(Once::NotOurs);
        }
        if self.export_totals(delivery).await? == Turn::Anothers {
            return Ok(Once::NotOurs);
        }
        if delivery.unavailable.is_some() || delivery.rejected > 0 {
            return Ok(Once::Failed);
        }
        self.store.set_turn(TURN, now.later(self.interval)).await?;
        Ok(Once::Exported)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Collector, map, push};
    use super::*;
    use crate::export::fixtures::{Bench, at};

    const LIMIT: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn of_many_processes_one_exports_in_an_interval() {
        let (bench, collector) = (Bench::new().await, Collector::default());
        let target = collector.start().await;
        bench.deploy("shop").await;
        let (mut one, mut other) = (push(&bench, &target), push(&bench, &target));
        assert_eq!((one.once(LIMIT).await, other.once(LIMIT).await), (Once::Exported, Once::NotOurs));
        bench.clock.set(at(1_000 + 14));
        assert_eq!((other.once(LIMIT).await, one.once(LIMIT).await), (Once::NotOurs, Once::NotOurs));
        bench.clock.set(at(1_000 + 15));
        assert_eq!((other.once(LIMIT).await, one.once(LIMIT).await), (Once::Exported, Once::NotOurs));
        let values: Vec<_> = collector.totals().into_iter().map(|(_, values)| values).collect();
        assert_eq!(values, [map(&[("shop", 0)]), map(&[("shop", 1)])], "the 0 comes first, whoever shows it");
        assert_eq!(collector.requests(), 2, "our own metrics stay here");
    }

    #[tokio::test]
    async fn after_a_failure_nobody_tries_for_a_minute() {
        let (bench, collector) = (Bench::new().await, Collector::default());
        let target = collector.start().await;
        bench.deploy("shop").await;
        let (mut one, mut other) = (push(&bench, &target), push(&bench, &target));
        collector.answer(&[503, 400]);
        for failure in 0..2 {
            assert_eq!(one.once(LIMIT).await, Once::Failed);
            bench.clock.set(at(1_000 + 60 * failure + 59));
            assert_eq!(other.once(LIMIT).await, Once::NotOurs);
            bench.clock.set(at(1_000 + 60 * failure + 60));
        }
        assert_eq!(other.once(LIMIT).await, Once::Exported);
        assert_eq!(collector.last(), map(&[("shop", 0)]));
    }

    #[tokio::test]
    async fn a_collector_that_says_nothing_takes_no_more_than_the_limit() {
        let bench = Bench::new().await;
        bench.deploy("shop").await;
        // it accepts in the kernel, and nobody reads
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let collector = Collector::default();
        let mut target = collector.start().await;
        target.url = format!("http://{}/v1/metrics", silent.local_addr().unwrap());
        let began = Instant::now();
        assert_eq!(push(&bench, &target).once(Duration::from_millis(50)).await, Once::Failed);
        assert!(began.elapsed() < target.timeout);
    }
}
