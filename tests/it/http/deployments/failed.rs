//! `POST /deployments/{id}/failed`

use reqwest::Method;
use serde_json::json;

use super::start;
use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    a_pipeline_fails_once,
    a_repeat_agrees_or_is_refused,
    a_reason_may_come_later,
    only_a_started_one_can_fail,
    it_cannot_fail_before_it_started_or_far_ahead,
}

async fn a_pipeline_fails_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.set_now("2026-06-15T12:10:00Z");
    let failed = Answer::of(app.request(Method::POST, "/deployments/17/failed")).await.expect(200);
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["failed_at"], "2026-06-15T12:10:00Z");
    for field in ["deployed_at", "rolled_back_at", "lead_time_seconds", "duration_seconds", "reason"] {
        assert_eq!(failed[field], json!(null), "{field}");
    }
    app.set_now("2026-06-15T12:20:00Z");
    let before = app.stored().await;
    assert_eq!(app.post("/deployments/17/failed", json!({})).await.expect(200), failed);
    assert_eq!(app.stored().await, before);
    assert_eq!(app.total("deployment_failed_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_repeat_agrees_or_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let body = json!({"failed_at": "2026-06-15T12:00:00Z", "reason": "tests are red"});
    let failed = app.post("/deployments/17/failed", body.clone()).await.expect(200);
    assert_eq!(failed["reason"], "tests are red");
    assert_eq!(app.post("/deployments/17/failed", body).await.expect(200), failed);
    let other_time = json!({"failed_at": "2026-06-15T12:00:01Z"});
    assert_eq!(app.refuses_post("/deployments/17/failed", other_time, 409, "conflict").await, ["/failed_at"]);
    let other_reason = json!({"reason": "no more disk"});
    assert_eq!(app.refuses_post("/deployments/17/failed", other_reason, 409, "conflict").await, ["/reason"]);
}

async fn a_reason_may_come_later(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/failed", json!({})).await.expect(200);
    let explained = app.post("/deployments/17/failed", json!({"reason": "tests\nare red"})).await.expect(200);
    assert_eq!(explained["reason"], "tests\nare red");
    assert_eq!(app.total("deployment_failed_total").await, 1.0);
}

async fn only_a_started_one_can_fail(engine: Engine) {
    let app = engine.app().await;
    app.refuses_post("/deployments/17/failed", json!({}), 404, "not-found").await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    assert_eq!(app.refuses_post("/deployments/17/failed", json!({}), 409, "conflict").await, ["/failed_at"]);
    app.post("/deployments/17/rolled-back", json!({})).await.expect(200);
    assert_eq!(app.refuses_post("/deployments/17/failed", json!({}), 409, "conflict").await, ["/failed_at"]);
}

async fn it_cannot_fail_before_it_started_or_far_ahead(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    for time in ["2026-06-15T11:59:59Z", "2026-06-16T12:00:01Z"] {
        let body = json!({"failed_at": time});
        assert_eq!(app.refuses_post("/deployments/17/failed", body, 422, "impossible").await, ["/failed_at"]);
    }
}
