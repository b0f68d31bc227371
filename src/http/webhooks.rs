//! `/webhooks/{vendor}`: what other tools send. Verified on the raw bytes, put into the inbox, answered; what becomes of
//! it is worked out afterwards.

use axum::body::Bytes;
use axum::extract::RawPathParams;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::error::{self, Problem};
use super::extract::{self, Query};
use crate::auth::Role;
use crate::domain::Name;
use crate::forges::BACKFILLED;
use crate::ingest::webhooks::{Source, json, try_out};
use crate::storage::Letter;
use crate::webhooks::{About, Body, Forged, Headers, body, same, verify};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deliver)).routes(routes!(deliver_to)).routes(routes!(deliver_with_secret))
}

/// Routes whose path holds a secret: it must not stand in a log.
pub const SECRET_ROUTES: &[&str] = &["/webhooks/{vendor}/{name}/{secret}", "/api/v1/webhooks/{vendor}/{name}/{secret}"];

/// What was done with a delivery.
#[derive(Debug, Serialize, ToSchema)]
pub struct Received {
    /// Its number in the inbox; `null` for one that is there already, and for a dry run.
    id: Option<i64>,
    /// `received`; `repeated`: it is there already; `dry_run`: nothing was kept.
    #[schema(example = "received")]
    state: &'static str,
    /// What its vendor calls it.
    event: String,
    /// Of a dry run: the facts that it tells of, and what would become of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    became: Option<Vec<Value>>,
    /// Of a dry run: why nothing would become of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    ignored: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct DeliverParams {
    /// Only say what would become of it; keep nothing.
    dry_run: Option<bool>,
}

/// Take in a delivery of another tool.
///
/// Authentic when it is signed with the source's secret as its vendor signs, when it carries that secret as Bearer
/// token or basic password, or an API token that may write. An authentic delivery is answered with 200, also when
/// nothing is read from it: `GET /inbox` says what became of it. A repeat changes nothing.
#[utoipa::path(post, path = "/webhooks/{vendor}", tag = "webhooks",
    params(("vendor" = String, Path, description = "For example `github`"), DeliverParams),
    request_body(content = Object, description = "As the vendor sends it"), responses((status = 200, body = Received)))]
async fn deliver(
    State(state): State<AppState>,
    params: RawPathParams,
    query: Query,
    request: Request,
) -> Result<axum::Json<Received>, Problem> {
    accept(&state, &Address::of(&params), query, request).await
}

/// Take in a delivery of one of several sources of a vendor.
#[utoipa::path(post, path = "/webhooks/{vendor}/{name}", tag = "webhooks",
    params(("vendor" = String, Path), ("name" = String, Path, description = "The source's `name` in the configuration"),
        DeliverParams),
    request_body(content = Object, description = "As the vendor sends it"), responses((status = 200, body = Received)))]
async fn deliver_to(
    State(state): State<AppState>,
    params: RawPathParams,
    query: Query,
    request: Request,
) -> Result<axum::Json<Received>, Problem> {
    accept(&state, &Address::of(&params), query, request).await
}

/// The same for tools that can neither sign nor send a header: the secret stands at the end of the address.
#[utoipa::path(post, path = "/webhooks/{vendor}/{name}/{secret}", tag = "webhooks",
    params(("vendor" = String, Path), ("name" = String, Path), ("secret" = String, Path), DeliverParams),
    request_body(content = Object, description = "As the vendor sends it"), responses((status = 200, body = Received)))]
async fn deliver_with_secret(
    State(state): State<AppState>,
    params: RawPathParams,
    query: Query,
    request: Request,
) -> Result<axum::Json<Received>, Problem> {
    accept(&state, &Address::of(&params), query, request).await
}

/// What the path says.
struct Address {
    vendor: String,
    name: Option<String>,
    secret: Option<String>,
}

impl Address {
    fn of(params: &RawPathParams) -> Self {
        let get = |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
        Self { vendor: get("vendor").unwrap_or_default(), name: get("name"), secret: get("secret") }
    }
}

