//! `/incidents`: what incident tools and people tell.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::{Reader, Writer};
use super::error::Problem;
use super::extract::{Json, PathId, Query};
use super::resource::{Base, ListParams, Listing, created, new_id, or_absent, required, seconds, target, the_one};
use crate::domain::incident::{Change, Command, KIND, LinkState, Opening};
use crate::domain::{Incident, Name, Prose, Timestamp, abridged};
use crate::ingest::{Accepted, Effect};
use crate::storage::IncidentState;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_incidents, create_incident))
        .routes(routes!(get_incident))
        .routes(routes!(restored_incident))
        .routes(routes!(finished_incident))
}

/// An incident as it is answered. Absent values are `null`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Incident)]
pub struct View {
    #[schema(value_type = String)]
    id: Name,
    #[schema(value_type = String)]
    project_id: Name,
    #[schema(value_type = Option<String>)]
    team_id: Option<Name>,
    #[schema(value_type = String)]
    environment: Name,
    #[schema(value_type = Option<String>)]
    deployment_id: Option<Name>,
    /// `linked` to `deployment_id`; `suggested`: nobody has named a deployment, and `suggested_deployment_id` is likely;
    /// `unlinked`; or `none`: somebody says that no deployment has caused it. Only what is linked counts.
    #[schema(value_type = String, pattern = "^(linked|suggested|unlinked|none)$")]
    link: LinkState,
    /// Who or what has linked it: `sent` with it; its tool named the deployment (`label`), a `commit` or a `version`; the
    /// last deployment before it within a `window`; a `person` said so afterwards. `null` of links from before this was kept.
    #[schema(value_type = Option<String>, pattern = "^(sent|label|commit|version|window|person)$")]
    link_method: Option<&'static str>,
    /// `certain`, `likely` (a commit or a version may have been deployed several times), or `suggested`.
    #[schema(value_type = Option<String>, pattern = "^(certain|likely|suggested)$")]
    link_confidence: Option<&'static str>,
    #[schema(value_type = Option<String>)]
    suggested_deployment_id: Option<Name>,
    #[schema(value_type = Option<String>)]
    severity: Option<Name>,
    #[schema(value_type = Option<String>)]
    title: Option<Prose>,
    #[schema(value_type = Option<String>)]
    url: Option<Prose>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    restored_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// `started_at` - the linked deployment's `deployed_at`; `null` without a deployment that reached users, when it
    /// began before that, and while nobody has told when it began.
    time_to_detect_seconds: Option<f64>,
    /// `restored_at - started_at`; `null` while it is not restored, and while nobody has told when it began: of an
    /// incident that a tool first tells of when it is over, `started_at` is when it was first heard of.
    time_to_restore_seconds: Option<f64>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Incident> for View {
    fn from(fact: Incident) -> Self {
        let link = fact.link();
        Self {
            link: link.state,
            link_method: link.method,
            link_confidence: link.confidence,
            time_to_detect_seconds: fact.time_to_detect_micros().map(seconds),
            time_to_restore_seconds: fact.time_to_restore_micros().map(seconds),
            suggested_deployment_id: fact.suggested_deployment_id.filter(|_| link.state == LinkState::Suggested),
            id: fact.id,
            project_id: fact.project_id,
            team_id: fact.team_id,
            environment: fact.environment,
            deployment_id: fact.deployment_id,
            severity: fact.severity,
            title: fact.title,
            url: fact.url,
            started_at: fact.started_at,
            restored_at: fact.restored_at,
            finished_at: fact.finished_at,
            created_at: fact.created_at,
            updated_at: fact.updated_at,
        }
    }
}

fn answer(base: &Base, accepted: Accepted<Incident>) -> Response {
    if accepted.effect == Effect::Created {
        let location = base.location("incidents", &accepted.fact.id, &accepted.fact.project_id);
        return created(location, View::from(accepted.fact));
    }
    axum::Json(View::from(accepted.fact)).into_response()
}

/// Something broke.
///
/// An optional text that is empty is as good as absent, but for `id` and `deployment_id`: what they are meant to
/// name would be another thing.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenIncident {
    /// Default: `incident_<project_id>_<n>`, n = 1 + number of incidents of the project.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    id: Option<Name>,
    #[schema(value_type = String, min_length = 1, max_length = 200, required)]
    project_id: Option<Name>,
    /// The deployment that caused it; must exist in the project.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    deployment_id: Option<Name>,
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    restored_at: Option<Timestamp>,
    /// Implies restored, at the same time unless `restored_at` is sent.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Default: the linked deployment's, else the configured production environment.
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    environment: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 200)]
    severity: Option<Name>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    title: Option<Prose>,
    #[serde(default, deserialize_with = "or_absent")]
    #[schema(value_type = Option<String>, max_length = 2000)]
    url: Option<Prose>,
}

/// Record that an incident began.
///
/// The same project and id again is answered with 200 and counts nothing, unless it contradicts what is stored.
#[utoipa::path(post, path = "/incidents", tag = "incidents", request_body = OpenIncident,
    responses(
        (status = 201, body = View, headers(("Location" = String, description = "where the incident can be read"))),
        (status = 200, description = "it was known already", body = View),
    ))]
