//! Keeps the index in memory: loads it in the background, and follows the journal while nobody asks.

use std::time::Duration;

use tokio::time::Instant;

use super::memory::{Kept, Shared};
use crate::domain::Name;
use crate::dora::index::{Astray, Index, ShelfNumber};
use crate::dora::{Bare, Incident};
use crate::storage::{self, AnyDeployment, AnyIncident};
use crate::telemetry::{Complaint, Outage};

/// Changes that the keeper takes in at once.
const BATCH: usize = 5000;
/// How often the keeper looks for changes when there are none, and when there are.
const IDLE: Duration = Duration::from_secs(1);
const BUSY: Duration = Duration::from_millis(100);
/// From a failure to the next try.
const RETRY: Duration = Duration::from_secs(5);
/// After so many facts it is looked how much memory they take.
const WEIGHED: usize = 1 << 16;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Astray(#[from] Astray),
    #[error("the facts take more memory than they may ({0} bytes)")]
    TooMuch(usize),
}

impl Shared {
    /// Until there are too many facts.
    pub(super) async fn keep(&self) {
        let mut outage = Outage::default();
        loop {
            match self.load_and_follow(&mut outage).await {
                Failure::TooMuch(bytes) => {
                    let bound = self.bound;
                    tracing::warn!(
                        bytes,
                        bound,
                        "the facts do not fit into storage.index_memory_mb: answers come from the store"
                    );
                    return;
                }
                failure => complain(&mut outage, &failure),
            }
            self.drop_index();
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn load_and_follow(&self, outage: &mut Outage) -> Failure {
        if let Err(failure) = self.load().await {
            return failure;
        }
        // being ready has been told
        let _ = outage.works(Instant::now());
        loop {
            match self.step().await {
                Ok(true) => {}
                Ok(false) => {
                    let pause = if self.is_open() { BUSY } else { IDLE };
                    let _ = tokio::time::timeout(pause, self.wanted.notified()).await;
                }
                Err(failure) => return failure,
            }
        }
    }

    fn is_open(&self) -> bool {
        self.read().kept.as_ref().is_some_and(|kept| kept.horizon.is_open())
    }

    async fn load(&self) -> Result<(), Failure> {
        let began = Instant::now();
        let (mut snapshot, horizon) = self.store.snapshot_to_follow().await?;
        let mut index = Index::default();
        let take = |row: AnyIncident<'_>| {
            put_incident(&mut index, &row)?;
            self.weigh(&index)
        };
        snapshot.all_incidents::<Failure>(take).await?;
        let take = |row: AnyDeployment<'_>| {
            put_deployment(&mut index, &row)?;
            self.weigh(&index)
        };
        snapshot.all_deployments::<Failure>(take).await?;
        drop(snapshot);
        if !index.is_whole() {
            return Err(Astray.into());
        }
        let bytes = self.weigh_all(&index)?;
        let seconds = began.elapsed().as_secs_f64();
        tracing::info!(facts = index.facts(), bytes, seconds, "the index of facts is ready");
        let mut state = self.write();
        state.generation += 1;
        state.kept = Some(Kept { index, horizon, whole: true });
        Ok(())
    }

    /// Looks from time to time whether it is too much.
    fn weigh(&self, index: &Index) -> Result<(), Failure> {
        if index.facts().is_multiple_of(WEIGHED) { self.weigh_all(index).map(drop) } else { Ok(()) }
    }

    fn weigh_all(&self, index: &Index) -> Result<usize, Failure> {
        let bytes = index.bytes();
        self.meters.facts.record(index.facts() as u64, &[]);
        self.meters.bytes.record(bytes as u64, &[]);
        if bytes > self.bound { Err(Failure::TooMuch(bytes)) } else { Ok(bytes) }
    }

    /// Takes in some changes; whether there are more.
    async fn step(&self) -> Result<bool, Failure> {
        let horizon = self.read().kept.as_ref().map(|kept| kept.horizon.clone());
        let Some(horizon) = horizon else { return Err(Astray.into()) };
        let oldest = self.store.oldest_running().await?;
        let changes = self.store.next_changes(&horizon, BATCH).await?;
        let more = changes.len() == BATCH;
        let open = {
            let mut state = self.write();
            let Some(kept) = state.kept.as_mut() else { return Err(Astray.into()) };
            if more {
                kept.whole = false;
            }
            kept.take_in(&changes)?;
            if !more {
                if !kept.index.is_whole() {
                    return Err(Astray.into());
                }
                kept.whole = true;
                kept.horizon.settle(oldest);
            }
            if !changes.is_empty() {
                self.weigh_all(&kept.index)?;
            }
            self.meters.ready.record(u64::from(kept.whole), &[]);
            kept.horizon.clone()
        };
        if let Some(mark) = self.store.mark(&open).await?
            && let Some(kept) = self.write().kept.as_mut()
        {
            kept.horizon.set_mark(mark);
        }
        Ok(more)
    }
}

/// Once, and now and then while it lasts: answers come from the store meanwhile, so it is no more than slow.
fn complain(outage: &mut Outage, failure: &Failure) {
    match outage.fails(Instant::now()) {
        Complaint::Begins => tracing::warn!(%failure, "the index in memory is not kept; trying again"),
        Complaint::GoesOn { failures } => {
            tracing::warn!(%failure, failures, "the index in memory is still not kept");
        }
        Complaint::Nothing => tracing::debug!(%failure, "the index in memory is not kept"),
    }
}

fn put_deployment(index: &mut Index, row: &AnyDeployment<'_>) -> Result<(), Failure> {
    let shelf = shelf(index, row.project_id, row.team_id, row.environment)?;
    let bare = Bare {
        deployed_at: row.deployed_at,
        failed_at: row.failed_at,
        first_commit_at: row.first_commit_at,
        rolled_back_at: row.rolled_back_at,
        unplanned: row.unplanned,
    };
    match row.with_incidents {
        None => index.put_deployment(shelf, &bare)?,
        Some(id) => index.put_linked_deployment(shelf, (&name(row.project_id)?, &name(id)?), bare)?,
    }
    Ok(())
}

fn put_incident(index: &mut Index, row: &AnyIncident<'_>) -> Result<(), Failure> {
    let shelf = shelf(index, row.project_id, row.team_id, row.environment)?;
    let incident = Incident {
        started_at: row.started_at,
        has_known_start: !row.start_is_guessed,
        restored_at: row.restored_at,
        finished_at: row.finished_at,
        deployed_at: row.deployment_deployed_at,
    };
    let project = name(row.project_id)?;
    let deployment = row.deployment_id.map(name).transpose()?;
    Ok(index.put_incident(shelf, &incident, deployment.as_ref().map(|id| (&project, id)))?)
}

fn shelf(index: &mut Index, project: &str, team: Option<&str>, environment: &str) -> Result<ShelfNumber, Failure> {
    Ok(index.shelf(project, team, environment).map_err(storage::Error::Unreadable)?)
}

fn name(text: &str) -> Result<Name, Failure> {
    Ok(Name::parse(text).map_err(storage::Error::Unreadable)?)
}
