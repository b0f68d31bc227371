//! A deployment and what may happen to it. Identified by (project, id).

mod create;
mod sighted;
mod steps;

use serde::{Deserialize, Serialize};

use super::refusal::{FieldProblem, Findings, Refusal};
use super::rules::{in_order, not_in_the_future, settle};
use super::time;
use super::{Context, Marks, Name, Prose, Timestamp, correction};
use create::{created, imported};
use sighted::{first_sighted, sight};
use steps::{deploy, fail, roll_back};

pub use sighted::{Outcome, Seen, Sighting, overtaken};

/// The word for it in refusals and the journal.
pub const KIND: &str = "deployment";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    Started,
    Deployed,
    /// The pipeline failed before it reached users.
    Failed,
    /// It reached users and was taken back.
    RolledBack,
}

/// The fact as it is stored. The serde form is the store's and the journal's; the API has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub id: Name,
    pub project_id: Name,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub team_id: Option<Name>,
    pub environment: Name,
    pub status: Status,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub first_commit_at: Option<Timestamp>,
    /// How it became known, when nobody sent it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_commit_from: Option<FirstCommitFrom>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub deploy_start_at: Option<Timestamp>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub deployed_at: Option<Timestamp>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub failed_at: Option<Timestamp>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub rolled_back_at: Option<Timestamp>,
    /// Why it failed or was rolled back.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub username: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit_sha: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<Prose>,
    /// `None`: nobody said; shown as false.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unplanned: Option<bool>,
    /// How many incidents are linked to it.
    pub incident_count: i64,
    pub counted: Marks,
    #[serde(with = "time::micros")]
    pub created_at: Timestamp,
    #[serde(with = "time::micros")]
    pub updated_at: Timestamp,
    /// Set: no answer sees it, and only a restore may touch it.
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub deleted_at: Option<Timestamp>,
    /// What tools have said of it, when they are where it is from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<Seen>,
}

/// How the time of the first commit was found; a later one of these is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstCommitFrom {
    /// The commit that was deployed, for want of better: there may have been earlier ones.
    HeadCommit,
    /// A merged pull request and what was pushed to its branch.
    PullRequest,
    /// The pushes since the deployment before.
    Pushes,
    /// The repository's own comparison with the deployment before.
    Api,
}

/// What any command may say about a deployment. What is already known must agree; what is not is filled in.
#[derive(Debug, Clone, Default)]
pub struct Details {
    pub team_id: Option<Name>,
    pub environment: Option<Name>,
    pub first_commit_at: Option<Timestamp>,
    pub deploy_start_at: Option<Timestamp>,
    pub username: Option<Name>,
    pub commit_sha: Option<Name>,
    pub version: Option<Name>,
    pub url: Option<Prose>,
    pub unplanned: Option<bool>,
}

#[derive(Debug, Clone)]
pub enum Change {
    /// A pipeline started; with `deployed_at` it has also ended well.
    Start {
        deployed_at: Option<Timestamp>,
    },
    Deployed {
        deployed_at: Option<Timestamp>,
        create_if_not_exists: bool,
    },
    Failed {
        failed_at: Option<Timestamp>,
        reason: Option<Prose>,
    },
    RolledBack {
        rolled_back_at: Option<Timestamp>,
        reason: Option<Prose>,
    },
    /// Somebody says what it should have been.
    Corrected(Box<correction::Deployment>),
    /// The same, and it is made when it is not known.
    Imported(Box<correction::Deployment>),
    /// A tool says something; made when it is not known.
    Sighted(Box<Sighting>),
    /// Somebody has found out when the first of its commits was made.
    FirstCommit {
        at: Timestamp,
        from: FirstCommitFrom,
    },
    Deleted,
    /// Takes a deletion back.
    Undeleted,
}

#[derive(Debug, Clone)]
pub struct Command {
    pub id: Name,
    /// `None`: the only project that has the id.
    pub project_id: Option<Name>,
    pub details: Details,
    pub change: Change,
}

impl Command {
    /// The journal's word for it.
    pub fn kind(&self) -> &'static str {
        match self.change {
            Change::Start { .. } => "deployment.started",
            Change::Deployed { .. } => "deployment.deployed",
            Change::Failed { .. } => "deployment.failed",
            Change::RolledBack { .. } => "deployment.rolled_back",
            Change::Corrected(_) => "deployment.corrected",
            Change::Imported(_) => "deployment.imported",
            Change::Sighted(_) => "deployment.sighted",
            Change::FirstCommit { .. } => "deployment.first_commit_found",
            Change::Deleted => "deployment.deleted",
            Change::Undeleted => "deployment.undeleted",
        }
    }
}

impl Deployment {
    /// Whether it reached users, taken back or not.
    pub fn is_deployed(&self) -> bool {
        self.deployed_at.is_some()
    }

    /// Whether answers see it.
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// Whether it failed in use: an incident is linked to it, or it was rolled back.
    pub fn failed_in_use(&self) -> bool {
        self.is_deployed() && (self.incident_count > 0 || self.rolled_back_at.is_some())
    }

    /// When the last thing happened to it that lists and windows go by.
    pub fn happened_at(&self) -> Timestamp {
        self.deployed_at.or(self.failed_at).or(self.deploy_start_at).unwrap_or(self.created_at)
    }

    /// Microseconds from the first commit to users.
    pub fn lead_time_micros(&self) -> Option<i64> {
        Some(self.deployed_at?.micros_since(self.first_commit_at?))
    }

    /// Microseconds from the start of the pipeline to users.
    pub fn duration_micros(&self) -> Option<i64> {
        Some(self.deployed_at?.micros_since(self.deploy_start_at?))
    }
}

