//! How far the reading of forges' APIs is, and who does it; and whose turn it is with other work that one does for all.

use std::sync::LazyLock;

use sqlx::FromRow;

use super::changes::FIRST_COMMIT_OPEN;
use super::deployments::{COLUMNS, TABLE};
use super::engine::names;
use super::{Error, Store};
use crate::domain::{Deployment, Timestamp};

/// Something that somebody has taken on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub key: String,
    /// Nobody else takes it on before.
    pub until: Timestamp,
}

/// What was asked for the first commit of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromRow)]
pub struct Asked {
    pub base_sha: String,
    pub etag: Option<String>,
}

static TO_ASK: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE {FIRST_COMMIT_OPEN} \
         AND deployed_at IS NOT NULL AND created_at BETWEEN $4 AND $1 AND deleted_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM first_commits_asked AS asked WHERE asked.project_id = {TABLE}.project_id \
         AND asked.deployment_id = {TABLE}.id AND asked.due_at > $2) ORDER BY created_at DESC LIMIT $3",
        names(COLUMNS)
    )
});

impl Store {
    /// Takes on a backfill that is due, until then; its state so far. `None`: it is not due, or somebody else's.
    pub async fn claim_backfill(
        &self,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<(Lease, String)>, Error> {
        let waiting = "SELECT 1 FROM backfills WHERE key = $1 AND due_at > $2";
        let waits: Option<i32> =
            on_engine!(self, |pool| sqlx::query_scalar(waiting).bind(key).bind(now).fetch_optional(pool).await)?;
        if waits.is_some() {
            return Ok(None);
        }
        // whoever comes second at the same moment finds the time moved on
        let claim = "INSERT INTO backfills (key, state, due_at) VALUES ($1, '{}', $3) ON CONFLICT (key) \
                     DO UPDATE SET due_at = excluded.due_at WHERE backfills.due_at <= $2 RETURNING state";
        let state: Option<String> = self
            .alone(async |tx| {
                Ok(in_tx!(tx, |connection| sqlx::query_scalar(claim)
                    .bind(key)
                    .bind(now)
                    .bind(until)
                    .fetch_optional(connection)
                    .await)?)
            })
            .await?;
        Ok(state.map(|state| (Lease { key: key.to_owned(), until }, state)))
    }

    /// Writes down how far a backfill is, and has it until then, or due then. `false`: it is somebody else's by now.
    pub async fn keep_backfill(&self, lease: &mut Lease, state: &str, until: Timestamp) -> Result<bool, Error> {
        let update = "UPDATE backfills SET state = $3, due_at = $4 WHERE key = $1 AND due_at = $2";
        let (key, before) = (&lease.key, lease.until);
        let touched = self
            .alone(async |tx| {
                Ok(in_tx!(tx, |connection| sqlx::query(update)
                    .bind(key)
                    .bind(before)
                    .bind(state)
                    .bind(until)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected()))?)
            })
            .await?;
        if touched > 0 {
            lease.until = until;
        }
        Ok(touched > 0)
    }

    /// The newest deployments since `from`, known since `known_since` at the latest, whose first commit is to be
    /// asked for.
    pub async fn first_commits_to_ask(
        &self,
        from: Timestamp,
        known_since: Timestamp,
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<Deployment>, Error> {
        let sql: &'static str = &TO_ASK;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql)
            .bind(known_since)
            .bind(now)
            .bind(most)
            .bind(from)
            .fetch_all(pool)
            .await)?)
    }

    /// Takes on asking for a deployment's first commit, until then; what was asked before. `None`: somebody else does.
    pub async fn claim_asking(
        &self,
        fact: &Deployment,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Asked>, Error> {
        let claim = "INSERT INTO first_commits_asked (project_id, deployment_id, base_sha, due_at) \
                     VALUES ($1, $2, '', $4) ON CONFLICT (project_id, deployment_id) DO UPDATE SET \
                     due_at = excluded.due_at WHERE first_commits_asked.due_at <= $3 RETURNING base_sha, etag";
        self.alone(async |tx| {
            Ok(in_tx!(tx, |connection| sqlx::query_as(claim)
                .bind(&fact.project_id)
                .bind(&fact.id)
                .bind(now)
                .bind(until)
                .fetch_optional(connection)
                .await)?)
        })
        .await
    }

    /// Remembers what was asked, and when to ask again.
    pub async fn has_asked(&self, fact: &Deployment, asked: &Asked, due_at: Timestamp) -> Result<(), Error> {
        let update = "UPDATE first_commits_asked SET base_sha = $3, etag = $4, due_at = $5 \
                      WHERE project_id = $1 AND deployment_id = $2";
        self.alone(async |tx| {
            Ok(in_tx!(tx, |connection| sqlx::query(update)
                .bind(&fact.project_id)
                .bind(&fact.id)
                .bind(&asked.base_sha)
                .bind(&asked.etag)
                .bind(due_at)
                .execute(connection)
                .await
                .map(drop))?)
        })
        .await
    }
}
