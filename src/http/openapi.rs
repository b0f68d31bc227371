//! The description of the contract: `/openapi.json` for machines, `/docs` for people.

use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder, ServerBuilder};

use super::AppState;

pub fn base() -> OpenApi {
    let scheme = |scheme| SecurityScheme::Http(HttpBuilder::new().scheme(scheme).build());
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("em-metrics")
                .version(crate::VERSION)
                .description(Some(
                    "Facts about deployments and incidents go in, exact DORA numbers come out. Times are RFC 3339 \
                     with an offset and come back in UTC. Errors are RFC 9457 problem documents. Whatever is \
                     answered with 2xx is on disk; whatever is not has left no trace.",
                ))
                .build(),
        )
        .servers(Some([ServerBuilder::new().url("/").build(), ServerBuilder::new().url("/api/v1").build()]))
        .components(Some(
            ComponentsBuilder::new()
                .security_scheme("bearer", scheme(HttpAuthScheme::Bearer))
                .security_scheme("basic", scheme(HttpAuthScheme::Basic))
                .build(),
        ))
        .security(Some([
            SecurityRequirement::new("bearer", Vec::<String>::new()),
            SecurityRequirement::new("basic", Vec::<String>::new()),
        ]))
        .build()
}

pub fn router(description: OpenApi) -> Router<AppState> {
    let description = Arc::new(description);
    let page: Arc<str> = super::docs::page(&description).into();
    Router::new()
        .route("/openapi.json", get(async move || Json(description.as_ref().clone())))
        .route(
            "/docs",
            get(async move || ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page.to_string()).into_response()),
        )
        .route("/", get(async || Redirect::temporary("docs")))
}
