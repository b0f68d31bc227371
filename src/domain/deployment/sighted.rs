//! What tools say about a deployment through their webhooks: in any order, again and again, in parts.
//! A fact that tools tell follows from the set of what they said. What a person corrected stays,
//! until a tool says something new of that very field.

use serde::{Deserialize, Serialize};

use super::create::empty;
use super::{Deployment, Status};
use crate::domain::correction::{self, Edit};
use crate::domain::refusal::Refusal;
use crate::domain::seen::{Said, Steps, earliest, hear, known};
use crate::domain::{Context, Name, Prose, Timestamp, time};

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// When it was so, by the sender's clock. Later sayings win over earlier ones, whichever arrives first.
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_start_at: Option<Timestamp>,
    /// Of the commit that was deployed: the first one cannot have been later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_commit_at: Option<Timestamp>,
    /// Where the commit is, as pushes name it, such as `github:acme/shop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// Of a deployment whose project and user tell no team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_sha: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Prose>,
    /// Why it failed or was rolled back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Prose>,
    /// A hotfix, a roll-back or a roll-forward.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unplanned: bool,
}

/// How it went, and when that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Failed(#[serde(with = "time::micros")] Timestamp),
    Deployed(#[serde(with = "time::micros")] Timestamp),
    RolledBack(#[serde(with = "time::micros")] Timestamp),
}

/// Everything that was said so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    #[serde(skip_serializing_if = "Steps::is_empty")]
    steps: Steps<Outcome>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none")]
    pub head_commit_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit_sha: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Said<Prose>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Said<Prose>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unplanned: bool,
}

/// What follows from what was said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    environment: Option<Name>,
    deploy_start_at: Option<Timestamp>,
    deployed_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    rolled_back_at: Option<Timestamp>,
    commit_sha: Option<Name>,
    version: Option<Name>,
    username: Option<Name>,
    url: Option<Prose>,
    reason: Option<Prose>,
    unplanned: Option<bool>,
}

impl Sighting {
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            outcome: None,
            deploy_start_at: None,
            head_commit_at: None,
            repository: None,
            environment: None,
            team_id: None,
            commit_sha: None,
            version: None,
            username: None,
            url: None,
            reason: None,
            unplanned: false,
        }
    }
}

impl Seen {
    fn hear(&mut self, sighting: &Sighting) {
        let at = sighting.at;
        if let Some(outcome) = sighting.outcome {
            self.steps.add(at, outcome);
        }
        self.start = earliest(self.start, sighting.deploy_start_at);
        self.head_commit_at = earliest(self.head_commit_at, sighting.head_commit_at);
        hear(&mut self.repository, at, sighting.repository.clone());
        hear(&mut self.environment, at, sighting.environment.clone());
        hear(&mut self.commit_sha, at, sighting.commit_sha.clone());
        hear(&mut self.version, at, sighting.version.clone());
        hear(&mut self.username, at, sighting.username.clone());
        hear(&mut self.url, at, sighting.url.clone());
        hear(&mut self.reason, at, sighting.reason.clone());
        // no tool says that it was planned after all
        self.unplanned |= sighting.unplanned;
    }

    /// Where its commit is.
    pub fn repository(&self) -> Option<&Name> {
        self.repository.as_ref().map(|said| &said.value)
    }

