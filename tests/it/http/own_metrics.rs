//! What the service measures of itself, as `/metrics` shows it.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    requests_are_measured_by_route,
    what_anybody_can_make_up_makes_no_series,
    connections_are_bounded_and_counted,
}

const DURATION_COUNT: &str = "http_server_request_duration_seconds_count";

/// The samples of a metric, each with its labels.
async fn samples(app: &App, name: &str) -> BTreeSet<String> {
    let text = app.get("/metrics").await.text;
    text.lines().filter_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned).collect()
}

fn one(method: &str, status: u16, route: &str, count: u32) -> String {
    format!(
        "{{http_request_method=\"{method}\",http_response_status_code=\"{status}\",http_route=\"{route}\",\
         url_scheme=\"http\"}} {count}"
    )
}

async fn requests_are_measured_by_route(engine: Engine) {
    let app = engine.app_with(|config| config.server.body_limit_bytes = 1000).await;
    for id in ["17", "18"] {
        let start = json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
        app.post("/deployments", start).await.expect(201);
        app.get(&format!("/deployments/{id}")).await.expect(200);
    }
    app.get("/api/v1/deployments/19").await.expect_problem(404, "not-found");
    app.post("/deployments", json!({"url": "x".repeat(2000)})).await.expect_problem(413, "too-large");
    let expected = BTreeSet::from([
        one("POST", 201, "/deployments", 2),
        one("POST", 413, "/deployments", 1),
        one("GET", 200, "/deployments/{id}", 2),
        one("GET", 404, "/api/v1/deployments/{id}", 1),
    ]);
    assert_eq!(samples(&app, DURATION_COUNT).await, expected);

    let text = app.get("/metrics").await.text;
    let bucket = "http_server_request_duration_seconds_bucket{http_request_method=\"POST\"";
    assert!(text.lines().any(|line| line.starts_with(bucket) && line.contains("le=\"10\"")), "{text}");
    // the one that asks
    let active = "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 1";
    assert!(text.lines().any(|line| line == active), "{text}");
}

async fn what_anybody_can_make_up_makes_no_series(engine: Engine) {
    let app = engine.app().await;
    for n in 0..20 {
        app.get(&format!("/made-up-{n}?x={n}")).await.expect_problem(404, "not-found");
        let method = Method::from_bytes(format!("MADEUP{n}").as_bytes()).unwrap();
        Answer::of(app.request(method, "/health")).await.expect_problem(405, "method-not-allowed");
        app.get(&format!("/deployments/{n}")).await.expect_problem(404, "not-found");
    }
    let unknown = "{http_request_method=\"GET\",http_response_status_code=\"404\",url_scheme=\"http\"} 20";
    let expected = BTreeSet::from([
        unknown.to_owned(),
        one("GET", 404, "/deployments/{id}", 20),
        one("_OTHER", 405, "/health", 20),
    ]);
    assert_eq!(samples(&app, DURATION_COUNT).await, expected);
    assert!(!app.get("/metrics").await.text.to_lowercase().contains("made"));
}

async fn connections_are_bounded_and_counted(engine: Engine) {
    let app = engine.app_with(|config| config.server.max_connections = 2).await;
    let ask =
        |path: &str, connection: &str| format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: {connection}\r\n\r\n");
    let (mut first, mut second) = (app.wire().await, app.wire().await);
    for wire in [&mut first, &mut second] {
        wire.send(ask("/health", "keep-alive")).await;
        wire.hear("{\"status\":\"ok\"}").await;
    }
    second.send(ask("/metrics", "keep-alive")).await;
    second.hear("\nem_metrics_http_connections 2\n").await;

    let mut third = app.wire().await;
    third.send(ask("/health", "close")).await;
    let reply = tokio::time::timeout(Duration::from_millis(300), third.reply()).await;
    assert!(reply.is_err(), "{reply:?}");
    drop(first);
    assert_eq!(third.reply().await.status(), 200);
}
