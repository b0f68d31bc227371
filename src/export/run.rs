//! The push loop. Every cycle carries every series, so nothing is queued and nothing is tried twice:
//! after an outage the next success says it all.

mod once;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::otlp::{self, Identity, MAX_REQUEST_BYTES};
use super::transport::{BuildError, Failure, Transport, chain};
use super::{blocking, snapshot};
use crate::config::{Otel, masked_url};
use crate::domain::{Clock, Timestamp};
use crate::metrics::SeriesTotal;
use crate::storage::{self, Store};
use crate::telemetry::instruments::{EXPORT_CYCLES, EXPORT_DURATION};
use crate::telemetry::{Complaint, Once, Outage, OwnMetrics};

/// How the store knows the collector.
const CONSUMER: &str = "otlp";

/// How long the totals may take to be read; more than any number of them needs. A server that has gone without a word
/// would be waited for for ever.
const READING: Duration = Duration::from_mins(1);

/// How long the end of the process may wait for the last cycle.
const LAST_CYCLE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Push {
    store: Store,
    own: OwnMetrics,
    clock: Clock,
    transport: Transport,
    /// Fit for a log.
    url: String,
    interval: Duration,
    /// Complete once the store has told its instance id.
    identity: Identity,
    last_time: u64,
    collector: Outage,
    database: Outage,
    remarks: Once,
    cycles: Counter<u64>,
    duration: Histogram<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Success,
    /// Another process exports the totals.
    Skipped,
    Failure,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Skipped => "skipped",
            Outcome::Failure => "failure",
        }
    }
}

/// Whose part it is to export the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    Anothers,
}

/// What the collector made of some requests.
#[derive(Debug, Default)]
struct Delivery {
    accepted: usize,
    rejected: usize,
    /// Why the rest was not even tried.
    unavailable: Option<String>,
}

impl Push {
    /// `None` without a collector. Call it inside a runtime, after the telemetry is set up.
    pub fn new(store: Store, own: OwnMetrics, otel: &Otel, clock: Clock) -> Result<Option<Self>, BuildError> {
        let Some(target) = &otel.metrics else { return Ok(None) };
        let meter = own.meter();
        Ok(Some(Self {
            transport: Transport::new(target)?,
            url: masked_url(&target.url),
            interval: otel.export_interval,
            identity: Identity {
                service_name: otel.service_name.clone(),
                instance_id: String::new(),
                deployment_environment: otel.deployment_environment.clone(),
            },
            last_time: 0,
            collector: Outage::default(),
            database: Outage::default(),
            remarks: Once::default(),
            cycles: EXPORT_CYCLES.counter_of(&meter),
            duration: EXPORT_DURATION.histogram_of(&meter),
            store,
            own,
            clock,
        }))
    }

    /// Exports at once, then every interval, and once more when told to stop; then it returns within 5 s.
    pub async fn run(mut self, stop: CancellationToken) {
        info!(otlp.url = %self.url, interval_seconds = self.interval.as_secs_f64(), "pushing metrics");
        let mut ticker = tokio::time::interval(self.interval);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (store, interval) = (self.store.clone(), self.interval);
        let round = async {
            loop {
                ticker.tick().await;
                if self.cycle().await == Outcome::Failure {
                    // not at once, however long it took: another one may have more luck
                    ticker.reset();
                }
            }
        };
        // also while a collector takes its time, and while many totals are worked on, so in a task of its own: the
        // database takes a silent one for dead
        let mut alive = JoinSet::new();
        alive.spawn(async move {
            loop {
                tokio::time::sleep(interval / 4).await;
                store.leads().await;
            }
        });
        stop.run_until_cancelled(round).await;
        // and no longer than this one
        drop(alive);
        if tokio::time::timeout(LAST_CYCLE, self.cycle()).await.is_err() {
            warn!(otlp.url = %self.url, "the last export did not finish; the next start carries on from the store");
        }
    }

    async fn cycle(&mut self) -> Outcome {
        let start = Instant::now();
        let outcome = self.export().await;
        let labels = [KeyValue::new("outcome", outcome.as_str())];
        self.cycles.add(1, &labels);
        self.duration.record(start.elapsed().as_secs_f64(), &labels);
        outcome
    }

