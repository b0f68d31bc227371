//! `PATCH`, `DELETE` and `/restore` of both kinds of facts: what people say afterwards.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde::de::IgnoredAny;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::Writer;
use super::error::Problem;
use super::extract::{Json, PathId, Query};
use super::resource::{Base, target};
use super::{AppState, deployments, incidents};
use crate::domain::correction::{self, Edit};
use crate::domain::{Name, Prose, Timestamp, deployment, incident};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(patch_deployment, delete_deployment))
        .routes(routes!(restore_deployment))
        .routes(routes!(patch_incident, delete_incident))
        .routes(routes!(restore_incident))
}

/// What a deployment should have been. `null` removes a value; what is not sent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CorrectDeployment {
    /// Which one is meant when several projects have the id; it cannot be corrected.
    #[schema(value_type = Option<String>)]
    project_id: Option<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    team_id: Edit<Name>,
    /// Cannot be removed.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    environment: Edit<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    first_commit_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    deploy_start_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    deployed_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    rolled_back_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    reason: Edit<Prose>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    username: Edit<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    commit_sha: Edit<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    version: Edit<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    url: Edit<Prose>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    unplanned: Edit<bool>,
    /// Refused: to be ignored would look like success.
    #[schema(ignore)]
    status: Option<IgnoredAny>,
    #[schema(ignore)]
    id: Option<Name>,
}

/// Wherever one is sent: by `PATCH`, or as a line of an import.
impl TryFrom<CorrectDeployment> for correction::Deployment {
    type Error = Problem;

    fn try_from(body: CorrectDeployment) -> Result<Self, Problem> {
        if body.status.is_some() {
            let detail = "follows from deployed_at, failed_at and rolled_back_at: correct those";
            return Err(Problem::field("/status", detail));
        }
        Ok(Self {
            team_id: body.team_id,
            environment: body.environment,
            first_commit_at: body.first_commit_at,
            deploy_start_at: body.deploy_start_at,
            deployed_at: body.deployed_at,
            failed_at: body.failed_at,
            rolled_back_at: body.rolled_back_at,
            reason: body.reason,
            username: body.username,
            commit_sha: body.commit_sha,
            version: body.version,
            url: body.url,
            unplanned: body.unplanned,
        })
    }
}

/// Correct a deployment.
///
/// Answers follow at once. The totals of `/metrics` keep what they have counted, and count what the correction
/// makes known for the first time. The status follows from the times. Journalled with who and when.
#[utoipa::path(patch, path = "/deployments/{id}", tag = "deployments", request_body = CorrectDeployment,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = deployments::View)))]
async fn patch_deployment(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<CorrectDeployment>,
) -> Result<Response, Problem> {
    same_id(&id, body.id.as_ref())?;
    let project_id = target(query, body.project_id.clone())?;
    let change = deployment::Change::Corrected(Box::new(body.try_into()?));
    deployments::change(writer, &state, &base, id, project_id, change).await
}

/// Remove a deployment from every answer.
///
/// It stays in the journal, its id stays taken, and `/restore` brings it back. Its incidents stay.
#[utoipa::path(delete, path = "/deployments/{id}", tag = "deployments",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 204, description = "it is gone, now or before")))]
async fn delete_deployment(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
) -> Result<StatusCode, Problem> {
    let project_id = target(query, None)?;
    deployments::change(writer, &state, &base, id, project_id, deployment::Change::Deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take back that a deployment was deleted.
#[utoipa::path(post, path = "/deployments/{id}/restore", tag = "deployments",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = deployments::View)))]
async fn restore_deployment(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
) -> Result<Response, Problem> {
    let project_id = target(query, None)?;
    deployments::change(writer, &state, &base, id, project_id, deployment::Change::Undeleted).await
}

/// What an incident should have been. `null` removes a value; what is not sent stays.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CorrectIncident {
    /// Which one is meant when several projects have the id; it cannot be corrected.
    #[schema(value_type = Option<String>)]
    project_id: Option<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    team_id: Edit<Name>,
    /// Cannot be removed.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    environment: Edit<Name>,
    /// Links it to a deployment of its project: confirms the suggested one, or says another. `null` says that none has
    /// caused it.
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    deployment_id: Edit<Name>,
    /// Of an import: how it was linked, as it was exported.
    #[serde(default)]
    #[schema(ignore)]
    link_method: Edit<incident::Method>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    severity: Edit<Name>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    title: Edit<Prose>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    url: Edit<Prose>,
    /// Cannot be removed.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    restored_at: Edit<Timestamp>,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Edit<Timestamp>,
    #[schema(ignore)]
    id: Option<Name>,
}

impl From<CorrectIncident> for correction::Incident {
    fn from(body: CorrectIncident) -> Self {
        Self {
            team_id: body.team_id,
            environment: body.environment,
            deployment_id: body.deployment_id,
            link_method: body.link_method,
            severity: body.severity,
            title: body.title,
            url: body.url,
            started_at: body.started_at,
            restored_at: body.restored_at,
            finished_at: body.finished_at,
        }
    }
}

/// Correct an incident, also to link it to its deployment later.
///
/// Answers follow at once. The totals of `/metrics` keep what they have counted, and count what the correction
/// makes known for the first time. Journalled with who and when.
#[utoipa::path(patch, path = "/incidents/{id}", tag = "incidents", request_body = CorrectIncident,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = incidents::View)))]
async fn patch_incident(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<CorrectIncident>,
) -> Result<Response, Problem> {
    same_id(&id, body.id.as_ref())?;
    let project_id = target(query, body.project_id.clone())?;
    incidents::change(writer, &state, &base, id, project_id, incident::Change::Corrected(Box::new(body.into()))).await
}

/// Remove an incident from every answer.
///
/// It stays in the journal, its id stays taken, and `/restore` brings it back.
#[utoipa::path(delete, path = "/incidents/{id}", tag = "incidents",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 204, description = "it is gone, now or before")))]
async fn delete_incident(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
) -> Result<StatusCode, Problem> {
    let project_id = target(query, None)?;
    incidents::change(writer, &state, &base, id, project_id, incident::Change::Deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take back that an incident was deleted. (That service is restored is told to `/restored`.)
#[utoipa::path(post, path = "/incidents/{id}/restore", tag = "incidents",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = incidents::View)))]
async fn restore_incident(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
) -> Result<Response, Problem> {
    let project_id = target(query, None)?;
    incidents::change(writer, &state, &base, id, project_id, incident::Change::Undeleted).await
}

fn same_id(in_path: &Name, in_body: Option<&Name>) -> Result<(), Problem> {
    match in_body {
        Some(other) if other != in_path => {
            let detail = "an id cannot be corrected: record the fact under the right one and delete this one";
            Err(Problem::field("/id", detail))
        }
        _ => Ok(()),
    }
}
