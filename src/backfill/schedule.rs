//! Reads again and again what webhooks did not tell. Of several replicas one does it: a repository is somebody's for a
//! while, and whoever takes it over goes on where the other was.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::client::Trouble;
use super::planned::Planned;
use super::state::State;
use super::walk::{Error, Event, Job, Outlet, Taken, Tally, run};
use crate::domain::{Clock, Name};
use crate::forges::{Delivery, List};
use crate::ingest::Ingest;
use crate::ingest::webhooks::Source;
use crate::storage::{self, Lease, Letter, Store};
use crate::webhooks::{Body, Headers, body};

/// How often it looks whether something is due.
const ROUND: Duration = Duration::from_secs(30);
/// How long a repository is ours; longer than anything between two times that it is kept.
const LEASE: Duration = Duration::from_mins(15);
/// How long something waits that went wrong.
const AGAIN: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub struct Schedule {
    store: Store,
    ingest: Ingest,
    clock: Clock,
    /// Told that there is something to be read in the inbox.
    arrived: Arc<Notify>,
    planned: Vec<Planned>,
}

impl Schedule {
    /// `None`: nothing is to be read.
    pub fn new(store: Store, ingest: Ingest, clock: Clock, arrived: Arc<Notify>, planned: &[Planned]) -> Option<Self> {
        let planned: Vec<_> = planned.iter().filter(|planned| !planned.repositories.is_empty()).cloned().collect();
        (!planned.is_empty()).then_some(Self { store, ingest, clock, arrived, planned })
    }

    /// Works until it is told to stop; what it leaves is gone on with by whoever comes next.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            for planned in &self.planned {
                for project in &planned.repositories {
                    if let Err(error) = self.look(planned, project, &stop).await {
                        tracing::warn!(%error, project, "what webhooks did not tell could not be read");
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(ROUND) => {}
            }
        }
    }

    /// Reads a repository, if it is due.
    async fn look(&self, planned: &Planned, project: &str, stop: &CancellationToken) -> Result<(), Error> {
        if stop.is_cancelled() {
            return Ok(());
        }
        let now = self.clock.now();
        let key = format!("{} {} {project}", planned.source.key, planned.api.base.url());
        let claimed = self.store.claim_backfill(&key, now, now.later(LEASE)).await.map_err(failed)?;
        let Some((lease, state)) = claimed else { return Ok(()) };
        let mut lists = List::ALL.to_vec();
        // which would only be ignored
        lists.retain(|list| *list != List::Releases || planned.source.settings.releases);
        let job = Job { project: project.to_owned(), since: now.earlier(planned.since), lists };
        let begin: State = serde_json::from_str(&state).unwrap_or_default();
        let handing_over =
            HandingOver { schedule: self, source: &planned.source, project, kept: Mutex::new(Kept { lease, state }) };
        let outcome = tokio::select! {
            outcome = run(&job, &planned.api, begin, &handing_over, &self.clock) => Some(outcome),
            () = stop.cancelled() => None,
        };
        let wait = match &outcome {
            // for another replica, or the next start
            None => Duration::ZERO,
            Some(Err(Error::Api(Trouble::Limited(wait)))) => *wait,
            Some(Err(Error::Api(Trouble::Broken { .. }) | Error::Outlet(_))) => AGAIN.min(planned.every),
            // done, or somebody has to mend it
            Some(_) => planned.every,
        };
        let mut kept = handing_over.kept.into_inner();
        if let Some(Ok((_, state))) = &outcome {
            kept.state = serde_json::to_string(state).map_err(anyhow::Error::from)?;
        }
        self.store.keep_backfill(&mut kept.lease, &kept.state, self.clock.now().later(wait)).await.map_err(failed)?;
        match outcome {
            Some(Ok((tally, _))) if tally.new > 0 => {
                let Tally { new, deployments, changes, releases, .. } = tally;
                tracing::info!(project, new, deployments, changes, releases, "read what webhooks did not tell");
            }
            Some(Err(Error::Api(Trouble::Limited(wait)))) => {
                tracing::info!(project, seconds = wait.as_secs(), "the rate limit is used up: going on when it ends");
            }
            Some(Err(error)) => return Err(error),
            Some(Ok(_)) | None => {}
        }
        Ok(())
    }

    /// A delivery as one that has just come in.
    fn letter(&self, source: &Source, delivery: Delivery) -> anyhow::Result<Letter> {
        let headers: Headers = delivery.headers.into_iter().collect();
        let about = (source.vendor.about)(&headers, Body(&delivery.body));
        let own_id = about.delivery.as_deref().and_then(|id| Name::parse(id).ok());
        Ok(Letter {
            source: source.key.clone(),
            delivery: own_id.context("a delivery without an id")?,
            event: body::name(&about.event).context("a delivery without an event")?,
            headers: serde_json::to_string(&headers)?,
            body: serde_json::to_vec(&delivery.body)?,
            received_at: self.clock.now(),
            actor: ours(),
            was_sent: false,
        })
    }
}

/// What is ours, and how far it was when that was last written down.
struct Kept {
    lease: Lease,
    state: String,
}

struct HandingOver<'a> {
    schedule: &'a Schedule,
    source: &'a Source,
    project: &'a str,
    kept: Mutex<Kept>,
}

impl Outlet for HandingOver<'_> {
    async fn take(&self, deliveries: Vec<Delivery>) -> anyhow::Result<Taken> {
        let Schedule { ingest, arrived, .. } = self.schedule;
        let letters = deliveries.into_iter().map(|delivery| self.schedule.letter(self.source, delivery));
        let letters: Vec<Letter> = letters.collect::<anyhow::Result<_>>()?;
        let ids = ingest.receive(letters).await?;
        arrived.notify_one();
        let new = ids.iter().flatten().count() as u64;
        Ok(Taken { new, known: ids.len() as u64 - new })
    }

    async fn keep(&self, state: &State) -> anyhow::Result<()> {
        let text = serde_json::to_string(state)?;
        let until = self.schedule.clock.now().later(LEASE);
        let mut kept = self.kept.lock().await;
        let is_ours = self.schedule.store.keep_backfill(&mut kept.lease, &text, until).await?;
        ensure!(is_ours, "somebody else reads it by now");
        kept.state = text;
        Ok(())
    }

    fn tell(&self, event: Event<'_>) {
        if let Event::Notice(text) = event {
            tracing::debug!(project = self.project, "{text}");
        }
    }
}

fn failed(error: storage::Error) -> Error {
    Error::Outlet(error.into())
}

/// Who stands in the journal for what was read.
pub(super) fn ours() -> Name {
    Name::parse("em-metrics").expect("a valid name")
}
