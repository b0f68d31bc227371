//! `/deployments`: what CI pipelines tell.

mod view;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::{Reader, Writer};
use super::error::Problem;
use super::extract::{Json, PathId, Query};
use super::resource::{Base, ListParams, Listing, created, new_id, or_absent, required, target, the_one};
use crate::domain::deployment::{Change, Command, Details, KIND};
use crate::domain::{Deployment, Name, Prose, Timestamp};
use crate::ingest::{Accepted, Effect};

pub use view::View;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_deployments, create_deployment))
        .routes(routes!(get_deployment))
        .routes(routes!(deployed_deployment))
        .routes(routes!(failed_deployment))
        .routes(routes!(rolled_back_deployment))
}

/// The facts as they are answered, each with its incidents.
async fn views(state: &AppState, facts: Vec<Deployment>) -> Result<Vec<View>, Problem> {
    let mut incidents = state.store.incident_ids(&facts).await?;
    let view = |fact: Deployment| {
        let linked = incidents.remove(&(fact.project_id.clone(), fact.id.clone())).unwrap_or_default();
        View::new(fact, linked)
    };
    Ok(facts.into_iter().map(view).collect())
}

fn answer(base: &Base, (accepted, incidents): (Accepted<Deployment>, Vec<Name>)) -> Response {
    let Accepted { fact, effect } = accepted;
    let location = base.location("deployments", &fact.id, &fact.project_id);
    let view = View::new(fact, incidents);
    if effect == Effect::Created { created(location, view) } else { axum::Json(view).into_response() }
}

/// A pipeline started; with `deployed_at` it has also ended well.
///
/// An optional text that is empty is as good as absent: pipelines send variables that they do not have.
#[derive(Debug, Deserialize, ToSchema)]
pub struct StartDeployment {
    /// Unique in its project, for example the pipeline run's number.
    #[schema(value_type = String, min_length = 1, max_length = 200, required)]
    id: Option<Name>,
    #[schema(value_type = String, min_length = 1, max_length = 200, required)]
    project_id: Option<Name>,
    /// When the first commit of this change was made.
    #[schema(value_type = String, format = DateTime, required)]
    first_commit_at: Option<Timestamp>,
    /// Default: now, unless `deployed_at` is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    deploy_start_at: Option<Timestamp>,
    /// Present: already deployed, all metrics at once.
    #[schema(value_type = Option<String>, format = DateTime)]
    deployed_at: Option<Timestamp>,
    /// Default: the configured production environment.
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    environment: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    username: Option<Name>,
    /// Default: found from project and user as configured.
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    team_id: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    commit_sha: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    version: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    url: Option<Prose>,
    /// A hotfix, a roll-back or a roll-forward. Default: false.
    unplanned: Option<bool>,
}

/// Record that a deployment started, or has already been deployed.
///
/// The same project and id again is answered with 200 and counts nothing, unless it contradicts what is stored.
#[utoipa::path(post, path = "/deployments", tag = "deployments", request_body = StartDeployment,
    responses(
        (status = 201, body = View, headers(("Location" = String, description = "where the deployment can be read"))),
        (status = 200, description = "it was known already", body = View),
    ))]
async fn create_deployment(
    Writer(identity): Writer,
    State(state): State<AppState>,
    base: Base,
    query: Query,
    Json(body): Json<StartDeployment>,
) -> Result<Response, Problem> {
    query.done()?;
    let (id, project_id, first_commit_at) = match (body.id, body.project_id, body.first_commit_at) {
        (Some(id), Some(project_id), Some(first_commit_at)) => (id, project_id, first_commit_at),
        (id, project_id, first_commit_at) => {
            return Err(required([
                ("/id", id.is_none()),
                ("/project_id", project_id.is_none()),
                ("/first_commit_at", first_commit_at.is_none()),
            ]));
        }
    };
    let command = Command {
        id: new_id(id)?,
        project_id: Some(project_id),
        details: Details {
            team_id: body.team_id,
            environment: body.environment,
            first_commit_at: Some(first_commit_at),
            deploy_start_at: body.deploy_start_at,
            username: body.username,
            commit_sha: body.commit_sha,
            version: body.version,
            url: body.url,
            unplanned: body.unplanned,
        },
        change: Change::Start { deployed_at: body.deployed_at },
    };
    let accepted = state.ingest.deployment(identity.name, state.clock.now(), command).await?;
    Ok(answer(&base, accepted))
}

/// A deployment reached users.
#[derive(Debug, Deserialize, ToSchema)]
pub struct DeployedDeployment {
    /// Makes the deployment when it is not known; then `project_id` and `first_commit_at` are required.
    create_if_not_exists: Option<bool>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    project_id: Option<Name>,
    #[schema(value_type = Option<String>, format = DateTime)]
    first_commit_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    deploy_start_at: Option<Timestamp>,
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    deployed_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    environment: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    username: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    team_id: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    commit_sha: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    version: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    url: Option<Prose>,
    unplanned: Option<bool>,
}

