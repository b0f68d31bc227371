//! When the first commits of deployments were made, asked of their forge where neither pushes nor pull requests tell it.
//! Nobody waits for it, and of several replicas one asks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::client::{Api, Got, Trouble};
use super::planned::Planned;
use super::schedule::ours;
use crate::domain::deployment::{self, FirstCommitFrom};
use crate::domain::{Clock, Deployment, Timestamp};
use crate::ingest::{self, Action, Command, Ingest, Mode};
use crate::storage::{self, Asked, Store};

/// How often it looks, if nothing comes in before.
const ROUND: Duration = Duration::from_secs(30);
/// Deployments taken on at once.
const MOST: i64 = 50;
/// How far back they go.
const OPEN: Duration = Duration::from_hours(365 * 24);
/// How long the deployment before this one, and the pushes between, may be late.
const GRACE: Duration = Duration::from_mins(2);
/// After that the commit that was deployed is made do with.
const SETTLED: Duration = Duration::from_mins(10);
/// How long a deployment is ours.
const LEASE: Duration = Duration::from_mins(15);
/// How long something waits that went wrong, and that was not to be found.
const AGAIN: Duration = Duration::from_mins(10);
const SOME_DAY: Duration = Duration::from_hours(24);
/// Pages of a comparison, of a hundred commits each.
const MOST_PAGES: usize = 10;

/// Asks for the first commits of deployments that lack them.
#[derive(Debug)]
pub struct FirstCommits {
    store: Store,
    ingest: Ingest,
    clock: Clock,
    /// Told that deliveries have become facts.
    settled: Arc<Notify>,
    apis: Vec<Api>,
    /// Those whose rate limit is used up, by name.
    paused: BTreeMap<&'static str, Timestamp>,
}

