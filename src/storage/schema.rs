//! The schema: brought up to date by whoever starts first and may, left alone where it is, and clear words where it is
//! another one.

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};
use sqlx::{PgConnection, SqliteConnection};

use super::moving::TABLES;
use super::open::advice;
use super::{Cause, Error};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The version of the schema that this program makes and knows.
pub(super) fn version() -> i64 {
    SQLITE.iter().map(|migration| migration.version).max().unwrap_or(0)
}

pub(super) async fn migrate_sqlite(connection: &mut SqliteConnection, shown: &str) -> Result<(), Error> {
    SQLITE.run(connection).await.map_err(|error| in_words(&error, shown, None))
}

/// Nothing is made or changed where nothing has to be: only that needs the right to it.
pub(super) async fn migrate_postgres(connection: &mut PgConnection, shown: &str) -> Result<(), Error> {
    let asked = |error: sqlx::Error| Error::Open(format!("cannot use {shown}: {error}{}", advice(&error)));
    let read_only = "SELECT current_setting('transaction_read_only') = 'on'";
    if sqlx::query_scalar(read_only).fetch_one(&mut *connection).await.map_err(asked)? {
        return Err(Error::Open(format!(
            "{shown} only reads: name the primary server in DATABASE_URL, not a replica; if there is none but this one, \
             end its read-only mode (default_transaction_read_only)"
        )));
    }
    let has_tables = "SELECT to_regclass($1) IS NOT NULL";
    let has_tables = sqlx::query_scalar(has_tables).bind(&*POSTGRES.table_name).fetch_one(&mut *connection).await;
    let applied = if has_tables.map_err(asked)? {
        let applied = connection.list_applied_migrations(&POSTGRES.table_name).await;
        applied.map_err(|error| match error {
            MigrateError::Execute(error) if Cause::of(&error) == Cause::Forbidden => {
                Error::Open(format!("cannot use {shown}: {error}; {}", Cause::Forbidden.words()))
            }
            error => in_words(&error, shown, None),
        })?
    } else {
        Vec::new()
    };
    let known = POSTGRES.iter().map(|migration| (migration.version, &migration.checksum));
    if !known.eq(applied.iter().map(|migration| (migration.version, &migration.checksum))) {
        let found = applied.last().map(|migration| migration.version);
        POSTGRES.run(&mut *connection).await.map_err(|error| in_words(&error, shown, found))?;
    }
    let closed = "SELECT COALESCE(string_agg(name, ', '), '') FROM unnest($1::text[]) AS name \
                  WHERE NOT (has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT'))";
    let tables: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    let closed: String = sqlx::query_scalar(closed).bind(tables).fetch_one(connection).await.map_err(asked)?;
    if closed.is_empty() {
        return Ok(());
    }
    Err(Error::Open(format!("cannot use {closed} in {shown}: {}", Cause::Forbidden.words())))
}

/// `found` is the schema that is there, if there is one.
fn in_words(error: &MigrateError, shown: &str, found: Option<i64>) -> Error {
    Error::Open(match error {
        MigrateError::VersionMissing(version) | MigrateError::VersionTooNew(version, _) => {
            format!("{shown} has been used by a newer em-metrics (schema {version}): run that version or a later one")
        }
        MigrateError::VersionMismatch(version) => {
            format!("{shown} was made by another build of em-metrics (schema {version} differs)")
        }
        other => {
            let told = match other {
                MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                    Some(error).filter(|error| error.as_database_error().is_some())
                }
                _ => None,
            };
            let advice = match (told, found) {
                (Some(error), Some(found)) if Cause::of(error) == Cause::Forbidden => format!(
                    "; it has schema {found}, and this em-metrics needs {}: run `em-metrics migrate` as the user who \
                     owns its tables, and start this again",
                    version()
                ),
                (Some(error), _) => advice(error).to_owned(),
                (None, _) => String::new(),
            };
            format!("cannot bring the schema of {shown} up to date: {other}{advice}")
        }
    })
}
