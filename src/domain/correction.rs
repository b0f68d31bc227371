//! What somebody says a fact should have been. A field that is sent replaces what is stored, `null` removes it,
//! what is not sent stays: JSON Merge Patch (RFC 7396). The totals in Prometheus keep what they have counted;
//! the answers follow at once.

use serde::{Deserialize, Deserializer};

use super::deployment::Status;
use super::refusal::{Findings, Refusal};
use super::{Name, Prose, Timestamp, deployment, incident};

/// Why nothing happens to a deleted fact.
pub const DELETED: &str = "it was deleted; POST to its /restore brings it back";

/// What is to become of one field.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Edit<T> {
    #[default]
    Keep,
    Clear,
    Set(T),
}

/// `null` clears. That a field is absent is for `#[serde(default)]` to say.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Edit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|sent| sent.map_or(Self::Clear, Self::Set))
    }
}

impl<T> Edit<T> {
    /// The new value, if there is one.
    pub fn value(&self) -> Option<&T> {
        if let Self::Set(value) = self { Some(value) } else { None }
    }
}

impl<T: PartialEq + Clone> Edit<T> {
    /// What leads from one to the other.
    pub fn between(before: Option<&T>, after: Option<&T>) -> Self {
        match after {
            _ if before == after => Self::Keep,
            Some(after) => Self::Set(after.clone()),
            None => Self::Clear,
        }
    }

    /// The same, of a field that every fact has.
    pub fn replacing(before: Option<&T>, after: Option<&T>) -> Self {
        if after.is_some() { Self::between(before, after) } else { Self::Keep }
    }
}

impl<T: Clone> Edit<T> {
    fn apply(&self, stored: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *stored = None,
            Self::Set(value) => *stored = Some(value.clone()),
        }
    }

    /// A field that every fact has.
    fn replace(&self, pointer: &'static str, stored: &mut T, findings: &mut Findings) {
        match self {
            Self::Keep => {}
            Self::Clear => findings.add(pointer, "cannot be removed, only replaced"),
            Self::Set(value) => stored.clone_from(value),
        }
    }
}

/// Its status follows from its times.
#[derive(Debug, Clone, Default)]
pub struct Deployment {
    pub team_id: Edit<Name>,
    pub environment: Edit<Name>,
    pub first_commit_at: Edit<Timestamp>,
    pub deploy_start_at: Edit<Timestamp>,
    pub deployed_at: Edit<Timestamp>,
    pub failed_at: Edit<Timestamp>,
    pub rolled_back_at: Edit<Timestamp>,
    pub reason: Edit<Prose>,
    pub username: Edit<Name>,
    pub commit_sha: Edit<Name>,
    pub version: Edit<Name>,
    pub url: Edit<Prose>,
    pub unplanned: Edit<bool>,
}

#[derive(Debug, Clone, Default)]
pub struct Incident {
    pub team_id: Edit<Name>,
    pub environment: Edit<Name>,
    pub deployment_id: Edit<Name>,
    /// How it was linked where it was exported; what is corrected is linked by a person.
    pub link_method: Edit<incident::Method>,
    pub severity: Edit<Name>,
    pub title: Edit<Prose>,
    pub url: Edit<Prose>,
    pub started_at: Edit<Timestamp>,
    pub restored_at: Edit<Timestamp>,
    pub finished_at: Edit<Timestamp>,
}

impl Deployment {
    pub(super) fn apply(&self, fact: &mut deployment::Deployment) -> Result<(), Refusal> {
        let mut findings = Findings::default();
        self.team_id.apply(&mut fact.team_id);
        self.environment.replace("/environment", &mut fact.environment, &mut findings);
        if self.first_commit_at != Edit::Keep {
            fact.first_commit_from = None;
        }
        self.first_commit_at.apply(&mut fact.first_commit_at);
        self.deploy_start_at.apply(&mut fact.deploy_start_at);
        self.deployed_at.apply(&mut fact.deployed_at);
        self.failed_at.apply(&mut fact.failed_at);
        self.rolled_back_at.apply(&mut fact.rolled_back_at);
        self.reason.apply(&mut fact.reason);
        self.username.apply(&mut fact.username);
        self.commit_sha.apply(&mut fact.commit_sha);
        self.version.apply(&mut fact.version);
        self.url.apply(&mut fact.url);
        self.unplanned.apply(&mut fact.unplanned);
        fact.status = match (fact.rolled_back_at, fact.deployed_at, fact.failed_at) {
            (Some(_), _, _) => Status::RolledBack,
            (None, Some(_), _) => Status::Deployed,
            (None, None, Some(_)) => Status::Failed,
            (None, None, None) => Status::Started,
        };
        findings.or(Refusal::Invalid)
    }
}

impl Incident {
    pub(super) fn apply(&self, fact: &mut incident::Incident) -> Result<(), Refusal> {
        let mut findings = Findings::default();
        self.team_id.apply(&mut fact.team_id);
        self.environment.replace("/environment", &mut fact.environment, &mut findings);
        self.deployment_id.apply(&mut fact.deployment_id);
        self.severity.apply(&mut fact.severity);
        self.title.apply(&mut fact.title);
        self.url.apply(&mut fact.url);
        self.started_at.replace("/started_at", &mut fact.started_at, &mut findings);
        self.restored_at.apply(&mut fact.restored_at);
        self.finished_at.apply(&mut fact.finished_at);
        findings.or(Refusal::Invalid)
    }
}
