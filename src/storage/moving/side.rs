//! One of the two databases of a move: a connection of its own, kept apart from services that use the same store.

use std::fs::File;
use std::path::Path;

use secrecy::ExposeSecret as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use super::super::Error;
use super::super::open::{self, postgres_options, sqlite_options};
use super::super::pg_writer::connect;
use super::super::schema::{migrate_postgres, migrate_sqlite};
use super::tables::TABLES;
use crate::config;

/// The advisory lock of whoever moves into a PostgreSQL.
const MOVER_LOCK: i64 = 7_311_402_986_623;

/// Rows that SQLite may be ahead of us: with fewer it is woken for every few.
const ROWS: usize = 512;

pub struct Side {
    pub connection: Connection,
    /// In words, without a password.
    pub shown: String,
    _lock: Option<File>,
}

pub enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One body for a query on either engine.
macro_rules! on_side {
    ($side:expr, |$connection:ident| $body:expr) => {
        match &mut $side.connection {
            $crate::storage::moving::side::Connection::Sqlite($connection) => {
                let $connection = &mut *$connection;
                $body
            }
            $crate::storage::moving::side::Connection::Postgres($connection) => {
                let $connection = &mut *$connection;
                $body
            }
        }
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Source,
    /// A service is using it, and goes on.
    SourceInUse,
    Target,
}

/// What is written about moves in a store.
#[derive(Debug, Default)]
pub struct Marks {
    pub instance_id: Option<String>,
    pub moving: Option<String>,
    pub moved_from: Option<String>,
    pub moved_to: Option<String>,
}

pub fn refused<T>(text: String) -> Result<T, Error> {
    Err(Error::Moving(text))
}

impl Side {
    pub async fn open(config: &config::Storage, role: Role) -> Result<Self, Error> {
        match &config.database_url {
            Some(url) => Self::open_postgres(url.expose_secret(), role).await,
            None => Self::open_sqlite(&config.sqlite_db, role).await,
        }
    }

    async fn open_sqlite(path: &Path, role: Role) -> Result<Self, Error> {
        let shown = format!("the SQLite file {}", path.display());
        if role != Role::Target && !path.exists() {
            return refused(format!("there is no {shown}"));
        }
        let lock = match role {
            Role::SourceInUse => None,
            Role::Source | Role::Target => match open::try_lock(path)? {
                Some(lock) => Some(lock),
                None => return refused(format!("a service is using {shown}: stop it, then run this again")),
            },
        };
        let connection = SqliteConnection::connect_with(&sqlite_options(path).row_buffer_size(ROWS)).await;
        let connection = connection.map_err(|error| Error::Open(format!("cannot open {shown}: {error}")))?;
        Ok(Self { connection: Connection::Sqlite(connection), shown, _lock: lock })
    }

    async fn open_postgres(url: &str, role: Role) -> Result<Self, Error> {
        let (options, shown) = postgres_options(url)?;
        let connection = connect(&options.application_name("em-metrics migrate-store")).await;
        let connection = connection.map_err(|error| Error::Open(format!("cannot connect to {shown}: {error}")))?;
        let mut side = Self { connection: Connection::Postgres(connection), shown, _lock: None };
        // large tables take their time, and this session waits for the other side
        side.execute("SET statement_timeout = 0").await?;
        side.execute("SET idle_in_transaction_session_timeout = 0").await?;
        side.execute("SET lock_timeout = '5s'").await?;
        if role == Role::Target
            && side.number(&format!("SELECT CAST(pg_try_advisory_lock({MOVER_LOCK}) AS INT)")).await? == 0
        {
            return refused(format!("somebody else is moving a store into {}", side.shown));
        }
        Ok(side)
    }

    pub async fn migrate(&mut self) -> Result<(), Error> {
        match &mut self.connection {
            Connection::Sqlite(connection) => migrate_sqlite(connection, &self.shown).await,
            Connection::Postgres(connection) => migrate_postgres(connection, &self.shown).await,
        }
    }

    pub async fn execute(&mut self, sql: &str) -> Result<(), Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        on_side!(self, |connection| sqlx::query(sql).execute(connection).await.map(drop))?;
        Ok(())
    }

    /// What a query for one number answers.
    pub async fn number(&mut self, select: &str) -> Result<i64, Error> {
        let select = AssertSqlSafe(format!("SELECT CAST(({select}) AS BIGINT)"));
        Ok(on_side!(self, |connection| sqlx::query_scalar(select).fetch_one(connection).await)?)
    }

    async fn has_table(&mut self, name: &str) -> Result<bool, Error> {
        let select = match self.connection {
            Connection::Sqlite(_) => {
                format!("SELECT COUNT(*) FROM sqlite_schema WHERE type = 'table' AND name = '{name}'")
            }
            Connection::Postgres(_) => {
                format!("SELECT COUNT(*) FROM (SELECT to_regclass('{name}') AS t) AS found WHERE t IS NOT NULL")
            }
        };
        Ok(self.number(&select).await? > 0)
    }

    /// `None`: there is no store.
    pub async fn marks(&mut self) -> Result<Option<Marks>, Error> {
        if !self.has_table("identity").await? {
            return Ok(None);
        }
        let select = "SELECT key, value FROM identity";
        let rows: Vec<(String, String)> =
            on_side!(self, |connection| sqlx::query_as(select).fetch_all(connection).await)?;
        Ok(Some(Marks::from_rows(rows)))
    }

    pub async fn set(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let upsert = "INSERT INTO identity (key, value) VALUES ($1, $2) \
                      ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        on_side!(self, |connection| sqlx::query(upsert).bind(key).bind(value).execute(connection).await.map(drop))?;
        Ok(())
    }

    /// The first table that holds something.
    pub async fn first_filled(&mut self) -> Result<Option<&'static str>, Error> {
        for table in TABLES {
            if !self.has_table(table.name).await? {
                continue;
            }
            // a service that has only looked whether it can write leaves this
            let but = if table.name == "identity" { " WHERE key NOT IN ('last_probe', 'moving')" } else { "" };
            if self
                .number(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM {}{but} LIMIT 1) AS filled", table.name))
                .await?
                > 0
            {
                return Ok(Some(table.name));
            }
        }
        Ok(None)
    }

    /// Begins the transaction that all is read in: nobody else writes until it ends; or, in use, what others write
    /// from now on is not seen.
    pub async fn hold(&mut self, role: Role) -> Result<(), Error> {
        match (&self.connection, role) {
            (Connection::Sqlite(_), Role::SourceInUse) => self.execute("BEGIN").await,
            (Connection::Sqlite(_), _) => self.execute("BEGIN IMMEDIATE").await,
            (Connection::Postgres(_), Role::SourceInUse) => {
                self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
            }
            (Connection::Postgres(_), _) => {
                self.execute("BEGIN").await?;
                let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
                self.execute(&format!("LOCK TABLE {} IN EXCLUSIVE MODE", names.join(", "))).await
            }
        }
    }

    /// On PostgreSQL services are known by their name; SQLite's lock file has kept them away.
    pub async fn refuse_services(&mut self) -> Result<(), Error> {
        if matches!(self.connection, Connection::Sqlite(_)) {
            return Ok(());
        }
        let services = format!(
            "SELECT COUNT(*) FROM pg_stat_activity \
             WHERE application_name = '{}' AND datname = current_database()",
            open::SERVICE
        );
        match self.number(&services).await? {
            0 => Ok(()),
            n => refused(format!(
                "a service is using {} ({n} connections): stop every replica, then run this again",
                self.shown
            )),
        }
    }

    pub async fn close(self) {
        // whatever was not committed is taken back; the farewell itself cannot fail us
        let _ = match self.connection {
            Connection::Sqlite(connection) => connection.close().await,
            Connection::Postgres(connection) => connection.close().await,
        };
    }
}

impl Marks {
    pub fn from_rows(rows: Vec<(String, String)>) -> Self {
        let mut marks = Self::default();
        for (key, value) in rows {
            match key.as_str() {
                "instance_id" => marks.instance_id = Some(value),
                "moving" => marks.moving = Some(value),
                "moved_from" => marks.moved_from = Some(value),
                "moved_to" => marks.moved_to = Some(value),
                _ => {}
            }
        }
        marks
    }

    /// Why a service must not use the store, if so.
    pub fn in_the_way(&self, shown: &str) -> Option<String> {
        if self.moving.is_some() {
            return Some(format!(
                "{shown} is half of a store: em-metrics migrate-store was interrupted; run it again, it goes on where it was"
            ));
        }
        let to = self.moved_to.as_ref()?;
        Some(format!(
            "{shown} was moved to {to}: use that one. Two services of one identity would count everything twice. \
             If that one is gone for good, {UNDO} lets this one be used again"
        ))
    }
}

pub const UNDO: &str = "DELETE FROM identity WHERE key = 'moved_to'";
