//! How an incident came to its deployment, how sure that is, and what may be one.

use serde::{Deserialize, Serialize};

use super::Incident;
use crate::domain::Name;

/// Who or what has linked it; with [`Method::Person`] and without a deployment: somebody says that none has caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Whoever told of it named the deployment.
    Sent,
    /// Its tool names the deployment by the id, in a label or a field.
    Label,
    /// Its tool names a commit.
    Commit,
    /// Its tool names a version, a release or an artifact.
    Version,
    /// Somebody said so afterwards.
    Person,
}

/// How it stands between an incident and the deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Linked,
    /// Nobody has named a deployment, and one is likely; it counts for nothing until somebody confirms it.
    Suggested,
    Unlinked,
    /// Somebody says that no deployment has caused it.
    None,
}

/// What is told of a link. The words are the API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    pub state: State,
    /// `None`: it was made before that was kept, or there is none.
    pub method: Option<&'static str>,
    pub confidence: Option<&'static str>,
}

impl Method {
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Label => "label",
            Self::Commit => "commit",
            Self::Version => "version",
            Self::Person => "person",
        }
    }

    /// Whether the deployment itself was named; a commit or a version may have been deployed several times.
    pub fn is_certain(self) -> bool {
        !matches!(self, Self::Commit | Self::Version)
    }
}

impl Incident {
    pub fn link(&self) -> Link {
        let confidence = |method: Method| if method.is_certain() { "certain" } else { "likely" };
        let method = self.link_method;
        let (state, method, confidence) = match (&self.deployment_id, &self.suggested_deployment_id, method) {
            (Some(_), ..) => (State::Linked, method.map(Method::word), method.map(confidence)),
            (None, _, Some(method)) => (State::None, Some(method.word()), Some(confidence(method))),
            (None, Some(_), None) => (State::Suggested, Some("window"), Some("suggested")),
            (None, None, None) => (State::Unlinked, None, None),
        };
        Link { state, method, confidence }
    }

    /// The deployment that has caused it is named, by whomever.
    pub(super) fn linked(&mut self, deployment_id: Name, method: Method) {
        self.deployment_id = Some(deployment_id);
        self.link_method = Some(method);
    }

    /// What a person says, or what was exported, is in; `before` is the deployment that it was linked to.
    pub(super) fn linked_by_correction(&mut self, before: Option<&Name>, said: Said) {
        let has_changed = self.deployment_id.as_ref() != before;
        match said {
            // to say what is certain once more says nothing
            Said::ByPerson if !has_changed && self.link_method.is_some_and(Method::is_certain) => {}
            Said::ByPerson => self.link_method = Some(Method::Person),
            Said::ByImport(Some(method)) => self.link_method = Some(method),
            Said::ByImport(None) if has_changed => self.link_method = Some(Method::Sent),
            Said::ByImport(None) => {}
        }
        if self.deployment_id.is_none() && self.link_method != Some(Method::Person) {
            self.link_method = None;
        }
    }

    /// Nobody has named a deployment, or said that there is none: one may be suggested.
    pub(super) fn may_be_suggested(&self) -> bool {
        let names_cause = self.seen.as_ref().is_some_and(|seen| seen.cause().is_some());
        self.deployment_id.is_none() && self.link_method.is_none() && !names_cause
    }
}

/// Who speaks of a link afterwards.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    ByPerson,
    /// And how it came about there, where that is told.
    ByImport(Option<Method>),
}