    fn told(&self) -> Told {
        let mut told = Told {
            environment: known(self.environment.as_ref()),
            commit_sha: known(self.commit_sha.as_ref()),
            version: known(self.version.as_ref()),
            username: known(self.username.as_ref()),
            url: known(self.url.as_ref()),
            unplanned: self.unplanned.then_some(true),
            ..Told::default()
        };
        for Said { value, .. } in self.steps.iter() {
            match *value {
                // said twice: it reached users the first time
                Outcome::Deployed(at) => {
                    told.deployed_at = Some(told.deployed_at.map_or(at, |known| known.min(at)));
                    told.failed_at = None;
                }
                Outcome::Failed(at) => {
                    (told.deployed_at, told.rolled_back_at) = (None, None);
                    told.failed_at = told.failed_at.or(Some(at));
                }
                Outcome::RolledBack(at) => told.rolled_back_at = told.rolled_back_at.or(Some(at)),
            }
        }
        // It has to have been there. The clocks of two machines may disagree: then it is unknown, and never negative.
        told.rolled_back_at = told.rolled_back_at.filter(|at| told.deployed_at.is_some_and(|deployed| deployed <= *at));
        let end = told.deployed_at.or(told.failed_at);
        told.deploy_start_at = self.start.filter(|start| end.is_none_or(|end| *start <= end));
        told.reason =
            if end == told.deployed_at && told.rolled_back_at.is_none() { None } else { known(self.reason.as_ref()) };
        told
    }
}

/// How it begins to be known.
pub fn first_sighted(
    id: &Name,
    project_id: Option<&Name>,
    sighting: &Sighting,
    context: &Context<'_>,
) -> Result<Deployment, Refusal> {
    let Some(project_id) = project_id else {
        let problem = crate::domain::FieldProblem::new("/project_id", "required");
        return Err(Refusal::Invalid(vec![problem]));
    };
    let team_id = context.teams.resolve(None, project_id, sighting.username.as_ref());
    Ok(Deployment { team_id: team_id.or_else(|| sighting.team_id.clone()), ..empty(id, project_id.clone(), context) })
}

/// Takes in what was said; changes only what follows differently from it than before.
pub fn sight(fact: &mut Deployment, sighting: &Sighting) -> Result<(), Refusal> {
    let mut seen = fact.seen.clone().unwrap_or_default();
    let was = seen.told();
    seen.hear(sighting);
    let is = seen.told();
    fact.seen = Some(seen);
    correction::Deployment {
        team_id: Edit::Keep,
        environment: Edit::replacing(was.environment.as_ref(), is.environment.as_ref()),
        first_commit_at: Edit::Keep,
        deploy_start_at: Edit::between(was.deploy_start_at.as_ref(), is.deploy_start_at.as_ref()),
        deployed_at: Edit::between(was.deployed_at.as_ref(), is.deployed_at.as_ref()),
        failed_at: Edit::between(was.failed_at.as_ref(), is.failed_at.as_ref()),
        rolled_back_at: Edit::between(was.rolled_back_at.as_ref(), is.rolled_back_at.as_ref()),
        reason: Edit::between(was.reason.as_ref(), is.reason.as_ref()),
        username: Edit::between(was.username.as_ref(), is.username.as_ref()),
        commit_sha: Edit::between(was.commit_sha.as_ref(), is.commit_sha.as_ref()),
        version: Edit::between(was.version.as_ref(), is.version.as_ref()),
        url: Edit::between(was.url.as_ref(), is.url.as_ref()),
        unplanned: Edit::between(was.unplanned.as_ref(), is.unplanned.as_ref()),
    }
    .apply(fact)
}

/// The fact as this message alone would have it, where that is not how it is: an outcome that was overtaken before
/// it arrived happened all the same, and is counted.
pub fn overtaken(fact: &Deployment, sighting: &Sighting) -> Option<Deployment> {
    let (status, deployed_at, failed_at) = match sighting.outcome? {
        Outcome::Deployed(at) if fact.deployed_at.is_none() => (Status::Deployed, Some(at), None),
        Outcome::Failed(at) if fact.failed_at.is_none() => (Status::Failed, None, Some(at)),
        _ => return None,
    };
    // how long it took and what it was for is not told again when that becomes known by something else
    Some(Deployment {
        status,
        deployed_at,
        failed_at,
        rolled_back_at: None,
        deploy_start_at: None,
        first_commit_at: None,
        unplanned: None,
        ..fact.clone()
    })
}
