//! The totals by event time, for Prometheus' past.

use std::collections::HashMap;

use super::super::error::Problem;
use super::super::extract::Query;
use super::super::streamed::{Failure, Output};
use crate::domain::{Clock, Deployment, Name, Timestamp, abridged};
use crate::export::prometheus::past::{Past, Span, TooMuch};
use crate::metrics::past::{self, Event};
use crate::storage::{Filter, PAGE, Snapshot};

/// Without a sample at least as often, a range of an hour would find none.
const DEFAULT_STEP: &str = "1h";
/// Finer than Prometheus looks back for a sample is of no use; much coarser, and its ranges are empty.
const STEPS: [i64; 2] = [60, 24 * 3600];

/// Whose totals, and when.
#[derive(Debug)]
pub struct Question {
    /// Of the facts that are read.
    projects: Vec<Name>,
    /// Of the series that are shown: an incident may be of another team than its deployment.
    teams: Vec<Name>,
    environments: Vec<Name>,
    span: Span,
}

/// Takes the parameter that only this form has.
pub fn step(query: &mut Query) -> Result<Option<i64>, Problem> {
    query.one("step", read_step)
}

fn read_step(text: &str) -> Result<i64, String> {
    let units = [("s", 1), ("m", 60), ("h", 3600), ("d", 24 * 3600)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number: i64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds)
    });
    let [least, most] = STEPS;
    match seconds {
        Some(seconds) if (least..=most).contains(&seconds) => Ok(seconds * 1_000_000),
        _ => Err(format!("expected a step from 1m to 1d, such as {DEFAULT_STEP}, got {:?}", abridged(text))),
    }
}

impl Question {
    pub fn new(filter: Filter, step: Option<i64>, clock: &Clock) -> Result<Self, Problem> {
        let Filter { project_id, team_id, environment, from, to, .. } = filter;
        let to = to.unwrap_or_else(|| clock.now());
        if from.is_some_and(|from| from >= to) {
            return Err(Problem::field("/from", format!("there is no time before {to}, where it ends")));
        }
        let step = step.or(read_step(DEFAULT_STEP).ok()).unwrap_or(3_600_000_000);
        let span = Span { from, to, step };
        Ok(Self { projects: project_id, teams: team_id, environments: environment, span })
    }

    /// Reads all facts before it answers: too much is refused, not broken off.
    pub async fn read(self, mut snapshot: Snapshot) -> Result<Past, Problem> {
        let filter = Filter { project_id: self.projects.clone(), ..Filter::default() };
        let mut past = Past::new(self.span);
        // those whose first incident says when they failed
        let mut failed = HashMap::<(Name, Name), (Deployment, Option<Timestamp>)>::new();
        let mut after = None;
        loop {
            let facts = snapshot.page_of_deployments(&filter, after.as_ref()).await?;
            let count = facts.len();
            after = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
            for fact in facts {
                if fact.incident_count > 0 {
                    failed.insert((fact.project_id.clone(), fact.id.clone()), (fact, None));
                } else {
                    self.add(&mut past, past::deployment(&fact, None))?;
                }
            }
            if count < PAGE {
                break;
            }
        }
        let mut after = None;
        loop {
            let facts = snapshot.page_of_incidents(&filter, after.as_ref()).await?;
            let count = facts.len();
            after = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
            for fact in facts {
                let key = fact.deployment_id.clone().map(|id| (fact.project_id.clone(), id));
                let linked = key.and_then(|key| failed.get_mut(&key));
                let events = past::incident(&fact, linked.as_ref().map(|(deployment, _)| deployment));
                if let Some((_, first)) = linked {
                    *first = Some(first.map_or(fact.started_at, |first| first.min(fact.started_at)));
                }
                self.add(&mut past, events)?;
            }
            if count < PAGE {
                break;
            }
        }
        for (deployment, first_incident) in failed.into_values() {
            self.add(&mut past, past::deployment(&deployment, first_incident))?;
        }
        sorted(past).await
    }

    fn add(&self, past: &mut Past, events: Vec<Event>) -> Result<(), TooMuch> {
        let among = |names: &[Name], name: Option<&Name>| names.is_empty() || name.is_some_and(|n| names.contains(n));
        events
            .into_iter()
            .filter(|(_, o)| among(&self.teams, o.labels.team_id.as_ref()))
            .filter(|(_, o)| among(&self.environments, Some(&o.labels.environment)))
            .try_for_each(|event| past.add(event))
    }
}

/// Millions of events must not be sorted on an async thread.
async fn sorted(mut past: Past) -> Result<Past, Problem> {
    let sorted = tokio::task::spawn_blocking(move || past.sort().map(|()| past)).await;
    match sorted {
        Ok(sorted) => Ok(sorted?),
        // the runtime is ending, and we with it
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Problem::unavailable("the service is stopping")),
        },
    }
}

/// On a thread of its own: it writes as fast as it is read.
pub async fn write(past: Past, to: Output) -> Result<(), Failure> {
    let runtime = tokio::runtime::Handle::current();
    let written = tokio::task::spawn_blocking(move || past.write(|text| runtime.block_on(to.send(text.into()))));
    written.await?
}

impl From<TooMuch> for Problem {
    fn from(too_much: TooMuch) -> Self {
        let pointer = match too_much {
            TooMuch::Events => "/project_id",
            TooMuch::Samples(_) => "/step",
        };
        Self::field(pointer, too_much.to_string())
    }
}