    async fn export(&mut self) -> Outcome {
        let (mut delivery, mut outcome) = (Delivery::default(), Outcome::Success);
        match self.export_totals(&mut delivery).await {
            Ok(Turn::Ours) => self.database_works(),
            Ok(Turn::Anothers) => {
                self.database_works();
                outcome = Outcome::Skipped;
            }
            Err(error) => {
                outcome = Outcome::Failure;
                if self.database.fails(Instant::now()) == Complaint::Begins {
                    warn!(error = %chain(&error), "the totals cannot be exported for now");
                }
            }
        }
        // Also when there is nothing in it yet: a wrong address is told at the start, not at the first fact.
        let own = ExportMetricsServiceRequest::from(&self.own.collect());
        self.deliver(own, &mut delivery).await;
        let now = Instant::now();
        if let Some(reason) = delivery.unavailable {
            // perhaps it is only we that cannot reach it
            self.store.resign().await;
            if self.collector.fails(now) == Complaint::Begins {
                warn!(otlp.url = %self.url, error = reason, "the collector cannot be reached; every cycle tries again");
            }
            return Outcome::Failure;
        }
        if let Some(outage) = self.collector.works(now) {
            info!(otlp.url = %self.url, outage_seconds = outage.as_secs_f64(), "the collector is back and up to date");
        }
        if delivery.rejected > 0 { Outcome::Failure } else { outcome }
    }

    async fn export_totals(&mut self, delivery: &mut Delivery) -> Result<Turn, storage::Error> {
        // one cycle for it to be missed, and another's next one comes within the second
        if !self.store.lead(self.interval).await? {
            return Ok(Turn::Anothers);
        }
        let read = tokio::time::timeout(READING, self.read()).await;
        let (now, series, mark) = read.unwrap_or(Err(storage::Error::TooSlow))?;
        let shown = snapshot::show(series, mark);
        self.last_time = otlp::stamp(now, self.last_time, &shown.series);
        let empty = shown.series.is_empty();
        let (identity, time) = (self.identity.clone(), self.last_time);
        let mut requests = blocking(move || otlp::encode(shown.series, identity, time, MAX_REQUEST_BYTES)).await;
        while delivery.unavailable.is_none() {
            let (request, rest) = blocking(move || (requests.next(), requests)).await;
            let Some(request) = request else { break };
            requests = rest;
            // All that takes time, and a late sample beside another writer's is worse than none. Not even when it could
            // be our turn again: others may have had theirs in between.
            if !self.store.leads().await {
                return Ok(Turn::Anothers);
            }
            self.deliver(request, delivery).await;
        }
        // What was refused for good is as shown as it will ever be; if all was, someone must mend something first.
        let delivered = delivery.unavailable.is_none() && (delivery.accepted > 0 || empty);
        if delivered && shown.mark > mark {
            self.store.set_announced(CONSUMER, shown.mark).await?;
        }
        Ok(Turn::Ours)
    }

    /// Every total, the moment that it is of, and what of it the collector has been shown.
    async fn read(&mut self) -> Result<(Timestamp, Vec<SeriesTotal>, i64), storage::Error> {
        if self.identity.instance_id.is_empty() {
            self.identity.instance_id = self.store.instance_id().await?;
        }
        // Before the totals are read: they may hold a little more than this moment, never less.
        let now = self.store.now(&self.clock).await?;
        let series = self.store.series().await?;
        let mark = self.mark(&series, now).await?;
        Ok((now, series, mark))
    }

    /// The greatest series id the collector has been shown.
    async fn mark(&self, series: &[SeriesTotal], now: Timestamp) -> Result<i64, storage::Error> {
        if let Some(mark) = self.store.announced(CONSUMER).await? {
            return Ok(mark);
        }
        // Kept at once: what is history is settled now, however long the collector stays away.
        let mark = snapshot::first_mark(series, now);
        self.store.set_announced(CONSUMER, mark).await?;
        Ok(mark)
    }

    /// Does not even try once nobody was there to take the one before.
    async fn deliver(&mut self, request: ExportMetricsServiceRequest, delivery: &mut Delivery) {
        if delivery.unavailable.is_some() {
            return;
        }
        match self.transport.send(request).await {
            Ok(answer) => {
                delivery.accepted += 1;
                if answer.rejected_points > 0 && self.remarks.is_new(&answer.remark) {
                    let (points, remark) = (answer.rejected_points, answer.remark);
                    warn!(otlp.url = %self.url, rejected_points = points, remark, "the collector refuses some points");
                }
            }
            Err(Failure::Rejected(message)) => {
                delivery.rejected += 1;
                if self.remarks.is_new(&message) {
                    warn!(otlp.url = %self.url, error = message, "the collector refuses an export");
                }
            }
            Err(Failure::Unavailable(message)) => delivery.unavailable = Some(message),
        }
    }

    fn database_works(&mut self) {
        if let Some(outage) = self.database.works(Instant::now()) {
            info!(outage_seconds = outage.as_secs_f64(), "the totals are exported again");
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
