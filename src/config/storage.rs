//! The `storage` section: which database, and how it is used.

use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

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
        if let Some(url) = &self.database_url {
            let known =
                url::Url::parse(url.expose_secret()).is_ok_and(|url| matches!(url.scheme(), "postgres" | "postgresql"));
            if !known {
                return Err(Problem::at(
                    "storage.database_url",
                    "expected postgres://user:password@host:port/database (for SQLite use storage.sqlite_db)",
                ));
            }
        }
        if !(1..=256).contains(&self.read_connections) {
            let found = self.read_connections;
            return Err(Problem::at("storage.read_connections", &format!("expected 1 to 256, found {found}")));
        }
        Ok(())
    }
}
