//! From a request to the inbox, at every address that other tools send to: who may, what is kept, what is answered.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::AppState;
use super::error::{self, Problem};
use super::extract::{self, Query};
use crate::auth::Role;
use crate::domain::{Name, Timestamp};
use crate::forges::BACKFILLED;
use crate::ingest::webhooks::{Source, json, try_out};
use crate::storage::Letter;
use crate::webhooks::{About, Body, Forged, Headers, body, same, verify};

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
pub struct DeliverParams {
    /// Only say what would become of it; keep nothing.
    dry_run: Option<bool>,
}

/// Somebody who may send.
#[derive(Debug)]
pub struct Sender {
    source: Source,
    actor: Name,
    received_at: Timestamp,
    /// Nothing is to be kept.
    is_trial: bool,
}

/// What is sent.
#[derive(Debug)]
pub struct Parcel {
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// Reads a request and says who it is from, when it is from somebody who may send.
pub async fn open(
    state: &AppState,
    source: Source,
    secret: Option<&str>,
    mut query: Query,
    request: Request,
) -> Result<(Sender, Parcel), Problem> {
    let dry_run = query.one("dry_run", |text| text.parse().map_err(|_| "expected true or false".to_owned()))?;
    // senders may be told to add parameters of their own, and never get a 4xx for it
    drop(query);
    let received_at = state.clock.now();
    let headers = headers(request.headers());
    let authorization = request.headers().get(header::AUTHORIZATION).cloned();
    let bounds = extract::Bounds { bytes: state.webhook_limit, each_frame: false };
    let body = extract::read(request, bounds, state).await?;
    let actor = authentic(state, &source, secret, &headers, authorization.as_ref(), &body)?;
    let sender = Sender { source, actor, received_at, is_trial: dry_run == Some(true) };
    Ok((sender, Parcel { headers, body }))
}

/// Puts what is sent into the inbox, all or nothing, and says what was done with each.
pub async fn take_in(state: &AppState, sender: Sender, parcels: Vec<Parcel>) -> Result<Vec<Received>, Problem> {
    let Sender { source, actor, received_at, is_trial } = sender;
    let described: Vec<_> = parcels.into_iter().map(|parcel| described(&source, parcel)).collect();
    if is_trial {
        let read = |(about, Parcel { headers, body }): &(About, Parcel)| {
            state.sources.read(&source, &about.event, headers, body, received_at)
        };
        let wanted = described.iter().map(read).collect();
        let trials = try_out(&state.ingest, wanted, &actor, received_at).await?;
        let tried = described.into_iter().zip(trials).map(|((about, _), trial)| {
            let (became, ignored) = (Some(trial.became).filter(|_| trial.ignored.is_none()), trial.ignored);
            Received { id: None, state: "dry_run", event: about.event, became, ignored }
        });
        return Ok(tried.collect());
    }
    let (mut letters, mut events) = (Vec::with_capacity(described.len()), Vec::with_capacity(described.len()));
    for (about, Parcel { headers, body }) in described {
        let was_sent = about.delivery.as_ref().is_none_or(|id| !id.starts_with(BACKFILLED));
        letters.push(Letter {
            source: source.key.clone(),
            delivery: delivery(&about, &body)?,
            event: body::name(&about.event).unwrap_or_else(unnamed),
            headers: serde_json::to_string(&headers).unwrap_or_default(),
            body,
            received_at,
            actor: actor.clone(),
            was_sent,
        });
        events.push(about.event);
    }
    let ids = state.ingest.receive(letters).await?;
    state.arrived.notify_one();
    let done = ids.into_iter().zip(events).map(|(id, event)| {
        let said = if id.is_some() { "received" } else { "repeated" };
        Received { id, state: said, event, became: None, ignored: None }
    });
    Ok(done.collect())
}

/// Who is to stand in the journal, when somebody may say this at all.
fn authentic(
    state: &AppState,
    source: &Source,
    secret: Option<&str>,
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
    if secret.is_some_and(is_secret) || sent.as_deref().is_some_and(is_secret) {
        return Ok(source.key.clone());
    }
    // a wrong secret in the address is not mended by anything else
    let by_token = state.auth.identify(authorization.map(HeaderValue::as_bytes)).ok();
    if let Some(identity) = by_token.filter(|identity| identity.role >= Role::Writer && secret.is_none()) {
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

pub fn unauthenticated(state: &AppState, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
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

/// What it says of itself, and only those headers that are kept.
fn described(source: &Source, Parcel { headers, body }: Parcel) -> (About, Parcel) {
    let said = json(&headers, &body).unwrap_or_default();
    let about = (source.vendor.about)(&headers, Body(&said));
    let kept: Vec<_> = source.vendor.headers.iter().copied().chain(["content-type"]).collect();
    (about, Parcel { headers: headers.only(&kept), body })
}

/// The sender's id of it, or what stands for one that is too long; without one, its body stands for itself.
fn delivery(about: &About, bytes: &[u8]) -> Result<Name, Problem> {
    let sent = about.delivery.as_deref().filter(|id| !id.trim().is_empty());
    if let Some(id) = sent.and_then(|id| Name::parse(id).ok()) {
        return Ok(id);
    }
    let whole = sent.map_or(bytes, str::as_bytes);
    Name::parse(&format!("sha256:{}", URL_SAFE_NO_PAD.encode(Sha256::digest(whole))))
        .map_err(|_| Problem::new(&error::INTERNAL, error::INTERNAL.advice))
}

fn unnamed() -> Name {
    Name::parse("unnamed").expect("a valid name")
}
