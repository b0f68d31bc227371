//! Reading use cases: finds the facts of a window, in memory or in the store, and lets `dora` answer.

mod explanation;
mod keep;
mod memory;

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tokio::sync::Semaphore;

use crate::domain::{Name, Timestamp};
use crate::dora::index::{Astray, Index, Labels};
use crate::dora::{Answer, Bare, Calendar, Deployment, Incident, Interval, Linked, Span, Tally};
use crate::dora::{TooMany, TooWide};
use crate::storage::{self, DeploymentRow, Fact, IncidentRow, LinkedIncident, LinkedIncidents, Scope, Store};
use crate::telemetry::instruments;

pub use crate::storage::GroupBy;
pub use explanation::{Deleted, Explanation, Selection};
pub use memory::Memory;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub span: Span,
    pub interval: Option<Interval>,
    /// Sorted. Empty: all of them.
    pub projects: Vec<Name>,
    pub teams: Vec<Name>,
    pub environments: Vec<Name>,
    pub group_by: Option<GroupBy>,
    /// As it was known at that moment; `None`: as it is known now.
    pub as_of: Option<Timestamp>,
}

/// The answer to all of it, and by group.
#[derive(Debug)]
pub struct Report {
    pub calendar: Calendar,
    pub all: Answer,
    /// By name; facts that have none (no team) come first. Empty when nothing was grouped.
    pub groups: Vec<(Option<Name>, Answer)>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    TooWide(#[from] TooWide),
    #[error(transparent)]
    TooMany(#[from] TooMany),
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl Question {
    fn scope(&self) -> Scope {
        Scope {
            from: self.span.from,
            to: self.span.to,
            projects: self.projects.clone(),
            teams: self.teams.clone(),
            environments: self.environments.clone(),
        }
    }

    fn has_team(&self, team: Option<&Name>) -> bool {
        self.teams.is_empty() || team.is_some_and(|team| self.teams.contains(team))
    }

    /// Groups that are answered also when nothing happened in them: those that were asked for by name.
    fn expected_groups(&self) -> &[Name] {
        match self.group_by {
            None => &[],
            Some(GroupBy::Project) => &self.projects,
            Some(GroupBy::Team) => &self.teams,
            Some(GroupBy::Environment) => &self.environments,
        }
    }
}

/// Who answers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Answers {
    store: Store,
    memory: Option<Memory>,
    /// One look back at a time: each goes through the whole journal.
    past: Arc<Semaphore>,
    duration: Histogram<f64>,
}

impl Answers {
    /// Without memory all answers come from the store: the same, and slower.
    pub fn new(store: Store, memory: Option<Memory>) -> Self {
        let past = Arc::new(Semaphore::new(1));
        Self { store, memory, past, duration: instruments::ANSWERS_DURATION.histogram() }
    }

    /// The answers for a window.
    pub async fn answer(&self, question: &Question) -> Result<Report, Error> {
        let began = tokio::time::Instant::now();
        let calendar = Calendar::new(question.span, question.interval)?;
        let from_memory = match &self.memory {
            _ if question.as_of.is_some() => None,
            Some(memory) => {
                let (calendar, question) = (calendar.clone(), question.clone());
                memory.ask(move |index| from_index(index, calendar, &question)).await?
            }
            None => None,
        };
        let (report, source) = match (from_memory, question.as_of) {
            (Some(report), _) => (report?, "memory"),
            (None, Some(moment)) => (self.look_back(calendar, question, moment).await?, "journal"),
            (None, None) => (from_store(&self.store, calendar, question).await?, "store"),
        };
        self.duration.record(began.elapsed().as_secs_f64(), &[KeyValue::new("source", source)]);
        Ok(report)
    }

    /// An index of what was known then, made for this one question.
    async fn look_back(&self, calendar: Calendar, question: &Question, moment: Timestamp) -> Result<Report, Error> {
        // it is never closed
        let _alone = self.past.acquire().await.ok();
        let mut index = Index::default();
        let take = |fact: Fact| match fact {
            Fact::Deployment(fact) => index.follow_deployment(None, &fact).map_err(unlike),
            Fact::Incident(fact) => index.follow_incident(None, &fact).map_err(unlike),
        };
        self.store.snapshot().await?.facts_as_of::<Error>(moment, None, &question.projects, take).await?;
        from_index(&index, calendar, question)
    }
}

fn unlike(astray: Astray) -> Error {
    storage::Error::Unreadable(astray.to_string()).into()
}

fn from_index(index: &Index, calendar: Calendar, question: &Question) -> Result<Report, Error> {
    let mut tally = Tally::new(&calendar);
    for name in question.expected_groups() {
        tally.expect(Some(name));
    }
    let among = |names: &[Name], name: &Name| names.is_empty() || names.contains(name);
    let wanted = |labels: &Labels| {
        among(&question.projects, &labels.project)
            && question.has_team(labels.team.as_ref())
            && among(&question.environments, &labels.environment)
    };
    index.count(&mut tally, wanted, |labels| match question.group_by {
        None => None,
        Some(GroupBy::Project) => Some(&labels.project),
        Some(GroupBy::Team) => labels.team.as_ref(),
        Some(GroupBy::Environment) => Some(&labels.environment),
    });
    let (all, groups) = tally.finish()?;
    let groups = groups.into_iter().filter(|_| question.group_by.is_some());
    let groups = groups.map(|(name, answer)| (name.cloned(), answer)).collect();
    Ok(Report { calendar, all, groups })
}

async fn from_store(store: &Store, calendar: Calendar, question: &Question) -> Result<Report, Error> {
    let scope = question.scope();
    let mut groups = Groups::default();
    let mut tally = Tally::new(&calendar);
    for name in question.expected_groups() {
        tally.expect(groups.id(Some(name.as_str())));
    }
    let mut snapshot = store.snapshot().await?;
    let linked = snapshot.linked_incidents(&scope).await?;
    let take = |row: DeploymentRow<'_>| {
        if let Some(fact) = deployment(&row, &linked) {
            tally.deployment(groups.id(row.group), &fact);
        }
    };
    snapshot.deployments(&scope, question.group_by, take).await?;
    let take = |row: IncidentRow<'_>| tally.incident(groups.id(row.group), &incident(&row));
    snapshot.incidents(&scope, question.group_by, take).await?;
    drop(snapshot);

    let (all, mut by_id) = tally.finish()?;
    let mut groups = groups.named()?;
    groups.sort();
    let groups = groups.into_iter().filter_map(|(name, id)| Some((name, by_id.remove(&id)?)));
    let groups = if question.group_by.is_some() { groups.collect() } else { Vec::new() };
    Ok(Report { calendar, all, groups })
}

fn deployment(row: &DeploymentRow<'_>, linked: &LinkedIncidents) -> Option<Deployment> {
    let linked = row.with_incidents.map(|(project, id)| linked.of(project, id)).unwrap_or_default();
    let bare = Bare {
        deployed_at: row.deployed_at,
        // it has ended, and not well
        failed_at: Some(row.happened_at),
        first_commit_at: row.first_commit_at,
        rolled_back_at: row.rolled_back_at,
        unplanned: row.unplanned,
    };
    bare.with(linked.iter().map(seen))
}

fn seen(incident: &LinkedIncident) -> Linked {
    Linked::new(incident.known_start, incident.restored_at)
}

fn incident(row: &IncidentRow<'_>) -> Incident {
    Incident {
        started_at: row.started_at,
        has_known_start: !row.start_is_guessed,
        restored_at: row.restored_at,
        finished_at: row.finished_at,
        deployed_at: row.deployment_deployed_at,
    }
}

/// Small numbers for the names of groups.
#[derive(Debug, Default)]
struct Groups {
    ids: HashMap<String, u32>,
}

impl Groups {
    /// 0 for no name.
    fn id(&mut self, name: Option<&str>) -> u32 {
        let Some(name) = name else { return 0 };
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = u32::try_from(self.ids.len() + 1).unwrap_or(u32::MAX);
        self.ids.insert(name.to_owned(), id);
        id
    }

    fn named(self) -> Result<Vec<(Option<Name>, u32)>, storage::Error> {
        let named = self
            .ids
            .into_iter()
            .map(|(name, id)| Name::parse(&name).map(|name| (Some(name), id)).map_err(storage::Error::Unreadable));
        [Ok((None, 0))].into_iter().chain(named).collect()
    }
}
