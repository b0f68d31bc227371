//! What a deployment goes through.

use super::{Deployment, Status, conflict};
use crate::domain::refusal::{Findings, Refusal};
use crate::domain::rules::{not_before, same_time, settle};
use crate::domain::{Context, Prose, Timestamp};

pub fn deploy(after: &mut Deployment, at: Option<Timestamp>, context: &Context<'_>) -> Result<(), Refusal> {
    match after.status {
        Status::Started => {
            let earliest = after.deploy_start_at.max(after.first_commit_at);
            after.deployed_at = Some(at.unwrap_or_else(|| not_before(earliest, context.now)));
            after.status = Status::Deployed;
            Ok(())
        }
        Status::Deployed | Status::RolledBack => same_time("/deployed_at", &mut after.deployed_at, at),
        Status::Failed => Err(conflict(
            "/deployed_at",
            "this deployment has failed; a new attempt is a new deployment: give it an id of its own, such as <run>-<attempt>",
        )),
    }
}

pub fn fail(
    after: &mut Deployment,
    at: Option<Timestamp>,
    reason: Option<&Prose>,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    match after.status {
        Status::Started => {
            after.failed_at = Some(at.unwrap_or_else(|| not_before(after.deploy_start_at, context.now)));
            after.status = Status::Failed;
        }
        Status::Failed => same_time("/failed_at", &mut after.failed_at, at)?,
        Status::Deployed | Status::RolledBack => {
            return Err(conflict(
                "/failed_at",
                "this deployment has reached users; use rolled-back, or open an incident",
            ));
        }
    }
    same_reason(after, reason)
}

pub fn roll_back(
    after: &mut Deployment,
    at: Option<Timestamp>,
    reason: Option<&Prose>,
    context: &Context<'_>,
) -> Result<(), Refusal> {
    match after.status {
        Status::Deployed => {
            after.rolled_back_at = Some(at.unwrap_or_else(|| not_before(after.deployed_at, context.now)));
            after.status = Status::RolledBack;
        }
        Status::RolledBack => same_time("/rolled_back_at", &mut after.rolled_back_at, at)?,
        Status::Started | Status::Failed => {
            return Err(conflict(
                "/rolled_back_at",
                "this deployment has not reached users, so it cannot be rolled back",
            ));
        }
    }
    same_reason(after, reason)
}

fn same_reason(after: &mut Deployment, sent: Option<&Prose>) -> Result<(), Refusal> {
    let mut conflicts = Findings::default();
    settle("/reason", &mut after.reason, sent, &mut conflicts);
    conflicts.or(Refusal::Conflict)
}
