//! Pushes and their commits, pull requests, tickets: what leads to deployments.

use std::sync::LazyLock;

use sqlx::FromRow;

use super::deployments::{COLUMNS, TABLE};
use super::engine::names;
use super::{Error, Store, Tx};
use crate::domain::{Deployment, Known, Name, PullRequest, Push, Ticket, Timestamp};

/// A push, as far as it leads from one commit to another.
#[derive(Debug, Clone, FromRow)]
pub struct PushedTo {
    pub before_sha: String,
    pub first_commit_at: Option<Timestamp>,
}

/// A deployment that tools have told of, whose first commit may still be found, or found in a better way. As in the
/// index `deployments_first_commit_open`, which is by `created_at`.
pub(super) const FIRST_COMMIT_OPEN: &str =
    "seen IS NOT NULL AND (first_commit_at IS NULL OR first_commit_from IN ('head_commit', 'pull_request'))";

static OPEN: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE {FIRST_COMMIT_OPEN} \
         AND deployed_at IS NOT NULL AND created_at >= $1 AND (created_at, project_id, id) < ($2, $3, $4) \
         AND deleted_at IS NULL ORDER BY created_at DESC, project_id DESC, id DESC LIMIT $5",
        names(COLUMNS)
    )
});
static BEFORE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE project_id = $1 AND environment = $2 AND happened_at < $3 AND deployed_at < $3 \
         AND commit_sha IS NOT NULL AND commit_sha <> $4 AND deleted_at IS NULL ORDER BY happened_at DESC LIMIT 1",
        names(COLUMNS)
    )
});
static AFTER: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE project_id = $1 AND environment = $2 AND happened_at > $3 AND deployed_at > $3 \
         AND commit_sha IS NOT NULL AND commit_sha <> $4 AND deleted_at IS NULL ORDER BY happened_at LIMIT 1",
        names(COLUMNS)
    )
});

/// Something that is told of in parts.
#[derive(Debug)]
struct Change<'a> {
    kind: &'static str,
    place: &'a Name,
    id: &'a Name,
}

impl Tx<'_> {
    /// Keeps pushes and their commits. What is told of one twice, and differently (a copy may list less), is merged so
    /// that the order in which it is told does not matter.
    pub async fn keep_pushes(&mut self, pushes: impl Iterator<Item = &Push>) -> Result<(), Error> {
        // in one order everywhere, so that replicas do not wait for each other in a circle
        let mut pushes: Vec<_> = pushes.collect();
        pushes.sort_by_key(|push| (&push.repository, &push.after, &push.before));
        let mut commits: Vec<_> = pushes
            .iter()
            .flat_map(|push| push.commits.iter().map(|made| (&push.repository, &made.sha, made.at)))
            .collect();
        commits.sort();
        let commit = "INSERT INTO commits (repository, sha, committed_at) VALUES ($1, $2, $3) \
                      ON CONFLICT (repository, sha) DO UPDATE SET committed_at = excluded.committed_at \
                      WHERE excluded.committed_at < commits.committed_at";
        for (repository, sha, at) in commits {
            in_tx!(self, |connection| sqlx::query(commit)
                .bind(repository)
                .bind(sha)
                .bind(at)
                .execute(connection)
                .await
                .map(drop))?;
        }
        for push in pushes {
            self.keep_push(push).await?;
        }
        Ok(())
    }

    async fn keep_push(&mut self, push: &Push) -> Result<(), Error> {
        let Some(after) = &push.after else { return Ok(()) };
        let insert = "INSERT INTO pushes (repository, after_sha, before_sha, branch, pushed_at, first_commit_at, is_cut) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (repository, after_sha, before_sha) DO UPDATE SET \
                      branch = CASE WHEN pushes.branch <= excluded.branch THEN pushes.branch \
                      ELSE COALESCE(excluded.branch, pushes.branch) END, \
                      pushed_at = CASE WHEN pushes.pushed_at <= excluded.pushed_at THEN pushes.pushed_at \
                      ELSE excluded.pushed_at END, \
                      first_commit_at = CASE WHEN pushes.first_commit_at <= excluded.first_commit_at \
                      THEN pushes.first_commit_at ELSE COALESCE(excluded.first_commit_at, pushes.first_commit_at) END, \
                      is_cut = CASE WHEN pushes.is_cut <= excluded.is_cut THEN pushes.is_cut ELSE excluded.is_cut END";
        let before = push.before.as_ref().map(ToString::to_string).unwrap_or_default();
        let first = push.commits.iter().map(|commit| commit.at).min();
        in_tx!(self, |connection| sqlx::query(insert)
            .bind(&push.repository)
            .bind(after)
            .bind(before)
            .bind(&push.branch)
            .bind(push.at)
            .bind(first)
            .bind(i64::from(push.is_cut))
            .execute(connection)
            .await
            .map(drop))?;
        Ok(())
    }

    /// Takes in what is said of a pull request.
    pub async fn hear_pull_request(&mut self, said: &PullRequest, now: Timestamp) -> Result<(), Error> {
        let change = Change { kind: "pull_request", place: &said.repository, id: &said.id };
        self.hear(&change, said.at, said, now).await
    }

    /// Takes in what is said of a ticket.
    pub async fn hear_ticket(&mut self, said: &Ticket, now: Timestamp) -> Result<(), Error> {
        let change = Change { kind: "ticket", place: &said.place, id: &said.id };
        self.hear(&change, said.at, said, now).await
    }

    async fn hear(
        &mut self,
        change: &Change<'_>,
        at: Timestamp,
        said: &impl serde::Serialize,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Change { kind, place, id } = change;
        // there before it is read, so that another replica waits for this one
        let insert = "INSERT INTO changes (kind, place, id, known, updated_at) VALUES ($1, $2, $3, '{}', $4) \
                      ON CONFLICT (kind, place, id) DO UPDATE SET updated_at = excluded.updated_at RETURNING known";
        let known: String = in_tx!(self, |connection| sqlx::query_scalar(insert)
            .bind(kind)
            .bind(place)
            .bind(id)
            .bind(now)
            .fetch_one(connection)
            .await)?;
        let mut known: Known = serde_json::from_str(&known)?;
        known.hear(at, said);
        let fields = known.fields();
        let column = |name: &str| fields.get(name).and_then(|value| value.as_str()).map(str::to_owned);
        let update = "UPDATE changes SET known = $4, merge_sha = $5, head_sha = $6 \
                      WHERE kind = $1 AND place = $2 AND id = $3";
        let text = serde_json::to_string(&known)?;
        in_tx!(self, |connection| sqlx::query(update)
            .bind(kind)
            .bind(place)
            .bind(id)
            .bind(&text)
            .bind(column("merge_sha"))
            .bind(column("head_sha"))
            .execute(connection)
            .await
            .map(drop))?;
        Ok(())
    }
}

