//! `/`: the five keys, over time, by project and by team, and what is broken now.

use askama::Template;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};

use super::beside::QuickCheck;
use super::cards::{Card, cards};
use super::charts::{Chart, charts};
use super::filters::{DAYS, Filters, Select};
use super::incidents::{self, OpenIncidents};
use super::tables::Table;
use super::text::moment;
use super::visitor::Visitor;
use super::{Frame, html, shows_html, start, trend};
use crate::dora::benchmark;
use crate::http::error::Problem;
use crate::http::extract::Query;
use crate::http::{AppState, openapi};
use crate::metrics::Labels;
use crate::report::{self, GroupBy, Question, Report};

#[derive(Template)]
#[template(path = "overview.html", config = "src/http/pages/askama.toml")]
struct OverviewPage {
    frame: Frame,
    form: Form,
    window: String,
    scope: String,
    before: String,
    cards: Vec<Card>,
    quick_check: QuickCheck,
    /// Whether the numbers are of several projects, of which the survey does not speak.
    of_many: bool,
    charts: Vec<Chart>,
    incidents: OpenIncidents,
    tables: Vec<Table>,
    now: String,
    /// The same questions to the API.
    json: String,
    csv: String,
}

#[derive(Debug)]
struct Form {
    periods: Vec<(u16, String, bool)>,
    days: Option<u16>,
    edges: [Edge; 2],
    zone: String,
    selects: [Select; 3],
}

#[derive(Debug)]
struct Edge {
    name: &'static str,
    label: &'static str,
    value: String,
    /// A time of day does not fit into a field for dates.
    kind: &'static str,
}

/// For browsers; others are led to the documentation.
pub async fn get_overview(
    State(state): State<AppState>,
    uri: OriginalUri,
    headers: HeaderMap,
    visitor: Result<Visitor, Response>,
    query: Query,
) -> Result<Response, Problem> {
    let mut response = if shows_html(&headers) {
        match visitor {
            Ok(visitor) => Box::pin(page(&state, &headers, &visitor, query)).await?,
            Err(to_sign_in) => to_sign_in,
        }
    } else {
        openapi::lead_to_docs(uri).await.into_response()
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn page(state: &AppState, headers: &HeaderMap, visitor: &Visitor, mut query: Query) -> Result<Response, Problem> {
    let filters = &Filters::read(&mut query, state)?;
    query.done()?;
    let frame = Frame::new(visitor.by_session);
    if start::nothing_yet(state).await? {
        return start::page(state, headers, frame);
    }
    let ask = |question: Question| async move { Ok::<Report, Problem>(state.answers.answer(&question).await?) };
    let by_group = |by| async move {
        match state.answers.answer(&Question { group_by: Some(by), ..filters.question.clone() }).await {
            Ok(report) => Ok(Some(report)),
            // a table that nobody could look over keeps nobody from the rest
            Err(report::Error::TooMany(_)) => Ok(None),
            Err(error) => Err(Problem::from(error)),
        }
    };
    let in_parts = Question { interval: Some(filters.interval()), ..filters.question.clone() };
    let (labels, this, before, projects, teams, incidents) = tokio::try_join!(
        async { Ok(state.store.labels().await?) },
        ask(in_parts.clone()),
        ask(trend::before(&in_parts)),
        by_group(GroupBy::Project),
        by_group(GroupBy::Team),
        incidents::open(state, filters),
    )?;
    let trends = trend::trends(filters.interval(), &before, &this);
    let days = this.calendar.length_in_days(this.calendar.whole());
    let benchmark = benchmark::benchmark(&this.all.total, days, &state.benchmark);
    html(&OverviewPage {
        frame,
        window: filters.window(),
        scope: filters.scope(),
        before: filters.before(),
        cards: cards(filters, &this.all.total, &trends, &benchmark),
        quick_check: QuickCheck::new(&benchmark, &state.benchmark),
        of_many: projects.as_ref().is_none_or(|projects| projects.groups.len() > 1),
        charts: charts(filters, &trends),
        incidents,
        tables: vec![
            Table::of_projects(filters, projects.as_ref(), filters.wants_all("projects")),
            Table::of_teams(filters, teams.as_ref(), filters.wants_all("teams")),
        ],
        now: moment(filters.shown(state.clock.now())),
        json: filters.api_link("dora"),
        csv: filters.api_link("dora.csv"),
        form: form(filters, &labels),
    })
}

fn form(filters: &Filters, labels: &[Labels]) -> Form {
    let [from, to] = filters.edges();
    let edge = |name, label, value: String| {
        let kind = if value.len() > 10 { "text" } else { "date" };
        Edge { name, label, value, kind }
    };
    Form {
        periods: DAYS.map(|days| (days, filters.link_for_days(days), filters.days == Some(days))).to_vec(),
        days: filters.days,
        edges: [edge("from", "From", from), edge("to", "To, not included", to)],
        zone: filters.zone().to_string(),
        selects: filters.selects(labels),
    }
}
