//! Who may send, and how their words are understood here.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::config;
use crate::domain::{Name, deployment, incident};
use crate::ingest::Action;
use crate::webhooks::{self, Body, Event, Fact, Happening, Headers, Ignored, Settings, VENDORS, Vendor};

/// A source of deliveries.
#[derive(Debug, Clone)]
pub struct Source {
    /// The vendor, or `vendor/name`: in the inbox and as the actor of the journal.
    pub key: Name,
    pub vendor: &'static Vendor,
    pub settings: Settings,
    secrets: Vec<SecretString>,
    project_id: Option<Name>,
    environment: Option<Name>,
    team_id: Option<Name>,
}

impl Source {
    /// A vendor of which nothing is configured.
    fn plain(vendor: &'static Vendor) -> Option<Self> {
        Some(Self {
            key: Name::parse(vendor.name).ok()?,
            vendor,
            settings: Settings::default(),
            secrets: Vec::new(),
            project_id: None,
            environment: None,
            team_id: None,
        })
    }

    pub fn secrets(&self) -> Vec<&str> {
        self.secrets.iter().map(ExposeSecret::expose_secret).collect()
    }
}

/// The configuration names a vendor that nobody here knows.
#[derive(Debug, thiserror::Error)]
#[error("webhooks: there is no vendor {name:?}; there are {}", known.join(", "))]
pub struct UnknownVendor {
    name: String,
    known: Vec<&'static str>,
}

/// All sources, and the words that they have in common.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    by_key: BTreeMap<String, Source>,
    projects: BTreeMap<String, Name>,
    environments: BTreeMap<String, Name>,
}

/// What one delivery wants to have recorded.
#[derive(Debug, Default)]
pub struct Wanted {
    pub actions: Vec<Action>,
    /// Pushes, pull requests and tickets.
    pub changes: Vec<Happening>,
}

impl Sources {
    pub fn new(section: &config::Webhooks) -> Result<Self, UnknownVendor> {
        let mut by_key = BTreeMap::new();
        for source in &section.sources {
            let vendor = webhooks::vendor(&source.vendor).ok_or_else(|| UnknownVendor {
                name: source.vendor.clone(),
                known: VENDORS.iter().map(|vendor| vendor.name).collect(),
            })?;
            let key = key(vendor.name, source.name.as_ref().map(Name::as_str));
            // a name has to leave room for its vendor
            let Ok(name) = Name::parse(&key) else { continue };
            let labels = source.incident_labels.clone();
            let settings = Settings {
                deploy_workflows: source.deploy_workflows.clone(),
                incident_labels: labels.unwrap_or_else(|| Settings::default().incident_labels),
                releases: source.releases,
                estimate_field: source.estimate_field.clone(),
            };
            let config::Source { secrets, project_id, environment, team_id, .. } = source.clone();
            by_key.insert(key, Source { key: name, vendor, settings, secrets, project_id, environment, team_id });
        }
        Ok(Self { by_key, projects: section.projects.clone(), environments: section.environments.clone() })
    }

    /// The source of an address. A vendor without a name is there also when nothing is configured of it.
    pub fn find(&self, vendor: &str, name: Option<&str>) -> Option<Source> {
        let known = webhooks::vendor(vendor)?;
        match (self.by_key.get(&key(vendor, name)), name) {
            (Some(source), _) => Some(source.clone()),
            (None, Some(_)) => None,
            (None, None) => Source::plain(known),
        }
    }

    /// The source that a stored delivery is from, also when it has left the configuration since.
    pub fn of_key(&self, key: &str) -> Option<Source> {
        let (vendor, name) = key.split_once('/').map_or((key, None), |(vendor, name)| (vendor, Some(name)));
        self.find(vendor, name).or_else(|| Source::plain(webhooks::vendor(vendor)?))
    }

    /// What a delivery says, in the words of this service.
    pub fn read(
        &self,
        source: &Source,
        event: &str,
        headers: &Headers,
        body: &[u8],
        received_at: crate::domain::Timestamp,
    ) -> Result<Wanted, Ignored> {
        let body = json(headers, body).map_err(|error| Ignored(format!("the body is not JSON: {error}")))?;
        let event = Event { event, headers, body: Body(&body), received_at, settings: &source.settings };
        let mut wanted = Wanted::default();
        let mut homeless = None;
        for happening in (source.vendor.read)(&event)? {
            match happening {
                Happening::Deployment(Fact { id, project, mut sighting }) => {
                    let Some(project_id) = self.project(source, project) else {
                        homeless = Some(id);
                        continue;
                    };
                    sighting.environment = self.environment(source, sighting.environment);
                    sighting.team_id = sighting.team_id.or_else(|| source.team_id.clone());
                    wanted.actions.push(Action::Deployment(deployment::Command {
                        id,
                        project_id: Some(project_id),
                        details: deployment::Details::default(),
                        change: deployment::Change::Sighted(Box::new(sighting)),
                    }));
                }
                Happening::Incident(Fact { id, project, mut sighting }) => {
                    let Some(project_id) = self.project(source, project) else {
                        homeless = Some(id);
                        continue;
                    };
                    sighting.environment = self.environment(source, sighting.environment);
                    sighting.team_id = sighting.team_id.or_else(|| source.team_id.clone());
                    wanted.actions.push(Action::Incident(incident::Command {
                        id: Some(id),
                        project_id: Some(project_id),
                        change: incident::Change::Sighted(Box::new(sighting)),
                    }));
                }
                change => wanted.changes.push(change),
            }
        }
        match homeless {
            Some(id) if wanted.actions.is_empty() && wanted.changes.is_empty() => Err(Ignored(format!(
                "{id} names no project: give the source a project_id in webhooks.sources, and replay it"
            ))),
            _ => Ok(wanted),
        }
    }

    fn project(&self, source: &Source, said: Option<Name>) -> Option<Name> {
        mapped(&self.projects, said).or_else(|| source.project_id.clone())
    }

    fn environment(&self, source: &Source, said: Option<Name>) -> Option<Name> {
        mapped(&self.environments, said).or_else(|| source.environment.clone())
    }
}

fn mapped(words: &BTreeMap<String, Name>, said: Option<Name>) -> Option<Name> {
    said.map(|said| words.get(said.as_str()).cloned().unwrap_or(said))
}

fn key(vendor: &str, name: Option<&str>) -> String {
    name.map_or_else(|| vendor.to_owned(), |name| format!("{vendor}/{name}"))
}

/// A body is JSON, or a form with JSON in its field `payload`, as GitHub sends when it is told to.
pub fn json(headers: &Headers, body: &[u8]) -> Result<Value, serde_json::Error> {
    let is_form = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if is_form && let Some((_, payload)) = url::form_urlencoded::parse(body).find(|(name, _)| name == "payload") {
        return serde_json::from_str(&payload);
    }
    serde_json::from_slice(body)
}
