//! The facts of one project, team and environment.

use super::Labels;
use super::runs::Runs;
use crate::domain::Timestamp;
use crate::dora::facts::{Deployment, Incident, Recovery};

/// By the time of what they are named for; durations in microseconds beside them.
#[derive(Debug)]
pub struct Shelf {
    pub labels: Labels,
    /// Deployments that reached users: those of known lead time, and the others.
    pub lead_times: Runs<i64>,
    pub without_lead_time: Runs<()>,
    pub unplanned: Runs<()>,
    /// Deployments that failed in use: those that recovered, those that did after nobody knows how long, and the
    /// others.
    pub recoveries: Runs<i64>,
    pub recoveries_unknown: Runs<()>,
    pub recoveries_open: Runs<()>,
    pub pipelines_failed: Runs<()>,
    pub incidents_started: Runs<()>,
    pub incidents_restored: Runs<()>,
    pub incidents_finished: Runs<()>,
    /// By the start of the incident.
    pub times_to_restore: Runs<i64>,
    pub times_to_detect: Runs<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Put,
    Take,
}

impl Change {
    /// Whether it could be done.
    fn of<V: Copy + Ord>(self, runs: &mut Runs<V>, at: Timestamp, value: V) -> bool {
        match self {
            Self::Put => {
                runs.put(at.micros(), value);
                true
            }
            Self::Take => runs.take(at.micros(), value),
        }
    }
}

impl Shelf {
    pub fn new(labels: Labels) -> Self {
        Self {
            labels,
            lead_times: Runs::default(),
            without_lead_time: Runs::default(),
            unplanned: Runs::default(),
            recoveries: Runs::default(),
            recoveries_unknown: Runs::default(),
            recoveries_open: Runs::default(),
            pipelines_failed: Runs::default(),
            incidents_started: Runs::default(),
            incidents_restored: Runs::default(),
            incidents_finished: Runs::default(),
            times_to_restore: Runs::default(),
            times_to_detect: Runs::default(),
        }
    }

    /// Whether it could be done: what is not there cannot be taken.
    pub fn deployment(&mut self, change: Change, fact: &Deployment) -> bool {
        let at = fact.at;
        let Some(reached) = fact.reached else {
            return change.of(&mut self.pipelines_failed, at, ());
        };
        let counted = match reached.lead_time {
            Some(micros) => change.of(&mut self.lead_times, at, micros),
            None => change.of(&mut self.without_lead_time, at, ()),
        };
        let unplanned = !reached.unplanned || change.of(&mut self.unplanned, at, ());
        let failed = match reached.failure {
            None => true,
            Some(Recovery::Open) => change.of(&mut self.recoveries_open, at, ()),
            Some(Recovery::AfterUnknown) => change.of(&mut self.recoveries_unknown, at, ()),
            Some(Recovery::After(micros)) => change.of(&mut self.recoveries, at, micros),
        };
        counted && unplanned && failed
    }

    pub fn incident(&mut self, change: Change, fact: &Incident) -> bool {
        let at = fact.started_at;
        let started = change.of(&mut self.incidents_started, at, ());
        let restored = fact.restored_at.is_none_or(|at| change.of(&mut self.incidents_restored, at, ()));
        let measured = fact.time_to_restore().is_none_or(|micros| change.of(&mut self.times_to_restore, at, micros));
        let finished = fact.finished_at.is_none_or(|at| change.of(&mut self.incidents_finished, at, ()));
        let detected = fact.time_to_detect().is_none_or(|micros| change.of(&mut self.times_to_detect, at, micros));
        started && restored && measured && finished && detected
    }

    pub fn bytes(&self) -> usize {
        let valued = [&self.lead_times, &self.recoveries, &self.times_to_restore, &self.times_to_detect];
        let bare = [
            &self.without_lead_time,
            &self.unplanned,
            &self.recoveries_unknown,
            &self.recoveries_open,
            &self.pipelines_failed,
            &self.incidents_started,
            &self.incidents_restored,
            &self.incidents_finished,
        ];
        let valued: usize = valued.into_iter().map(Runs::bytes).sum();
        valued + bare.into_iter().map(Runs::bytes).sum::<usize>() + size_of::<Self>()
    }
}
