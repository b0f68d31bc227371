//! What everybody may see, for the pages of others: badges, panels, and one page of them. Only what the configuration
//! publishes, and only of the production environment.

mod answer;
mod asked;
mod badge;
mod page;
mod panel;
mod published;
mod times;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::error::{self, Document, Problem};
use super::extract::Query;
use crate::domain::Timestamp;
use crate::dora::explain::Metric;
use crate::dora::trend::{self, Side, Window};
use crate::dora::{Interval, Measure, Span, Zone};
use crate::report::{Question, Report};
use answer::{CSS, GOOD_FOR, HTML, JSON, SVG, as_of, cacheable};
use asked::{BadgeParams, OfPanel, PanelParams};
use badge::Badge;
use panel::{Panel, Point};
use published::{Allowed, no_such_thing};

pub use published::Public;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_badge))
        .routes(routes!(get_panel))
        .routes(routes!(get_public))
        .route("/public/style.css", axum::routing::get(get_style))
}

/// A public metric as a badge: `/badges/{metric}.svg`, and `/badges/{metric}.json` for shields.io.
///
/// What is not published is not found. Answers are as of the last full five minutes.
#[utoipa::path(get, path = "/badges/{file}", tag = "public", security(()),
    params(("file" = String, Path, description = "The name of a block of `/dora`, and `.svg` or `.json`"), BadgeParams),
    responses((status = 200, content((String = "image/svg+xml"), (Badge = "application/json"))), (status = 304),
        (status = 400, body = Document), (status = 404, body = Document), (status = 503, body = Document)))]
async fn get_badge(
    State(state): State<AppState>,
    Path(file): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let (metric, kind) =
        file.rsplit_once('.').filter(|(_, kind)| matches!(*kind, "svg" | "json")).ok_or_else(no_such_thing)?;
    let allowed = state.public.allow(metric, &asked::projects(&mut query)?)?;
    let asked = asked::of_badge(query)?;
    let (metric, to) = (allowed.metric, as_of(state.clock.now()));
    let span = Span { from: Zone::UTC.days_before(to, asked.days.into()), to, zone: Zone::UTC };
    let report = answer(&state, &question(&state, allowed, span, None)).await?;
    let badge = Badge::new(metric, total(metric, &report), asked.label, GOOD_FOR);
    if kind == "svg" {
        return Ok(cacheable(&headers, SVG, badge.svg()));
    }
    let json = serde_json::to_string(&badge).map_err(unwritable)?;
    Ok(cacheable(&headers, JSON, json))
}

/// A public metric as a chart: `/panels/{metric}.svg`.
///
/// What is not published is not found. Answers are as of the last full five minutes.
#[utoipa::path(get, path = "/panels/{file}", tag = "public", security(()),
    params(("file" = String, Path, description = "The name of a block of `/dora`, and `.svg`"), PanelParams),
    responses((status = 200, body = String, content_type = "image/svg+xml"), (status = 304),
        (status = 400, body = Document), (status = 404, body = Document), (status = 503, body = Document)))]
async fn get_panel(
    State(state): State<AppState>,
    Path(file): Path<String>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let metric = file.strip_suffix(".svg").ok_or_else(no_such_thing)?;
    let allowed = state.public.allow(metric, &asked::projects(&mut query)?)?;
    let asked = asked::of_panel(query)?;
    let panel = fill(&state, allowed, asked).await?;
    Ok(cacheable(&headers, SVG, panel::svg(&panel).map_err(unwritable)?))
}

/// All that is public, as a page.
#[utoipa::path(get, path = "/public", tag = "public", security(()),
    responses((status = 200, body = String, content_type = "text/html"), (status = 304),
        (status = 404, body = Document)))]
async fn get_public(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let publications = &state.public.publications;
    if publications.is_empty() {
        return Err(no_such_thing());
    }
    let page = page::html(publications, as_of(state.clock.now())).map_err(unwritable)?;
    Ok(cacheable(&headers, HTML, page))
}

async fn get_style(headers: HeaderMap) -> Response {
    cacheable(&headers, CSS, page::STYLE.to_owned())
}

async fn fill(state: &AppState, allowed: Allowed, asked: OfPanel) -> Result<Panel, Problem> {
    let OfPanel { days, interval, limits, theme, size } = asked;
    let (metric, to) = (allowed.metric, as_of(state.clock.now()));
    let projects = allowed.projects.iter().map(ToString::to_string).collect();
    let span = whole_parts(to, days, interval);
    let question = question(state, allowed, span, Some(interval));
    let report = answer(state, &question).await?;
    let mut points = points(metric, interval, &report);
    let mut drawn = None;
    if limits && let Some(before) = span.before() {
        let before = answer(state, &Question { span: before, ..question }).await?;
        let [before, this] = [&before, &report].map(|report| Side { calendar: &report.calendar, answer: &report.all });
        let trend = trend::trend(metric, interval, before, this);
        drawn = trend.limits.map(|(limits, _)| limits);
        let of_this = trend.points.into_iter().filter(|point| point.window == Window::This);
        points.iter_mut().zip(of_this).for_each(|(point, judged)| point.signal = !judged.signals.is_empty());
    }
    let no_limits = limits && drawn.is_none();
    let total = total(metric, &report);
    Ok(Panel { metric, interval, projects, total, points, limits: drawn, no_limits, as_of: to, theme, size })
}

/// From where the part begins that the first day is in: a part that is cut would look like a bad one.
fn whole_parts(to: Timestamp, days: u32, interval: Interval) -> Span {
    let from = Zone::UTC.days_before(to, days.into());
    Span { from: Zone::UTC.start_of_part(from, interval, 0), to, zone: Zone::UTC }
}

fn question(state: &AppState, allowed: Allowed, span: Span, interval: Option<Interval>) -> Question {
    Question {
        span,
        interval,
        projects: allowed.projects,
        teams: Vec::new(),
        environments: vec![state.production_environment.clone()],
        group_by: None,
        as_of: None,
    }
}

/// Strangers wait for each other, so that however many they are, those who sign in are served.
async fn answer(state: &AppState, question: &Question) -> Result<Report, Problem> {
    let turn = tokio::time::timeout(state.request_timeout, state.public.lane.acquire()).await;
    let _turn = turn.ok().and_then(Result::ok).ok_or_else(|| Problem::unavailable("too many are asking"))?;
    Ok(state.answers.answer(question).await?)
}

fn total(metric: Metric, report: &Report) -> Measure {
    metric.measure(&report.all.total, report.calendar.length_in_days(report.calendar.whole()))
}

fn points(metric: Metric, interval: Interval, report: &Report) -> Vec<Point> {
    let calendar = &report.calendar;
    let parts = calendar.buckets.iter().zip(&report.all.series);
    let point = |(bucket, keys): (&_, _)| {
        let bucket: crate::dora::Bucket = *bucket;
        Point {
            start: bucket.start,
            measure: metric.measure(keys, calendar.length_in_days(bucket)),
            whole: calendar.is_whole(bucket, interval),
            signal: false,
        }
    };
    parts.map(point).collect()
}

fn unwritable(error: impl std::fmt::Display) -> Problem {
    tracing::error!(%error, "a public answer cannot be written");
    Problem::new(&error::INTERNAL, error::INTERNAL.advice)
}
