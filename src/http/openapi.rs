//! The description of the contract: `/openapi.json` for machines, `/docs` for people.

use std::sync::Arc;

use axum::extract::OriginalUri;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use utoipa::OpenApi as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
    ServerBuilder,
};

use super::{AppState, error};

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
                     answered with 2xx is on disk; whatever is not has left no trace. What is not HTTP (400), and a head \
                     of more than 32 KiB or 100 headers (431), is answered with the status alone. \
                     This description, `/docs`, `/health` and `/problems/{name}` are open without credentials, and so is what \
                     the configuration publishes.",
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

/// What every operation has in common and none says for itself.
pub fn finish(description: &mut OpenApi) {
    description.merge(AboutItself::openapi());
    for (path, item) in &mut description.paths.paths {
        let operations =
            [(&mut item.get, false), (&mut item.post, true), (&mut item.patch, true), (&mut item.delete, true)];
        for (operation, records) in
            operations.into_iter().filter_map(|(operation, records)| Some((operation.as_mut()?, records)))
        {
            let mut add = |status: &str| {
                let schema = Ref::from_schema_name("Problem");
                let response = ResponseBuilder::new().content("application/json", Content::new(Some(schema)));
                operation.responses.responses.entry(status.to_owned()).or_insert_with(|| response.build().into());
            };
            // the service's own routes, and those for everybody, have little in common and say it themselves
            let of_facts = operation.tags.iter().flatten().all(|tag| tag != "service" && tag != "public");
            let of_one = if path.contains("{id}") { &["404", "409"][..] } else { &[] };
            let failures = if of_facts { [&["400", "401", "503"], of_one].concat() } else { Vec::new() };
            let of_writers = if records { &["403"][..] } else { &[] };
            failures.into_iter().chain(["500"]).chain(of_writers.iter().copied()).for_each(&mut add);
            if let Some(RefOr::T(body)) = &mut operation.request_body {
                ["408", "409", "413", "415", "422"].into_iter().for_each(&mut add);
                // about something that exists, an empty body says enough
                body.required = Some(if path.contains("{id}") { Required::False } else { Required::True });
            }
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                // the standard asks for one of each answer, and the status says it as well as any
                if response.description.is_empty() {
                    let reason =
                        status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()?.canonical_reason());
                    reason.unwrap_or_default().clone_into(&mut response.description);
                }
                if status.as_str() >= "400"
                    && let Some(content) = response.content.shift_remove("application/json")
                {
                    response.content.insert(error::MEDIA_TYPE.to_owned(), content);
                }
            }
        }
    }
}

#[derive(utoipa::OpenApi)]
#[openapi(paths(get_openapi, get_docs))]
struct AboutItself;

pub fn router(description: OpenApi) -> Router<AppState> {
    let page: Arc<str> = super::docs::page(&description).into();
    Router::new()
        .route("/openapi.json", get(get_openapi))
        .route("/docs", get(get_docs))
        .layer(Extension(Arc::new(description)))
        .layer(Extension(page))
}

/// This contract, for machines.
#[utoipa::path(get, path = "/openapi.json", tag = "service", security(()), responses((status = 200, body = Object)))]
async fn get_openapi(Extension(description): Extension<Arc<OpenApi>>) -> Json<OpenApi> {
    Json(description.as_ref().clone())
}

/// This contract, for people.
#[utoipa::path(get, path = "/docs", tag = "service", security(()),
    responses((status = 200, body = String, content_type = "text/html")))]
async fn get_docs(Extension(page): Extension<Arc<str>>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, super::docs::policy()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, page.to_string()).into_response()
}

/// Relative, so that it also holds behind a proxy that serves us under a path of its own.
pub async fn lead_to_docs(OriginalUri(uri): OriginalUri) -> Redirect {
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    Redirect::temporary(&if last.is_empty() { "docs".to_owned() } else { format!("{last}/docs") })
}
