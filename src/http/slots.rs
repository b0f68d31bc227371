//! How many connections may be open at once. Each holds a file descriptor before it has said anything, and
//! without descriptors the database and the export would fail too. Whoever comes when all are taken waits in the
//! kernel's queue until one ends; nobody is sent away who would only come again.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::metrics::{Meter, UpDownCounter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::telemetry::instruments;

/// From one complaint to the next.
const SILENCE: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub struct Slots {
    free: Arc<Semaphore>,
    limit: usize,
    open: UpDownCounter<i64>,
    complained: Option<Instant>,
}

/// An open connection, counted until it is dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: Option<OwnedSemaphorePermit>,
    open: UpDownCounter<i64>,
}

impl Slots {
    /// As many as configured, or as the process may have files.
    pub fn new(configured: usize, meter: &Meter) -> Self {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let limit = affordable(configured, &limits);
        if limit < configured {
            tracing::warn!(
                limit,
                "server.max_connections is {configured}, but this process may not have so many files open: raise its \
                 limit (ulimit -n, LimitNOFILE)"
            );
        }
        let open = instruments::HTTP_CONNECTIONS.up_down_counter_of(meter);
        Self { free: Arc::new(Semaphore::new(limit)), limit, open, complained: None }
    }

    /// Waits until there may be one more.
    pub async fn free(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.free.clone().try_acquire_owned() {
            return Some(permit);
        }
        let now = Instant::now();
        if self.complained.is_none_or(|last| now - last >= SILENCE) {
            self.complained = Some(now);
            tracing::warn!(
                limit = self.limit,
                "as many connections are open as there may be (server.max_connections); others wait"
            );
        }
        // it fails only when the semaphore is closed, which nobody does
        self.free.clone().acquire_owned().await.ok()
    }

    pub fn taken(&self, permit: Option<OwnedSemaphorePermit>) -> Slot {
        self.open.add(1, &[]);
        Slot { _permit: permit, open: self.open.clone() }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.open.add(-1, &[]);
    }
}

/// A quarter of the files is left to the database, the export and the logs.
fn affordable(configured: usize, limits: &str) -> usize {
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    files.map_or(configured, |files| configured.min((files / 4 * 3).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_files_is_left_to_others() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             100                  100                  processes \n\
                 Max open files            {soft}                 1048576              files     \n"
            )
        };
        assert_eq!(affordable(1024, &limits("1024")), 768);
        assert_eq!(affordable(1024, &limits("65536")), 1024);
        assert_eq!(affordable(1024, &limits("unlimited")), 1024);
        assert_eq!(affordable(1024, &limits("3")), 1);
        assert_eq!(affordable(1024, ""), 1024);
    }
}
