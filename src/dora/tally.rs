//! Counts facts into the parts of a window, for each group, in whatever order they come.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use super::facts::{Deployment, Incident, Recovery};
use super::keys::{
    ChangeFailureRate, DeploymentFrequency, Durations, Incidents, Keys, Pipelines, RecoveryTime, ReworkRate,
};
use super::stats;
use super::window::{Bucket, Calendar};
use crate::domain::Timestamp;

/// The most answers that are made: groups times parts of the window.
pub const MAX_CELLS: usize = 20_000;

/// The answers of one group, or of all together.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub total: Keys,
    /// One for each part of the window.
    pub series: Vec<Keys>,
}

/// Facts that lie in the window are counted, others are left aside. `G` says which group a fact belongs to.
#[derive(Debug)]
pub struct Tally<'a, G> {
    calendar: &'a Calendar,
    groups: BTreeMap<G, Group<'a>>,
    overflow: bool,
}

/// More groups than are answered with so many parts of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {MAX_CELLS} answers would be made ({buckets} for each group): ask for a longer interval, or for less"
)]
pub struct TooMany {
    buckets: usize,
}

/// What has been counted for one group.
#[derive(Debug, Clone)]
pub struct Group<'a> {
    pub parts: Vec<Part<'a>>,
    /// The days of the window that have a deployment.
    pub days: Vec<bool>,
}

/// What has been counted in one part of the window. Durations in microseconds.
#[derive(Debug, Clone, Default)]
pub struct Part<'a> {
    pub deployments: u64,
    pub failed_in_use: u64,
    pub unplanned: u64,
    pub pipelines_failed: u64,
    pub lead_times: Values<'a>,
    pub recoveries: Values<'a>,
    pub recoveries_open: u64,
    pub incidents: Incidents,
    /// By how many the open incidents change in this part.
    pub opened: u64,
    pub closed: u64,
    pub times_to_restore: Values<'a>,
    pub times_to_detect: Values<'a>,
}

/// Durations, some of which may lie elsewhere: there may be millions of them, and adding up copies none.
#[derive(Debug, Clone, Default)]
pub struct Values<'a> {
    pub own: Vec<i64>,
    pub lent: Vec<&'a [i64]>,
}

impl<'a> Values<'a> {
    fn lend(&mut self, from: &'a Values<'_>) {
        if !from.own.is_empty() {
            self.lent.push(&from.own);
        }
        self.lent.extend_from_slice(&from.lent);
    }

    fn durations(&self) -> Durations {
        let mut all = self.lent.clone();
        all.push(&self.own);
        stats::durations(&all)
    }
}

impl<'a, G: Ord> Tally<'a, G> {
    pub fn new(calendar: &'a Calendar) -> Self {
        Self { calendar, groups: BTreeMap::new(), overflow: false }
    }

    pub(super) fn calendar(&self) -> &'a Calendar {
        self.calendar
    }

    /// Makes a group appear, also when nothing is counted for it.
    pub fn expect(&mut self, group: G) {
        self.group(group);
    }

    /// `None` when there are too many, which [`Self::finish`] tells.
    pub(super) fn group(&mut self, group: G) -> Option<&mut Group<'a>> {
        let cells = (self.groups.len() + 1) * self.calendar.buckets.len();
        match self.groups.entry(group) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(_) if cells > MAX_CELLS => {
                self.overflow = true;
                None
            }
            Entry::Vacant(new) => Some(new.insert(Group::new(self.calendar))),
        }
    }

    /// Whether an instant lies in the window.
    fn covers(&self, at: Timestamp) -> bool {
        self.calendar.span.from <= at && at < self.calendar.span.to
    }

    pub fn deployment(&mut self, group: G, fact: &Deployment) {
        if !self.covers(fact.at) {
            return;
        }
        let (bucket, day) = (self.calendar.bucket_of(fact.at), self.calendar.day_of(fact.at));
        let Some(group) = self.group(group) else { return };
        let part = &mut group.parts[bucket];
        let Some(reached) = fact.reached else {
            part.pipelines_failed += 1;
            return;
        };
        group.days[day] = true;
        part.deployments += 1;
        part.unplanned += u64::from(reached.unplanned);
        part.lead_times.own.extend(reached.lead_time);
        match reached.failure {
            None => {}
            Some(Recovery::Open) => {
                part.failed_in_use += 1;
                part.recoveries_open += 1;
            }
            Some(Recovery::AfterUnknown) => part.failed_in_use += 1,
            Some(Recovery::After(micros)) => {
                part.failed_in_use += 1;
                part.recoveries.own.push(micros);
            }
        }
    }

    pub fn incident(&mut self, group: G, fact: &Incident) {
        let Calendar { span, .. } = self.calendar;
        let over_before = |at: Option<_>| at.is_some_and(|at| at < span.from);
        let finished_in = fact.finished_at.is_some_and(|at| self.covers(at));
        if fact.started_at >= span.to || (over_before(fact.restored_at) && !finished_in) {
            return;
        }
        let bucket = |at| self.calendar.bucket_of(at);
        let covers = |at: &_| self.covers(*at);
        let started = Some(fact.started_at).filter(covers).map(bucket);
        let restored = fact.restored_at.filter(covers).map(bucket);
        let finished = fact.finished_at.filter(covers).map(bucket);
        let opened = (!over_before(fact.restored_at)).then(|| bucket(fact.started_at));
        let Some(Group { parts, .. }) = self.group(group) else { return };
        if let Some(started) = started {
            let part = &mut parts[started];
            part.incidents.started += 1;
            part.times_to_restore.own.extend(fact.time_to_restore());
            part.times_to_detect.own.extend(fact.time_to_detect());
        }
        if let Some(restored) = restored {
            parts[restored].incidents.restored += 1;
            parts[restored].closed += 1;
        }
        if let Some(finished) = finished {
            parts[finished].incidents.finished += 1;
        }
        if let Some(opened) = opened {
            parts[opened].opened += 1;
        }
    }

    /// All groups together, and each by itself.
    pub fn finish(self) -> Result<(Answer, BTreeMap<G, Answer>), TooMany> {
        let calendar = self.calendar;
        if self.overflow {
            return Err(TooMany { buckets: calendar.buckets.len() });
        }
        let mut all = Group::new(calendar);
        for group in self.groups.values() {
            all.add(group);
        }
        let all = all.answer(calendar);
        let only = self.groups.len() == 1;
        let answer = |group: Group<'_>| if only { all.clone() } else { group.answer(calendar) };
        let groups = self.groups.into_iter().map(|(name, group)| (name, answer(group))).collect();
        Ok((all, groups))
    }
}

