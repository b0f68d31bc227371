//! Which deployment has caused an incident, where its sender says so: by the deployment's id, its commit or its version.
//! Whichever of the two arrives first waits for the other.

use std::time::Duration;

use super::first_commit::LookError;
use crate::domain::incident::{self, Cause};
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
}

impl Links {
    pub fn new(store: Store, ingest: Ingest, clock: Clock) -> Self {
        Self { store, ingest, clock }
    }

    /// Links what can be linked; how many those are.
    pub async fn look(&self) -> Result<usize, LookError> {
        let now = self.clock.now();
        let mut commands = Vec::new();
        for fact in self.store.unlinked_incidents(now.earlier(OPEN), MOST).await? {
            if let Some(deployment_id) = self.find(&fact).await? {
                commands.push(Command {
                    actor: super::first_commit::ours(),
                    received_at: now,
                    action: Action::Incident(incident::Command {
                        id: Some(fact.id),
                        project_id: Some(fact.project_id),
                        change: incident::Change::Linked { deployment_id },
                    }),
                });
            }
        }
        let found = commands.len();
        if found > 0 {
            self.ingest.many(commands, Mode::Each).await?;
        }
        Ok(found)
    }

    async fn find(&self, fact: &Incident) -> Result<Option<Name>, storage::Error> {
        let Some(seen) = fact.seen.as_ref().filter(|seen| seen.may_be_linked()) else { return Ok(None) };
        match seen.cause() {
            None => Ok(None),
            Some(Cause::Deployment(id)) => {
                // people write the number that they see over there, without the vendor in front
                let with_vendor = VENDORS.iter().map(|vendor| format!("{}:{id}", vendor.name));
                for candidate in [id.to_string()].into_iter().chain(with_vendor) {
                    let Ok(candidate) = Name::parse(&candidate) else { continue };
                    if !self.store.deployments_with_id(&candidate, Some(&fact.project_id)).await?.is_empty() {
                        return Ok(Some(candidate));
                    }
                }
                Ok(None)
            }
            Some(Cause::Commit(what) | Cause::Version(what)) => {
                self.store.deployed_as(&fact.project_id, what.as_str(), fact.started_at).await
            }
        }
    }
}
