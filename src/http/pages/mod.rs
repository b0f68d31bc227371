//! The web page: the numbers for people, rendered here, readable without scripts. It asks `report` what the API
//! asks, so both say the same.

mod assets;
mod beside;
mod cards;
mod changes;
mod charts;
mod facts;
mod filters;
mod incidents;
mod links;
mod overview;
mod shown;
mod sign_in;
mod start;
mod tables;
mod text;
mod trend;
mod visitor;

use askama::Template;
use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::AppState;
use super::error::{self, Problem};
use assets::Assets;

pub use sign_in::SignIns;

pub fn router() -> Router<AppState> {
    Router::new()
        .route("/", get(overview::get_overview))
        .route("/facts", get(facts::get_facts))
        .route("/changes", get(changes::get_changes))
        .route("/links", get(links::get_links).post(links::post_links))
        .route("/sign-in", get(sign_in::get_sign_in).post(sign_in::post_sign_in))
        .route("/sign-out", post(sign_in::post_sign_out))
        .route(assets::ROUTE, get(assets::get_asset))
}

/// Where people may be led after they have signed in.
const PAGES: [&str; 4] = ["/", "/facts", "/changes", "/links"];
const ROUTES: [&str; 7] = ["/", "/facts", "/changes", "/links", "/sign-in", "/sign-out", assets::ROUTE];

/// Whether the route is one of a page, so that its answers are for a browser.
pub fn has(route: &str) -> bool {
    ROUTES.contains(&route)
}

/// Whether the other end shows pages to somebody.
pub fn shows_html(headers: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| value.to_str().is_ok_and(|value| value.contains("text/html"));
    headers.get_all(header::ACCEPT).iter().any(accepts)
}

/// Nothing from other hosts, nothing written into the page by somebody else runs, nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub fn secure(headers: &mut HeaderMap) {
    // without a referrer of the same origin, browsers hide the origin of a form from us
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // what a signed-in person saw is not for the next one at the same machine
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// What every page needs.
#[derive(Debug)]
struct Frame {
    assets: &'static Assets,
    version: &'static str,
    /// Whether there is a session to end.
    signed_in: bool,
}

impl Frame {
    fn new(signed_in: bool) -> Self {
        Self { assets: Assets::all(), version: crate::VERSION, signed_in }
    }
}

#[derive(Template)]
#[template(path = "problem.html", config = "src/http/pages/askama.toml")]
struct ProblemPage<'a> {
    frame: Frame,
    status: u16,
    title: &'a str,
    detail: &'a str,
    request_id: &'a str,
}

/// The page of an error answer, whoever made it.
pub fn problem(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    if response.headers().get(header::CONTENT_TYPE) == Some(&HTML) {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| Problem::of_status(status));
    let frame = Frame::new(false);
    let page =
        ProblemPage { frame, status: status.as_u16(), title: problem.kind.title, detail: &problem.detail, request_id };
    let body = page.render().unwrap_or_default();
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HTML);
    (status, headers, body).into_response()
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

fn html(page: &impl Template) -> Result<Response, Problem> {
    html_with(StatusCode::OK, page)
}

fn html_with(status: StatusCode, page: &impl Template) -> Result<Response, Problem> {
    let body = page.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Problem::new(&error::INTERNAL, error::INTERNAL.advice)
    })?;
    Ok((status, [(header::CONTENT_TYPE, HTML)], body).into_response())
}
