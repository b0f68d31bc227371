//! What can go wrong below us.

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use super::Cause;

/// A failure of the database or of this program, never of the caller's data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two writers met; the same work done again will do.
    #[error("the database asks to try again")]
    Contended(#[source] sqlx::Error),
    /// Rows are not there that this process has seen there: somebody has deleted them, or has put another
    /// database in the place of this one. What was known is forgotten; the same work done again learns it anew.
    #[error("the database is not as it was left")]
    Changed,
    #[error("{}", Cause::of(.0).words())]
    Unavailable(#[source] sqlx::Error),
    /// A connection died with a transaction that had not been told to commit: nothing of it is there.
    #[error("the connection to the database broke off")]
    BrokenOff(#[source] sqlx::Error),
    /// Given up by us; what was begun may still be done.
    #[error("the database takes too long")]
    TooSlow,
    /// The database answers, and will not have what was to be stored.
    #[error("the database refuses what was to be stored")]
    Refused(#[source] sqlx::Error),
    /// Something stored cannot be read back as what it was.
    #[error("the database holds something that this version cannot read: {0}")]
    Unreadable(String),
    /// A store cannot be moved; the text says what to do.
    #[error("{0}")]
    Moving(String),
    /// The store cannot be opened; the text says what to do.
    #[error("{0}")]
    Open(String),
}

impl Error {
    /// What the driver says about it, for the log.
    pub fn reason(&self) -> String {
        std::error::Error::source(self).map(ToString::to_string).unwrap_or_default()
    }

    /// What somebody has to mend.
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unavailable(error) => Cause::of(error),
            _ => Cause::Silent,
        }
    }

    /// The same of a transaction that was not told to commit.
    pub(super) fn before_commit(self) -> Self {
        match self {
            Self::Unavailable(error) if is_broken_off(&error) => Self::BrokenOff(error),
            other => other,
        }
    }

    /// One word for it, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Contended(_) => "contended",
            Self::Changed => "changed",
            Self::Unavailable(_) => "unavailable",
            Self::BrokenOff(_) => "broken_off",
            Self::TooSlow => "too_slow",
            Self::Refused(_) => "refused",
            Self::Unreadable(_) => "unreadable",
            Self::Moving(_) => "moving",
            Self::Open(_) => "open",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let contended = error.as_database_error().is_some_and(|db| {
            // serialization_failure, deadlock_detected, and a fact made by another replica just now
            db.is_unique_violation() || matches!(db.code().as_deref(), Some("40001" | "40P01"))
        });
        if contended {
            Self::Contended(error)
        } else if error.as_database_error().is_some_and(is_about_the_data) {
            Self::Refused(error)
        } else {
            Self::Unavailable(error)
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Whether it is the connection that is gone: cut, or its server told to end or to start anew. A server that does not
/// answer in time is another matter.
fn is_broken_off(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => error.kind() != std::io::ErrorKind::TimedOut,
        sqlx::Error::Database(error) => {
            error.try_downcast_ref::<PgDatabaseError>().is_some()
                && error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P0"))
        }
        _ => false,
    }
}

/// Whether the same data will be refused however often it is sent; a disk that is full, a lock that is held
/// and a server that goes down are none of its business.
fn is_about_the_data(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        // data exceptions, integrity constraints, more than the program's limits
        ["22", "23", "54"].iter().any(|class| code.starts_with(class))
    } else if error.try_downcast_ref::<SqliteError>().is_some() {
        // TOOBIG, CONSTRAINT, MISMATCH, RANGE; what is above the byte says more
        code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25))
    } else {
        false
    }
}
