//! What makes this store itself: its identity towards consumers of the totals, what those have been
//! shown, and who may export.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::engine::Pool;
use super::open::ACQUIRE_TIMEOUT;
use super::pg_writer::{connect, within};
use super::{Error, Store};
use crate::domain::{Clock, Timestamp};

/// The advisory lock of the one exporting replica.
const LEADER_LOCK: i64 = 7_311_402_986_622;

/// In this order: the lock of one who may not have it is never taken.
const LEAD: &str = "SELECT CASE WHEN pg_is_in_recovery() \
                    OR EXISTS (SELECT 1 FROM identity WHERE key IN ('moving', 'moved_to')) \
                    THEN false ELSE pg_try_advisory_lock($1) END";

impl Store {
    /// The `service.instance.id`: made once, the same for ever, whoever asks first.
    pub async fn instance_id(&self) -> Result<String, Error> {
        let fresh = uuid::Uuid::new_v4().to_string();
        let insert = "INSERT INTO identity (key, value) VALUES ('instance_id', $1) ON CONFLICT DO NOTHING";
        self.alone(async |tx| {
            in_tx!(tx, |connection| sqlx::query(insert).bind(&fresh).execute(connection).await.map(drop))?;
            Ok(())
        })
        .await?;
        let select = "SELECT value FROM identity WHERE key = 'instance_id'";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select).fetch_one(pool).await)?)
    }

    /// A secret of this store, made once: what is signed with it holds on every replica and over a restart.
    pub async fn secret(&self) -> Result<[u8; 32], Error> {
        let fresh = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let insert = "INSERT INTO identity (key, value) VALUES ('secret', $1) ON CONFLICT DO NOTHING";
        self.alone(async |tx| {
            in_tx!(tx, |connection| sqlx::query(insert).bind(&fresh).execute(connection).await.map(drop))?;
            Ok(())
        })
        .await?;
        let select = "SELECT value FROM identity WHERE key = 'secret'";
        let kept: String = on_engine!(self, |pool| sqlx::query_scalar(select).fetch_one(pool).await)?;
        let secret = URL_SAFE_NO_PAD.decode(&kept).ok().and_then(|bytes| bytes.try_into().ok());
        secret.ok_or_else(|| Error::Unreadable("the secret of the store is not 32 bytes in base64".to_owned()))
    }

    /// The greatest series id that the consumer has been shown; `None` before the first contact.
    pub async fn announced(&self, consumer: &str) -> Result<Option<i64>, Error> {
        let select = "SELECT series_id FROM announced WHERE consumer = $1";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select).bind(consumer).fetch_optional(pool).await)?)
    }

    /// Moves the consumer's mark up; never down.
    pub async fn set_announced(&self, consumer: &str, series_id: i64) -> Result<(), Error> {
        let upsert = "INSERT INTO announced (consumer, series_id) VALUES ($1, $2) ON CONFLICT (consumer) \
                      DO UPDATE SET series_id = excluded.series_id WHERE announced.series_id < excluded.series_id";
        self.alone(async |tx| {
            in_tx!(tx, |connection| {
                sqlx::query(upsert).bind(consumer).bind(series_id).execute(connection).await.map(drop)
            })?;
            Ok(())
        })
        .await
    }

    /// The time for what is exported. Of several processes each has a clock of its own, and what the next exporter says
    /// must be later than what the last one said: so by the database's, where processes share one.
    pub async fn now(&self, clock: &Clock) -> Result<Timestamp, Error> {
        let Some(select) = self.pool.dialect().clock() else { return Ok(clock.now()) };
        Ok(on_engine!(self, |pool| sqlx::query_scalar(select).fetch_one(pool).await)?)
    }

    /// Whether this process may export, becoming the one that does if there is none. SQLite: always, the file is ours
    /// alone. PostgreSQL: while our connection holds the advisory lock. A connection that does not answer has lost
    /// it; and from one that the server has not heard of for `silence` it takes the lock, because a process that is
    /// frozen or cut off would keep it for ever. A replica of the server has locks of its own and totals of the past:
    /// whoever is connected to one does not lead, nor does who has come back to a store that was moved meanwhile.
    pub async fn lead(&self, silence: Duration) -> Result<bool, Error> {
        let Pool::Postgres { write, .. } = &self.pool else { return Ok(true) };
        if self.leads().await {
            return Ok(true);
        }
        let mut leader = self.inner.leader.lock().await;
        let (connection, held) = within(ACQUIRE_TIMEOUT, async {
            let mut connection = connect(&write.options).await?;
            let patience = format!("SET idle_session_timeout = {}", silence.as_millis());
            match connection.execute(AssertSqlSafe(patience)).await {
                // a server that does not know it: then the end of the connection has to do
                Err(error) if error.as_database_error().is_none() => return Err(error),
                _ => {}
            }
            let lock = sqlx::query_scalar(LEAD).bind(LEADER_LOCK);
            let held: bool = lock.fetch_one(&mut connection).await?;
            Ok((connection, held))
        })
        .await?;
        if held {
            *leader = Some(connection);
        }
        Ok(held)
    }

    /// Whether it still is this process, without a break since [`Store::lead`] said so. Asking keeps it so.
    pub async fn leads(&self) -> bool {
        let Pool::Postgres { .. } = &self.pool else { return true };
        let mut leader = self.inner.leader.lock().await;
        let Some(connection) = leader.as_mut() else { return false };
        let answers = within(ACQUIRE_TIMEOUT, connection.ping()).await.is_ok();
        if !answers {
            *leader = None;
        }
        answers
    }

    /// Lets another one export, if there is one.
    pub async fn resign(&self) {
        *self.inner.leader.lock().await = None;
    }
}
