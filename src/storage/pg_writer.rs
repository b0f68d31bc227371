//! PostgreSQL's one writing connection: what is done on it ends in time, with or without the server, and a
//! transaction that is left in the middle costs the connection.

use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::Error;
use super::moving::refuse_moved;
use super::open::ACQUIRE_TIMEOUT;

#[derive(Debug, Clone)]
pub struct PgWriter {
    pub options: Arc<PgConnectOptions>,
    settings: String,
    /// Where the connection rests between two transactions.
    home: Arc<Mutex<Option<PgConnection>>>,
    closed: Arc<AtomicBool>,
}

/// The connection inside a transaction. Dropped, it is closed and not given back: whoever dropped it was tired
/// of waiting, and an answer that is still to come must not be taken for the answer to something else.
#[derive(Debug)]
pub struct PgWrite {
    connection: PgConnection,
    home: OwnedMutexGuard<Option<PgConnection>>,
}

impl PgWriter {
    /// `limit` is how long a transaction may take.
    pub fn new(options: PgConnectOptions, limit: Duration) -> Self {
        // The server gives up a little before the client does: then the connection is still good, and
        // the reason is known. Left alone in a transaction, it lets go of its locks.
        let (statement, idle) = ((limit * 4 / 5).as_millis(), limit.as_millis());
        let settings = format!(
            "SET statement_timeout = {statement}; SET lock_timeout = {statement}; \
             SET idle_in_transaction_session_timeout = {idle}"
        );
        Self { options: Arc::new(options), settings, home: Arc::default(), closed: Arc::default() }
    }

    pub async fn begin(&self) -> Result<PgWrite, Error> {
        let begun = within(ACQUIRE_TIMEOUT, async {
            let home = self.home.clone().lock_owned().await;
            if self.closed.load(Ordering::Acquire) {
                return Err(sqlx::Error::PoolClosed);
            }
            Ok(self.begin_at(home).await)
        });
        begun.await?
    }

    async fn begin_at(&self, mut home: OwnedMutexGuard<Option<PgConnection>>) -> Result<PgWrite, Error> {
        if let Some(mut connection) = home.take()
            // one that has died at home says so now
            && connection.execute("BEGIN").await.is_ok()
        {
            return Ok(PgWrite { connection, home });
        }
        let mut connection = connect(&self.options).await?;
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(self.settings.clone()))).await?;
        refuse_moved(&mut connection).await?;
        connection.execute("BEGIN").await?;
        Ok(PgWrite { connection, home })
    }

    /// Leaves the connection, if it rests, without a word.
    pub async fn forget(&self) {
        *self.home.lock().await = None;
    }

    pub async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(connection) = self.home.lock().await.take() {
            // the server notices, with or without a farewell
            let _ = connection.close().await;
        }
    }
}

impl Deref for PgWrite {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for PgWrite {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl PgWrite {
    pub async fn commit(self) -> sqlx::Result<()> {
        self.end("COMMIT").await
    }

    pub async fn rollback(self) -> sqlx::Result<()> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &'static str) -> sqlx::Result<()> {
        self.connection.execute(statement).await?;
        *self.home = Some(self.connection);
        Ok(())
    }
}

/// Large, and seldom needed: kept out of the futures that wait for it.
pub async fn connect(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    Box::pin(PgConnection::connect_with(options)).await
}

/// Waits for a server, but not for ever.
pub async fn within<T>(limit: Duration, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = || Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")));
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| late())
}
