//! `GET /export`: every fact, in the form that `/import` takes; or the totals by event time, for Prometheus' past.

mod csv;
mod facts;
mod ndjson;
mod openmetrics;

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::Reader;
use super::error::Problem;
use super::extract::{Query, time_or_date};
use super::streamed::streamed;
use crate::domain::Name;
use crate::storage::Filter;
use facts::Form;

/// At once: each holds a connection to the database for as long as its reader takes.
const EXPORTS: usize = 2;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(export))
}

/// How many more exports may run.
pub fn slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(EXPORTS))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Facts(Form),
    OpenMetrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Deployment,
    Incident,
}

/// What can be asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct ExportParams {
    /// `ndjson` (default), `csv`, or `openmetrics`: the totals of `/metrics` by event time, a sample each `step`, for
    /// `promtool tsdb create-blocks-from openmetrics`. At most 10,000,000 samples of 5,000,000 events.
    format: Option<String>,
    /// `deployment` or `incident`; default both, deployments first. CSV is of one kind.
    kind: Option<String>,
    /// May repeat.
    project_id: Option<Vec<String>>,
    /// May repeat.
    team_id: Option<Vec<String>>,
    /// May repeat.
    environment: Option<Vec<String>>,
    /// A time or a date; inclusive. Goes by when the last thing happened to a deployment, and by an incident's start.
    from: Option<String>,
    /// A time or a date; exclusive. Default for `openmetrics`: now.
    to: Option<String>,
    /// Of `openmetrics`: `1m` to `1d`, default `1h`.
    step: Option<String>,
}

/// Read all facts, as they are at one moment.
///
/// One fact a line, by id. Taken in again by `POST /import` they are the same facts.
#[utoipa::path(get, path = "/export", tag = "import and export", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn export(_: Reader, State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let format = query.one("format", |text| match text {
        "ndjson" => Ok(Format::Facts(Form::Ndjson)),
        "csv" => Ok(Format::Facts(Form::Csv)),
        "openmetrics" => Ok(Format::OpenMetrics),
        _ => Err("expected ndjson, csv or openmetrics".to_owned()),
    })?;
    let kind = query.one("kind", |text| match text {
        "deployment" => Ok(Kind::Deployment),
        "incident" => Ok(Kind::Incident),
        _ => Err("expected deployment or incident".to_owned()),
    })?;
    let filter = Filter {
        project_id: query.all("project_id", Name::parse)?,
        team_id: query.all("team_id", Name::parse)?,
        environment: query.all("environment", Name::parse)?,
        from: query.one("from", time_or_date)?,
        to: query.one("to", time_or_date)?,
        ..Filter::default()
    };
    let step = openmetrics::step(&mut query)?;
    query.done()?;
    match format.unwrap_or(Format::Facts(Form::Ndjson)) {
        Format::Facts(_) if step.is_some() => Err(Problem::field("/step", "only with format=openmetrics")),
        Format::Facts(Form::Csv) if kind.is_none() => {
            Err(Problem::field("/kind", "required for csv: deployment or incident"))
        }
        Format::Facts(form) => {
            let kinds = kind.map_or_else(|| vec![Kind::Deployment, Kind::Incident], |kind| vec![kind]);
            let slot = slot(&state)?;
            let snapshot = state.store.snapshot().await?;
            let media_type = match form {
                Form::Ndjson => "application/x-ndjson",
                Form::Csv => "text/csv; charset=utf-8",
            };
            Ok(streamed(state.request_timeout, slot, media_type, async move |to| {
                facts::write(snapshot, &kinds, &filter, form, &to).await
            }))
        }
        Format::OpenMetrics if kind.is_some() => Err(Problem::field("/kind", "not with format=openmetrics")),
        Format::OpenMetrics => {
            let question = openmetrics::Question::new(filter, step, &state.clock)?;
            let slot = slot(&state)?;
            let past = question.read(state.store.snapshot().await?).await?;
            let media_type = crate::export::Format::OpenMetrics.content_type();
            Ok(streamed(state.request_timeout, slot, media_type, async move |to| openmetrics::write(past, to).await))
        }
    }
}

fn slot(state: &AppState) -> Result<OwnedSemaphorePermit, Problem> {
    let slot = state.exports.clone().try_acquire_owned();
    slot.map_err(|_| Problem::unavailable("other exports are running; one at a time is enough"))
}
