//! Which deployment has caused an incident, where its sender says so: by the deployment's id, its commit or its version.
//! Whichever of the two arrives first waits for the other. And which may have, where nobody says so: that is worked out
//! anew from the facts each time, so that it does not matter in which order they were told.

use std::time::Duration;

use super::first_commit::LookError;
use crate::domain::incident::{self, Cause, Change, Method};
use crate::domain::{Clock, Incident, Name};
use crate::ingest::{Action, Command, Ingest, Mode};
use crate::storage::{self, Store};
use crate::webhooks::VENDORS;

/// Incidents that are looked at, the newest ones.
const MOST: i64 = 200;
/// How long they are.
const OPEN: Duration = Duration::from_hours(30 * 24);

#[derive(Debug, Clone)]
pub struct Links {
    store: Store,
    ingest: Ingest,
    clock: Clock,
    /// How long before an incident a deployment may have been to be suggested.
    suggest_within: Option<Duration>,
}

impl Links {
    pub fn new(store: Store, ingest: Ingest, clock: Clock, suggest_within: Option<Duration>) -> Self {
        Self { store, ingest, clock, suggest_within }
    }

    /// Links what can be linked, and suggests what may be; how many those are.
    pub async fn look(&self) -> Result<usize, LookError> {
        Ok(self.link().await? + self.suggest().await?)
    }

    async fn link(&self) -> Result<usize, LookError> {
        let since = self.clock.now().earlier(OPEN);
        let mut changes = Vec::new();
        for fact in self.store.unlinked_incidents(since, MOST).await? {
            if let Some((deployment_id, method)) = self.find(&fact).await? {
                changes.push((fact.project_id, fact.id, Change::Linked { deployment_id, method }));
            }
        }
        self.record(changes).await
    }

    async fn suggest(&self) -> Result<usize, LookError> {
        let suggestions = match self.suggest_within {
            Some(within) => self.store.suggestions(self.clock.now().earlier(OPEN), within, MOST).await?,
            // nothing is, any more
            None => self.store.suggested(MOST).await?,
        };
        let changes = suggestions
            .into_iter()
            .map(|(project_id, id, deployment_id)| (project_id, id, Change::Suggested { deployment_id }));
        self.record(changes.collect()).await
    }

    async fn record(&self, changes: Vec<(Name, Name, Change)>) -> Result<usize, LookError> {
        let (now, found) = (self.clock.now(), changes.len());
        let commands = changes.into_iter().map(|(project_id, id, change)| Command {
            actor: super::first_commit::ours(),
            received_at: now,
            action: Action::Incident(incident::Command { id: Some(id), project_id: Some(project_id), change }),
        });
        if found > 0 {
            self.ingest.many(commands.collect(), Mode::Each).await?;
        }
        Ok(found)
    }

    async fn find(&self, fact: &Incident) -> Result<Option<(Name, Method)>, storage::Error> {
        let is_open = fact.link_method.is_none();
        let Some(seen) = fact.seen.as_ref().filter(|seen| is_open && seen.may_be_linked()) else { return Ok(None) };
        match seen.cause() {
            None => Ok(None),
            Some(Cause::Deployment(id)) => {
                // people write the number that they see over there, without the vendor in front
                let with_vendor = VENDORS.iter().map(|vendor| format!("{}:{id}", vendor.name));
                for candidate in [id.to_string()].into_iter().chain(with_vendor) {
                    let Ok(candidate) = Name::parse(&candidate) else { continue };
                    if !self.store.deployments_with_id(&candidate, Some(&fact.project_id)).await?.is_empty() {
                        return Ok(Some((candidate, Method::Label)));
                    }
                }
                Ok(None)
            }
            Some(cause @ (Cause::Commit(what) | Cause::Version(what))) => {
                let method = if matches!(cause, Cause::Commit(_)) { Method::Commit } else { Method::Version };
                let found = self.store.deployed_as(&fact.project_id, what.as_str(), fact.started_at).await?;
                Ok(found.map(|deployment_id| (deployment_id, method)))
            }
        }
    }
}