impl<'a> Group<'a> {
    fn new(calendar: &Calendar) -> Self {
        Self { parts: vec![Part::default(); calendar.buckets.len()], days: vec![false; calendar.day_count()] }
    }

    fn add(&mut self, other: &'a Group<'_>) {
        for (mine, other) in self.parts.iter_mut().zip(&other.parts) {
            mine.add(other);
        }
        for (mine, other) in self.days.iter_mut().zip(&other.days) {
            *mine |= other;
        }
    }

    fn answer(mut self, calendar: &Calendar) -> Answer {
        let mut open = 0;
        for part in &mut self.parts {
            open = open + part.opened - part.closed;
            part.incidents.open = open;
        }
        let mut total = Part::default();
        for part in &self.parts {
            total.add(part);
        }
        total.incidents.open = open;
        let window = Bucket { start: calendar.span.from, end: calendar.span.to };
        let total = total.keys(calendar, window, &self.days);
        let parts = calendar.buckets.iter().zip(&self.parts);
        let series = parts.map(|(bucket, part)| part.keys(calendar, *bucket, &self.days)).collect();
        Answer { total, series }
    }
}

impl<'a> Part<'a> {
    fn add(&mut self, other: &'a Part<'_>) {
        self.deployments += other.deployments;
        self.failed_in_use += other.failed_in_use;
        self.unplanned += other.unplanned;
        self.pipelines_failed += other.pipelines_failed;
        self.lead_times.lend(&other.lead_times);
        self.recoveries.lend(&other.recoveries);
        self.recoveries_open += other.recoveries_open;
        self.incidents.started += other.incidents.started;
        self.incidents.restored += other.incidents.restored;
        self.incidents.finished += other.incidents.finished;
        self.opened += other.opened;
        self.closed += other.closed;
        self.times_to_restore.lend(&other.times_to_restore);
        self.times_to_detect.lend(&other.times_to_detect);
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of facts are far below 2^53")]
    fn keys(&self, calendar: &Calendar, bucket: Bucket, days: &[bool]) -> Keys {
        let deployments = self.deployments;
        let length = calendar.length_in_days(bucket);
        let with_deployment = |days_of: Range<usize>| days[days_of].iter().map(|day| u32::from(*day)).sum::<u32>();
        let mut weeks: Vec<_> = calendar.weeks_of(bucket).into_iter().map(with_deployment).collect();
        Keys {
            deployment_frequency: DeploymentFrequency {
                deployments,
                per_day: (length > 0.0).then(|| deployments as f64 / length),
                deployment_days: with_deployment(calendar.days_of(bucket)),
                median_deployment_days_per_week: stats::median(&mut weeks),
            },
            lead_time_for_changes: self.lead_times.durations(),
            change_failure_rate: ChangeFailureRate {
                failed: self.failed_in_use,
                deployments,
                share: stats::share(self.failed_in_use, deployments),
            },
            failed_deployment_recovery_time: RecoveryTime {
                recovered: self.recoveries.durations(),
                open: self.recoveries_open,
            },
            deployment_rework_rate: ReworkRate {
                unplanned: self.unplanned,
                deployments,
                share: stats::share(self.unplanned, deployments),
            },
            time_to_restore: self.times_to_restore.durations(),
            time_to_detect: self.times_to_detect.durations(),
            incidents: self.incidents,
            pipelines: Pipelines {
                failed: self.pipelines_failed,
                deployed: deployments,
                share: stats::share(self.pipelines_failed, self.pipelines_failed + deployments),
            },
        }
    }
}
