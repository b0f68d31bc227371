//! The facts as answers need them: small, without names, so that a store, an index in memory or a test can
//! hand them in.

use crate::domain::{self, Timestamp};

/// A deployment that has ended, well or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment {
    /// When it reached users, or failed before it did.
    pub at: Timestamp,
    /// `None`: it failed before it reached users.
    pub reached: Option<Reached>,
}

/// What is to be known about a deployment that reached users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Microseconds from the first commit, where that is known.
    pub lead_time: Option<i64>,
    pub unplanned: bool,
    /// `None`: it did not fail in use.
    pub failure: Option<Recovery>,
}

/// How a deployment that failed in use came out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    Open,
    /// After so many microseconds.
    After(i64),
    /// It recovered, and nobody knows when it had failed.
    AfterUnknown,
}

/// A deployment by itself, without the incidents linked to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bare {
    pub deployed_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub first_commit_at: Option<Timestamp>,
    pub rolled_back_at: Option<Timestamp>,
    pub unplanned: bool,
}

/// An incident as the deployment it is linked to sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linked {
    started_at: Known,
    restored_at: Known,
}

/// An instant, or that it is not known, in eight bytes: no [`Timestamp`] is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known(i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    pub started_at: Timestamp,
    /// Else it is only when it was first heard of: durations from it would be invented.
    pub has_known_start: bool,
    pub restored_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Of the linked deployment, if that has reached users.
    pub deployed_at: Option<Timestamp>,
}

impl Recovery {
    /// From failure to recovery; `None` for a deployment that did not fail in use.
    ///
    /// It failed when its first incident started, without incidents when it was deployed. It recovered when it
    /// was rolled back, or when the last of its incidents was restored, whichever came first. Never negative:
    /// some are rolled back before anybody opens an incident.
    pub fn of(
        deployed_at: Timestamp,
        rolled_back_at: Option<Timestamp>,
        linked: impl IntoIterator<Item = Linked>,
    ) -> Option<Self> {
        let mut linked = linked.into_iter().peekable();
        if linked.peek().is_none() {
            return Some(Self::After(rolled_back_at?.micros_since(deployed_at).max(0)));
        }
        // `None`: nobody knows when one of them began, or one is not restored
        let (mut failed_at, mut all_restored_at) = (Some(Timestamp::LAST), Some(Timestamp::EPOCH));
        for incident in linked {
            failed_at = failed_at.zip(incident.started_at()).map(|(first, started)| first.min(started));
            all_restored_at = all_restored_at.zip(incident.restored_at()).map(|(last, restored)| last.max(restored));
        }
        let recovered_at = match (rolled_back_at, all_restored_at) {
            (Some(rolled_back), Some(restored)) => Some(rolled_back.min(restored)),
            (either, or) => either.or(or),
        };
        Some(match (recovered_at, failed_at) {
            (None, _) => Self::Open,
            (Some(_), None) => Self::AfterUnknown,
            (Some(at), Some(failed_at)) => Self::After(at.micros_since(failed_at).max(0)),
        })
    }
}

impl Known {
    fn new(at: Option<Timestamp>) -> Self {
        Self(at.map_or(-1, Timestamp::micros))
    }

    fn get(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.0)
    }
}

impl Linked {
    /// `started_at`: where it is known.
    pub fn new(started_at: Option<Timestamp>, restored_at: Option<Timestamp>) -> Self {
        Self { started_at: Known::new(started_at), restored_at: Known::new(restored_at) }
    }

    pub fn started_at(self) -> Option<Timestamp> {
        self.started_at.get()
    }

    pub fn restored_at(self) -> Option<Timestamp> {
        self.restored_at.get()
    }
}

impl Bare {
    /// `None` for a deployment that has not ended.
    pub fn with(&self, linked: impl IntoIterator<Item = Linked>) -> Option<Deployment> {
        let Some(at) = self.deployed_at else {
            return self.failed_at.map(|at| Deployment { at, reached: None });
        };
        let reached = Reached {
            lead_time: self.first_commit_at.map(|first_commit| at.micros_since(first_commit)),
            unplanned: self.unplanned,
            failure: Recovery::of(at, self.rolled_back_at, linked),
        };
        Some(Deployment { at, reached: Some(reached) })
    }
}

impl From<&domain::Deployment> for Bare {
    fn from(fact: &domain::Deployment) -> Self {
        // of a deleted one nothing is known that could be counted
        if !fact.is_live() {
            return Self::default();
        }
        Self {
            deployed_at: fact.deployed_at,
            failed_at: fact.failed_at,
            first_commit_at: fact.first_commit_at,
            rolled_back_at: fact.rolled_back_at,
            unplanned: fact.unplanned.unwrap_or(false),
        }
    }
}

impl Deployment {
    /// `None` for a deployment that has not ended.
    pub fn of(fact: &domain::Deployment, linked: impl IntoIterator<Item = Linked>) -> Option<Self> {
        Bare::from(fact).with(linked)
    }
}

impl Incident {
    /// When it began, where that is known.
    pub fn known_start(&self) -> Option<Timestamp> {
        Some(self.started_at).filter(|_| self.has_known_start)
    }

    /// Microseconds; `None` without a deployment that reached users, or when it began before that.
    pub fn time_to_detect(&self) -> Option<i64> {
        Some(self.known_start()?.micros_since(self.deployed_at?)).filter(|micros| *micros >= 0)
    }

    /// Microseconds; `None` before it is restored.
    pub fn time_to_restore(&self) -> Option<i64> {
        Some(self.restored_at?.micros_since(self.known_start()?))
    }
}

impl From<Incident> for Linked {
    fn from(fact: Incident) -> Self {
        Self::new(fact.known_start(), fact.restored_at)
    }
}

impl From<&domain::Incident> for Incident {
    fn from(fact: &domain::Incident) -> Self {
        Self {
            started_at: fact.started_at,
            has_known_start: fact.has_known_start(),
            restored_at: fact.restored_at,
            finished_at: fact.finished_at,
            deployed_at: fact.deployment_deployed_at,
        }
    }
}

impl From<&domain::Incident> for Linked {
    fn from(fact: &domain::Incident) -> Self {
        Incident::from(fact).into()
    }
}