impl Store {
    /// The pushes that a branch came to a commit by.
    pub async fn pushes_to(&self, repository: &Name, sha: &str) -> Result<Vec<PushedTo>, Error> {
        let select = "SELECT before_sha, first_commit_at FROM pushes WHERE repository = $1 AND after_sha = $2 \
                      ORDER BY pushed_at, before_sha";
        Ok(on_engine!(self, |pool| sqlx::query_as(select).bind(repository).bind(sha).fetch_all(pool).await)?)
    }

    /// When a commit was made.
    pub async fn commit_at(&self, repository: &Name, sha: &Name) -> Result<Option<Timestamp>, Error> {
        let select = "SELECT committed_at FROM commits WHERE repository = $1 AND sha = $2";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select).bind(repository).bind(sha).fetch_optional(pool).await)?)
    }

    /// The last commit of the branch of the pull request that was merged as this commit, or ends in it.
    pub async fn pull_request_of(&self, repository: &Name, sha: &str) -> Result<Option<String>, Error> {
        let select = "SELECT head_sha FROM changes WHERE kind = 'pull_request' AND place = $1 \
                      AND (merge_sha = $2 OR head_sha = $2) AND head_sha IS NOT NULL ORDER BY id LIMIT 1";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select).bind(repository).bind(sha).fetch_optional(pool).await)?)
    }

    /// Deployments that tools have told of, whose first commit may still be found, or in a better way: the newest, or
    /// those that were there before one.
    pub async fn first_commit_open(
        &self,
        since: Timestamp,
        before: Option<&Deployment>,
        most: i64,
    ) -> Result<Vec<Deployment>, Error> {
        let sql: &'static str = &OPEN;
        let (at, project_id, id) = before
            .map_or((Timestamp::LAST, "", ""), |fact| (fact.created_at, fact.project_id.as_str(), fact.id.as_str()));
        Ok(on_engine!(self, |pool| sqlx::query_as(sql)
            .bind(since)
            .bind(at)
            .bind(project_id)
            .bind(id)
            .bind(most)
            .fetch_all(pool)
            .await)?)
    }

    /// The deployment of another commit before this one, in the same place.
    pub async fn deployed_before(&self, fact: &Deployment) -> Result<Option<Deployment>, Error> {
        self.neighbour(&BEFORE, fact).await
    }

    /// The one after it.
    pub async fn deployed_after(&self, fact: &Deployment) -> Result<Option<Deployment>, Error> {
        self.neighbour(&AFTER, fact).await
    }

    /// The last deployment of a project before a moment whose commit begins like this, or whose version is this.
    pub async fn deployed_as(&self, project: &Name, what: &str, until: Timestamp) -> Result<Option<Name>, Error> {
        let select = "SELECT id FROM deployments WHERE project_id = $1 AND happened_at <= $3 AND deployed_at IS NOT NULL \
                      AND deleted_at IS NULL AND (version = $2 OR SUBSTR(commit_sha, 1, LENGTH($2)) = $2) \
                      ORDER BY happened_at DESC LIMIT 1";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select)
            .bind(project)
            .bind(what)
            .bind(until)
            .fetch_optional(pool)
            .await)?)
    }

    async fn neighbour(&self, sql: &'static str, fact: &Deployment) -> Result<Option<Deployment>, Error> {
        Ok(on_engine!(self, |pool| sqlx::query_as(sql)
            .bind(&fact.project_id)
            .bind(&fact.environment)
            .bind(fact.deployed_at)
            .bind(&fact.commit_sha)
            .fetch_optional(pool)
            .await)?)
    }
}
