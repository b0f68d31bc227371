//! Which deployment has caused an incident, as far as the incident's sender says.

use em_metrics::config::Config;
use em_metrics::webhooks::vendor;
use reqwest::Method;
use serde_json::{Value, json};

use super::inbox::{hex_signature, settled, source};
use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    a_label_links_an_incident_to_its_deployment,
    the_incident_may_come_first,
    a_root_cause_is_found_by_its_commit,
    a_link_that_is_taken_away_stays_away,
}

async fn app(engine: Engine) -> App {
    engine.app_with(|config: &mut Config| config.webhooks.sources = vec![source("github")]).await
}

pub async fn tell(app: &App, event: &str, body: &str) {
    let request = app.request(Method::POST, "/webhooks/github").header("x-github-event", event);
    let signature = format!("sha256={}", hex_signature(body.as_bytes()));
    Answer::of(request.header("x-hub-signature-256", signature).body(body.to_owned())).await.expect(200);
    settled(app).await;
}

pub fn sample(name: &str) -> &'static str {
    vendor("github").unwrap().samples.iter().find(|sample| sample.name == name).unwrap().body
}

/// Waits until the incident has a deployment.
async fn cause(app: &App) -> Value {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let fact = app.get("/incidents/github:issue:4040").await.expect(200);
        if !fact["deployment_id"].is_null() {
            return fact["deployment_id"].clone();
        }
        assert!(tokio::time::Instant::now() < deadline, "it is not linked: {fact}");
        tokio::task::yield_now().await;
    }
}

/// How it was linked, and how sure that is.
async fn how(app: &App) -> [Value; 2] {
    let fact = app.get("/incidents/github:issue:4040").await.expect(200);
    assert_eq!(fact["link"], "linked");
    [fact["link_method"].clone(), fact["link_confidence"].clone()]
}

async fn a_label_links_an_incident_to_its_deployment(engine: Engine) {
    let app = app(engine).await;
    tell(&app, "deployment_status", sample("deployment_status")).await;
    tell(&app, "issues", sample("issue")).await;
    assert_eq!(cause(&app).await, "github:7001");
    assert_eq!(app.metric("change_failure_count_total{").await, Some(1.0));
    assert_eq!(app.metric("time_to_detect_seconds_sum{").await, Some(3000.0));
    assert_eq!(how(&app).await, ["label", "certain"]);
    let entry = &app.get("/journal?kind=incident.linked").await.expect(200)[0];
    assert_eq!(entry["actor"], "em-metrics");
}

async fn the_incident_may_come_first(engine: Engine) {
    let app = app(engine).await;
    tell(&app, "issues", sample("issue")).await;
    tell(&app, "deployment_status", sample("deployment_status")).await;
    assert_eq!(cause(&app).await, "github:7001");
    assert_eq!(app.metric("change_failure_count_total{").await, Some(1.0));
}

async fn a_root_cause_is_found_by_its_commit(engine: Engine) {
    let app = app(engine).await;
    tell(&app, "deployment_status", sample("deployment_status")).await;
    let mut issue: Value = serde_json::from_str(sample("issue")).unwrap();
    issue["issue"]["labels"] = json!([{"name": "incident"}]);
    issue["issue"]["body"] = json!("Root cause: 2f8c6b1");
    tell(&app, "issues", &issue.to_string()).await;
    assert_eq!(cause(&app).await, "github:7001");
    assert_eq!(how(&app).await, ["commit", "likely"]);
    let query = "metric=change_failure_rate&from=2026-06-01&to=2026-07-01&counted=true";
    let explanation = app.get(&format!("/dora/explain?{query}")).await.expect(200);
    let detail = explanation["facts"][0]["detail"].as_str().unwrap();
    assert_eq!(detail, "incident github:issue:4040 (by its commit) is linked to it");
}

async fn a_link_that_is_taken_away_stays_away(engine: Engine) {
    let app = app(engine).await;
    tell(&app, "deployment_status", sample("deployment_status")).await;
    tell(&app, "issues", sample("issue")).await;
    cause(&app).await;
    let patch = app.request(Method::PATCH, "/incidents/github:issue:4040").json(&json!({"deployment_id": null}));
    Answer::of(patch).await.expect(200);
    // both are looked at again
    let mut issue: Value = serde_json::from_str(sample("issue")).unwrap();
    issue["issue"]["title"] = json!("The till was down");
    issue["issue"]["updated_at"] = json!("2026-06-15T13:50:00Z");
    tell(&app, "issues", &issue.to_string()).await;
    tell(&app, "ping", "{}").await;
    let fact = app.get("/incidents/github:issue:4040").await.expect(200);
    assert_eq!((&fact["title"], &fact["deployment_id"]), (&json!("The till was down"), &Value::Null));
}
