//! The outermost layer: gives each request an id, a span and its place in the service's own metrics,
//! writes problem documents, and logs a failure once.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter, UpDownCounter};
use tracing::Instrument as _;

use super::error::{self, Problem};
use super::webhooks::SECRET_ROUTES;
use super::{AppState, pages};
use crate::export::asks_like_a_scraper;
use crate::telemetry::{Complaint, Crowd, continue_trace, instruments};

pub static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 128;

/// Requests answered with "not now".
static UNAVAILABLE: LazyLock<Crowd> = LazyLock::new(Crowd::default);

/// Our own measurements, under the OpenTelemetry semantic conventions for HTTP servers.
#[derive(Debug, Clone)]
pub struct Meters {
    duration: Histogram<f64>,
    active: UpDownCounter<i64>,
    meter: Meter,
}

impl Meters {
    pub fn new(meter: Meter) -> Self {
        Self {
            duration: instruments::HTTP_SERVER_REQUEST_DURATION.histogram_of(&meter),
            active: instruments::HTTP_SERVER_ACTIVE_REQUESTS.up_down_counter_of(&meter),
            meter,
        }
    }

    /// For what else this room measures.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }
}

/// Who is at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub Option<SocketAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self(None)))
    }
}

impl Peer {
    /// A name for a scraper of `/metrics`, to know what it has been shown; `None` for a person.
    /// Scrapers keep their connection, one for each job: that tells apart two of them on one machine, or
    /// behind one address translation.
    pub fn scraper(self, headers: &HeaderMap) -> Option<String> {
        let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
        let accept = text(header::ACCEPT);
        let scraping = headers.contains_key("x-prometheus-scrape-timeout-seconds") || asks_like_a_scraper(accept);
        let address = self.0.map(|peer| peer.to_string()).unwrap_or_default();
        scraping.then(|| format!("{address} {}", text(header::USER_AGENT)))
    }
}

/// Counts a request as active, also when its client goes away in the middle.
struct Active<'a> {
    meters: &'a Meters,
    attributes: [KeyValue; 2],
}

impl<'a> Active<'a> {
    fn new(meters: &'a Meters, method: &'static str) -> Self {
        let attributes = [KeyValue::new("http.request.method", method), KeyValue::new("url.scheme", "http")];
        meters.active.add(1, &attributes);
        Self { meters, attributes }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.meters.active.add(-1, &self.attributes);
    }
}

pub async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = known_method(request.method());
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let request_id = request_id(request.headers());
    let page = route.as_deref().is_some_and(pages::has);
    let to_be_shown = page && pages::shows_html(request.headers());
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);

    let span = tracing::info_span!(
        "request",
        otel.name = %format_args!("{method} {}", route.as_deref().unwrap_or_default()),
        otel.kind = "server",
        http.request.method = method,
        http.route = route.as_deref(),
        // some addresses end in a secret
        url.path = route.as_deref().filter(|route| SECRET_ROUTES.contains(route)).unwrap_or(request.uri().path()),
        request_id = request_id.as_str(),
        http.response.status_code = tracing::field::Empty,
        otel.status_code = tracing::field::Empty,
    );
    if state.tracing {
        continue_trace(&span, |name| request.headers().get(name).and_then(|value| value.to_str().ok()));
    }

    let active = Active::new(&state.meters, method);
    let work = async {
        if !reading {
            // a write is bounded by how long its body may take and by the writer's patience: to give
            // up in between would answer "no" to something that is on disk a moment later
            return next.run(request).await;
        }
        match tokio::time::timeout(state.request_timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::unavailable("the answer took too long").into_response(),
        }
    };
    let mut response = work.instrument(span.clone()).await;
    drop(active);

    let status = response.status();
    let _entered = span.enter();
    if status.is_client_error() || status.is_server_error() {
        let write = if to_be_shown { pages::problem } else { document };
        response = write(response, &request_id);
    }
    if page {
        pages::secure(response.headers_mut());
    }
    span.record("http.response.status_code", status.as_u16());
    let elapsed = started.elapsed();
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
        let status_code = status.as_u16();
        // whoever could not do it has said why; one line for each request would only bury that
        let complaint = match status {
            StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE.fails(Instant::now().into()),
            _ => Complaint::Begins,
        };
        match complaint {
            Complaint::Begins => tracing::error!(http.response.status_code = status_code, "request failed"),
            Complaint::GoesOn { failures } => {
                tracing::error!(http.response.status_code = status_code, failures, "requests still fail");
            }
            Complaint::Nothing => tracing::debug!(http.response.status_code = status_code, "request failed"),
        }
    } else if status.is_client_error() {
        tracing::info!(http.response.status_code = status.as_u16(), "request refused");
    } else {
        tracing::debug!(
            http.response.status_code = status.as_u16(),
            duration_seconds = elapsed.as_secs_f64(),
            "request"
        );
    }
    let mut attributes = Vec::with_capacity(5);
    if status.is_server_error() {
        attributes.push(KeyValue::new("error.type", status.as_str().to_owned()));
    }
    attributes.extend([
        KeyValue::new("http.request.method", method),
        KeyValue::new("http.response.status_code", i64::from(status.as_u16())),
    ]);
    // an unknown path is no route: anybody can make up as many as they like
    attributes.extend(route.map(|route| KeyValue::new("http.route", route)));
    attributes.push(KeyValue::new("url.scheme", "http"));
    state.meters.duration.record(elapsed.as_secs_f64(), &attributes);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID.clone(), value);
    }
    response
}

/// The problem document of an error answer, whoever made it.
fn document(mut response: Response, request_id: &str) -> Response {
    let problem =
        response.extensions_mut().remove::<Problem>().unwrap_or_else(|| Problem::of_status(response.status()));
    let body = serde_json::to_vec(&problem.document(request_id)).unwrap_or_default();
    let status = response.status();
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(error::MEDIA_TYPE));
    (status, headers, body).into_response()
}

/// The sender's, when it is fit for a log line; else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(&REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= LONGEST_REQUEST_ID && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| uuid::Uuid::new_v4().to_string(), ToOwned::to_owned)
}

/// As the conventions ask: an unknown method is `_OTHER`.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "_OTHER",
    }
}