async fn create_incident(
    Writer(identity): Writer,
    State(state): State<AppState>,
    base: Base,
    query: Query,
    Json(body): Json<OpenIncident>,
) -> Result<Response, Problem> {
    query.done()?;
    if body.project_id.is_none() {
        return Err(required([("/project_id", true)]));
    }
    let opening = Opening {
        environment: body.environment,
        deployment_id: body.deployment_id,
        severity: body.severity,
        title: body.title,
        url: body.url,
        started_at: body.started_at,
        restored_at: body.restored_at,
        finished_at: body.finished_at,
    };
    let id = body.id.map(new_id).transpose()?;
    let command = Command { id, project_id: body.project_id, change: Change::Open(Box::new(opening)) };
    let accepted = state.ingest.incident(identity.name, state.clock.now(), command).await?;
    Ok(answer(&base, accepted))
}

/// When it happened.
#[derive(Debug, Deserialize, ToSchema)]
pub struct IncidentDate {
    /// Default: now.
    #[schema(value_type = Option<String>, format = DateTime)]
    date: Option<Timestamp>,
}

/// Record that service is restored.
#[utoipa::path(post, path = "/incidents/{id}/restored", tag = "incidents", request_body = IncidentDate,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn restored_incident(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<IncidentDate>,
) -> Result<Response, Problem> {
    moved_on(writer, &state, &base, id, query, Change::Restored { date: body.date }).await
}

/// Record that the work on an incident is finished. Also restores it if it was not.
#[utoipa::path(post, path = "/incidents/{id}/finished", tag = "incidents", request_body = IncidentDate,
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn finished_incident(
    writer: Writer,
    State(state): State<AppState>,
    base: Base,
    PathId(id): PathId,
    query: Query,
    Json(body): Json<IncidentDate>,
) -> Result<Response, Problem> {
    moved_on(writer, &state, &base, id, query, Change::Finished { date: body.date }).await
}

async fn moved_on(
    writer: Writer,
    state: &AppState,
    base: &Base,
    id: Name,
    query: Query,
    what: Change,
) -> Result<Response, Problem> {
    change(writer, state, base, id, target(query, None)?, what).await
}

/// Says something about an incident that is there.
pub(super) async fn change(
    Writer(identity): Writer,
    state: &AppState,
    base: &Base,
    id: Name,
    project_id: Option<Name>,
    change: Change,
) -> Result<Response, Problem> {
    let command = Command { id: Some(id), project_id, change };
    let accepted = state.ingest.incident(identity.name, state.clock.now(), command).await?;
    Ok(answer(base, accepted))
}

/// List incidents, newest first.
///
/// `from` and `to` go by when they started.
#[utoipa::path(get, path = "/incidents", tag = "incidents",
    params(ListParams,
        ("type" = Option<String>, Query, description = "in-progress (not restored) or unfinished (not restored or not finished)"),
        ("filter" = Option<String>, Query, description = "another name of type"),
        ("link" = Option<String>, Query, description = "linked, suggested (to be confirmed), unlinked, or none (somebody says that no deployment has caused it)")),
    responses(
        (status = 200, body = Vec<View>, headers(("Link" = String, description = "rel=\"next\": the next page"))),
    ))]
async fn list_incidents(
    _: Reader,
    State(state): State<AppState>,
    base: Base,
    mut query: Query,
) -> Result<Response, Problem> {
    let kind = query.one("type", incident_state)?;
    let filter = query.one("filter", incident_state)?;
    if kind.is_some() && filter.is_some() && kind != filter {
        return Err(Problem::field("/filter", "type and filter say different things"));
    }
    let link = query.one("link", link_state)?;
    let mut listing = Listing::new(query)?;
    listing.filter.state = kind.or(filter);
    listing.filter.link = link;
    let page = state.store.list_incidents(&listing.filter).await?;
    let views: Vec<_> = page.items.into_iter().map(View::from).collect();
    Ok((base.next_link(page.next.as_ref()), axum::Json(views)).into_response())
}

fn incident_state(text: &str) -> Result<IncidentState, String> {
    match text {
        "in-progress" => Ok(IncidentState::InProgress),
        "unfinished" => Ok(IncidentState::Unfinished),
        _ => Err(format!("expected in-progress or unfinished, got {:?}", abridged(text))),
    }
}

pub(super) fn link_state(text: &str) -> Result<LinkState, String> {
    match text {
        "linked" => Ok(LinkState::Linked),
        "suggested" => Ok(LinkState::Suggested),
        "unlinked" => Ok(LinkState::Unlinked),
        "none" => Ok(LinkState::None),
        _ => Err(format!("expected linked, suggested, unlinked or none, got {:?}", abridged(text))),
    }
}

/// Read one incident.
#[utoipa::path(get, path = "/incidents/{id}", tag = "incidents",
    params(("id" = String, Path), ("project_id" = Option<String>, Query, description = "when several projects have the id")),
    responses((status = 200, body = View)))]
async fn get_incident(
    _: Reader,
    State(state): State<AppState>,
    PathId(id): PathId,
    query: Query,
) -> Result<axum::Json<View>, Problem> {
    let project_id = target(query, None)?;
    let facts = state.store.incidents_with_id(&id, project_id.as_ref()).await?;
    Ok(axum::Json(the_one(KIND, id, facts, |fact| &fact.project_id)?.into()))
}
