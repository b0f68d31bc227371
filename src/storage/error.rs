//! What can go wrong below us.

/// A failure of the database, never of the caller's data.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two writers met; the same work done again will do.
    #[error("the database asks to try again")]
    Contended(#[source] sqlx::Error),
    #[error("the database does not answer as it should")]
    Unavailable(#[source] sqlx::Error),
    /// Something stored cannot be read back as what it was.
    #[error("the database holds something that this version cannot read: {0}")]
    Unreadable(String),
    /// The store cannot be opened; the text says what to do.
    #[error("{0}")]
    Open(String),
}

impl Error {
    /// One word for it, for metrics.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Contended(_) => "contended",
            Self::Unavailable(_) => "unavailable",
            Self::Unreadable(_) => "unreadable",
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
        if contended { Self::Contended(error) } else { Self::Unavailable(error) }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Whether the database itself said no (and did not merely fail to answer).
pub fn refused_by_database(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some()
}
