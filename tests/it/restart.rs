//! What a stop and a start leave as it was, and what a stop finishes.

use em_metrics::cli::serve::Service;
use em_metrics::config::Config;
use em_metrics::domain::{Clock, Timestamp};
use em_metrics::telemetry::OwnMetrics;
use serde_json::json;
use tokio::net::TcpStream;

use crate::app::{App, NOW};
use crate::engine::Engine;

on_each_engine! {
    facts_totals_and_identity_outlive_a_restart,
    a_repeat_after_a_restart_counts_nothing,
    a_stop_finishes_what_it_has_begun_to_read,
    a_stop_is_told_to_balancers_and_serves_until_they_have_heard,
    stores_have_identities_of_their_own,
}

async fn some_facts(app: &App) {
    let start =
        json!({"id": "17", "project_id": "shop", "team_id": "red", "first_commit_at": "2026-06-15T10:00:00.000001Z"});
    app.post("/deployments", start).await.expect(201);
    app.post("/incidents", json!({"project_id": "shop", "deployment_id": "17"})).await.expect(201);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    app.post("/incidents/incident_shop_1/restored", json!({})).await.expect(200);
}

/// The instruments as `/metrics` shows them, without what the process says about itself.
async fn totals(app: &App) -> Vec<String> {
    let text = app.get("/metrics").await.text;
    text.lines().filter(|line| line.contains("project_id=")).map(ToOwned::to_owned).collect()
}

async fn facts_totals_and_identity_outlive_a_restart(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    let stored = app.stored().await;
    let shown = (app.every("/deployments").await, app.every("/incidents").await, totals(&app).await);
    let instance = app.store.instance_id().await.unwrap();
    let app = App::start(app.stop().await, |_| ()).await;
    assert_eq!(app.stored().await, stored);
    assert_eq!((app.every("/deployments").await, app.every("/incidents").await, totals(&app).await), shown);
    assert_eq!(app.store.instance_id().await.unwrap(), instance);
    app.expect_exact().await;
}

async fn a_stop_is_told_to_balancers_and_serves_until_they_have_heard(engine: Engine) {
    let app = engine.app_with(|config| config.server.drain_seconds = 2).await;
    app.get("/health/ready").await.expect(200);
    app.tell_to_stop();
    // the next request but one, at the latest: it has to hear of it first
    while app.get("/health/ready").await.status == 200 {
        tokio::task::yield_now().await;
    }
    app.get("/health/ready").await.expect_problem(503, "unavailable");
    app.get("/health/live").await.expect(200);
    // connections that are there, and new ones
    some_facts(&app).await;
    let url = app.request(reqwest::Method::GET, "/deployments/17").build().unwrap().url().clone();
    assert_eq!(reqwest::get(url.clone()).await.unwrap().status(), 200);
    let database = app.stop().await;
    assert!(reqwest::get(url).await.unwrap_err().is_connect());
    let app = App::start(database, |_| ()).await;
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    app.stop().await;
}

async fn a_repeat_after_a_restart_counts_nothing(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    let stored = app.stored().await;
    let app = App::start(app.stop().await, |_| ()).await;
    app.set_now("2026-06-15T18:00:00Z");
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    app.post("/incidents/incident_shop_1/restored", json!({})).await.expect(200);
    let linked = json!({"id": "incident_shop_1", "project_id": "shop", "deployment_id": "17"});
    app.post("/incidents", linked).await.expect(200);
    assert_eq!(app.stored().await, stored);
    // and what is new goes on where it was
    let next = app.post("/incidents", json!({"project_id": "shop", "deployment_id": "17"})).await.expect(201);
    assert_eq!(next["id"], "incident_shop_2");
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_stop_finishes_what_it_has_begun_to_read(engine: Engine) {
    let app = engine.app().await;
    let body = r#"{"project_id": "shop"}"#;
    let mut wire = app.wire().await;
    let head = "POST /incidents HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue";
    wire.send(format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len())).await;
    wire.hear("100 Continue\r\n\r\n").await;
    let address = app.address;
    let stopping = tokio::spawn(app.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    // nobody else is let in any more
    wire.send(body).await;
    let reply = wire.reply().await;
    assert_eq!(reply.status(), 201, "{reply:?}");
    let app = App::start(stopping.await.unwrap(), |_| ()).await;
    app.get("/incidents/incident_shop_1").await.expect(200);
    app.expect_exact().await;
}

async fn stores_have_identities_of_their_own(engine: Engine) {
    let (one, other) = (engine.app().await, engine.app().await);
    assert_ne!(one.store.instance_id().await.unwrap(), other.store.instance_id().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_sqlite_file_is_refused() {
    let app = Engine::Sqlite.app().await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    let mut config = Config::default();
    config.auth.no_auth = true;
    app.database.configure(&mut config);
    let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
    let second = Service::start(&config, clock, OwnMetrics::detached(&config.otel)).await;
    let refused = format!("{:#}", second.unwrap_err());
    assert!(refused.contains("another em-metrics is using") && refused.contains("facts.db"), "{refused}");
    assert!(refused.contains("SQLITE_DB") && refused.contains("DATABASE_URL"), "what to do: {refused}");
    // the first one is none the worse for it, and leaves the file to the next
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    let app = App::start(app.stop().await, |_| ()).await;
    assert_eq!(app.total("incident_count_total").await, 2.0);
}
