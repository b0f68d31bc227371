//! What other tools send, read: signatures, events, what they say about deployments, incidents and the rest.
//! Pure: no I/O, no clock, no database. One vendor is one file, and one line in [`VENDORS`].
//!
//! A vendor's file says how its deliveries are signed, which header or field names the event and the delivery, and
//! what an event says. It never decides what becomes of a fact: any order and any repetition of [`Happening`]s
//! gives the same facts, because `domain` merges sightings as a set.

/// A file of `samples/<vendor>/`, with the headers that it comes with.
macro_rules! sample {
    ($vendor:literal, $name:literal, [$($header:expr),* $(,)?]) => {
        $crate::webhooks::Sample {
            name: $name,
            headers: &[$($header),*],
            body: include_str!(concat!("samples/", $vendor, "/", $name, ".json")),
        }
    };
}

mod alerts;
pub mod body;
mod causes;
pub mod cloudevents;
mod forges;
mod headers;
mod several;
mod signature;
mod tags;
mod times;

mod alertmanager;
mod argocd;
mod azuredevops;
mod bitbucket;
mod cdevents;
mod circleci;
mod datadog;
mod firehydrant;
mod flux;
mod github;
mod gitlab;
mod grafana;
mod grafana_oncall;
mod incidentio;
mod jenkins;
mod jira;
mod linear;
mod netlify;
mod opsgenie;
mod pagerduty;
mod rootly;
mod sentry;
mod servicenow;
mod shortcut;
mod statuspage;
mod vercel;

#[cfg(test)]
mod every_vendor;
#[cfg(test)]
mod testing;

use serde::Serialize;

use crate::domain::{Name, PullRequest, Push, Ticket, Timestamp, deployment, incident};

pub use body::Body;
pub use headers::Headers;
pub use signature::{Forged, Scheme, Signed, same, verify};

/// Every tool that is understood, by name.
pub const VENDORS: &[&Vendor] = &[
    &alertmanager::VENDOR,
    &argocd::VENDOR,
    &azuredevops::VENDOR,
    &bitbucket::VENDOR,
    &cdevents::VENDOR,
    &circleci::VENDOR,
    &datadog::VENDOR,
    &firehydrant::VENDOR,
    &flux::VENDOR,
    &github::VENDOR,
    &gitlab::VENDOR,
    &grafana::VENDOR,
    &grafana_oncall::VENDOR,
    &incidentio::VENDOR,
    &jenkins::VENDOR,
    &jira::VENDOR,
    &linear::VENDOR,
    &netlify::VENDOR,
    &opsgenie::VENDOR,
    &pagerduty::VENDOR,
    &rootly::VENDOR,
    &sentry::VENDOR,
    &servicenow::VENDOR,
    &shortcut::VENDOR,
    &statuspage::VENDOR,
    &vercel::VENDOR,
];

/// A tool that sends webhooks.
#[derive(Debug)]
pub struct Vendor {
    /// As in `/webhooks/{vendor}`.
    pub name: &'static str,
    /// As its makers write it.
    pub title: &'static str,
    /// A delivery is authentic when one of these says so. A secret of ours in a header is always one, see [`verify`].
    pub schemes: &'static [Scheme],
    /// The headers that its events are read from: these are kept with the delivery, and no others.
    pub headers: &'static [&'static str],
    pub about: fn(&Headers, Body<'_>) -> About,
    pub read: fn(&Event<'_>) -> Reading,
    /// Where to click, what to paste, what becomes what: Markdown for people.
    pub guide: &'static str,
    /// Deliveries of our own writing, shaped after the vendor's documentation; the first is sent by
    /// `em-metrics webhook test`.
    pub samples: &'static [Sample],
}

/// A delivery as the vendor would send it, but for its signature.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    pub name: &'static str,
    pub headers: &'static [(&'static str, &'static str)],
    pub body: &'static str,
}

/// What a delivery says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Of what sort it is, as the vendor calls it, such as `deployment_status.created`.
    pub event: String,
    /// The vendor's id of this delivery: the same when it is sent again. `None`: the body stands for itself.
    pub delivery: Option<String>,
}

/// A delivery that is about to be read.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// From [`About`].
    pub event: &'a str,
    pub headers: &'a Headers,
    pub body: Body<'a>,
    pub received_at: Timestamp,
    pub settings: &'a Settings,
}

/// What an event tells; or why it tells nothing that is wanted here.
pub type Reading = Result<Vec<Happening>, Ignored>;

/// Nothing is wrong with it, and nothing comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored(pub String);

impl Ignored {
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// What the facts of an event hang on is not in it.
    pub fn missing(field: &str) -> Self {
        Self(format!("it has no {field}"))
    }

    /// An event of a sort that says nothing about deployments, incidents, changes or tickets.
    pub fn event(event: &str) -> Self {
        Self(format!("{event:?} is no event that anything is read from"))
    }
}

/// One thing that a delivery tells. The ids already have the vendor in front (`github:42`); projects and
/// environments are the vendor's own words, for the operator to map.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    Deployment(Fact<deployment::Sighting>),
    Incident(Fact<incident::Sighting>),
    Push(Push),
    PullRequest(PullRequest),
    Ticket(Ticket),
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact<S> {
    pub id: Name,
    /// `None`: the sender names none, and the source's default is taken.
    pub project: Option<Name>,
    pub sighting: S,
}

impl Happening {
    pub fn deployment(id: Name, project: Option<Name>, sighting: deployment::Sighting) -> Self {
        Self::Deployment(Fact { id, project, sighting })
    }

    pub fn incident(id: Name, project: Option<Name>, sighting: incident::Sighting) -> Self {
        Self::Incident(Fact { id, project, sighting })
    }
}

/// What the operator wants to have read, of one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Names of workflows, pipelines or jobs that deploy; of others no deployment is made.
    pub deploy_workflows: Vec<String>,
    /// Labels and types of issues that are incidents.
    pub incident_labels: Vec<String>,
    /// Whether a published release is a deployment.
    pub releases: bool,
    /// The field that holds a ticket's estimate, where the vendor lets people make their own.
    pub estimate_field: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deploy_workflows: Vec::new(),
            incident_labels: vec!["incident".to_owned()],
            releases: false,
            estimate_field: None,
        }
    }
}

impl Settings {
    /// Whether something of this name deploys.
    pub fn deploys(&self, workflow: &str) -> bool {
        self.deploy_workflows.iter().any(|name| name.eq_ignore_ascii_case(workflow))
    }

    /// Whether a label or type makes an issue an incident.
    pub fn is_incident(&self, label: &str) -> bool {
        self.incident_labels.iter().any(|name| name.eq_ignore_ascii_case(label))
    }
}

/// The vendor of a name.
pub fn vendor(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().copied().find(|vendor| vendor.name == name)
}
