//! `/webhooks/{vendor}`: what other tools send. Verified on the raw bytes, put into the inbox, answered; what becomes of
//! it is worked out afterwards.

use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderValue, header};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::deliveries::{self, DeliverParams, Received, unauthenticated};
use super::error::{self, Problem};
use super::extract::Query;

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(deliver)).routes(routes!(deliver_to)).routes(routes!(deliver_with_secret))
}

/// Routes whose path holds a secret: it must not stand in a log.
pub const SECRET_ROUTES: &[&str] = &["/webhooks/{vendor}/{name}/{secret}", "/api/v1/webhooks/{vendor}/{name}/{secret}"];

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
    query: Query,
    request: Request,
) -> Result<axum::Json<Received>, Problem> {
    let Some(source) = state.sources.find(&address.vendor, address.name.as_deref()) else {
        // which sources there are is nobody's business who has not signed in
        let known = state.auth.identify(request.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes));
        if known.is_err() {
            return Err(unauthenticated(state, "no source of this name takes what is sent without credentials"));
        }
        let detail = "no such source is configured: see webhooks.sources, and `em-metrics webhook list`";
        return Err(Problem::new(&error::NOT_FOUND, detail));
    };
    let (sender, parcel) = deliveries::open(state, source, address.secret.as_deref(), query, request).await?;
    let received = deliveries::take_in(state, sender, vec![parcel]).await?.pop();
    // one goes in, so one comes out
    received.map(axum::Json).ok_or_else(|| Problem::new(&error::INTERNAL, error::INTERNAL.advice))
}
