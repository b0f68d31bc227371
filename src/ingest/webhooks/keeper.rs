//! Keeps the inbox from growing without end, and notices who has fallen silent: GitHub, say, never tells that it has
//! stopped sending.

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use tokio_util::sync::CancellationToken;

use crate::config::Webhooks;
use crate::domain::{Clock, Timestamp};
use crate::storage::{self, Heard, Standing, Store};
use crate::telemetry::instruments;

/// How often it looks.
const ROUND: Duration = Duration::from_mins(1);
/// How often one of all replicas clears away.
const CLEARING: Duration = Duration::from_mins(30);

#[derive(Debug)]
pub struct InboxKeeper {
    store: Store,
    clock: Clock,
    retention: Duration,
    most_bytes: i64,
    silent_after: Option<Duration>,
    /// Those that were warned about.
    silent: BTreeSet<String>,
    silence: Gauge<u64>,
    deliveries: Gauge<u64>,
}

impl InboxKeeper {
    pub fn new(store: Store, clock: Clock, section: &Webhooks) -> Self {
        Self {
            store,
            clock,
            retention: section.retention(),
            most_bytes: i64::try_from(section.retention_mb.saturating_mul(1024 * 1024)).unwrap_or(i64::MAX),
            silent_after: section.silent_after(),
            silent: BTreeSet::new(),
            silence: instruments::WEBHOOK_SILENCE.gauge(),
            deliveries: instruments::WEBHOOK_DELIVERIES.gauge(),
        }
    }

    /// Works until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look().await {
                tracing::debug!(%error, "the inbox could not be looked at");
            }
            match self.clear().await {
                Ok(None | Some(0)) => {}
                Ok(Some(cleared)) => tracing::info!(cleared, "old deliveries were cleared away"),
                Err(error) => tracing::warn!(%error, "old deliveries could not be cleared away; trying again later"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    /// Clears away and looks, if that is due: for a process that does not stay.
    pub async fn once(&mut self) -> Result<(), storage::Error> {
        if self.clear().await?.is_some() {
            self.look().await?;
        }
        Ok(())
    }

    /// Tells by metrics how things stand, and warns once of each source that has fallen silent. Which are silent now.
    pub async fn look(&mut self) -> Result<&BTreeSet<String>, storage::Error> {
        let now = self.clock.now();
        for standing in [Standing::Received, Standing::Failed] {
            let count = u64::try_from(self.store.inbox_count(standing).await?).unwrap_or_default();
            self.deliveries.record(count, &[KeyValue::new("state", standing.word())]);
        }
        for heard in self.store.heard().await? {
            let silence = silence(&heard, now);
            self.silence.record(silence.as_secs(), &[KeyValue::new("source", heard.source.clone())]);
            if self.silent_after.is_none_or(|limit| silence < limit) {
                if self.silent.remove(&heard.source) {
                    tracing::info!(source = heard.source, "a source that was silent sends again");
                }
            } else if self.silent.insert(heard.source.clone()) {
                let hours = silence.as_secs() / 3600;
                tracing::warn!(
                    source = heard.source,
                    silent_hours = hours,
                    "a source of webhooks has fallen silent: is it still set up over there?"
                );
            }
        }
        Ok(&self.silent)
    }

    /// Clears away what is old or too much, if that is due and nobody else does it; how much that was.
    pub async fn clear(&self) -> Result<Option<u64>, storage::Error> {
        let now = self.clock.now();
        if !self.store.take_turn("clearing the inbox", now, now.later(CLEARING)).await? {
            return Ok(None);
        }
        self.store.clear_inbox(now.earlier(self.retention), self.most_bytes).await.map(Some)
    }
}

fn silence(heard: &Heard, now: Timestamp) -> Duration {
    let micros = u64::try_from(now.micros_since(heard.last_received_at)).unwrap_or_default();
    Duration::from_micros(micros)
}
