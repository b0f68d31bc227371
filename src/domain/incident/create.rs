//! How an incident begins to be known.

use super::{Incident, Method, Opening, known_deployment};
use crate::domain::refusal::{FieldProblem, Findings, Refusal};
use crate::domain::rules::settle;
use crate::domain::{Context, Deployment, Marks, Name, Timestamp, correction};

/// Or what a repeat adds to it.
pub fn opened(
    before: Option<&Incident>,
    id: &Name,
    project_id: Option<&Name>,
    opening: &Opening,
    linked: Option<&Deployment>,
    context: &Context<'_>,
) -> Result<Incident, Refusal> {
    let Some(project_id) = project_id else {
        return Err(Refusal::Invalid(vec![FieldProblem::new("/project_id", "required")]));
    };
    known_deployment(opening.deployment_id.as_ref(), linked, project_id)?;
    let Some(before) = before else {
        let empty = empty(id, project_id, linked, opening.started_at.unwrap_or(context.now), context);
        return Ok(Incident {
            environment: opening.environment.clone().unwrap_or(empty.environment),
            deployment_id: opening.deployment_id.clone(),
            link_method: opening.deployment_id.as_ref().map(|_| Method::Sent),
            deployment_deployed_at: linked.and_then(|d| d.deployed_at),
            severity: opening.severity.clone(),
            title: opening.title.clone(),
            url: opening.url.clone(),
            ..empty
        });
    };
    let mut after = before.clone();
    let mut conflicts = Findings::default();
    let mut environment = Some(after.environment.clone());
    let mut started_at = Some(after.started_at);
    settle("/environment", &mut environment, opening.environment.as_ref(), &mut conflicts);
    settle("/started_at", &mut started_at, opening.started_at.as_ref(), &mut conflicts);
    settle("/deployment_id", &mut after.deployment_id, opening.deployment_id.as_ref(), &mut conflicts);
    settle("/severity", &mut after.severity, opening.severity.as_ref(), &mut conflicts);
    settle("/title", &mut after.title, opening.title.as_ref(), &mut conflicts);
    settle("/url", &mut after.url, opening.url.as_ref(), &mut conflicts);
    conflicts.or(Refusal::Conflict)?;
    if before.deployment_id.is_none() && after.deployment_id.is_some() {
        after.link_method = Some(Method::Sent);
        after.deployment_deployed_at = linked.and_then(|d| d.deployed_at);
    }
    Ok(after)
}

/// What an import starts from; its fields are put in like a correction's.
pub fn imported(
    id: &Name,
    project_id: Option<&Name>,
    correction: &correction::Incident,
    linked: Option<&Deployment>,
    context: &Context<'_>,
) -> Result<Incident, Refusal> {
    let required = |pointer| Refusal::Invalid(vec![FieldProblem::new(pointer, "required")]);
    let project_id = project_id.ok_or_else(|| required("/project_id"))?;
    let started_at = correction.started_at.value().ok_or_else(|| required("/started_at"))?;
    Ok(empty(id, project_id, linked, *started_at, context))
}

pub fn empty(
    id: &Name,
    project_id: &Name,
    linked: Option<&Deployment>,
    started_at: Timestamp,
    context: &Context<'_>,
) -> Incident {
    Incident {
        id: id.clone(),
        project_id: project_id.clone(),
        team_id: context.teams.resolve(None, project_id, None),
        environment: linked.map_or_else(|| context.production.clone(), |linked| linked.environment.clone()),
        deployment_id: None,
        deployment_deployed_at: None,
        link_method: None,
        suggested_deployment_id: None,
        severity: None,
        title: None,
        url: None,
        started_at,
        restored_at: None,
        finished_at: None,
        counted: Marks::default(),
        created_at: context.now,
        updated_at: context.now,
        deleted_at: None,
        seen: None,
    }
}
