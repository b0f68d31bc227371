//! Facts, journal and series totals in SQLite or PostgreSQL. The only room that knows SQL.
//! One file per table family; what truly differs between the engines stands in `engine`.

#[macro_use]
mod engine;
mod answers;
mod backfills;
mod cause;
mod changes;
mod deployments;
mod error;
mod everything;
mod export;
mod filters;
mod follow;
mod identity;
mod inbox;
mod incidents;
mod journal;
mod lists;
mod moving;
mod open;
mod past;
mod pg_writer;
mod rows;
mod schema;
mod series;
mod totals;
mod turns;
mod tx;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub use answers::{DeploymentRow, GroupBy, IncidentRow, LinkedIncident, LinkedIncidents, Scope, Snapshot};
pub use backfills::{Asked, Lease};
pub use cause::Cause;
pub use changes::PushedTo;
pub use error::Error;
pub use everything::{AnyDeployment, AnyIncident};
pub use export::PAGE;
pub use follow::{Change, Horizon, Mark};
pub use inbox::{Claimed, Contents, Heard, InboxFilter, Kept, Letter, Settled, Standing};
pub use incidents::LinkedIds;
pub use journal::{Entity, Entry, Fact, JournalFilter, Recorded};
pub use lists::{Cursor, Filter, IncidentState, Page};
pub use moving::{Moved, Progress, TableSum, move_store};
pub use series::Totals;
pub use tx::{Key, Tx, Writes};

use crate::metrics::Labels;
use engine::Pool;
use series::SeriesIds;

/// How long a write may take that nobody has asked for.
const OWN_WRITE: Duration = Duration::from_secs(10);

/// The store. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Series ids by labels: they never change, and each process learns them once.
    series_ids: Mutex<HashMap<Labels, SeriesIds>>,
    /// PostgreSQL: the connection that holds the exporter's lock, while we hold it.
    leader: tokio::sync::Mutex<Option<sqlx::PgConnection>>,
    /// SQLite: keeps other processes away from the file.
    _lock: Option<std::fs::File>,
}

impl Store {
    /// The engine's name: `sqlite` or `postgresql` (the OpenTelemetry `db.system.name`).
    pub fn engine_name(&self) -> &'static str {
        match self.pool {
            Pool::Sqlite { .. } => "sqlite",
            Pool::Postgres { .. } => "postgresql",
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        on_engine!(self, |pool| sqlx::query("SELECT 1").execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Starts a write: waits for the one writing connection, for some seconds.
    pub async fn begin(&self) -> Result<Tx<'_>, Error> {
        Tx::begin(self).await
    }

    /// Whether a change could be written now: makes one that means nothing.
    pub async fn try_writing(&self) -> Result<(), Error> {
        self.alone(async |tx| tx.touch().await).await
    }

    /// A write of our own, in a transaction of its own. Whoever waits for the connection meanwhile does not
    /// wait long.
    pub async fn alone<T>(&self, work: impl AsyncFnOnce(&mut Tx<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let write = async {
            let mut tx = self.begin().await?;
            let outcome = work(&mut tx).await;
            tx.end(outcome).await
        };
        tokio::time::timeout(OWN_WRITE, write).await.unwrap_or(Err(Error::TooSlow))
    }

    /// Leaves the connections that rest, without a word. After a long time in which this process did not run, something
    /// on the way may have forgotten them: then whoever used one would wait for an answer that never comes.
    pub async fn forget_connections(&self) {
        if let Pool::Postgres { read, write } = &self.pool {
            while let Some(connection) = read.try_acquire() {
                drop(connection.detach());
            }
            write.forget().await;
        }
    }

    /// Waits for running reads and closes every connection; SQLite folds its log into the file.
    pub async fn close(&self) {
        *self.inner.leader.lock().await = None;
        match &self.pool {
            Pool::Sqlite { read, write } => {
                read.close().await;
                write.close().await;
            }
            Pool::Postgres { read, write } => {
                read.close().await;
                write.close().await;
            }
        }
    }
}
