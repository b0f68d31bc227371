//! `em-metrics migrate`: opening a store brings its schema up to date.

use secrecy::ExposeSecret as _;

use super::output::say;
use crate::config::{Config, Storage, masked_url};
use crate::storage::Store;

pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    let store = Store::open(&config.storage, config.server.write_limit()).await?;
    store.close().await;
    say(&format!("{}: the schema is up to date", shown(&config.storage)));
    Ok(())
}

/// The database in words, without its password.
pub(super) fn shown(storage: &Storage) -> String {
    match &storage.database_url {
        Some(url) => format!("PostgreSQL {}", masked_url(url.expose_secret())),
        None => format!("SQLite {}", storage.sqlite_db.display()),
    }
}
