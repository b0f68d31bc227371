//! `webhooks.apis`: whose history is read, because not every webhook arrives. Which forges can be read is the room
//! `forges`' business; whoever starts the service holds the two together.

use std::collections::BTreeSet;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

use super::error::Problem;
use super::{Webhooks, secret};
use crate::domain::names::Name;

/// Of these there may be a variable with a token.
const FORGES: &[&str] = &["BITBUCKET", "GITHUB", "GITLAB"];

/// One API that is asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// As in `/webhooks/{vendor}`.
    pub vendor: String,
    /// Where it is, if not where its makers run it, such as `https://github.acme.example/api/v3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, serialize_with = "masked")]
    pub token: Option<SecretString>,
    /// What is read on a schedule, such as `acme/shop`; without any, nothing is.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// How often.
    #[serde(default = "every_hour")]
    pub every_minutes: u32,
    /// How far back the first reading goes.
    #[serde(default = "a_month")]
    pub since_days: u32,
    /// The source whose settings are taken, where there are several of the vendor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Name>,
}

fn every_hour() -> u32 {
    60
}

fn a_month() -> u32 {
    30
}

impl Api {
    pub(super) fn new(vendor: String) -> Self {
        Self {
            vendor,
            url: None,
            token: None,
            repositories: Vec::new(),
            every_minutes: every_hour(),
            since_days: a_month(),
            source: None,
        }
    }

    pub fn every(&self) -> Duration {
        Duration::from_secs(u64::from(self.every_minutes) * 60)
    }

    pub fn since(&self) -> Duration {
        Duration::from_secs(u64::from(self.since_days) * 24 * 3600)
    }
}

pub(super) fn check(section: &Webhooks) -> Result<(), Problem> {
    let mut known = BTreeSet::new();
    for (index, api) in section.apis.iter().enumerate() {
        let key = |field: &str| format!("webhooks.apis[{index}].{field}");
        if !known.insert(&api.vendor) {
            return Err(Problem::at(&key("vendor"), "another entry has this vendor: only one is asked of each"));
        }
        let is_address = |text: &String| {
            Url::parse(text).is_ok_and(|url| {
                let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
                matches!(url.scheme(), "http" | "https") && url.has_host() && is_bare
            })
        };
        if api.url.as_ref().is_some_and(|url| !is_address(url)) {
            let problem = "expected an address such as https://github.acme.example/api/v3, without user and query";
            return Err(Problem::at(&key("url"), problem));
        }
        for (field, value) in [("every_minutes", api.every_minutes), ("since_days", api.since_days)] {
            if value == 0 {
                return Err(Problem::at(&key(field), "expected at least 1, found 0"));
            }
        }
    }
    Ok(())
}

/// The `<FORGE>` of `EM_METRICS_<FORGE>_TOKEN`.
pub(super) fn forge_of(variable: &str) -> Option<&str> {
    let forge = variable.strip_prefix("EM_METRICS_")?.strip_suffix("_TOKEN")?;
    FORGES.contains(&forge).then_some(forge)
}

#[expect(clippy::ref_option, reason = "the signature that serde calls")]
fn masked<S: Serializer>(token: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match token {
        Some(token) => secret::masked(token, serializer),
        None => serializer.serialize_none(),
    }
}
