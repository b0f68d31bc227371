//! Whether what is handed in can be written: what the writer last saw, told once and shown to whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use crate::storage;
use crate::telemetry::{Complaint, Outage};

/// Shared with whoever asks.
#[derive(Debug, Clone)]
pub struct Writable(Arc<AtomicBool>);

impl Writable {
    pub fn now(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug)]
pub struct Health {
    outage: Outage,
    writable: Writable,
}

impl Health {
    pub fn new() -> Self {
        Self { outage: Outage::default(), writable: Writable(Arc::new(AtomicBool::new(true))) }
    }

    pub fn writable(&self) -> Writable {
        self.writable.clone()
    }

    pub fn is_well(&self) -> bool {
        !self.outage.lasts()
    }

    /// Something was written.
    pub fn works(&mut self) {
        self.writable.0.store(true, Ordering::Release);
        if let Some(outage) = self.outage.works(Instant::now()) {
            tracing::info!(outage_seconds = outage.as_secs_f64(), "the database can be written to again");
        }
    }

    pub fn fails(&mut self, error: &storage::Error) {
        self.writable.0.store(false, Ordering::Release);
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
