//! How a deployment begins to be known.

use super::{Change, Command, Deployment, Details, KIND, Status, correction};
use crate::domain::refusal::{Findings, Refusal};
use crate::domain::{Context, Marks, Name};

pub fn created(command: &Command, context: &Context<'_>) -> Result<Deployment, Refusal> {
    let starting = match command.change {
        Change::Start { .. } => true,
        Change::Deployed { create_if_not_exists: true, .. } => false,
        Change::Deployed { .. } => {
            let hint =
                "send POST /deployments first, or create_if_not_exists: true with project_id and first_commit_at";
            return Err(Refusal::NotFound { kind: KIND, id: command.id.clone(), hint: Some(hint.into()) });
        }
        _ => {
            return Err(Refusal::NotFound { kind: KIND, id: command.id.clone(), hint: None });
        }
    };
    let Details {
        team_id,
        environment,
        first_commit_at,
        deploy_start_at,
        username,
        commit_sha,
        version,
        url,
        unplanned,
    } = command.details.clone();
    let required = if starting { "required" } else { "required to create the deployment" };
    let mut missing = Findings::default();
    if command.project_id.is_none() {
        missing.add("/project_id", required);
    }
    if first_commit_at.is_none() {
        missing.add("/first_commit_at", required);
    }
    missing.or(Refusal::Invalid)?;
    let Some(project_id) = command.project_id.clone() else { unreachable!("checked above") };
    // The start defaults to now only where the command says that it starts now: a deployment that is
    // told when it is over has an unknown start, and an unknown duration is never invented.
    let starts_now = matches!(command.change, Change::Start { deployed_at: None });
    Ok(Deployment {
        team_id: context.teams.resolve(team_id.as_ref(), &project_id, username.as_ref()),
        environment: environment.unwrap_or_else(|| context.production.clone()),
        deploy_start_at: deploy_start_at.or(starts_now.then_some(context.now)),
        first_commit_at,
        username,
        commit_sha,
        version,
        url,
        unplanned,
        ..empty(&command.id, project_id, context)
    })
}

/// What an import starts from; its fields are put in like a correction's.
pub fn imported(
    command: &Command,
    correction: &correction::Deployment,
    context: &Context<'_>,
) -> Result<Deployment, Refusal> {
    let mut missing = Findings::default();
    if command.project_id.is_none() {
        missing.add("/project_id", "required");
    }
    let times = [&correction.deploy_start_at, &correction.deployed_at, &correction.failed_at];
    if times.into_iter().all(|time| time.value().is_none()) {
        missing.add("/deploy_start_at", "required, if there is neither deployed_at nor failed_at");
    }
    missing.or(Refusal::Invalid)?;
    let Some(project_id) = command.project_id.clone() else { unreachable!("checked above") };
    let team_id = context.teams.resolve(None, &project_id, correction.username.value());
    Ok(Deployment { team_id, ..empty(&command.id, project_id, context) })
}

pub fn empty(id: &Name, project_id: Name, context: &Context<'_>) -> Deployment {
    Deployment {
        id: id.clone(),
        project_id,
        team_id: None,
        environment: context.production.clone(),
        status: Status::Started,
        first_commit_at: None,
        first_commit_from: None,
        deploy_start_at: None,
        deployed_at: None,
        failed_at: None,
        rolled_back_at: None,
        reason: None,
        username: None,
        commit_sha: None,
        version: None,
        url: None,
        unplanned: None,
        incident_count: 0,
        counted: Marks::default(),
        created_at: context.now,
        updated_at: context.now,
        deleted_at: None,
        seen: None,
    }
}