/// What came of a question.
enum Answer {
    Found(Timestamp, FirstCommitFrom),
    /// Not before.
    Later(Timestamp),
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Api(#[from] Trouble),
    #[error(transparent)]
    Store(#[from] storage::Error),
    #[error(transparent)]
    Ingest(#[from] ingest::Error),
}

impl FirstCommits {
    /// `None`: there is nobody to ask.
    pub fn new(store: Store, ingest: Ingest, clock: Clock, settled: Arc<Notify>, planned: &[Planned]) -> Option<Self> {
        let apis: Vec<_> = planned.iter().map(|planned| planned.api.clone()).collect();
        (!apis.is_empty()).then(|| Self { store, ingest, clock, settled, apis, paused: BTreeMap::new() })
    }

    /// Works until it is told to stop: at once, as whatever it leaves is asked again.
    pub async fn run(mut self, stop: CancellationToken) {
        let settled = self.settled.clone();
        let rounds = async {
            loop {
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "first commits could not be asked for; trying again");
                }
                tokio::select! {
                    () = settled.notified() => {}
                    () = tokio::time::sleep(ROUND) => {}
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = rounds => {}
        }
    }

    async fn look(&mut self) -> Result<(), AskError> {
        loop {
            let now = self.clock.now();
            let (from, known_since) = (now.earlier(OPEN), now.earlier(GRACE));
            let facts = self.store.first_commits_to_ask(from, known_since, now, MOST).await?;
            for fact in &facts {
                self.about(fact).await?;
            }
            if facts.len() < usize::try_from(MOST).unwrap_or_default() {
                return Ok(());
            }
        }
    }

    /// Asks for one, if nobody else does.
    async fn about(&mut self, fact: &Deployment) -> Result<(), AskError> {
        let now = self.clock.now();
        let Some(mut asked) = self.store.claim_asking(fact, now, now.later(LEASE)).await? else { return Ok(()) };
        let due_at = self.ask_and_record(fact, &mut asked).await?;
        self.store.has_asked(fact, &asked, due_at).await?;
        // one that has come late changes what the next one is compared with
        if let Some(after) = self.store.deployed_after(fact).await?
            && after.first_commit_from == Some(FirstCommitFrom::Api)
            && fact.created_at > after.created_at
        {
            self.ask_and_record(&after, &mut Asked::default()).await?;
        }
        Ok(())
    }

    /// When to ask again.
    async fn ask_and_record(&mut self, fact: &Deployment, asked: &mut Asked) -> Result<Timestamp, AskError> {
        let now = self.clock.now();
        let some_day = now.later(SOME_DAY);
        let repository = fact.seen.as_ref().and_then(|seen| seen.repository());
        let parts = repository.and_then(|repository| repository.as_str().split_once(':'));
        let Some((forge, path)) = parts else { return Ok(some_day) };
        let Some(api) = self.apis.iter().find(|api| api.forge.name == forge) else { return Ok(some_day) };
        let name = api.forge.name;
        if let Some(until) = self.paused.get(name).filter(|until| **until > now) {
            return Ok(*until);
        }
        match self.ask(api, path, fact, asked).await {
            Ok(Answer::Found(at, from)) => {
                if (fact.first_commit_at, fact.first_commit_from) != (Some(at), Some(from)) {
                    self.ingest.many(vec![found(fact, at, from, now)], Mode::Each).await?;
                }
                Ok(some_day)
            }
            Ok(Answer::Later(at)) => Ok(at),
            Err(AskError::Api(Trouble::Limited(wait))) => {
                tracing::info!(forge, seconds = wait.as_secs(), "the rate limit is used up: asking on when it ends");
                self.paused.insert(name, now.later(wait));
                Ok(now.later(wait))
            }
            Err(AskError::Api(error @ Trouble::Broken { .. })) => {
                tracing::debug!(%error, "a first commit could not be asked for; trying again");
                Ok(now.later(AGAIN))
            }
            Err(AskError::Api(error)) => {
                tracing::warn!(%error, "a first commit could not be asked for");
                Ok(some_day)
            }
            Err(error) => Err(error),
        }
    }

    async fn ask(&self, api: &Api, path: &str, fact: &Deployment, asked: &mut Asked) -> Result<Answer, AskError> {
        let now = self.clock.now();
        let Some(head) = &fact.commit_sha else { return Ok(Answer::Later(now.later(SOME_DAY))) };
        let before = self.store.deployed_before(fact).await?.and_then(|before| before.commit_sha);
        let base = before.map(|sha| sha.to_string()).unwrap_or_default();
        if asked.base_sha != base {
            *asked = Asked { base_sha: base.clone(), etag: None };
        }
        let comparison = (api.forge.compare)(&api.base, path, &base, head.as_str()).filter(|_| !base.is_empty());
        if let Some(url) = comparison
            && let Some(at) = earliest(api, url, &mut asked.etag).await?
        {
            return Ok(Answer::Found(at, FirstCommitFrom::Api));
        }
        // of the first deployment the whole history is no answer, and of one that goes back there is none
        if fact.first_commit_at.is_none()
            && let Some(url) = (api.forge.commit)(&api.base, path, head.as_str())
        {
            let settled = fact.created_at.later(SETTLED);
            if settled > now {
                return Ok(Answer::Later(settled));
            }
            let commit = match api.get(&url, None, &quietly).await {
                Ok(Got::Page { value, .. }) => (api.forge.commit_at)(&value),
                Ok(Got::Unchanged) | Err(Trouble::Absent { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            if let Some(at) = commit {
                return Ok(Answer::Found(at, FirstCommitFrom::HeadCommit));
            }
        }
        Ok(Answer::Later(now.later(SOME_DAY)))
    }
}

/// The earliest commit of a comparison. `None`: it has none, or one of the two commits is not there (any more).
async fn earliest(api: &Api, url: Url, etag: &mut Option<String>) -> Result<Option<Timestamp>, Trouble> {
    let (mut first, mut next, mut tag) = (None, Some(url), etag.clone());
    for page in 0..MOST_PAGES {
        let Some(url) = next.take() else { break };
        match api.get(&url, tag.take().as_deref(), &quietly).await {
            Ok(Got::Page { value, next: following, etag: new }) => {
                if page == 0 {
                    *etag = new;
                }
                first = (api.forge.compared)(&value).into_iter().chain(first).min();
                next = following;
            }
            // as it told nothing before
            Ok(Got::Unchanged) | Err(Trouble::Absent { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    // so many that the earliest were not read
    Ok(first.filter(|_| next.is_none() || api.forge.oldest_first))
}

fn quietly(notice: &str) {
    tracing::debug!("{notice}");
}

fn found(fact: &Deployment, at: Timestamp, from: FirstCommitFrom, now: Timestamp) -> Command {
    Command {
        actor: ours(),
        received_at: now,
        action: Action::Deployment(deployment::Command {
            id: fact.id.clone(),
            project_id: Some(fact.project_id.clone()),
            details: deployment::Details::default(),
            change: deployment::Change::FirstCommit { at, from },
        }),
    }
}