/// The deployment after the command, or why not. Equal to `before` when it says nothing new.
pub fn apply(before: Option<&Deployment>, command: &Command, context: &Context<'_>) -> Result<Deployment, Refusal> {
    let mut after = match before {
        Some(before) if before.deleted_at.is_some() => deleted(before, command)?,
        Some(before) => merged(before, &command.details, context)?,
        None => match &command.change {
            Change::Imported(correction) => imported(command, correction, context)?,
            Change::Sighted(sighting) => first_sighted(&command.id, command.project_id.as_ref(), sighting, context)?,
            _ => created(command, context)?,
        },
    };
    match &command.change {
        Change::Start { deployed_at: None } => {}
        Change::Start { deployed_at: Some(at) } => deploy(&mut after, Some(*at), context)?,
        Change::Deployed { deployed_at, .. } => deploy(&mut after, *deployed_at, context)?,
        Change::Failed { failed_at, reason } => fail(&mut after, *failed_at, reason.as_ref(), context)?,
        Change::RolledBack { rolled_back_at, reason } => {
            roll_back(&mut after, *rolled_back_at, reason.as_ref(), context)?;
        }
        Change::Corrected(correction) | Change::Imported(correction) => correction.apply(&mut after)?,
        Change::Sighted(sighting) => sight(&mut after, sighting)?,
        Change::FirstCommit { at, from } => first_commit(&mut after, *at, *from),
        Change::Deleted => after.deleted_at = after.deleted_at.or(Some(context.now)),
        Change::Undeleted => after.deleted_at = None,
    }
    if before == Some(&after) {
        return Ok(after);
    }
    if !matches!(command.change, Change::Deleted) {
        possible(&after, context)?;
    }
    after.updated_at = context.now;
    Ok(after)
}

/// What may still be said about a deleted one.
fn deleted(before: &Deployment, command: &Command) -> Result<Deployment, Refusal> {
    match command.change {
        Change::Deleted | Change::Undeleted => Ok(before.clone()),
        Change::Start { .. }
        | Change::Imported(_)
        | Change::Sighted(_)
        | Change::Deployed { create_if_not_exists: true, .. } => Err(conflict("/id", correction::DELETED)),
        _ => {
            let hint = Some(correction::DELETED.into());
            Err(Refusal::NotFound { kind: KIND, id: command.id.clone(), hint })
        }
    }
}

/// What somebody sent is better than what was found, and what was found in a better way replaces what was not.
fn first_commit(after: &mut Deployment, at: Timestamp, from: FirstCommitFrom) {
    let was_sent = after.first_commit_at.is_some() && after.first_commit_from.is_none();
    let is_possible = after.deployed_at.is_none_or(|deployed| at <= deployed);
    if !was_sent && is_possible && after.first_commit_from.is_none_or(|known| known <= from) {
        (after.first_commit_at, after.first_commit_from) = (Some(at), Some(from));
    }
}

/// Fills what was unknown; refuses what differs from what is known.
fn merged(before: &Deployment, sent: &Details, context: &Context<'_>) -> Result<Deployment, Refusal> {
    let mut after = before.clone();
    let mut conflicts = Findings::default();
    let mut environment = Some(after.environment.clone());
    settle("/environment", &mut environment, sent.environment.as_ref(), &mut conflicts);
    settle("/team_id", &mut after.team_id, sent.team_id.as_ref(), &mut conflicts);
    settle("/first_commit_at", &mut after.first_commit_at, sent.first_commit_at.as_ref(), &mut conflicts);
    settle("/deploy_start_at", &mut after.deploy_start_at, sent.deploy_start_at.as_ref(), &mut conflicts);
    settle("/username", &mut after.username, sent.username.as_ref(), &mut conflicts);
    settle("/commit_sha", &mut after.commit_sha, sent.commit_sha.as_ref(), &mut conflicts);
    settle("/version", &mut after.version, sent.version.as_ref(), &mut conflicts);
    settle("/url", &mut after.url, sent.url.as_ref(), &mut conflicts);
    settle("/unplanned", &mut after.unplanned, sent.unplanned.as_ref(), &mut conflicts);
    conflicts.or(Refusal::Conflict)?;
    if after.team_id.is_none() && after.username != before.username {
        after.team_id = context.teams.resolve(None, &after.project_id, after.username.as_ref());
    }
    Ok(after)
}

fn conflict(pointer: &'static str, detail: &str) -> Refusal {
    Refusal::Conflict(vec![FieldProblem::new(pointer, detail)])
}

fn possible(after: &Deployment, context: &Context<'_>) -> Result<(), Refusal> {
    let mut findings = Findings::default();
    for (pointer, time) in [
        ("/first_commit_at", after.first_commit_at),
        ("/deploy_start_at", after.deploy_start_at),
        ("/deployed_at", after.deployed_at),
        ("/failed_at", after.failed_at),
        ("/rolled_back_at", after.rolled_back_at),
    ] {
        not_in_the_future(pointer, time, context, &mut findings);
    }
    in_order("/deployed_at", after.deployed_at, "first_commit_at", after.first_commit_at, &mut findings);
    in_order("/deployed_at", after.deployed_at, "deploy_start_at", after.deploy_start_at, &mut findings);
    in_order("/failed_at", after.failed_at, "deploy_start_at", after.deploy_start_at, &mut findings);
    in_order("/rolled_back_at", after.rolled_back_at, "deployed_at", after.deployed_at, &mut findings);
    if after.rolled_back_at.is_some() && after.deployed_at.is_none() {
        findings.add("/rolled_back_at", "what never reached users (deployed_at) cannot be rolled back");
    }
    if after.failed_at.is_some() && after.deployed_at.is_some() {
        findings
            .add("/failed_at", "a deployment fails before it reaches users or reaches them (deployed_at), not both");
    }
    findings.or(Refusal::Impossible)
}
