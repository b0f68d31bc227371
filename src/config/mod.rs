//! What the operator decides: defaults < the file < the environment.
//! Strict: whatever is unknown, ill-typed or impossible stops the start, and the error says where it is.
//! Nothing here reads the process environment or opens a database; secrets never reach an error or a log.

mod apis;
mod auth;
mod env;
mod error;
mod example;
mod headers;
mod incidents;
mod load;
mod log;
pub mod otel;
mod otel_settings;
mod public;
mod secret;
mod server;
mod storage;
mod teams;
#[cfg(test)]
mod tests;
mod webhooks;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::benchmarks::Peers;
use crate::domain::names::Name;
use crate::domain::teams::Teams;

pub use apis::Api;
pub use auth::{Auth, Basic, Role, Token};
pub use env::{VARIABLES, Variable, table_markdown};
pub use error::ConfigError;
pub use incidents::Incidents;
pub use log::{Log, LogFormat};
pub use otel::{Otel, Protocol, Target};
pub use public::Publication;
pub use secret::masked_url;
pub use server::Server;
pub use storage::Storage;
pub use teams::TeamsSection;
pub use webhooks::{Source, Webhooks};

/// The effective configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was read from, if there was a file.
    pub file: Option<PathBuf>,
    /// The environment of facts that name none.
    pub production_environment: Name,
    pub server: Server,
    pub storage: Storage,
    pub auth: Auth,
    pub otel: Otel,
    pub log: Log,
    /// Whose published figures answers are shown beside.
    pub benchmark: Peers,
    /// What everybody may see, without signing in.
    pub public: Vec<Publication>,
    /// Which tools may send, and how they are understood.
    pub webhooks: Webhooks,
    /// What is made of incidents that say too little.
    pub incidents: Incidents,
    pub teams: Teams,
    /// Settings that are valid and probably not meant; worth one log line each at the start.
    pub warnings: Vec<String>,
    teams_section: TeamsSection,
}

/// Loads the configuration from `explicit_file`, else from the file that `CONFIG` names, else from none;
/// `env` wins over the file. Pure in `env`, but reads the files it names.
pub fn load(explicit_file: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
    load::load(explicit_file, env)
}

/// A file that loads as it is: every key with its default, and two teams.
pub fn example() -> String {
    example::example()
}

impl Config {
    /// What is in force, as `GET /config` and `em-metrics config show` give it: secrets are masked, and
    /// `otel` is what the exporters were told rather than the variables it came from.
    pub fn shown(&self) -> Value {
        json!({
            "production_environment": self.production_environment,
            "server": self.server,
            "storage": self.storage,
            "auth": self.auth,
            "otel": self.otel.shown(),
            "log": self.log,
            "benchmark": self.benchmark,
            "public": self.public,
            "webhooks": self.webhooks,
            "incidents": self.incidents,
            "teams": self.teams_section,
        })
    }
}

impl Default for Config {
    /// No file and an empty environment.
    fn default() -> Self {
        load::defaults()
    }
}
