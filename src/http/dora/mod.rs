//! `/dora`: exact answers for a window of time, as JSON and CSV, and the facts behind them.

mod benchmark;
mod csv;
mod explain;
pub mod question;
mod trend;
mod view;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::Reader;
use super::error::Problem;
use super::extract::Query;
use crate::dora::TooWide;
use crate::report::Error;
use question::DoraParams;
use view::DoraView;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get_dora))
        .routes(routes!(get_dora_csv))
        .routes(routes!(explain::explain_dora))
        .routes(routes!(trend::get_dora_trend))
        .routes(routes!(benchmark::get_dora_benchmark))
}

/// The DORA metrics and their kin, exactly, for a window of time.
///
/// By event time, from the facts as they are now: late and corrected ones are in the right place. What cannot
/// be known (a median of nothing, a share of nothing) is `null`. With `Accept: text/csv` as `/dora.csv`.
#[utoipa::path(get, path = "/dora", tag = "answers", params(DoraParams),
    responses((status = 200, body = DoraView)))]
async fn get_dora(
    _: Reader,
    State(state): State<AppState>,
    headers: HeaderMap,
    mut query: Query,
) -> Result<Response, Problem> {
    let question = question::read(&mut query, &state)?;
    query.done()?;
    let report = state.answers.answer(&question).await?;
    let vary = [(header::VARY, HeaderValue::from_static("accept"))];
    if prefers_csv(&headers) {
        return Ok((vary, csv::table(&question, &report)?).into_response());
    }
    Ok((vary, axum::Json(DoraView::new(&question, report))).into_response())
}

/// The same as a table: one row for each part of the window, with `group_by` one for each group and part.
#[utoipa::path(get, path = "/dora.csv", tag = "answers", params(DoraParams),
    responses((status = 200, body = String, content_type = "text/csv")))]
async fn get_dora_csv(_: Reader, State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let question = question::read(&mut query, &state)?;
    query.done()?;
    let report = state.answers.answer(&question).await?;
    Ok(csv::table(&question, &report)?.into_response())
}

/// Whether CSV is asked for by name, and JSON is not.
fn prefers_csv(headers: &HeaderMap) -> bool {
    let accepts: Vec<_> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        .collect();
    let names = |media_type: &str| accepts.iter().any(|range| range == media_type);
    names("text/csv") && !names("application/json")
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooWide(why @ TooWide::Span) => Self::field("/from", why.to_string()),
            Error::TooWide(why @ TooWide::Buckets(_)) => Self::field("/interval", why.to_string()),
            Error::TooMany(why) => Self::field("/group_by", why.to_string()),
            Error::Storage(error) => error.into(),
        }
    }
}
