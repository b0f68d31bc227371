//! The `storage` section: which database, and how it is used.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

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
    /// The most memory that the index of facts may take, in MiB; 0: none is made, answers come from the database.
    pub index_memory_mb: usize,
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            sqlite_db: "./em-metrics.db".into(),
            database_url: None,
            group_commit: true,
            read_connections: 4,
            index_memory_mb: 512,
        }
    }
}

impl Storage {
    /// The database at an address: `sqlite:PATH`, or `postgres://...`. What is wrong with it is said without showing it,
    /// for there may be a password in it.
    pub fn at(address: &str) -> Result<Self, &'static str> {
        if let Some(path) = address.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match wrong_with_name(Path::new(path)) {
                None => Ok(Self { sqlite_db: path.into(), ..Self::default() }),
                Some(problem) => Err(problem),
            };
        }
        match wrong_with_address(address) {
            None => Ok(Self { database_url: Some(address.into()), ..Self::default() }),
            Some(_) if !address.starts_with("postgres") => Err(
                "expected sqlite:PATH, such as sqlite:/data/em-metrics.db, or postgres://user:password@host/database",
            ),
            Some(problem) => Err(problem),
        }
    }

    /// The bound on the index; `None`: there is none.
    pub fn index_bytes(&self) -> Option<usize> {
        Some(self.index_memory_mb.saturating_mul(1024 * 1024)).filter(|bytes| *bytes > 0)
    }

    /// Where large imports are kept while they come: beside the SQLite file there is room for them. With PostgreSQL
    /// where the system has its temporary files (`TMPDIR`).
    pub fn spool_folder(&self) -> PathBuf {
        let beside = || self.sqlite_db.parent().filter(|folder| !folder.as_os_str().is_empty());
        match &self.database_url {
            Some(_) => std::env::temp_dir(),
            None => beside().unwrap_or(Path::new(".")).to_owned(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        if let Some(problem) = wrong_with_name(&self.sqlite_db) {
            return Err(Problem::at("storage.sqlite_db", problem));
        }
        if let Some(problem) = self.database_url.as_ref().and_then(|url| wrong_with_address(url.expose_secret())) {
            return Err(Problem::at("storage.database_url", problem));
        }
        if !(1..=256).contains(&self.read_connections) {
            let found = self.read_connections;
            return Err(Problem::at("storage.read_connections", &format!("expected 1 to 256, found {found}")));
        }
        Ok(())
    }

    /// Whether there can be a database where `sqlite_db` says. Looks at the disk and changes nothing there.
    pub(super) fn check_place(&self) -> Result<(), Problem> {
        if self.database_url.is_some() {
            return Ok(());
        }
        let problem = wrong_with_place(&self.sqlite_db);
        problem.map_or(Ok(()), |problem| Err(Problem::at("storage.sqlite_db", &problem)))
    }
}

fn wrong_with_name(path: &Path) -> Option<&'static str> {
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Some("expected the path of a file, found an empty string");
    }
    if text == ":memory:" {
        return Some("expected the path of a file: what is only in memory is lost with the process");
    }
    let address = ["file:", "sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| text.starts_with(scheme));
    address.then_some("expected the path of a file, such as /data/em-metrics.db, found an address")
}

fn wrong_with_place(path: &Path) -> Option<String> {
    let shown = path.display();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            Some(format!("{shown} is a folder: name a file in it, such as {}", path.join("em-metrics.db").display()))
        }
        Ok(found) if !found.is_file() => Some(format!("{shown} is not a file: name one, or one that is to be made")),
        // SQLite keeps its journal beside the name it was given, so two names would be two journals of one file
        Ok(found) if found.nlink() > 1 => Some(format!(
            "{shown} has {} names (hard links), and under two of them it could be opened twice and be destroyed: \
             keep one, or make a copy",
            found.nlink()
        )),
        Err(_) if path.is_symlink() => {
            Some(format!("{shown} is a link that leads to no file: name the file itself, which is made when missing"))
        }
        Err(_) if path.as_os_str().as_encoded_bytes().ends_with(b"/") => {
            Some(format!("{shown} is the name of a folder: name a file in it"))
        }
        Err(_) if !folder.is_dir() => {
            Some(format!("there is no folder {}: make it, or name a file in another one", folder.display()))
        }
        _ => None,
    }
}

fn wrong_with_address(database_url: &str) -> Option<&'static str> {
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