/// Record that a deployment reached users.
#[utoipa::path(post, path = "/deployments/{id}/deployed", tag = "deployments", request_body = DeployedDeployment,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses(
        (status = 201, description = "it was made by this call", body = View,
            headers(("Location" = String, description = "where the deployment can be read"))),
        (status = 200, body = View),
    ))]
async fn deployed_deployment(
    Writer(identity): Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<DeployedDeployment>,
) -> Result<Response, Problem> {
    let project_id = target(query, body.project_id)?;
    let details = Details {
        team_id: body.team_id,
        environment: body.environment,
        first_commit_at: body.first_commit_at,
        deploy_start_at: body.deploy_start_at,
        username: body.username,
        commit_sha: body.commit_sha,
        version: body.version,
        url: body.url,
        unplanned: body.unplanned,
    };
    let create_if_not_exists = body.create_if_not_exists.unwrap_or(false);
    let change = Change::Deployed { deployed_at: body.deployed_at, create_if_not_exists };
    let command = Command { id, project_id, details, change };
    let accepted = state.ingest.deployment(identity.name, state.clock.now(), command).await?;
    Ok(answer(&base, accepted))
}

/// A deployment's pipeline failed before it reached users.
#[derive(Debug, Deserialize, ToSchema)]
pub struct FailedDeployment {
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    failed_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    reason: Option<Prose>,
}

/// Record that a deployment failed before it reached users.
#[utoipa::path(post, path = "/deployments/{id}/failed", tag = "deployments", request_body = FailedDeployment,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn failed_deployment(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<FailedDeployment>,
) -> Result<Response, Problem> {
    let change = Change::Failed { failed_at: body.failed_at, reason: body.reason };
    ended(writer, &state, &base, id, query, change).await
}

/// A deployment was taken back from users.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RolledBackDeployment {
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    rolled_back_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    reason: Option<Prose>,
}

/// Record that a deployed deployment was taken back.
#[utoipa::path(post, path = "/deployments/{id}/rolled-back", tag = "deployments", request_body = RolledBackDeployment,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn rolled_back_deployment(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<RolledBackDeployment>,
) -> Result<Response, Problem> {
    let change = Change::RolledBack { rolled_back_at: body.rolled_back_at, reason: body.reason };
    ended(writer, &state, &base, id, query, change).await
}

async fn ended(
    writer: Writer,
    state: &AppState,
    base: &Base,
    id: Name,
    query: Query,
    what: Change,
) -> Result<Response, Problem> {
    change(writer, state, base, id, target(query, None)?, what).await
}

/// A change that says nothing about the deployment but what the change itself says.
pub(super) async fn change(
    Writer(identity): Writer,
    state: &AppState,
    base: &Base,
    id: Name,
    project_id: Option<Name>,
    change: Change,
) -> Result<Response, Problem> {
    let command = Command { id, project_id, details: Details::default(), change };
    let accepted = state.ingest.deployment(identity.name, state.clock.now(), command).await?;
    Ok(answer(base, accepted))
}

/// List deployments, newest first.
///
/// `from` and `to` go by when the last thing happened: deployed, failed, or started.
#[utoipa::path(get, path = "/deployments", tag = "deployments",
    params(ListParams, ("status" = Option<Vec<String>>, Query, description = "started, deployed, failed, rolled_back; may repeat")),
    responses(
        (status = 200, body = Vec<View>, headers(("Link" = String, description = "rel=\"next\": the next page"))),
    ))]
async fn list_deployments(
    _: Reader,
    State(state): State<AppState>,
    base: Base,
    mut query: Query,
) -> Result<Response, Problem> {
    let status = query.all("status", |text| {
        serde_json::from_value(text.into()).map_err(|_| "expected started, deployed, failed or rolled_back".to_owned())
    })?;
    let mut listing = Listing::new(query)?;
    listing.filter.status = status;
    let page = state.store.list_deployments(&listing.filter).await?;
    let views = views(&state, page.items).await?;
    Ok((base.next_link(page.next.as_ref()), axum::Json(views)).into_response())
}

/// Read one deployment.
#[utoipa::path(get, path = "/deployments/{id}", tag = "deployments",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn get_deployment(
    _: Reader,
    State(state): State<AppState>,
    PathId(id): PathId,
    query: Query,
) -> Result<axum::Json<View>, Problem> {
    let project_id = target(query, None)?;
    let facts = state.store.deployments_with_id(&id, project_id.as_ref()).await?;
    let fact = the_one(KIND, id, facts, |fact| &fact.project_id)?;
    let incidents = state.store.incident_ids(std::slice::from_ref(&fact)).await?;
    Ok(axum::Json(View::new(fact, incidents.into_values().flatten().collect())))
}
