//! What a first start shows: how to tell it something.

use askama::Template;
use axum::http::HeaderMap;
use axum::response::Response;

use super::{Frame, html};
use crate::domain::Timestamp;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::storage::Filter;

const HOUR: i64 = 3_600_000_000;

#[derive(Template)]
#[template(path = "start.html", config = "src/http/pages/askama.toml")]
struct StartPage {
    frame: Frame,
    /// As the browser sees us.
    address: String,
    /// What callers must send, as curl takes it; empty when nothing is asked for.
    authorization: &'static str,
    an_hour_ago: String,
}

pub async fn nothing_yet(state: &AppState) -> Result<bool, Problem> {
    let first = Filter { limit: 1, ..Filter::default() };
    Ok(state.store.list_deployments(&first).await?.items.is_empty()
        && state.store.list_incidents(&first).await?.items.is_empty())
}

pub fn page(state: &AppState, headers: &HeaderMap, frame: Frame) -> Result<Response, Problem> {
    let authorization = if !state.auth.asks() {
        ""
    } else if state.auth.takes_tokens() {
        "-H \"Authorization: Bearer $EM_METRICS_TOKEN\" "
    } else {
        "-u \"$USERNAME:$PASSWORD\" "
    };
    let now = state.clock.now().micros() / HOUR * HOUR;
    let an_hour_ago = Timestamp::from_micros(now - HOUR).unwrap_or(Timestamp::EPOCH).to_string();
    html(&StartPage { frame, address: address(headers), authorization, an_hour_ago })
}

/// To be pasted into a shell, so nothing but what an address is made of.
fn address(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let host = text("x-forwarded-host").or_else(|| text("host")).unwrap_or_default();
    let fit = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let host = if host.is_empty() || !host.chars().all(fit) { "localhost:3000" } else { host };
    let scheme = if text("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    format!("{scheme}://{host}")
}
