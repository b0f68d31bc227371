//! The service about itself: health, version, configuration, problems, totals.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::{Admin, Reader};
use super::error::{Document, KINDS, Problem, why};
use super::observe::Peer;
use super::streamed::streamed;
use crate::export::Format;
use crate::storage::Cause;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_health))
        .routes(routes!(get_liveness))
        .routes(routes!(get_readiness))
        .routes(routes!(get_version))
        .routes(routes!(get_config))
        .routes(routes!(get_problem))
        .routes(routes!(get_metrics))
}

#[derive(Debug, Serialize, ToSchema)]
struct Health {
    status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Whether the process serves.
#[utoipa::path(get, path = "/health", tag = "service", security(()), responses((status = 200, body = Health)))]
async fn get_health() -> Json<Health> {
    OK
}

/// Whether the process serves.
#[utoipa::path(get, path = "/health/live", tag = "service", security(()), responses((status = 200, body = Health)))]
async fn get_liveness() -> Json<Health> {
    OK
}

/// Whether the database answers, and whether what was written last got there. After a failed write small ones
/// are tried until one succeeds, so this recovers by itself. Not ready is also who is about to stop
/// (`server.drain_seconds`).
#[utoipa::path(get, path = "/health/ready", tag = "service", security(()),
    responses((status = 200, body = Health), (status = 503, body = Document)))]
async fn get_readiness(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.leaving.is_cancelled() {
        return Err(Problem::unavailable("this process is about to stop; others go on"));
    }
    state.store.ping().await?;
    match state.ingest.obstacle() {
        None => Ok(OK),
        // it answers, so that is not what is wrong
        Some(Cause::Silent) => Err(Problem::unavailable("the database takes no writes")),
        Some(cause) => Err(Problem::unavailable(why(cause))),
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct Version {
    version: &'static str,
    /// The commit it was built from; `unknown` when the build was not told (`EM_METRICS_COMMIT`).
    commit: &'static str,
}

/// What is running.
#[utoipa::path(get, path = "/version", tag = "service",
    responses((status = 200, body = Version), (status = 401, body = Document)))]
async fn get_version(_: Reader) -> Json<Version> {
    Json(Version { version: crate::VERSION, commit: crate::COMMIT })
}

/// The effective configuration, without secrets.
#[utoipa::path(get, path = "/config", tag = "service",
    responses((status = 200, body = Object), (status = 401, body = Document), (status = 403, body = Document)))]
async fn get_config(_: Admin, State(state): State<AppState>) -> Json<serde_json::Value> {
    Json(state.shown_config.clone())
}

#[derive(Debug, Serialize, ToSchema)]
struct ProblemKind {
    r#type: String,
    title: &'static str,
    status: u16,
    /// What it means and what to do.
    advice: &'static str,
}

/// What a problem's `type` means and what to do about it.
#[utoipa::path(get, path = "/problems/{name}", tag = "service", security(()), params(("name" = String, Path)),
    responses((status = 200, body = ProblemKind), (status = 404, body = Document)))]
async fn get_problem(Path(name): Path<String>) -> Result<Json<ProblemKind>, Problem> {
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| Problem::of_status(StatusCode::NOT_FOUND))?;
    Ok(Json(ProblemKind {
        r#type: format!("/problems/{}", kind.name),
        title: kind.title,
        status: kind.status.as_u16(),
        advice: kind.advice,
    }))
}

/// The totals of every instrument and the service's own metrics, as Prometheus text or OpenMetrics.
///
/// Open without credentials unless `server.metrics_auth` is set. Parameters, which some scrapers add, change nothing.
#[utoipa::path(get, path = "/metrics", tag = "service", security((), ("bearer" = []), ("basic" = [])),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 401, body = Document),
        (status = 503, body = Document)))]
async fn get_metrics(
    State(state): State<AppState>,
    access: Result<Reader, Problem>,
    peer: Peer,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if state.metrics_auth {
        access?;
    }
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let format = Format::from_accept(accept);
    let scraper = peer.scraper(&headers);
    let mut page = state.totals.page(scraper.as_deref(), format, state.clock.now()).await?;
    Ok(streamed(state.request_timeout, (), format.content_type(), async move |to| {
        while let (Some(piece), rest) = page.piece().await {
            to.send(piece.into()).await?;
            page = rest;
        }
        Ok(())
    }))
}
