//! `/inbox`: what other tools have delivered, and what became of it.

use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::{Reader, Writer};
use super::error::{self, Problem};
use super::extract::{Query, time_or_date};
use super::resource::{Base, limit};
use crate::domain::{Name, Timestamp};
use crate::storage::{Contents, InboxFilter, Kept, Standing};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_inbox)).routes(routes!(get_delivery)).routes(routes!(replay_delivery))
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Delivery)]
pub struct View {
    id: i64,
    /// The vendor, or `vendor/name`.
    #[schema(example = "github")]
    source: String,
    /// The sender's id of it; without one, the digest of its body.
    delivery: String,
    /// What its vendor calls it.
    #[schema(example = "deployment_status.created")]
    event: String,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// `received`: it waits; `done`; `ignored`: nothing is read from it; `failed`: what it says cannot be.
    #[schema(example = "done")]
    state: String,
    /// Why it was ignored, has failed or has to wait.
    reason: Option<String>,
    /// The facts that it told of, and what became of each.
    #[schema(value_type = Vec<Object>)]
    became: Vec<Value>,
    /// How often it was read.
    attempts: i64,
}

/// A delivery with all that came with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct WholeDelivery {
    #[serde(flatten)]
    view: View,
    /// Those that are needed to read it; none of them is a secret.
    #[schema(value_type = Object)]
    headers: Value,
    /// As it was sent; a text, where it is no JSON.
    #[schema(value_type = Object)]
    body: Value,
}

impl From<Kept> for View {
    fn from(kept: Kept) -> Self {
        let Kept { id, source, delivery, event, received_at, state, reason, became, attempts } = kept;
        let became = became.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        Self { id, source, delivery, event, received_at, state, reason, became, attempts }
    }
}

/// What can be asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct InboxParams {
    /// `received`, `done`, `ignored` or `failed`
    state: Option<String>,
    /// The vendor, or `vendor/name`.
    source: Option<String>,
    /// A time or a date; inclusive. Goes by when it was received.
    from: Option<String>,
    /// A time or a date; exclusive.
    to: Option<String>,
    /// 1 to 1000, default 50.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
    /// From the `Link` header of the page before.
    cursor: Option<i64>,
}

/// What other tools have delivered, newest first.
#[utoipa::path(get, path = "/inbox", tag = "webhooks", params(InboxParams),
    responses(
        (status = 200, body = Vec<View>, headers(("Link" = String, description = "rel=\"next\": the next page"))),
    ))]
async fn list_inbox(
    _: Reader,
    State(state): State<AppState>,
    base: Base,
    mut query: Query,
) -> Result<Response, Problem> {
    let filter = InboxFilter {
        state: query.one("state", standing)?,
        source: query.one("source", Name::parse)?,
        from: query.one("from", time_or_date)?,
        to: query.one("to", time_or_date)?,
        limit: limit(&mut query)?,
        before_id: query.one("cursor", |text| {
            text.parse().map_err(|_| "expected a cursor from the Link header of the page before".to_owned())
        })?,
    };
    query.done()?;
    let (kept, more) = state.store.inbox(&filter).await?;
    let next = kept.last().filter(|_| more).map(|last| last.id.to_string());
    let shown: Vec<_> = kept.into_iter().map(View::from).collect();
    Ok((base.next_page(next.as_deref()), axum::Json(shown)).into_response())
}

fn standing(text: &str) -> Result<Standing, String> {
    let found = Standing::ALL.into_iter().find(|standing| standing.word() == text);
    found.ok_or_else(|| "expected received, done, ignored or failed".to_owned())
}

/// One delivery, with its body and what it became.
#[utoipa::path(get, path = "/inbox/{id}", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = WholeDelivery)))]
async fn get_delivery(
    _: Reader,
    State(state): State<AppState>,
    params: RawPathParams,
    query: Query,
) -> Result<axum::Json<WholeDelivery>, Problem> {
    query.done()?;
    whole(&state, number(&params)?).await.map(axum::Json)
}

/// Read a delivery again.
///
/// After the configuration has changed, say: facts that it has told of already do not count twice.
#[utoipa::path(post, path = "/inbox/{id}/replay", tag = "webhooks", params(("id" = i64, Path)),
    responses((status = 200, body = WholeDelivery, description = "It waits to be read; look again in a moment")))]
async fn replay_delivery(
    _: Writer,
    State(state): State<AppState>,
    params: RawPathParams,
    query: Query,
) -> Result<axum::Json<WholeDelivery>, Problem> {
    query.done()?;
    let id = number(&params)?;
    if !state.store.replay(id, state.clock.now()).await? {
        return Err(unknown(id));
    }
    state.arrived.notify_one();
    whole(&state, id).await.map(axum::Json)
}

fn number(params: &RawPathParams) -> Result<i64, Problem> {
    let sent = params.iter().find(|(name, _)| *name == "id").map(|(_, value)| value).unwrap_or_default();
    sent.parse().map_err(|_| Problem::field("/id", "expected the number of a delivery"))
}

fn unknown(id: i64) -> Problem {
    Problem::new(&error::NOT_FOUND, format!("there is no delivery {id} in the inbox; old ones are cleared away"))
}

async fn whole(state: &AppState, id: i64) -> Result<WholeDelivery, Problem> {
    let (kept, Contents { headers, body }) = state.store.letter(id).await?.ok_or_else(|| unknown(id))?;
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into());
    let headers = serde_json::from_str(&headers).unwrap_or_default();
    Ok(WholeDelivery { view: kept.into(), headers, body })
}
