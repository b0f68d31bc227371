//! `GET /dora/explain`: the facts behind a number.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::question;
use super::view::{Asked, Block};
use crate::domain::deployment::FirstCommitFrom;
use crate::domain::{Name, Prose, Timestamp, abridged};
use crate::dora::explain::{After, Line, Metric, Subject};
use crate::http::AppState;
use crate::http::access::Reader;
use crate::http::error::Problem;
use crate::http::extract::Query;
use crate::http::resource::{Base, cursor, limit, required, seconds};
use crate::report;
use crate::storage::Cursor;

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct ExplainParams {
    /// The name of a block of `/dora`, such as `change_failure_rate`.
    metric: String,
    /// As for `/dora`.
    from: Option<String>,
    /// As for `/dora`.
    to: Option<String>,
    /// As for `/dora`.
    tz: Option<String>,
    /// May repeat.
    project_id: Option<Vec<String>>,
    /// May repeat.
    team_id: Option<Vec<String>>,
    /// May repeat. Default: the configured production environment. Facts of others are shown as left out.
    environment: Option<Vec<String>>,
    /// As for `/dora`: a time; the facts as they were known then.
    as_of: Option<String>,
    /// `true`: only the facts that were counted; `false`: only those that were left out.
    counted: Option<bool>,
    /// How many on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
    /// From the `Link` header of the page before.
    cursor: Option<String>,
}

/// A number and the facts behind it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraExplanation)]
struct ExplainView {
    metric: &'static str,
    /// How it is computed, in words.
    formula: &'static str,
    #[serde(flatten)]
    asked: Asked,
    /// The block of `/dora`.
    answer: Block,
    /// How many facts were counted, on all pages.
    counted: u64,
    /// How many were left out.
    left_out: u64,
    /// Newest first.
    facts: Vec<FactView>,
}

/// A fact, and what it does to the number.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraFact)]
struct FactView {
    /// `deployment` or `incident`
    kind: &'static str,
    #[schema(value_type = String)]
    project_id: Name,
    #[schema(value_type = String)]
    id: Name,
    #[schema(value_type = Option<String>)]
    team_id: Option<Name>,
    #[schema(value_type = String)]
    environment: Name,
    /// When a deployment reached users, failed or began; when an incident started.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    counted: bool,
    /// The fields of the block that it adds one to.
    counts_as: Vec<&'static str>,
    /// A stable word for why.
    reason: &'static str,
    /// The same for people.
    detail: String,
    /// What it adds to a duration.
    seconds: Option<f64>,
    /// How the first commit of a deployment was found, when nobody sent it.
    #[schema(value_type = Option<String>)]
    first_commit_from: Option<FirstCommitFrom>,
    /// Where it is to be read, as it is now; `null` when it has been deleted since.
    link: Option<String>,
    /// It has been deleted since `as_of`: only `/journal` tells of it.
    deleted: bool,
    /// Of its pipeline, or of the incident in the tool it comes from, as its sender gave it.
    #[schema(value_type = Option<String>)]
    url: Option<Prose>,
    /// Of an incident: how it came to its deployment, as `/incidents` says.
    #[schema(value_type = Option<String>)]
    link_method: Option<&'static str>,
    /// Of an incident: how sure that is.
    #[schema(value_type = Option<String>)]
    link_confidence: Option<&'static str>,
    /// Links to the incidents of a deployment, or to the deployment of an incident; to none that is deleted now.
    related: Vec<String>,
}

/// Why a number is what it is: the formula, and every fact that was counted or left out.
#[utoipa::path(get, path = "/dora/explain", tag = "answers", params(ExplainParams),
    responses(
        (status = 200, body = ExplainView, headers(("Link" = String, description = "rel=\"next\": the next page"))),
    ))]
pub async fn explain_dora(
    _: Reader,
    State(state): State<AppState>,
    base: Base,
    mut query: Query,
) -> Result<Response, Problem> {
    let metric = query.one("metric", Metric::parse)?;
    let question = question::read_whole(&mut query, &state)?;
    let selection = report::Selection {
        only: query.one("counted", boolean)?,
        limit: limit(&mut query)?,
        after: cursor(&mut query)?.map(|Cursor(at, project_id, id)| After(at, project_id, id)),
    };
    query.done()?;
    let metric = metric.ok_or_else(|| required([("/metric", true)]))?;
    let explanation = state.answers.explain(&question, metric, selection).await?;
    let page = explanation.page;
    let next = page.next.map(|After(at, project_id, id)| Cursor(at, project_id, id));
    let body = ExplainView {
        metric: metric.name(),
        formula: metric.formula(),
        asked: (&question).into(),
        answer: Block::of(metric, explanation.keys),
        counted: page.counted,
        left_out: page.left_out,
        facts: page.lines.into_iter().map(|line| fact(&base, line, &explanation.deleted)).collect(),
    };
    Ok((base.next_link(next.as_ref()), axum::Json(body)).into_response())
}

fn fact(base: &Base, line: Line, deleted: &report::Deleted) -> FactView {
    let (kind, other) = match line.subject {
        Subject::Deployment => ("deployment", Subject::Incident),
        Subject::Incident => ("incident", Subject::Deployment),
    };
    let address = |subject, id| {
        let collection = match subject {
            Subject::Deployment => "deployments",
            Subject::Incident => "incidents",
        };
        let is_there = !deleted.has(subject, &line.project_id, id);
        is_there.then(|| base.link(collection, id, &line.project_id))
    };
    let own = address(line.subject, &line.id);
    FactView {
        kind,
        deleted: own.is_none(),
        link: own,
        related: line.related.iter().filter_map(|id| address(other, id)).collect(),
        url: line.url,
        project_id: line.project_id,
        id: line.id,
        team_id: line.team_id,
        environment: line.environment,
        at: line.at,
        counted: !line.counts_as.is_empty(),
        counts_as: line.counts_as,
        reason: line.reason,
        detail: line.detail,
        seconds: line.value.map(seconds),
        first_commit_from: line.first_commit_from,
        link_method: line.link.and_then(|link| link.method),
        link_confidence: line.link.and_then(|link| link.confidence),
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("expected true or false, got {:?}", abridged(text)))
}
