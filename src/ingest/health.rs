//! Whether what is handed in can be written: what the writer last saw, told once and shown to whoever asks.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

use crate::storage::{self, Cause};
use crate::telemetry::{Complaint, Outage};

/// Shared with whoever asks.
#[derive(Debug, Clone, Default)]
pub struct Writable(Arc<Mutex<Option<Cause>>>);

impl Writable {
    pub fn obstacle(&self) -> Option<Cause> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, obstacle: Option<Cause>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
    }
}

#[derive(Debug)]
pub struct Health {
    outage: Outage,
    writable: Writable,
}

impl Health {
    pub fn new() -> Self {
        Self { outage: Outage::default(), writable: Writable::default() }
    }

    pub fn writable(&self) -> Writable {
        self.writable.clone()
    }

    pub fn is_well(&self) -> bool {
        !self.outage.lasts()
    }

    /// Something was written.
    pub fn works(&mut self) {
        self.writable.set(None);
        if let Some(outage) = self.outage.works(Instant::now()) {
            tracing::info!(outage_seconds = outage.as_secs_f64(), "the database can be written to again");
        }
    }

    pub fn fails(&mut self, error: &storage::Error) {
        self.writable.set(Some(error.cause()));
        let reason = error.reason();
        match self.outage.fails(Instant::now()) {
            Complaint::Begins => {
                tracing::error!(%error, reason, "nothing can be written for now; trying again until it can");
            }
            Complaint::GoesOn { failures } => {
                tracing::error!(%error, reason, failures, "still nothing can be written");
            }
            Complaint::Nothing => tracing::debug!(%error, reason, "a write failed"),
        }
    }
}
