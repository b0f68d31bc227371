//! The HTTP contract: routes, layers, problem documents. Every path is served at the root and under
//! `/api/v1` by the same handlers.

mod access;
mod corrections;
mod deliveries;
mod deployments;
mod docs;
mod dora;
mod error;
mod events;
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
mod streamed;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
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
    /// Whether the process is about to end, and a balancer should look elsewhere.
    pub leaving: CancellationToken,
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

/// The whole contract as a tower service, whoever brings the requests: [`serve`], or something that has no connections.
pub fn app(state: AppState) -> Router {
    let origins = state.cors_origins.clone();
    let (api, mut description) = OpenApiRouter::with_openapi(openapi::base())
        .merge(deployments::router())
        .merge(incidents::router())
        .merge(corrections::router())
        .merge(journal::router())
        .merge(webhooks::router())
        .merge(events::router())
        .merge(inbox::router())
        .merge(import::router())
        .merge(export::router())
        .merge(dora::router())
        .merge(public::router())
        .merge(service::router())
        .split_for_parts();
    openapi::finish(&mut description);
    let api = api.merge(openapi::router(description));
    let routes = Router::new()
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
        .with_state(state);
    if origins.is_empty() { routes } else { across_origins(routes, &origins) }
}

/// `CorsLayer` answers every OPTIONS by itself; what no browser asks before a request is for the routes.
fn across_origins(routes: Router, origins: &[HeaderValue]) -> Router {
    let plain = routes.clone();
    routes.layer(cors(origins)).layer(axum::middleware::from_fn(move |request: Request, next: Next| {
        let plain = plain.clone();
        async move {
            let of_browser = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
            if request.method() == Method::OPTIONS && !of_browser {
                return plain.oneshot(request).await.into_response();
            }
            next.run(request).await
        }
    }))
}

fn cors(origins: &[HeaderValue]) -> CorsLayer {
    // a list may not hold the asterisk
    let any = origins.iter().any(|origin| origin == "*");
    let allowed = if any { AllowOrigin::any() } else { AllowOrigin::list(origins.iter().cloned()) };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, observe::REQUEST_ID.clone()])
        .expose_headers([header::LINK, header::LOCATION, observe::REQUEST_ID.clone()])
}
