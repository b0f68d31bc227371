//! The `webhooks` section: which tools may send, how their words are read here, how long deliveries are kept.
//! Which vendors there are is the room `webhooks`' business; whoever starts the service holds the two together.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::apis::{self, Api};
use super::error::Problem;
use super::secret;
use crate::domain::names::Name;

const PREFIX: &str = "EM_METRICS_WEBHOOK_";
const SUFFIX: &str = "_SECRET";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    pub sources: Vec<Source>,
    /// Who is asked for what no webhook told.
    pub apis: Vec<Api>,
    /// What senders call a project, and what it is called here.
    pub projects: BTreeMap<String, Name>,
    /// The same for environments.
    pub environments: BTreeMap<String, Name>,
    /// Of one delivery. GitHub sends up to 25 MB.
    pub body_limit_bytes: usize,
    /// How long deliveries are kept that have become facts.
    pub retention_days: u32,
    /// How much room they may take; the oldest go first.
    pub retention_mb: u64,
    /// A source that was heard from and is silent for so long is warned about; 0: none is.
    pub silent_after_hours: u32,
}

/// One tool that sends, or one of several of its kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// As in `/webhooks/{vendor}`.
    pub vendor: String,
    /// As in `/webhooks/{vendor}/{name}`, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// One, and a second while it is being replaced.
    #[serde(serialize_with = "masked_list")]
    pub secrets: Vec<SecretString>,
    /// Of what names no project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Name>,
    /// Of what names no environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// Of what neither its project nor its user gives a team.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Name>,
    /// Workflows, pipelines and jobs that deploy, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deploy_workflows: Vec<String>,
    /// Labels and types of issues that are incidents; without any, `incident`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident_labels: Option<Vec<String>>,
    /// Whether a published release is a deployment.
    #[serde(default)]
    pub releases: bool,
    /// The field that holds a ticket's estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_field: Option<String>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            apis: Vec::new(),
            projects: BTreeMap::new(),
            environments: BTreeMap::new(),
            body_limit_bytes: 25 * 1024 * 1024,
            retention_days: 30,
            retention_mb: 1024,
            silent_after_hours: 7 * 24,
        }
    }
}

impl Webhooks {
    pub fn retention(&self) -> Duration {
        Duration::from_secs(u64::from(self.retention_days) * 24 * 3600)
    }

    pub fn silent_after(&self) -> Option<Duration> {
        (self.silent_after_hours > 0).then(|| Duration::from_secs(u64::from(self.silent_after_hours) * 3600))
    }

    /// Secrets of the environment: a source more for each that the file does not name, one secret more for those it does.
    pub(super) fn add_secrets(&mut self, secrets: impl Iterator<Item = (String, String)>) {
        for (vendor, secret) in secrets {
            let secret = SecretString::from(secret);
            let same = |source: &&mut Source| source.name.is_none() && variable_part(&source.vendor) == vendor;
            match self.sources.iter_mut().find(same) {
                Some(source) => source.secrets = vec![secret],
                None => self.sources.push(Source {
                    vendor: vendor.to_ascii_lowercase().replace('_', "-"),
                    name: None,
                    secrets: vec![secret],
                    project_id: None,
                    environment: None,
                    team_id: None,
                    deploy_workflows: Vec::new(),
                    incident_labels: None,
                    releases: false,
                    estimate_field: None,
                }),
            }
        }
    }

    /// Tokens of the environment: an API more for each that the file does not name.
    pub(super) fn add_tokens(&mut self, tokens: impl Iterator<Item = (String, String)>) {
        for (forge, token) in tokens {
            let token = SecretString::from(token);
            match self.apis.iter_mut().find(|api| variable_part(&api.vendor) == forge) {
                Some(api) => api.token = Some(token),
                None => self.apis.push(Api { token: Some(token), ..Api::new(forge.to_ascii_lowercase()) }),
            }
        }
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        apis::check(self)?;
        let mut known = BTreeSet::new();
        for (index, source) in self.sources.iter().enumerate() {
            let key = |field: &str| format!("webhooks.sources[{index}].{field}");
            if source.secrets.is_empty() || source.secrets.iter().any(|secret| secret.expose_secret().len() < 8) {
                let problem = "expected at least one secret, each of 8 characters or more";
                return Err(Problem::at(&key("secrets"), problem));
            }
            if source.name.as_ref().is_some_and(|name| name.as_str().contains('/')) {
                return Err(Problem::at(&key("name"), "expected a name that can stand in an address, without `/`"));
            }
            if !known.insert((&source.vendor, &source.name)) {
                let problem = "another source has this vendor and name: give each a `name` of its own";
                return Err(Problem::at(&key("vendor"), problem));
            }
        }
        if self.body_limit_bytes == 0 {
            return Err(Problem::at("webhooks.body_limit_bytes", "expected at least 1, found 0"));
        }
        if self.retention_days == 0 {
            return Err(Problem::at("webhooks.retention_days", "expected at least 1, found 0"));
        }
        Ok(())
    }
}

/// The vendor as it stands in the name of a variable.
fn variable_part(vendor: &str) -> String {
    vendor.to_ascii_uppercase().replace('-', "_")
}

/// The `<VENDOR>` of `EM_METRICS_WEBHOOK_<VENDOR>_SECRET`.
pub(super) fn vendor_of(variable: &str) -> Option<&str> {
    variable.strip_prefix(PREFIX)?.strip_suffix(SUFFIX).filter(|vendor| !vendor.is_empty())
}

fn masked_list<S: Serializer>(secrets: &[SecretString], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(|_| secret::MASK))
}
