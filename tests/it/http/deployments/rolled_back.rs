//! `POST /deployments/{id}/rolled-back`

use reqwest::Method;
use serde_json::json;

use super::start;
use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    a_deployment_is_taken_back_once,
    a_repeat_agrees_or_is_refused,
    only_a_deployed_one_can_be_taken_back,
    it_cannot_be_taken_back_before_it_was_deployed,
    a_roll_back_and_incidents_are_one_failed_change,
}

async fn a_deployment_is_taken_back_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let deployed = app.post("/deployments/17/deployed", json!({})).await.expect(200);
    app.set_now("2026-06-15T12:30:00Z");
    let taken_back = Answer::of(app.request(Method::POST, "/deployments/17/rolled-back")).await.expect(200);
    assert_eq!(taken_back["status"], "rolled_back");
    assert_eq!(taken_back["rolled_back_at"], "2026-06-15T12:30:00Z");
    for field in ["deployed_at", "lead_time_seconds", "duration_seconds"] {
        assert_eq!(taken_back[field], deployed[field], "{field}");
    }
    app.set_now("2026-06-15T12:40:00Z");
    let before = app.stored().await;
    assert_eq!(app.post("/deployments/17/rolled-back", json!({})).await.expect(200), taken_back);
    assert_eq!(app.stored().await, before);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_repeat_agrees_or_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    let body = json!({"rolled_back_at": "2026-06-15T12:00:00Z", "reason": "slow"});
    let taken_back = app.post("/deployments/17/rolled-back", body.clone()).await.expect(200);
    assert_eq!(taken_back["reason"], "slow");
    assert_eq!(app.post("/deployments/17/rolled-back", body).await.expect(200), taken_back);
    let other_time = json!({"rolled_back_at": "2026-06-15T12:01:00Z"});
    assert_eq!(app.refuses_post("/deployments/17/rolled-back", other_time, 409, "conflict").await, ["/rolled_back_at"]);
    let other_reason = json!({"reason": "wrong"});
    assert_eq!(app.refuses_post("/deployments/17/rolled-back", other_reason, 409, "conflict").await, ["/reason"]);
}

async fn only_a_deployed_one_can_be_taken_back(engine: Engine) {
    let app = engine.app().await;
    app.refuses_post("/deployments/17/rolled-back", json!({}), 404, "not-found").await;
    app.post("/deployments", start("17")).await.expect(201);
    let expected = ["/rolled_back_at"];
    assert_eq!(app.refuses_post("/deployments/17/rolled-back", json!({}), 409, "conflict").await, expected);
    app.post("/deployments/17/failed", json!({})).await.expect(200);
    assert_eq!(app.refuses_post("/deployments/17/rolled-back", json!({}), 409, "conflict").await, expected);
}

async fn it_cannot_be_taken_back_before_it_was_deployed(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    for time in ["2026-06-15T11:59:59.999999Z", "2026-06-16T12:00:01Z"] {
        let body = json!({"rolled_back_at": time});
        let pointers = app.refuses_post("/deployments/17/rolled-back", body, 422, "impossible").await;
        assert_eq!(pointers, ["/rolled_back_at"]);
    }
}

async fn a_roll_back_and_incidents_are_one_failed_change(engine: Engine) {
    let app = engine.app().await;
    for (id, incident_first) in [("17", true), ("18", false)] {
        app.post("/deployments", start(id)).await.expect(201);
        app.post(&format!("/deployments/{id}/deployed"), json!({})).await.expect(200);
        if !incident_first {
            app.post(&format!("/deployments/{id}/rolled-back"), json!({})).await.expect(200);
        }
        for _ in 0..2 {
            app.post("/incidents", json!({"project_id": "shop", "deployment_id": id})).await.expect(201);
        }
        app.post(&format!("/deployments/{id}/rolled-back"), json!({})).await.expect(200);
    }
    assert_eq!(app.total("change_failure_count_total").await, 2.0);
    assert_eq!(app.total("incident_count_total").await, 4.0);
    app.expect_exact().await;
}
