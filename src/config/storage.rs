//! The `storage` section: which database, and how it is used.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::error::Problem;
use super::secret;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Used when `database_url` is not set.
    pub sqlite_db: PathBuf,
    /// `postgres://user:password@host/database`.
    #[serde(serialize_with = "secret::optional_url")]
    pub database_url: Option<SecretString>,
    /// Off: one transaction per change. Only for comparison in benchmarks.
    pub group_commit: bool,
    pub read_connections: u32,
}

impl Default for Storage {
    fn default() -> Self {
        Self { sqlite_db: "./em-metrics.db".into(), database_url: None, group_commit: true, read_connections: 4 }
    }
}

impl Storage {
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.sqlite_db.as_os_str().is_empty() {
            return Err(Problem::at("storage.sqlite_db", "expected the path of a file, found an empty string"));
        }
        if let Some(problem) = self.database_url.as_ref().and_then(|url| wrong_with(url.expose_secret())) {
            return Err(Problem::at("storage.database_url", problem));
        }
        if !(1..=256).contains(&self.read_connections) {
            let found = self.read_connections;
            return Err(Problem::at("storage.read_connections", &format!("expected 1 to 256, found {found}")));
        }
        Ok(())
    }
}

fn wrong_with(database_url: &str) -> Option<&'static str> {
    let url = Url::parse(database_url).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
    match url {
        None => Some(
            "expected postgres://user:password@host:port/database, with / ? # @ % in the password percent-encoded \
             (for SQLite use storage.sqlite_db)",
        ),
        // it would connect to the host `user`, and name the beginning of the password as its port
        Some(url) if secret::is_torn(&url) => Some("expected / ? # @ % in the password to be percent-encoded"),
        Some(_) => None,
    }
}
