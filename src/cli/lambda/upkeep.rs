//! What `serve` does in the background, done at the end of an invocation: deliveries become facts, the totals go out,
//! old deliveries are cleared away. What does not fit into the time is done at the end of another one.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::domain::Clock;
use crate::export::Push;
use crate::ingest::webhooks::{InboxKeeper, Projector};
use crate::storage::{self, Store};

/// How often old deliveries are cleared away, over all instances.
const CLEARING: Duration = Duration::from_mins(30);
const TURN: &str = "inbox";

#[derive(Debug)]
pub struct Upkeep {
    store: Store,
    clock: Clock,
    projector: Projector,
    inbox_keeper: InboxKeeper,
    push: Option<Push>,
}

impl Upkeep {
    pub fn new(
        store: Store,
        clock: Clock,
        projector: Projector,
        inbox_keeper: InboxKeeper,
        push: Option<Push>,
    ) -> Self {
        Self { store, clock, projector, inbox_keeper, push }
    }

    pub async fn run(&mut self, limit: Duration) {
        let until = Instant::now() + limit;
        // what is broken off is done again by whoever comes next
        match timeout_at(until, self.projector.once()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, reason = error.reason(), "deliveries wait for the database"),
            Err(_) => tracing::warn!(limit_seconds = limit.as_secs_f64(), "deliveries wait for another invocation"),
        }
        if let Some(push) = &mut self.push {
            push.once(until.saturating_duration_since(Instant::now())).await;
        }
        match timeout_at(until, self.clear()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the inbox could not be looked at"),
            Err(_) => tracing::debug!("there was no time left for the inbox"),
        }
    }

    async fn clear(&mut self) -> Result<(), storage::Error> {
        let now = self.clock.now();
        if self.store.claim_turn(TURN, now, now.later(CLEARING)).await? {
            self.inbox_keeper.once().await?;
        }
        Ok(())
    }
}
