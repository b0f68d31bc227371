//! When the first commit of a deployment was made, which no deployment's webhook carries: from the pushes and pull
//! requests that were told of. Nobody waits for it; what is found later is filled in later, and its lead time is
//! recorded then, once.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use crate::domain::deployment::{self, FirstCommitFrom};
use crate::domain::{Clock, Deployment, Name, Timestamp};
use crate::ingest::{Action, Command, Error, Ingest, Mode};
use crate::storage::{self, Store};

/// Pushes that are followed back, from one deployment to the one before.
const MOST_PUSHES: usize = 500;
/// Deployments that are looked at again: the newest, and of those before as many in turn.
const MOST_OPEN: i64 = 200;
/// How long they are, from when they were told of: what is told of a past has its first commits as well.
const OPEN: Duration = Duration::from_hours(30 * 24);
/// How long a push may be late before something worse is made do with: what a lead time was recorded with stays.
const GRACE: Duration = Duration::from_mins(10);

/// Who stands in the journal for what was found.
pub(super) fn ours() -> Name {
    Name::parse("em-metrics").expect("a valid name")
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    at: Timestamp,
    from: FirstCommitFrom,
}

/// Looks for the first commits of deployments that lack them.
#[derive(Debug, Clone)]
pub struct FirstCommits {
    store: Store,
    ingest: Ingest,
    clock: Clock,
    actor: Name,
    /// How far back it has come, when there are more than can be looked at at once.
    reached: Option<Deployment>,
}

impl FirstCommits {
    pub fn new(store: Store, ingest: Ingest, clock: Clock) -> Self {
        Self { store, ingest, clock, actor: ours(), reached: None }
    }

    /// Looks at deployments that are open, and has what was found recorded. How many those are.
    pub async fn look(&mut self) -> Result<usize, LookError> {
        let now = self.clock.now();
        let mut open = self.open(now.earlier(OPEN)).await?;
        // one that has come late changes where the search for the next one ends
        for fact in open.clone() {
            if let Some(after) = self.store.deployed_after(&fact).await?
                && after.first_commit_from == Some(FirstCommitFrom::Pushes)
                && fact.created_at > after.created_at
            {
                open.push(after);
            }
        }
        let mut commands = Vec::new();
        for fact in open {
            let Some(Found { at, from }) = self.find(&fact).await? else { continue };
            let is_settled = from == FirstCommitFrom::Pushes || fact.created_at.later(GRACE) <= now;
            if is_settled && (fact.first_commit_at, fact.first_commit_from) != (Some(at), Some(from)) {
                commands.push(self.command(&fact, at, from, now));
            }
        }
        let found = commands.len();
        if found > 0 {
            self.ingest.many(commands, Mode::Each).await?;
        }
        Ok(found)
    }

    async fn open(&mut self, since: Timestamp) -> Result<Vec<Deployment>, storage::Error> {
        let is_whole = |page: &[Deployment]| i64::try_from(page.len()) == Ok(MOST_OPEN);
        let mut open = self.store.first_commit_open(since, None, MOST_OPEN).await?;
        let before = self.reached.take().or_else(|| open.last().cloned()).filter(|_| is_whole(&open));
        if let Some(before) = before {
            let more = self.store.first_commit_open(since, Some(&before), MOST_OPEN).await?;
            // and from the beginning, when there are none before
            self.reached = more.last().cloned().filter(|_| is_whole(&more));
            open.extend(more);
        }
        Ok(open)
    }

    fn command(&self, fact: &Deployment, at: Timestamp, from: FirstCommitFrom, now: Timestamp) -> Command {
        Command {
            actor: self.actor.clone(),
            received_at: now,
            action: Action::Deployment(deployment::Command {
                id: fact.id.clone(),
                project_id: Some(fact.project_id.clone()),
                details: deployment::Details::default(),
                change: deployment::Change::FirstCommit { at, from },
            }),
        }
    }

    async fn find(&self, fact: &Deployment) -> Result<Option<Found>, storage::Error> {
        let Some(seen) = &fact.seen else { return Ok(None) };
        let head_commit = seen.head_commit_at.map(|at| Found { at, from: FirstCommitFrom::HeadCommit });
        let (Some(repository), Some(head)) = (seen.repository(), &fact.commit_sha) else { return Ok(head_commit) };
        let before = self.store.deployed_before(fact).await?.and_then(|before| before.commit_sha);
        if let Some(base) = &before
            && let Some(at) = self.since(repository, head.as_str(), base.as_str()).await?
        {
            return Ok(Some(Found { at, from: FirstCommitFrom::Pushes }));
        }
        // of the first deployment, the whole history is no answer
        if let Some(at) = self.of_pull_request(repository, head.as_str(), before.as_ref()).await? {
            return Ok(Some(Found { at, from: FirstCommitFrom::PullRequest }));
        }
        let own = self.store.commit_at(repository, head).await?;
        Ok(own.map(|at| Found { at, from: FirstCommitFrom::HeadCommit }).or(head_commit))
    }

    /// The earliest commit on the way from `base` to `head`; `None`: the pushes do not tell of the whole way.
    async fn since(&self, repository: &Name, head: &str, base: &str) -> Result<Option<Timestamp>, storage::Error> {
        let (mut first, mut arrived) = (None, false);
        let (mut seen, mut next) = (HashSet::new(), VecDeque::from([head.to_owned()]));
        while let Some(sha) = next.pop_front() {
            if sha == base {
                arrived = true;
                continue;
            }
            if sha.is_empty() || seen.len() == MOST_PUSHES || !seen.insert(sha.clone()) {
                continue;
            }
            for push in self.store.pushes_to(repository, &sha).await? {
                first = first.into_iter().chain(push.first_commit_at).min();
                next.push_back(push.before_sha);
            }
            // merged as one commit: its own commits were pushed to its branch
            let of_branch = self.of_pull_request(repository, &sha, None).await?;
            first = first.into_iter().chain(of_branch).min();
        }
        Ok(first.filter(|_| arrived))
    }

    /// The earliest commit that was pushed to the branch of the pull request that was merged as this commit.
    async fn of_pull_request(
        &self,
        repository: &Name,
        sha: &str,
        base: Option<&Name>,
    ) -> Result<Option<Timestamp>, storage::Error> {
        let Some(head) = self.store.pull_request_of(repository, sha).await? else { return Ok(None) };
        let (mut first, mut seen, mut next) = (None, HashSet::new(), VecDeque::from([head.clone()]));
        while let Some(sha) = next.pop_front() {
            // a branch that lives on after it was merged: what came before was of the merge before
            let was_merged = sha != head && self.store.pull_request_of(repository, &sha).await?.is_some();
            let is_base = base.is_some_and(|base| base.as_str() == sha);
            if was_merged || is_base || sha.is_empty() || seen.len() == MOST_PUSHES || !seen.insert(sha.clone()) {
                continue;
            }
            for push in self.store.pushes_to(repository, &sha).await? {
                first = first.into_iter().chain(push.first_commit_at).min();
                next.push_back(push.before_sha);
            }
        }
        Ok(first)
    }
}

/// Why nothing was looked for, or not recorded.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Store(#[from] storage::Error),
    #[error(transparent)]
    Ingest(#[from] Error),
}
