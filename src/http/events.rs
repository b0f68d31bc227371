//! `/events`: `CloudEvents`, one or many at once. Each is put into the inbox like a delivery to `/webhooks/cdevents`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::options;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::deliveries::{self, DeliverParams, Parcel, Received};
use super::error::{self, Problem};
use super::extract::Query;
use crate::webhooks::Headers;
use crate::webhooks::cloudevents::{self, Broken, Place};

/// Whose words the events are in.
const VENDOR: &str = "cdevents";
/// Events of one request: they share a transaction, which others wait for.
const MOST_EVENTS: usize = 1000;

static REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
static ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
static ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

pub fn router() -> OpenApiRouter<AppState> {
    // between machines, before anybody sends: no part of the contract for callers
    OpenApiRouter::new().routes(routes!(receive_events)).route("/events", options(handshake))
}

/// Take in `CloudEvents`.
///
/// One in headers and body (binary), one in the body (structured), or a list of at most 1000 (batched); `CDEvents` also
/// without an envelope. Authentic like a delivery to `/webhooks/cdevents`. When one of a list is broken, nothing is
/// taken in. An event with the `source` and `id` of one before is a repeat, and changes nothing. Who asks with
/// `Prefer: reply` for events in return, as Knative does, gets 204: there are none.
#[utoipa::path(post, path = "/events", tag = "webhooks", params(DeliverParams),
    request_body(content = Object, content_type = "application/cloudevents+json"),
    responses((status = 200, body = Vec<Received>, description = "In the order of the events"), (status = 204)))]
async fn receive_events(State(state): State<AppState>, query: Query, request: Request) -> Result<Response, Problem> {
    let Some(source) = state.sources.find(VENDOR, None) else {
        return Err(Problem::new(&error::NOT_FOUND, error::NOT_FOUND.advice));
    };
    let (sender, Parcel { headers, body }) = deliveries::open(&state, source, None, query, request).await?;
    let events = cloudevents::events(&headers, &body)?;
    if events.len() > MOST_EVENTS {
        let detail = format!("the batch has {} events; send at most {MOST_EVENTS} at once", events.len());
        return Err(Problem::new(&error::TOO_LARGE, detail));
    }
    let structured: Headers = [("content-type", "application/cloudevents+json")].into_iter().collect();
    let parcel =
        |event: serde_json::Value| Parcel { headers: structured.clone(), body: event.to_string().into_bytes() };
    let received = deliveries::take_in(&state, sender, events.into_iter().map(parcel).collect()).await?;
    if wants_events(&headers) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(Json(received).into_response())
}

/// Whether the answer would be read as events, and refused for being something else.
fn wants_events(headers: &Headers) -> bool {
    let preferences = headers.get("prefer").unwrap_or_default();
    preferences.split([',', ';']).any(|preference| preference.trim().eq_ignore_ascii_case("reply"))
}

/// Asked by senders that want to be sure that somebody here expects them; who may send is another question.
/// <https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md#4-abuse-protection>
async fn handshake(sent: HeaderMap) -> Response {
    let mut answer = StatusCode::OK.into_response();
    let headers = answer.headers_mut();
    headers.insert(header::ALLOW, HeaderValue::from_static("OPTIONS,POST"));
    if let Some(origin) = sent.get(&REQUEST_ORIGIN) {
        headers.insert(ALLOWED_ORIGIN.clone(), origin.clone());
        // as often as they like
        headers.insert(ALLOWED_RATE.clone(), HeaderValue::from_static("*"));
    }
    answer
}

impl From<Broken> for Problem {
    fn from(broken: Broken) -> Self {
        let detail = broken.to_string();
        let (place, attribute) = match broken {
            Broken::NoJson(_) => return Self::new(&error::NOT_JSON, detail),
            Broken::Format(_) => return Self::new(&error::MEDIA_TYPE_UNSUPPORTED, detail),
            Broken::NoBatch => (Place::Body, ""),
            Broken::NoEvent { place } => (place, ""),
            Broken::Missing { place, attribute } => (place, attribute),
            Broken::Version { place, .. } => (place, "specversion"),
        };
        let event = match place {
            Place::Nth(n) => format!("/{}", n.saturating_sub(1)),
            Place::Headers | Place::Body => String::new(),
        };
        let pointer = if attribute.is_empty() { event } else { format!("{event}/{attribute}") };
        let mut problem = Self::field(pointer, detail.clone());
        // it names the event already, and counts from one
        problem.detail = detail.into();
        problem
    }
}
