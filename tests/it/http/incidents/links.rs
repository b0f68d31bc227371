//! Incidents and the deployments that caused them.

use serde_json::{Value, json};

use super::open;
use crate::app::App;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    a_linked_deployment_must_exist_in_the_project,
    detection_is_measured_from_the_deployment,
    a_deployment_fails_once_however_many_incidents_it_has,
    a_link_may_come_later,
    a_link_is_not_changed_by_a_repeat,
    an_incident_may_come_before_its_deployment_is_deployed,
    a_deployment_that_never_reached_users_is_no_failed_change,
    an_incident_while_rolling_out_has_no_time_to_detect,
    an_incident_from_before_its_deployment_is_impossible,
    the_environment_comes_from_the_deployment,
    failure_and_detection_count_under_the_deployments_labels,
}

fn deployed(id: &str) -> Value {
    json!({
        "id": id, "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z",
        "deploy_start_at": "2026-06-15T10:00:00Z", "deployed_at": "2026-06-15T11:00:00Z",
    })
}

fn linked(id: &str) -> Value {
    with(open(id), json!({"deployment_id": "17"}))
}

async fn incidents_of(app: &App, deployment: &str) -> Value {
    app.get(&format!("/deployments/{deployment}")).await.expect(200)["incidents"].clone()
}

async fn a_linked_deployment_must_exist_in_the_project(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", with(deployed("17"), json!({"project_id": "api"}))).await.expect(201);
    assert_eq!(app.refuses_post("/incidents", linked("outage"), 422, "impossible").await, ["/deployment_id"]);
    app.post("/incidents", open("outage")).await.expect(201);
    assert_eq!(app.refuses_post("/incidents", linked("outage"), 422, "impossible").await, ["/deployment_id"]);
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", linked("outage")).await.expect(200);
    assert_eq!(incidents_of(&app, "17?project_id=shop").await, json!(["outage"]));
    assert_eq!(incidents_of(&app, "17?project_id=api").await, json!([]));
}

async fn detection_is_measured_from_the_deployment(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    let incident = app.post("/incidents", linked("outage")).await.expect(201);
    assert_eq!(incident["time_to_detect_seconds"], 3600.0);
    app.post("/incidents", linked("outage")).await.expect(200);
    app.post("/incidents/outage/finished", json!({})).await.expect(200);
    assert_eq!(app.total("time_to_detect_seconds_count").await, 1.0);
    assert_eq!(app.total("time_to_detect_seconds_sum").await, 3600.0);
    app.expect_exact().await;
}

async fn a_deployment_fails_once_however_many_incidents_it_has(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    assert_eq!(app.total("change_failure_count_total").await, 0.0);
    for id in ["a", "b", "c"] {
        app.post("/incidents", linked(id)).await.expect(201);
        app.post("/incidents", linked(id)).await.expect(200);
        assert_eq!(app.total("change_failure_count_total").await, 1.0);
    }
    app.post("/deployments/17/rolled-back", json!({})).await.expect(200);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    assert_eq!(app.total("incident_count_total").await, 3.0);
    assert_eq!(app.total("time_to_detect_seconds_count").await, 3.0);
    app.expect_exact().await;
}

async fn a_link_may_come_later(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", open("outage")).await.expect(201);
    app.post("/incidents/outage/restored", json!({})).await.expect(200);
    assert_eq!(app.total("change_failure_count_total").await, 0.0);
    let incident = app.post("/incidents", linked("outage")).await.expect(200);
    assert_eq!(incident["deployment_id"], "17");
    assert_eq!(incident["time_to_detect_seconds"], 3600.0);
    assert_eq!(incidents_of(&app, "17").await, json!(["outage"]));
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    assert_eq!(app.total("incident_count_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_link_is_not_changed_by_a_repeat(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/deployments", deployed("18")).await.expect(201);
    app.post("/incidents", linked("outage")).await.expect(201);
    let other = with(open("outage"), json!({"deployment_id": "18"}));
    assert_eq!(app.refuses_post("/incidents", other, 409, "conflict").await, ["/deployment_id"]);
    assert_eq!(app.post("/incidents", open("outage")).await.expect(200)["deployment_id"], "17");
    assert_eq!(incidents_of(&app, "18").await, json!([]));
}

async fn an_incident_may_come_before_its_deployment_is_deployed(engine: Engine) {
    let app = engine.app().await;
    let start = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z",
        "deploy_start_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", start).await.expect(201);
    let incident = app.post("/incidents", linked("outage")).await.expect(201);
    assert_eq!(incident["time_to_detect_seconds"], json!(null));
    app.post("/incidents", linked("second")).await.expect(201);
    assert_eq!(app.total("change_failure_count_total").await, 0.0, "not in use yet");
    assert_eq!(app.total("time_to_detect_seconds_count").await, 0.0);
    app.post("/deployments/17/deployed", json!({"deployed_at": "2026-06-15T11:30:00Z"})).await.expect(200);
    assert_eq!(app.get("/incidents/outage").await.expect(200)["time_to_detect_seconds"], 1800.0);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    assert_eq!(app.total("time_to_detect_seconds_count").await, 2.0);
    assert_eq!(app.total("time_to_detect_seconds_sum").await, 3600.0);
    app.expect_exact().await;
}

