//! Why a database does not do what it is asked to, as far as that is known: what somebody has to mend.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is not there, or not as it should be.
    Silent,
    /// It answers, and may not be written to.
    ReadOnly,
    /// There is no room for more.
    Full,
    /// Whoever we are there may not do it.
    Forbidden,
    /// It has as many connections as it allows.
    Crowded,
}

impl Cause {
    pub(super) fn of(error: &sqlx::Error) -> Self {
        error.as_database_error().map_or(Self::Silent, Self::told_by)
    }

    fn told_by(error: &dyn DatabaseError) -> Self {
        let Some(code) = error.code() else { return Self::Silent };
        if error.try_downcast_ref::<PgDatabaseError>().is_some() {
            return match code.as_ref() {
                "25006" => Self::ReadOnly,
                "53100" => Self::Full,
                "42501" => Self::Forbidden,
                "53300" => Self::Crowded,
                _ => Self::Silent,
            };
        }
        let code = error.try_downcast_ref::<SqliteError>().and_then(|_| code.parse::<u32>().ok()).unwrap_or(0);
        match (code, code & 0xff) {
            // what is above the byte: the file of shared memory could not grow
            (_, 13) | (0x130a, _) => Self::Full,
            (_, 8) => Self::ReadOnly,
            _ => Self::Silent,
        }
    }

    /// For those who run it: what is wrong, and what to do where that is known.
    pub fn words(self) -> &'static str {
        match self {
            Self::Silent => "the database does not answer as it should",
            Self::ReadOnly => {
                "the database can only be read: a PostgreSQL must be the primary server, not a replica, and a SQLite \
                 file one that may be written to"
            }
            Self::Full => "the disk of the database is full: make space there",
            Self::Forbidden => {
                "the database does not allow this to the user of DATABASE_URL: GRANT SELECT, INSERT, UPDATE, DELETE ON \
                 ALL TABLES IN SCHEMA public TO it"
            }
            Self::Crowded => {
                "the database has as many connections as it allows: allow more, to all and to this user, or em-metrics \
                 fewer (storage.read_connections)"
            }
        }
    }
}
