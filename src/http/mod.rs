//! The HTTP contract: routes, layers, problem documents. Every path is served at the root and under
//! `/api/v1` by the same handlers.

mod access;
mod corrections;
mod deliveries;
mod deployments;
mod docs;
mod dora;
mod error;
mod export;
mod extract;
mod import;
mod inbox;
mod incidents;
mod journal;
mod linger;
mod observe;
mod openapi;
mod pages;
mod public;
mod resource;
mod server;
mod service;
mod slots;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa_axum::router::OpenApiRouter;

use crate::auth::Authenticator;
use crate::benchmarks::Peers;
use crate::domain::{Clock, Name};
use crate::export::Totals;
use crate::ingest::{Ingest, webhooks::Sources};
use crate::report::Answers;
use crate::storage::Store;
use error::Problem;

pub use export::slots as export_slots;
pub use import::slots as import_slots;
pub use public::Public;
pub use server::serve;

/// What the handlers work with.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Parts>);

impl AppState {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl std::ops::Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

#[derive(Debug)]
pub struct Parts {
    pub store: Store,
    pub ingest: Ingest,
    /// Who may send webhooks.
    pub sources: Arc<Sources>,
    /// Told when a delivery has come in.
    pub arrived: Arc<tokio::sync::Notify>,
    pub answers: Answers,
    pub auth: Authenticator,
    pub totals: Totals,
    pub clock: Clock,
    /// The environment that answers are about unless another is asked for.
    pub production_environment: Name,
    /// Whose published figures answers are shown beside.
    pub benchmark: Peers,
    /// What is shown to those who have not signed in.
    pub public: Public,
    /// The effective configuration without secrets.
    pub shown_config: serde_json::Value,
    /// Bytes.
    pub body_limit: usize,
    /// Bytes of an import, as they are sent.
    pub import_limit: usize,
    /// Bytes of a webhook's delivery.
    pub webhook_limit: usize,
    /// Where an import is kept while it comes.
    pub import_folder: std::path::PathBuf,
    pub max_connections: usize,
    pub request_timeout: Duration,
    /// How many more exports may run at once.
    pub exports: Arc<tokio::sync::Semaphore>,
    /// How many more imports may be read at once.
    pub imports: Arc<tokio::sync::Semaphore>,
    /// Whether `/metrics` asks for credentials.
    pub metrics_auth: bool,
    pub cors_origins: Vec<HeaderValue>,
    /// Whether spans are exported, so that callers' trace contexts matter.
    pub tracing: bool,
    pub meters: observe::Meters,
    pub sign_ins: SignIns,
}

pub use observe::{Meters, Peer};
pub use pages::SignIns;

/// The whole service, for [`serve`].
#[derive(Debug)]
pub struct App {
    routes: Router,
    slots: slots::Slots,
}

pub fn app(state: AppState) -> App {
    let slots = slots::Slots::new(state.max_connections, state.meters.meter());
    App { routes: routes(state), slots }
}

fn routes(state: AppState) -> Router {
    let (api, mut description) = OpenApiRouter::with_openapi(openapi::base())
        .merge(deployments::router())
        .merge(incidents::router())
        .merge(corrections::router())
        .merge(journal::router())
        .merge(webhooks::router())
        .merge(inbox::router())
        .merge(import::router())
        .merge(export::router())
        .merge(dora::router())
        .merge(public::router())
        .merge(service::router())
        .split_for_parts();
    openapi::finish(&mut description);
    let api = api.merge(openapi::router(description));
    Router::new()
        .merge(pages::router())
        .merge(api.clone())
        .nest(resource::VERSIONED, api)
        .route(resource::VERSIONED, axum::routing::get(openapi::lead_to_docs))
        .route(&format!("{}/", resource::VERSIONED), axum::routing::get(openapi::lead_to_docs))
        .fallback(async || Problem::of_status(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::of_status(StatusCode::METHOD_NOT_ALLOWED))
        .layer(CatchPanicLayer::custom(|_| Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR).into_response()))
        .layer(axum::middleware::from_fn_with_state(state.clone(), observe::observe))
        .layer(CompressionLayer::new())
        .layer(cors(&state.cors_origins))
        .with_state(state)
}

/// Off unless origins are configured.
fn cors(origins: &[HeaderValue]) -> tower::util::Either<CorsLayer, tower::layer::util::Identity> {
    if origins.is_empty() {
        return tower::util::Either::Right(tower::layer::util::Identity::new());
    }
    // a list may not hold the asterisk
    let any = origins.iter().any(|origin| origin == "*");
    let allowed = if any { AllowOrigin::any() } else { AllowOrigin::list(origins.iter().cloned()) };
    tower::util::Either::Left(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([
                axum::http::Method::GET,
                axum::http::Method::POST,
                axum::http::Method::PATCH,
                axum::http::Method::DELETE,
            ])
            .allow_headers([
                axum::http::header::AUTHORIZATION,
                axum::http::header::CONTENT_TYPE,
                observe::REQUEST_ID.clone(),
            ])
            .expose_headers([axum::http::header::LINK, axum::http::header::LOCATION, observe::REQUEST_ID.clone()]),
    )
}
