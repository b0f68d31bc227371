//! One write: what a batch of commands reads and leaves behind, in one transaction or not at all.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{FromRow, Sqlite, Transaction};

use super::engine::{Dialect, Pool, Texts};
use super::pg_writer::PgWrite;
use super::series::{SeriesIds, Totals};
use super::{Cause, Entry, Error, Store};
use crate::domain::{Clock, Deployment, Incident, Name};
use crate::metrics::Labels;

#[derive(Debug)]
pub struct Tx<'a> {
    pub(super) store: &'a Store,
    pub(super) inner: Inner<PgWrite>,
    /// Series made in this transaction; known to the process only once it is committed.
    pub(super) new_series: HashMap<Labels, SeriesIds>,
}

#[derive(Debug)]
pub(super) enum Inner<P> {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(P),
}

/// What a lookup goes by. Absent parts are left to the statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<&'a Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<&'a Name>,
}

/// Everything that a batch of commands changes.
#[derive(Debug, Default)]
pub struct Writes<'a> {
    pub new_deployments: Vec<&'a Deployment>,
    pub changed_deployments: Vec<&'a Deployment>,
    pub new_incidents: Vec<&'a Incident>,
    pub changed_incidents: Vec<&'a Incident>,
    pub journal: Vec<Entry>,
    pub totals: Totals,
}

impl<'a> Tx<'a> {
    pub(super) async fn begin(store: &'a Store) -> Result<Self, Error> {
        let begun = match &store.pool {
            // IMMEDIATE: a write that would have to wait, waits here and not in the middle
            Pool::Sqlite { write, .. } => {
                write.begin_with("BEGIN IMMEDIATE").await.map(Inner::Sqlite).map_err(Error::from)
            }
            Pool::Postgres { write, .. } => write.begin().await.map(Inner::Postgres),
        };
        let inner = begun.map_err(Error::before_commit)?;
        Ok(Self { store, inner, new_series: HashMap::new() })
    }

    /// The journal after the facts: who follows it counts on a transaction having an id before it takes numbers. And
    /// last of all: by the clock it says when others see what it is about, not when that was sent; without one it
    /// keeps the time of each entry.
    pub async fn write(&mut self, writes: &Writes<'_>, clock: Option<&Clock>) -> Result<(), Error> {
        self.insert_deployments(&writes.new_deployments).await?;
        self.update_deployments(&writes.changed_deployments).await?;
        self.insert_incidents(&writes.new_incidents).await?;
        self.update_incidents(&writes.changed_incidents).await?;
        self.add_to_totals(&writes.totals).await?;
        self.insert_journal(&writes.journal, clock.map(Clock::now)).await
    }

    /// On disk when this returns.
    pub async fn commit(self) -> Result<(), Error> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::Postgres(tx) => tx.commit().await?,
        }
        self.store.inner.learn_series(self.new_series);
        Ok(())
    }

    /// Ends it without a trace. Dropping it does so as well, but may cost the connection.
    pub async fn rollback(self) {
        let ended = match self.inner {
            Inner::Sqlite(tx) => tx.rollback().await,
            Inner::Postgres(tx) => tx.rollback().await,
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a transaction ended with its connection");
        }
    }

    /// Commits what was done well.
    pub async fn end<T>(self, outcome: Result<T, Error>) -> Result<T, Error> {
        match outcome {
            Ok(done) => self.commit().await.map(|()| done),
            // elsewhere there may be a primary by now: another connection is to find it
            Err(error) if error.cause() == Cause::ReadOnly => Err(error),
            Err(error) => {
                self.rollback().await;
                Err(error.before_commit())
            }
        }
    }

    /// A change that means nothing, made as any other: committed it has gone to the disk, and the tables
    /// were free to be written to.
    pub(super) async fn touch(&mut self) -> Result<(), Error> {
        if let Some(lock) = self.dialect().lock_tables() {
            in_tx!(self, |connection| sqlx::query(lock).execute(connection).await.map(drop))?;
        }
        let upsert = "INSERT INTO identity (key, value) VALUES ('last_probe', '') \
                      ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        in_tx!(self, |connection| sqlx::query(upsert).execute(connection).await.map(drop))?;
        Ok(())
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.store.pool.dialect()
    }

    /// A statement without rows to answer, on a batch; how many rows it has touched. Nothing is asked for an
    /// empty batch.
    pub(super) async fn execute_batch(&mut self, texts: &'static Texts, rows: &[impl Serialize]) -> Result<u64, Error> {
        if rows.is_empty() {
            return Ok(0);
        }
        let sql: &'static str = texts.of(self.dialect());
        let json = serde_json::to_string(rows)?;
        let touched = in_tx!(self, |connection| sqlx::query(sql)
            .bind(&json)
            .execute(connection)
            .await
            .map(|r| r.rows_affected()))?;
        Ok(touched)
    }

    /// The same where each row of the batch must touch one: what is not there would be lost in silence.
    pub(super) async fn execute_each(&mut self, texts: &'static Texts, rows: &[impl Serialize]) -> Result<(), Error> {
        let touched = self.execute_batch(texts, rows).await?;
        if touched == rows.len() as u64 {
            return Ok(());
        }
        tracing::warn!(rows = rows.len(), touched, "the database is not as it was left; looking at it anew");
        self.store.inner.forget_series();
        Err(Error::Changed)
    }

    /// A query for a batch of keys; nothing is asked for an empty batch.
    pub(super) async fn select<T>(&mut self, texts: &'static Texts, keys: &[impl Serialize]) -> Result<Vec<T>, Error>
    where
        T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow> + for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql: &'static str = texts.of(self.dialect());
        let json = serde_json::to_string(keys)?;
        Ok(in_tx!(self, |connection| sqlx::query_as(sql).bind(&json).fetch_all(connection).await)?)
    }
}