async fn a_deployment_that_never_reached_users_is_no_failed_change(engine: Engine) {
    let app = engine.app().await;
    let start = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z"});
    app.post("/deployments", start).await.expect(201);
    app.post("/incidents", linked("outage")).await.expect(201);
    app.post("/deployments/17/failed", json!({})).await.expect(200);
    app.post("/incidents", linked("second")).await.expect(201);
    assert_eq!(app.total("change_failure_count_total").await, 0.0);
    assert_eq!(app.total("time_to_detect_seconds_count").await, 0.0);
    assert_eq!(incidents_of(&app, "17").await, json!(["outage", "second"]));
    app.expect_exact().await;
}

async fn an_incident_while_rolling_out_has_no_time_to_detect(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    let body = with(linked("outage"), json!({"started_at": "2026-06-15T10:30:00Z"}));
    let incident = app.post("/incidents", body).await.expect(201);
    assert_eq!(incident["time_to_detect_seconds"], json!(null), "never below 0");
    assert_eq!(app.total("time_to_detect_seconds_count").await, 0.0);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    app.expect_exact().await;
}

async fn an_incident_from_before_its_deployment_is_impossible(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    let early = with(linked("outage"), json!({"started_at": "2026-06-15T09:59:59Z"}));
    assert_eq!(app.refuses_post("/incidents", early.clone(), 422, "impossible").await, ["/started_at"]);
    // known first, linked later
    let unlinked = with(early.clone(), json!({"deployment_id": null}));
    app.post("/incidents", unlinked).await.expect(201);
    app.refuses_post("/incidents", early, 422, "impossible").await;
    assert_eq!(incidents_of(&app, "17").await, json!([]));
}

async fn the_environment_comes_from_the_deployment(engine: Engine) {
    let app = engine.app_with(|config| config.production_environment = crate::http::name("live")).await;
    app.post("/deployments", with(deployed("17"), json!({"environment": "staging"}))).await.expect(201);
    let environment = async |body: Value| app.post("/incidents", body).await.expect(201)["environment"].clone();
    assert_eq!(environment(linked("a")).await, "staging");
    assert_eq!(environment(with(linked("b"), json!({"environment": "test"}))).await, "test");
    assert_eq!(environment(open("c")).await, "live");
    app.expect_exact().await;
}

async fn failure_and_detection_count_under_the_deployments_labels(engine: Engine) {
    let app = engine.app().await;
    let of_red = json!({"environment": "staging", "team_id": "red"});
    app.post("/deployments", with(deployed("17"), of_red)).await.expect(201);
    app.post("/incidents", with(linked("outage"), json!({"environment": "live"}))).await.expect(201);
    let of_deployment = r#"{environment="staging",project_id="shop",team_id="red"}"#;
    let of_incident = r#"{environment="live",project_id="shop",team_id=""}"#;
    for (series, labels) in [
        ("change_failure_count_total", of_deployment),
        ("time_to_detect_seconds_count", of_deployment),
        ("incident_count_total", of_incident),
    ] {
        assert_eq!(app.metric(&format!("{series}{labels}")).await, Some(1.0), "{series}");
        assert_eq!(app.total(series).await, 1.0, "{series}");
    }
}
