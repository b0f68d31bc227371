//! What the configuration wants to have asked.

use std::time::Duration;

use reqwest::ClientBuilder;

use super::client::{Api, Patience};
use crate::config;
use crate::domain::Clock;
use crate::forges::{Base, FORGES, forge};
use crate::ingest::webhooks::{Source, Sources};

/// In the background nobody waits: what takes longer is put off.
const PATIENCE: Patience =
    Patience { longest_wait: Duration::from_secs(10), tries: 4, first_pause: Duration::from_secs(1) };

/// The configuration wants something asked that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Unplannable {
    #[error("webhooks.apis: the API of {0:?} is not known here; there are {known}", known = known())]
    Forge(String),
    #[error("webhooks.apis: {0:?} is no source of {1}: see webhooks.sources")]
    Source(String, &'static str),
    #[error("webhooks.apis: {0} is asked for first commits only: leave its repositories away")]
    NoHistory(&'static str),
    #[error("webhooks.apis: the url of {0}: {1}")]
    Url(&'static str, String),
    #[error("webhooks.apis: cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// One API, and what is wanted of it.
#[derive(Debug, Clone)]
pub struct Planned {
    pub(super) api: Api,
    /// Who would have sent what is read.
    pub(super) source: Source,
    pub(super) repositories: Vec<String>,
    pub(super) every: Duration,
    pub(super) since: Duration,
}

/// All that is configured; `http` makes a client for an address.
pub fn planned(
    section: &config::Webhooks,
    sources: &Sources,
    clock: &Clock,
    http: impl Fn(&str) -> ClientBuilder,
) -> Result<Vec<Planned>, Unplannable> {
    let plan = |api: &config::Api| {
        let forge = forge(&api.vendor).ok_or_else(|| Unplannable::Forge(api.vendor.clone()))?;
        let name = api.source.as_ref().map(crate::domain::Name::as_str);
        let no_source = || Unplannable::Source(name.unwrap_or_default().to_owned(), forge.title);
        let source = sources.find(forge.name, name).ok_or_else(no_source)?;
        let base = Base::parse(api.url.as_deref().unwrap_or(forge.api));
        let base = base.map_err(|why| Unplannable::Url(forge.title, why))?;
        if forge.lists.is_empty() && !api.repositories.is_empty() {
            return Err(Unplannable::NoHistory(forge.title));
        }
        let http = http(base.url().as_str());
        let client = Api::new(forge, base, http, api.token.clone(), clock.clone(), PATIENCE)?;
        let repositories = api.repositories.clone();
        Ok(Planned { api: client, source, repositories, every: api.every(), since: api.since() })
    };
    section.apis.iter().map(plan).collect()
}

fn known() -> String {
    FORGES.iter().map(|forge| forge.name).collect::<Vec<_>>().join(", ")
}
