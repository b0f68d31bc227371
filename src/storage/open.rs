//! Opening a store: connections, and clear words when it cannot be opened.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, PgConnection};

use super::engine::Pool;
use super::pg_writer::PgWriter;
use super::schema::{migrate_postgres, migrate_sqlite};
use super::{Cause, Error, Inner, Store};
use crate::config;

/// What services call themselves at a server.
pub(super) const SERVICE: &str = "em-metrics";

/// How long anything may wait for a connection, and for a server to show that it is there.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Rows that the writing connection may be ahead of whoever asked for them: with fewer than a batch it
/// stops in the middle and has to be woken again.
const ROWS: usize = 512;

impl Store {
    /// Opens the configured store and brings its schema up to date. The database is told to give up a
    /// write a little before `write_limit`, migrations on PostgreSQL excepted.
    pub async fn open(config: &config::Storage, write_limit: Duration) -> Result<Self, Error> {
        let store = match &config.database_url {
            Some(url) => Self::open_postgres(url.expose_secret(), config.read_connections, write_limit).await?,
            None => Self::open_sqlite(&config.sqlite_db, config.read_connections, write_limit).await?,
        };
        let shown = match &config.database_url {
            Some(_) => "the PostgreSQL database".to_owned(),
            None => format!("the SQLite file {}", config.sqlite_db.display()),
        };
        match store.moved(&shown).await {
            Ok(None) => Ok(store),
            Ok(Some(in_the_way)) => {
                store.close().await;
                Err(Error::Open(in_the_way))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the file, making it where there is none, and brings its schema up to date.
    async fn open_sqlite(path: &Path, read_connections: u32, write_limit: Duration) -> Result<Self, Error> {
        let shown = path.display();
        let lock = try_lock(path)?.ok_or_else(|| {
            Error::Open(format!(
                "another em-metrics is using {shown}: stop it, give this one another SQLITE_DB, or share a PostgreSQL with DATABASE_URL"
            ))
        })?;
        let cannot_open =
            |error: sqlx::Error| Error::Open(format!("cannot open the SQLite file {shown}: {error}{}", advice(&error)));
        let options = sqlite_options(path).busy_timeout(ACQUIRE_TIMEOUT.min(write_limit * 4 / 5));
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            // On a full disk SQLite ends the transaction by itself, and sqlx goes on counting it as open:
            // every later one would fail. The ping waits for the roll-back that is still on its way.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
            // a statement's undo log stays in memory; it would go through a file in /tmp, if there is one at all
            .connect_with(options.clone().pragma("temp_store", "memory").row_buffer_size(ROWS))
            .await
            .map_err(cannot_open)?;
        let mut connection = write.acquire().await.map_err(cannot_open)?;
        migrate_sqlite(&mut connection, &format!("the SQLite file {shown}")).await?;
        drop(connection);
        let read = SqlitePoolOptions::new()
            .max_connections(read_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .connect_lazy_with(options.pragma("query_only", "on"));
        let inner = Inner { _lock: Some(lock), ..Inner::default() };
        Ok(Self { pool: Pool::Sqlite { read, write }, inner: Arc::new(inner) })
    }

    /// Connects and brings the schema up to date; several replicas may start at once.
    async fn open_postgres(url: &str, read_connections: u32, write_limit: Duration) -> Result<Self, Error> {
        let (options, shown) = postgres_options(url)?;
        let read = PgPoolOptions::new()
            .max_connections(read_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(true)
            .connect_with(options.clone())
            .await;
        let read = match read {
            Ok(read) => read,
            Err(error) => return Err(unreachable(error, &options, &shown).await),
        };
        let mut connection = match read.acquire().await {
            Ok(connection) => connection,
            Err(error) => return Err(unreachable(error, &options, &shown).await),
        };
        migrate_postgres(&mut connection, &shown).await?;
        drop(connection);
        let write = PgWriter::new(options, write_limit);
        Ok(Self { pool: Pool::Postgres { read, write }, inner: Arc::default() })
    }
}

/// Why there is no connection. A pool that has waited in vain does not say for what: asked once more without one.
async fn unreachable(error: sqlx::Error, options: &PgConnectOptions, shown: &str) -> Error {
    let error = match error {
        sqlx::Error::PoolTimedOut => {
            let once_more = tokio::time::timeout(ACQUIRE_TIMEOUT, PgConnection::connect_with(options)).await;
            once_more.ok().and_then(Result::err).unwrap_or(error)
        }
        error => error,
    };
    Error::Open(format!("cannot connect to {shown}: {error}{}", advice(&error)))
}

/// What to do about it, where that is known.
pub(super) fn advice(error: &sqlx::Error) -> &'static str {
    match Cause::of(error) {
        Cause::Full => return "; make space on its disk",
        Cause::Forbidden => {
            return "; the user of DATABASE_URL must be allowed to make tables: GRANT CREATE, USAGE ON SCHEMA public TO it";
        }
        Cause::ReadOnly => return "; this user must be allowed to write to it, and to its folder if it is a file",
        Cause::Crowded => return "; allow it more connections, or em-metrics fewer (storage.read_connections)",
        Cause::Silent => {}
    }
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        Some("28P01" | "28000") => "; check the user and the password of DATABASE_URL",
        Some("3D000") => "; make that database, or name another one in DATABASE_URL",
        Some(_) => "",
        None => "; is it running and to be reached from here, and is DATABASE_URL right?",
    }
}

/// A connection to a file as all of ours are.
pub(super) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(ACQUIRE_TIMEOUT)
        .pragma("wal_autocheckpoint", "2000")
        .pragma("journal_size_limit", "67108864")
        .optimize_on_close(true, 400)
}

/// How to reach a server, and what to call it in words. Neither the address nor an error may show the password, so only
/// our own words are used.
pub(super) fn postgres_options(url: &str) -> Result<(PgConnectOptions, String), Error> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| {
            Error::Open("DATABASE_URL is not an address such as postgres://user:password@host/database".into())
        })?
        .application_name(SERVICE);
    let database = options.get_database().unwrap_or("");
    let shown = format!("PostgreSQL at {}:{}/{database}", options.get_host(), options.get_port());
    Ok((options, shown))
}

/// One process to a file: a second one would export the same totals under the same name. `None`: there is another.
pub(super) fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let shown = path.display();
    // by whatever name: SQLite follows links, and so must the lock
    let mut lock_path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    lock_path.push(".lock");
    let file = File::options().create(true).write(true).truncate(false).open(&lock_path).map_err(|error| {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Error::Open(format!(
            "cannot write beside {shown}: {error}; SQLITE_DB must name a file in a folder that exists and that this user may write to ({})",
            folder.display()
        ))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(Error::Open(format!("cannot lock {shown}: {error}"))),
    }
}

#[cfg(test)]
#[path = "open_tests.rs"]
mod tests;