async fn accept(
    state: &AppState,
    address: &Address,
    mut query: Query,
    request: Request,
) -> Result<axum::Json<Received>, Problem> {
    let dry_run = query.one("dry_run", |text| text.parse().map_err(|_| "expected true or false".to_owned()))?;
    // senders may be told to add parameters of their own, and never get a 4xx for it
    drop(query);
    let Some(source) = state.sources.find(&address.vendor, address.name.as_deref()) else {
        // which sources there are is nobody's business who has not signed in
        let known = state.auth.identify(request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes));
        if known.is_err() {
            return Err(unauthenticated(state, "no source of this name takes what is sent without credentials"));
        }
        let detail = "no such source is configured: see webhooks.sources, and `em-metrics webhook list`";
        return Err(Problem::new(&error::NOT_FOUND, detail));
    };
    let received_at = state.clock.now();
    let headers = headers(request.headers());
    let bearer = request.headers().get(header::AUTHORIZATION).cloned();
    let bounds = extract::Bounds { bytes: state.webhook_limit, each_frame: false };
    let bytes = Bytes::from(extract::read(request, bounds, state).await?);
    let actor = authentic(state, &source, address, &headers, bearer.as_ref(), &bytes)?;
    let (about, headers) = about(&source, &headers, &bytes);
    if dry_run == Some(true) {
        let wanted = state.sources.read(&source, &about.event, &headers, &bytes, received_at);
        let trial = try_out(&state.ingest, wanted, &actor, received_at).await?;
        let (became, ignored) = (Some(trial.became).filter(|_| trial.ignored.is_none()), trial.ignored);
        return Ok(axum::Json(Received { id: None, state: "dry_run", event: about.event, became, ignored }));
    }
    let was_sent = about.delivery.as_ref().is_none_or(|id| !id.starts_with(BACKFILLED));
    let letter = Letter {
        source: source.key.clone(),
        delivery: delivery(&about, &bytes)?,
        event: body::name(&about.event).unwrap_or_else(unnamed),
        headers: serde_json::to_string(&headers).unwrap_or_default(),
        body: bytes.to_vec(),
        received_at,
        actor,
        was_sent,
    };
    let id = state.ingest.receive(letter).await?;
    state.arrived.notify_one();
    let said = if id.is_some() { "received" } else { "repeated" };
    Ok(axum::Json(Received { id, state: said, event: about.event, became: None, ignored: None }))
}

/// Who is to stand in the journal, when somebody may say this at all.
fn authentic(
    state: &AppState,
    source: &Source,
    address: &Address,
    headers: &Headers,
    authorization: Option<&HeaderValue>,
    body: &[u8],
) -> Result<Name, Problem> {
    let secrets = source.secrets();
    let verdict = verify(source.vendor.schemes, headers, body, &secrets, state.clock.now());
    if verdict.is_ok() {
        return Ok(source.key.clone());
    }
    let sent = authorization.and_then(|value| value.to_str().ok()).and_then(shared_secret);
    let is_secret = |sent: &str| secrets.iter().any(|secret| same(sent, secret).is_ok());
    if address.secret.as_deref().is_some_and(is_secret) || sent.as_deref().is_some_and(is_secret) {
        return Ok(source.key.clone());
    }
    // a wrong secret in the address is not mended by anything else
    let by_token = state.auth.identify(authorization.map(HeaderValue::as_bytes)).ok();
    if let Some(identity) = by_token.filter(|identity| identity.role >= Role::Writer && address.secret.is_none()) {
        return Ok(identity.name);
    }
    let title = source.vendor.title;
    let detail = match verdict {
        Err(Forged::Unsigned) | Ok(()) if secrets.is_empty() => {
            format!("no secret of {title} is configured here, and no API token that may write was sent")
        }
        Err(Forged::Unsigned) | Ok(()) => {
            format!("it is not signed as {title} signs, and carries neither the source's secret nor an API token")
        }
        Err(forged) => forged.to_string(),
    };
    Err(unauthenticated(state, detail))
}

fn unauthenticated(state: &AppState, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    let mut problem = Problem::new(&error::UNAUTHENTICATED, detail);
    for challenge in state.auth.challenges() {
        problem = problem.with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    problem
}

/// A Bearer or Token, or the password of basic authentication under any name.
fn shared_secret(authorization: &str) -> Option<String> {
    let (scheme, rest) = authorization.trim().split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        return text.split_once(':').map(|(_, password)| password.to_owned());
    }
    ["bearer", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then(|| rest.to_owned())
}

fn headers(sent: &HeaderMap) -> Headers {
    sent.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect()
}

/// What it says of itself, and the headers that are kept.
fn about(source: &Source, headers: &Headers, bytes: &[u8]) -> (About, Headers) {
    let body = json(headers, bytes).unwrap_or_default();
    let about = (source.vendor.about)(headers, Body(&body));
    let kept: Vec<_> = source.vendor.headers.iter().copied().chain(["content-type"]).collect();
    (about, headers.only(&kept))
}

/// The sender's id of it; without one, its body stands for itself.
fn delivery(about: &About, bytes: &[u8]) -> Result<Name, Problem> {
    let sent = about.delivery.as_deref().and_then(|id| Name::parse(id).ok());
    sent.map_or_else(|| Name::parse(&format!("sha256:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(bytes)))), Ok)
        .map_err(|_| Problem::new(&error::INTERNAL, error::INTERNAL.advice))
}

fn unnamed() -> Name {
    Name::parse("unnamed").expect("a valid name")
}
