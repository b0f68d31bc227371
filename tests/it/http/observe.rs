//! What every answer carries: the request's id, a smaller body for those who can read it, leave for
//! other origins' pages where it is configured.

use std::io::Read as _;

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    the_request_id_is_given_back,
    a_request_id_unfit_for_a_log_is_replaced,
    answers_are_compressed_for_those_who_ask,
    other_origins_are_not_let_in_by_default,
    configured_origins_are_let_in,
    any_origin_is_let_in_when_so_configured,
}

async fn the_request_id_is_given_back(engine: Engine) {
    let app = engine.app().await;
    let long = "x".repeat(128);
    for id in ["run-17", "a/b:c=d&e,{}", long.as_str()] {
        for path in ["/health", "/nothing", "/api/v1/deployments/17", "/metrics"] {
            let answer = Answer::of(app.request(Method::GET, path).header("x-request-id", id)).await;
            assert_eq!(answer.header("x-request-id"), id, "{path}");
        }
    }
    let made = app.get("/health").await.header("x-request-id").to_owned();
    assert!(!made.is_empty());
    assert_ne!(app.get("/health").await.header("x-request-id"), made, "one for each request");
}

async fn a_request_id_unfit_for_a_log_is_replaced(engine: Engine) {
    let app = engine.app().await;
    let too_long = "x".repeat(129);
    for id in ["", " ", "two words", "tab\tbed", "grün", too_long.as_str()] {
        let request = app.request(Method::GET, "/nothing");
        let answer = Answer::of(request.header("x-request-id", id.as_bytes())).await;
        let given = answer.header("x-request-id").to_owned();
        assert!(given != id && given.len() == 36, "{given:?}");
        assert_eq!(answer.json()["request_id"], given);
    }
}

async fn answers_are_compressed_for_those_who_ask(engine: Engine) {
    let app = engine.app().await;
    for n in 0..20 {
        app.post("/incidents", json!({"id": n.to_string(), "project_id": "shop"})).await.expect(201);
    }
    for path in ["/incidents", "/metrics", "/openapi.json"] {
        let plain = app.get(path).await;
        assert_eq!(plain.header("content-encoding"), "", "{path}");
        let request = app.request(Method::GET, path).header("accept-encoding", "br, gzip;q=0.5");
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-encoding"], "gzip", "{path}");
        assert!(response.headers()["vary"].to_str().unwrap().contains("accept-encoding"), "{path}");
        let compressed = response.bytes().await.unwrap();
        assert!(compressed.len() < plain.text.len() / 2, "{path}");
        let mut text = String::new();
        flate2::read::GzDecoder::new(&compressed[..]).read_to_string(&mut text).unwrap();
        if path != "/metrics" {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), plain.json(), "{path}");
        }
    }
    let refused = app.request(Method::GET, "/incidents").header("accept-encoding", "gzip;q=0, identity");
    assert_eq!(Answer::of(refused).await.header("content-encoding"), "");
}

const ORIGIN: &str = "https://dash.example.com";

fn cors_headers(answer: &Answer) -> Vec<&str> {
    answer
        .headers
        .keys()
        .map(reqwest::header::HeaderName::as_str)
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

async fn other_origins_are_not_let_in_by_default(engine: Engine) {
    let app = engine.app().await;
    let answer = Answer::of(app.request(Method::GET, "/deployments").header("origin", ORIGIN)).await;
    answer.expect(200);
    assert!(cors_headers(&answer).is_empty());
    let preflight = app.request(Method::OPTIONS, "/deployments").header("origin", ORIGIN);
    let answer = Answer::of(preflight.header("access-control-request-method", "POST")).await;
    answer.expect_problem(405, "method-not-allowed");
    assert!(cors_headers(&answer).is_empty());
}

async fn configured_origins_are_let_in(engine: Engine) {
    let app = engine
        .app_with(|config| {
            config.auth.no_auth = false;
            config.server.cors_origins = vec![ORIGIN.to_owned(), "http://localhost:8080".to_owned()];
        })
        .await;
    // a preflight carries no credentials
    let preflight = app
        .request(Method::OPTIONS, "/api/v1/deployments")
        .header("origin", ORIGIN)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,x-request-id");
    let answer = Answer::of(preflight).await;
    assert!(answer.status.is_success(), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), ORIGIN);
    let allowed = answer.header("access-control-allow-headers").to_lowercase();
    assert!(["authorization", "content-type", "x-request-id"].iter().all(|name| allowed.contains(name)), "{allowed}");
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    // refusals can be read too
    let answer = Answer::of(app.request(Method::GET, "/deployments").header("origin", "http://localhost:8080")).await;
    answer.expect_problem(401, "unauthenticated");
    assert_eq!(answer.header("access-control-allow-origin"), "http://localhost:8080");
    let exposed = answer.header("access-control-expose-headers").to_lowercase();
    assert!(["link", "location", "x-request-id"].iter().all(|name| exposed.contains(name)), "{exposed}");
    let stranger = app.request(Method::GET, "/health").header("origin", "https://evil.example.com");
    assert_eq!(Answer::of(stranger).await.header("access-control-allow-origin"), "");
}

async fn any_origin_is_let_in_when_so_configured(engine: Engine) {
    let app = engine.app_with(|config| config.server.cors_origins = vec!["*".to_owned()]).await;
    let answer = Answer::of(app.request(Method::GET, "/deployments").header("origin", ORIGIN)).await;
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}
