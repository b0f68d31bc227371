//! The two engines: their pools, the macros that give each query one body, and every place where
//! the two need different SQL, side by side.

use sqlx::{PgPool, SqlitePool};

use super::pg_writer::PgWriter;

/// Reading and writing connections. SQLite has one writer by nature; PostgreSQL gets one by choice
/// (a second one per process gains nothing under group commit).
#[derive(Debug, Clone)]
pub enum Pool {
    Sqlite { read: SqlitePool, write: SqlitePool },
    Postgres { read: PgPool, write: PgWriter },
}

/// One body for a query on either engine's reading pool.
macro_rules! on_engine {
    ($store:expr, |$pool:ident| $body:expr) => {
        match &$store.pool {
            $crate::storage::engine::Pool::Sqlite { read: $pool, .. } => $body,
            $crate::storage::engine::Pool::Postgres { read: $pool, .. } => $body,
        }
    };
}

/// The same inside a transaction.
macro_rules! in_tx {
    ($tx:expr, |$connection:ident| $body:expr) => {
        match &mut $tx.inner {
            $crate::storage::tx::Inner::Sqlite(tx) => {
                let $connection = &mut **tx;
                $body
            }
            $crate::storage::tx::Inner::Postgres(tx) => {
                let $connection = &mut **tx;
                $body
            }
        }
    };
}

/// One text for each engine, made once.
#[derive(Debug)]
pub struct Texts {
    pub sqlite: String,
    pub postgres: String,
}

impl Texts {
    pub fn new(make: impl Fn(Dialect) -> String) -> Self {
        Self { sqlite: make(Dialect::Sqlite), postgres: make(Dialect::Postgres) }
    }

    pub fn of(&self, dialect: Dialect) -> &str {
        match dialect {
            Dialect::Sqlite => &self.sqlite,
            Dialect::Postgres => &self.postgres,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Pool {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres { .. } => Dialect::Postgres,
        }
    }
}

/// A column as it travels in a batch.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    Text(&'static str),
    Integer(&'static str),
    Boolean(&'static str),
    Json(&'static str),
}

impl Column {
    pub fn name(self) -> &'static str {
        match self {
            Self::Text(name) | Self::Integer(name) | Self::Boolean(name) | Self::Json(name) => name,
        }
    }
}

pub fn names(columns: &[Column]) -> String {
    columns.iter().map(|c| c.name()).collect::<Vec<_>>().join(", ")
}

impl Dialect {
    /// A batch as a table: `$1` is a JSON array of objects, one for each row. Keys that are absent are NULL.
    pub fn batch(self, columns: &[Column]) -> String {
        match self {
            Self::Sqlite => {
                let fields = columns.iter().map(|column| match column {
                    Column::Json(name) => format!("value -> '{name}' AS {name}"),
                    column => format!("value ->> '{0}' AS {0}", column.name()),
                });
                // jsonb_each: json_each would write each row out as text for every column to parse again
                format!("SELECT {} FROM jsonb_each($1)", fields.collect::<Vec<_>>().join(", "))
            }
            Self::Postgres => {
                let types = columns.iter().map(|column| match column {
                    Column::Text(name) => format!("{name} TEXT COLLATE \"C\""),
                    Column::Integer(name) => format!("{name} BIGINT"),
                    Column::Boolean(name) => format!("{name} BOOLEAN"),
                    Column::Json(name) => format!("{name} JSON"),
                });
                format!(
                    "SELECT {} FROM json_to_recordset($1::json) AS batch({})",
                    names(columns),
                    types.collect::<Vec<_>>().join(", ")
                )
            }
        }
    }

    /// `INSERT` of a batch; another row with the same key is an error.
    pub fn insert(self, table: &str, columns: &[Column]) -> String {
        format!("INSERT INTO {table} ({}) {}", names(columns), self.batch(columns))
    }

    /// `UPDATE` of every column of the rows of a batch, found by `keys`.
    pub fn update(self, table: &str, keys: &[&str], columns: &[Column]) -> String {
        let set: Vec<_> = columns
            .iter()
            .map(|c| c.name())
            .filter(|n| !keys.contains(n))
            .map(|n| format!("{n} = batch.{n}"))
            .collect();
        let on: Vec<_> = keys.iter().map(|key| format!("{table}.{key} = batch.{key}")).collect();
        format!(
            "UPDATE {table} SET {} FROM ({}) AS batch WHERE {}",
            set.join(", "),
            self.batch(columns),
            on.join(" AND ")
        )
    }

    /// Rows of a table by a batch of keys. `CROSS JOIN` makes SQLite look each key up instead of
    /// reading the table; PostgreSQL locks what it finds, in the order of the keys, against other replicas.
    pub fn select_by(self, table: &str, keys: &[Column], columns: &[Column]) -> String {
        let fields: Vec<_> = columns.iter().map(|c| format!("f.{}", c.name())).collect();
        let on: Vec<_> = keys.iter().map(|key| format!("f.{0} = batch.{0}", key.name())).collect();
        let lock = match self {
            Self::Sqlite => "",
            Self::Postgres => " ORDER BY f.id, f.project_id FOR UPDATE OF f",
        };
        format!(
            "SELECT {} FROM ({}) AS batch CROSS JOIN {table} AS f WHERE {}{lock}",
            fields.join(", "),
            self.batch(keys),
            on.join(" AND ")
        )
    }

    /// Lets series ids become visible in the order they were made, also with several replicas
    /// (the 0-first rule counts on it).
    pub fn lock_series(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT pg_advisory_xact_lock(7311402986621)"),
        }
    }

    /// Fails where somebody keeps a table to himself. SQLite has one lock, and a transaction begins with it.
    pub fn lock_tables(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("LOCK TABLE deployments, incidents, journal, series, series_bucket IN ROW EXCLUSIVE MODE NOWAIT")
            }
        }
    }

    /// The oldest transaction that is running, of those that change something.
    pub fn oldest_running(self) -> Option<&'static str> {
        match self {
            // one writer: there is never another
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)"),
        }
    }

    /// Begins and ends a transaction that is younger than all others.
    pub fn new_transaction(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)"),
        }
    }

    /// Microseconds by the clock that all processes on a database share.
    pub fn clock(self) -> Option<&'static str> {
        match self {
            // one process, and its own clock
            Self::Sqlite => None,
            Self::Postgres => Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)"),
        }
    }

    /// Where a statement needs it between its `SELECT` source and `ON CONFLICT`.
    pub fn before_on_conflict(self) -> &'static str {
        match self {
            // without it SQLite reads ON as part of a join
            Self::Sqlite => " WHERE true",
            Self::Postgres => "",
        }
    }
}
