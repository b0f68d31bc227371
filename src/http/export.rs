//! `GET /export`: every fact, in the form that `/import` takes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::Reader;
use super::error::Problem;
use super::extract::{Query, time_or_date};
use crate::domain::{Deployment, Incident, Name, Prose, Timestamp};
use crate::storage::{Filter, PAGE, Snapshot};

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
    Ndjson,
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Deployment,
    Incident,
}

/// What can be asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct ExportParams {
    /// `ndjson` (default) or `csv`.
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
    /// A time or a date; exclusive.
    to: Option<String>,
}

/// Read all facts, as they are at one moment.
///
/// One fact a line, by id. Taken in again by `POST /import` they are the same facts.
#[utoipa::path(get, path = "/export", tag = "import and export", params(ExportParams),
    responses((status = 200, body = String, content_type = "application/x-ndjson")))]
async fn export(_: Reader, State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let format = query.one("format", |text| match text {
        "ndjson" => Ok(Format::Ndjson),
        "csv" => Ok(Format::Csv),
        _ => Err("expected ndjson or csv".to_owned()),
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
    query.done()?;
    let format = format.unwrap_or(Format::Ndjson);
    let kinds = match (format, kind) {
        (_, Some(kind)) => vec![kind],
        (Format::Ndjson, None) => vec![Kind::Deployment, Kind::Incident],
        (Format::Csv, None) => return Err(Problem::field("/kind", "required for csv: deployment or incident")),
    };
    let slot = state.exports.clone().try_acquire_owned();
    let slot = slot.map_err(|_| Problem::unavailable("other exports are running; one at a time is enough"))?;
    let snapshot = state.store.snapshot().await?;
    let (sender, mut pages) = mpsc::channel(1);
    let patience = state.request_timeout;
    tokio::spawn(async move {
        let _slot = slot;
        let mut to = Output { sender, patience, format };
        if let Err(error) = write(snapshot, &kinds, &filter, &mut to).await {
            tracing::warn!(%error, "an export broke off");
            // without its end the answer is not whole, and the reader can tell
            let _ = to.sender.send(Err(error)).await;
        }
    });
    let pages = futures_util::stream::poll_fn(move |context| pages.poll_recv(context));
    let media_type = match format {
        Format::Ndjson => "application/x-ndjson",
        Format::Csv => "text/csv; charset=utf-8",
    };
    Ok(([(header::CONTENT_TYPE, media_type)], Body::from_stream(pages)).into_response())
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Output {
    sender: mpsc::Sender<Result<Bytes, Failure>>,
    /// How long a reader may leave a page lying.
    patience: Duration,
    format: Format,
}

impl Output {
    async fn page<T: Serialize>(&mut self, facts: Vec<T>, is_first: bool) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        match self.format {
            Format::Ndjson => {
                for fact in facts {
                    serde_json::to_writer(&mut bytes, &fact)?;
                    bytes.push(b'\n');
                }
            }
            Format::Csv => {
                let mut table = csv::WriterBuilder::new().has_headers(is_first).from_writer(&mut bytes);
                for fact in facts {
                    table.serialize(fact)?;
                }
                table.flush()?;
            }
        }
        self.sender.send_timeout(Ok(bytes.into()), self.patience).await.map_err(|_| "nobody read it in time".into())
    }
}

async fn write(mut snapshot: Snapshot, kinds: &[Kind], filter: &Filter, to: &mut Output) -> Result<(), Failure> {
    for kind in kinds {
        let (mut after, mut is_first) = (None, true);
        loop {
            let (count, last) = match kind {
                Kind::Deployment => {
                    let facts = snapshot.page_of_deployments(filter, after.as_ref()).await?;
                    let last = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
                    let count = facts.len();
                    to.page(facts.into_iter().map(DeploymentLine::from).collect(), is_first).await?;
                    (count, last)
                }
                Kind::Incident => {
                    let facts = snapshot.page_of_incidents(filter, after.as_ref()).await?;
                    let last = facts.last().map(|fact| (fact.id.clone(), fact.project_id.clone()));
                    let count = facts.len();
                    to.page(facts.into_iter().map(IncidentLine::from).collect(), is_first).await?;
                    (count, last)
                }
            };
            if count < PAGE {
                break;
            }
            (after, is_first) = (last, false);
        }
    }
    Ok(())
}

/// Everything that was said about it, and nothing that follows from that. What is unknown is `null`, so that an import
/// does not guess it.
#[derive(Debug, Serialize)]
struct DeploymentLine {
    kind: &'static str,
    project_id: Name,
    id: Name,
    team_id: Option<Name>,
    environment: Name,
    first_commit_at: Option<Timestamp>,
    deploy_start_at: Option<Timestamp>,
    deployed_at: Option<Timestamp>,
    failed_at: Option<Timestamp>,
    rolled_back_at: Option<Timestamp>,
    reason: Option<Prose>,
    username: Option<Name>,
    commit_sha: Option<Name>,
    version: Option<Name>,
    url: Option<Prose>,
    unplanned: Option<bool>,
}

/// The same of an incident.
#[derive(Debug, Serialize)]
struct IncidentLine {
    kind: &'static str,
    project_id: Name,
    id: Name,
    team_id: Option<Name>,
    environment: Name,
    deployment_id: Option<Name>,
    severity: Option<Name>,
    title: Option<Prose>,
    url: Option<Prose>,
    started_at: Timestamp,
    restored_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
}

impl From<Deployment> for DeploymentLine {
    fn from(fact: Deployment) -> Self {
        Self {
            kind: "deployment",
            project_id: fact.project_id,
            id: fact.id,
            team_id: fact.team_id,
            environment: fact.environment,
            first_commit_at: fact.first_commit_at,
            deploy_start_at: fact.deploy_start_at,
            deployed_at: fact.deployed_at,
            failed_at: fact.failed_at,
            rolled_back_at: fact.rolled_back_at,
            reason: fact.reason,
            username: fact.username,
            commit_sha: fact.commit_sha,
            version: fact.version,
            url: fact.url,
            unplanned: fact.unplanned,
        }
    }
}

impl From<Incident> for IncidentLine {
    fn from(fact: Incident) -> Self {
        Self {
            kind: "incident",
            project_id: fact.project_id,
            id: fact.id,
            team_id: fact.team_id,
            environment: fact.environment,
            deployment_id: fact.deployment_id,
            severity: fact.severity,
            title: fact.title,
            url: fact.url,
            started_at: fact.started_at,
            restored_at: fact.restored_at,
            finished_at: fact.finished_at,
        }
    }
}
