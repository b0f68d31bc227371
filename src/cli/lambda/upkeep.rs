//! What `serve` does in the background, done at the end of an invocation: deliveries become facts, the totals go out,
//! old deliveries are cleared away. What does not fit into the time is done at the end of another one.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::export::Push;
use crate::ingest::webhooks::{InboxKeeper, Projector};

#[derive(Debug)]
pub struct Upkeep {
    projector: Projector,
    inbox_keeper: InboxKeeper,
    push: Option<Push>,
}

impl Upkeep {
    pub fn new(projector: Projector, inbox_keeper: InboxKeeper, push: Option<Push>) -> Self {
        Self { projector, inbox_keeper, push }
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
        match timeout_at(until, self.inbox_keeper.once()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the inbox could not be looked at"),
            Err(_) => tracing::debug!("there was no time left for the inbox"),
        }
    }
}
