//! `POST /incidents/{id}/finished`

use reqwest::Method;
use serde_json::json;

use super::open;
use crate::app::Answer;
use crate::engine::Engine;

on_each_engine! {
    an_open_incident_is_restored_with_it,
    a_restored_incident_keeps_when_it_was_restored,
    a_repeat_agrees_or_is_refused,
    it_cannot_be_finished_before_it_was_restored_or_far_ahead,
}

async fn an_open_incident_is_restored_with_it(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.set_now("2026-06-15T12:30:00Z");
    let finished = Answer::of(app.request(Method::POST, "/incidents/outage/finished")).await.expect(200);
    assert_eq!(finished["finished_at"], "2026-06-15T12:30:00Z");
    assert_eq!(finished["restored_at"], "2026-06-15T12:30:00Z");
    assert_eq!(finished["time_to_restore_seconds"], 1800.0);
    app.set_now("2026-06-15T12:40:00Z");
    let before = app.stored().await;
    assert_eq!(app.post("/incidents/outage/finished", json!({})).await.expect(200), finished);
    assert_eq!(app.stored().await, before);
    for series in ["incident_restored_total", "incident_finished_total", "time_to_restore_seconds_count"] {
        assert_eq!(app.total(series).await, 1.0, "{series}");
    }
    app.expect_exact().await;
}

async fn a_restored_incident_keeps_when_it_was_restored(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.post("/incidents/outage/restored", json!({"date": "2026-06-15T12:10:00Z"})).await.expect(200);
    let finished = app.post("/incidents/outage/finished", json!({"date": "2026-06-15T12:20:00Z"})).await.expect(200);
    assert_eq!(finished["restored_at"], "2026-06-15T12:10:00Z");
    assert_eq!(finished["finished_at"], "2026-06-15T12:20:00Z");
    assert_eq!(finished["time_to_restore_seconds"], 600.0);
    assert_eq!(app.total("incident_restored_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_repeat_agrees_or_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    let date = json!({"date": "2026-06-15T12:10:00Z"});
    let finished = app.post("/incidents/outage/finished", date.clone()).await.expect(200);
    assert_eq!(app.post("/incidents/outage/finished", date).await.expect(200), finished);
    let other = json!({"date": "2026-06-15T12:10:01Z"});
    assert_eq!(app.refuses_post("/incidents/outage/finished", other, 409, "conflict").await, ["/date"]);
}

async fn it_cannot_be_finished_before_it_was_restored_or_far_ahead(engine: Engine) {
    let app = engine.app().await;
    app.refuses_post("/incidents/outage/finished", json!({}), 404, "not-found").await;
    app.post("/incidents", open("outage")).await.expect(201);
    let at = |time: &str| json!({"date": time});
    for time in ["2026-06-15T11:59:59Z", "2026-06-16T12:00:01Z"] {
        let pointers = app.refuses_post("/incidents/outage/finished", at(time), 422, "impossible").await;
        assert_eq!(pointers, ["/date"], "{time}");
    }
    app.post("/incidents/outage/restored", at("2026-06-15T12:10:00Z")).await.expect(200);
    let pointers = app.refuses_post("/incidents/outage/finished", at("2026-06-15T12:09:59Z"), 422, "impossible").await;
    assert_eq!(pointers, ["/date"]);
    app.post("/incidents/outage/finished", at("2026-06-15T12:10:00Z")).await.expect(200);
}
