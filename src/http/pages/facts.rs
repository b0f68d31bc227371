//! `/facts`: what a number, or a point of a chart, is made of.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::filters::Filters;
use super::text::{Figure, moment, web_address};
use super::visitor::Visitor;
use super::{Frame, changes, html};
use crate::dora::explain::{After, Line, Metric, Subject};
use crate::dora::words::{self, count};
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::Query;
use crate::http::resource::{cursor, cursor_text, required, seconds};
use crate::report;
use crate::storage::{Cursor, Entity};

const LINES: u16 = 100;

#[derive(Template)]
#[template(path = "facts.html", config = "src/http/pages/askama.toml")]
struct FactsPage {
    frame: Frame,
    name: &'static str,
    window: String,
    scope: String,
    formula: &'static str,
    back: String,
    /// Label, how many, address, whether it is shown.
    views: Vec<(&'static str, String, String, bool)>,
    lines: Vec<Row>,
    next: Option<String>,
}

#[derive(Debug)]
struct Row {
    at: String,
    kind: &'static str,
    id: String,
    /// Of the pipeline or the incident, at whatever tool it comes from.
    url: Option<String>,
    project: String,
    team: String,
    environment: String,
    counted: bool,
    counts_as: String,
    detail: String,
    value: Option<Figure>,
    /// Who has changed it, and when.
    changes: String,
}

pub async fn get_facts(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let metric = query.one("metric", Metric::parse)?;
    let only = query.one("counted", boolean)?;
    let after = cursor(&mut query)?.map(|Cursor(at, project_id, id)| After(at, project_id, id));
    let filters = Filters::read(&mut query, &state)?;
    query.done()?;
    let metric = metric.ok_or_else(|| required([("/metric", true)]))?;
    let selection = report::Selection { only, limit: LINES, after };
    let page = state.answers.explain(&filters.question, metric, selection).await?.page;
    let link = |more: &[(&str, &str)]| {
        let metric = [("metric", metric.name())];
        let more: Vec<_> = metric.iter().chain(more).copied().collect();
        filters.link("facts", &more)
    };
    let views = [
        ("All", None, page.counted + page.left_out),
        ("Counted", Some("true"), page.counted),
        ("Left out", Some("false"), page.left_out),
    ];
    let views = views.map(|(label, counted, n)| {
        let more: Vec<_> = counted.iter().map(|counted| ("counted", *counted)).collect();
        (label, count(n), link(&more), counted == only.map(|only| if only { "true" } else { "false" }))
    });
    let next = page.next.map(|After(at, project_id, id)| Cursor(at, project_id, id));
    let next = next.as_ref().and_then(cursor_text).map(|cursor| {
        let only = only.map(|only| ("counted", if only { "true" } else { "false" }));
        let more: Vec<_> = only.into_iter().chain([("cursor", cursor.as_str())]).collect();
        link(&more)
    });
    html(&FactsPage {
        frame: Frame::new(visitor.by_session),
        name: words::title(metric),
        window: filters.window(),
        scope: filters.scope(),
        formula: metric.formula(),
        back: filters.link_back(),
        views: views.to_vec(),
        lines: page.lines.into_iter().map(|line| row(line, &filters)).collect(),
        next,
    })
}

fn row(line: Line, filters: &Filters) -> Row {
    let (kind, entity) = match line.subject {
        Subject::Deployment => ("Deployment", Entity::Deployment),
        Subject::Incident => ("Incident", Entity::Incident),
    };
    Row {
        at: moment(filters.shown(line.at)),
        kind,
        changes: changes::of_fact(entity.word(), line.project_id.as_str(), line.id.as_str(), filters.zone()),
        id: line.id.to_string(),
        url: web_address(line.url),
        project: line.project_id.to_string(),
        team: line.team_id.map(|team| team.to_string()).unwrap_or_default(),
        environment: line.environment.to_string(),
        counted: !line.counts_as.is_empty(),
        counts_as: line.counts_as.join(", "),
        detail: line.detail,
        value: line.value.map(|micros| Figure::seconds(seconds(micros))),
    }
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("expected true or false, got {text:?}"))
}
