//! Questions to the index in memory. Each first takes in what the journal has and the index has not, whichever
//! replica wrote it: an answer holds all that was acknowledged before it was asked for. When the index is not fit
//! to answer (not loaded, too far behind, too big), the store is.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use opentelemetry::metrics::Gauge;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::dora::index::{Astray, Index};
use crate::storage::{self, Change, Fact, Horizon, Store};
use crate::telemetry::instruments;

/// Changes that a question takes in by itself; with more it asks the store, and leaves them to the keeper.
const FEW: usize = 2000;
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    /// Bytes.
    pub(super) bound: usize,
    pub(super) state: RwLock<State>,
    pub(super) wanted: Notify,
    pub(super) meters: Meters,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Counts how often the index was made.
    pub(super) generation: u64,
    pub(super) kept: Option<Kept>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) index: Index,
    pub(super) horizon: Horizon,
    /// Whether it is the state of one moment; else the keeper is in the middle of a heap of changes.
    pub(super) whole: bool,
}

#[derive(Debug)]
pub(super) struct Meters {
    pub(super) facts: Gauge<u64>,
    pub(super) bytes: Gauge<u64>,
    pub(super) ready: Gauge<u64>,
}

impl Kept {
    pub(super) fn take_in(&mut self, changes: &[Change]) -> Result<(), Astray> {
        for change in changes {
            if self.horizon.has_passed(change) {
                continue;
            }
            match &change.fact {
                Some((before, Fact::Deployment(after))) => {
                    self.index.follow_deployment(before.as_ref().and_then(Fact::as_deployment), after)?;
                }
                Some((before, Fact::Incident(after))) => {
                    self.index.follow_incident(before.as_ref().and_then(Fact::as_incident), after)?;
                }
                None => {}
            }
            self.horizon.pass(change);
        }
        Ok(())
    }
}

impl Memory {
    /// An empty one, which answers nothing until it is kept ([`Self::keep`]). `bound`: bytes.
    pub fn new(store: Store, bound: usize) -> Self {
        let meters = Meters {
            facts: instruments::INDEX_FACTS.gauge(),
            bytes: instruments::INDEX_MEMORY.gauge(),
            ready: instruments::INDEX_READY.gauge(),
        };
        meters.ready.record(0, &[]);
        Self(Arc::new(Shared { store, bound, state: RwLock::default(), wanted: Notify::new(), meters }))
    }

    /// Asks the index, as it is now or a little later; `None` when it is not fit to answer.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Index) -> T + Send + 'static,
    ) -> Result<Option<T>, storage::Error> {
        let Some((generation, horizon)) = self.0.horizon() else { return Ok(None) };
        let changes = match self.0.store.changes(&horizon, FEW).await {
            Ok(Some(changes)) => changes,
            Ok(None) | Err(storage::Error::Unreadable(_)) => {
                self.0.wanted.notify_one();
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let shared = self.0.clone();
        // it computes: the threads of the runtime have requests to see to
        let asked = tokio::task::spawn_blocking(move || shared.ask(generation, &changes, question));
        asked.await.or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(None),
        })
    }

    /// Loads the facts and stays in step with the store until `stop`, or until there are too many.
    pub async fn keep(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.0.keep() => {}
        }
        self.0.drop_index();
    }
}

impl Shared {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn horizon(&self) -> Option<(u64, Horizon)> {
        let state = self.read();
        let kept = state.kept.as_ref().filter(|kept| kept.whole)?;
        Some((state.generation, kept.horizon.clone()))
    }

    /// `changes`: all that are behind a horizon which the index of this generation had.
    fn ask<T>(&self, generation: u64, changes: &[Change], question: impl FnOnce(&Index) -> T) -> Option<T> {
        let state = if changes.is_empty() {
            self.read()
        } else {
            let mut state = self.write();
            let fit = state.generation == generation;
            if let Some(kept) = state.kept.as_mut().filter(|kept| fit && kept.whole)
                && let Err(astray) = kept.take_in(changes)
            {
                self.fail(&mut state, astray);
            }
            RwLockWriteGuard::downgrade(state)
        };
        let fit = state.generation == generation;
        let kept = state.kept.as_ref().filter(|kept| fit && kept.whole && kept.index.is_whole())?;
        Some(question(&kept.index))
    }

    /// The keeper will make another.
    fn fail(&self, state: &mut State, astray: Astray) {
        tracing::error!(%astray, "the index in memory is made anew; until then answers come from the store");
        state.kept = None;
        self.meters.ready.record(0, &[]);
        self.wanted.notify_one();
    }

    pub(super) fn drop_index(&self) {
        self.write().kept = None;
        self.meters.ready.record(0, &[]);
    }
}
