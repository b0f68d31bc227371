//! `POST /incidents/{id}/restored`

use reqwest::Method;
use serde_json::json;

use super::open;
use crate::app::Answer;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    an_incident_is_restored_once,
    a_repeat_agrees_or_is_refused,
    it_cannot_be_restored_before_it_started_or_far_ahead,
    a_finished_one_is_restored_already,
}

async fn an_incident_is_restored_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.set_now("2026-06-15T12:30:00Z");
    let restored = Answer::of(app.request(Method::POST, "/incidents/outage/restored")).await.expect(200);
    assert_eq!(restored["restored_at"], "2026-06-15T12:30:00Z");
    assert_eq!(restored["finished_at"], json!(null));
    assert_eq!(restored["time_to_restore_seconds"], 1800.0);
    app.set_now("2026-06-15T12:40:00Z");
    let before = app.stored().await;
    assert_eq!(app.post("/incidents/outage/restored", json!({})).await.expect(200), restored);
    assert_eq!(app.stored().await, before);
    assert_eq!(app.total("incident_restored_total").await, 1.0);
    assert_eq!(app.total("time_to_restore_seconds_sum").await, 1800.0);
    app.expect_exact().await;
}

async fn a_repeat_agrees_or_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    let at = |time: &str| json!({"date": time});
    let restored = app.post("/incidents/outage/restored", at("2026-06-15T12:10:00Z")).await.expect(200);
    assert_eq!(app.post("/incidents/outage/restored", at("2026-06-15T14:10:00+02:00")).await.expect(200), restored);
    for other in ["2026-06-15T12:10:01Z", "2026-06-15T12:09:59Z"] {
        assert_eq!(app.refuses_post("/incidents/outage/restored", at(other), 409, "conflict").await, ["/date"]);
    }
}

async fn it_cannot_be_restored_before_it_started_or_far_ahead(engine: Engine) {
    let app = engine.app().await;
    app.refuses_post("/incidents/outage/restored", json!({}), 404, "not-found").await;
    app.post("/incidents", open("outage")).await.expect(201);
    for time in ["2026-06-15T11:59:59Z", "2026-06-16T12:00:01Z"] {
        let body = json!({"date": time});
        assert_eq!(app.refuses_post("/incidents/outage/restored", body, 422, "impossible").await, ["/date"]);
    }
    // one that starts later than now is not restored now
    app.post("/incidents", with(open("later"), json!({"started_at": "2026-06-15T20:00:00Z"}))).await.expect(201);
    assert_eq!(app.refuses_post("/incidents/later/restored", json!({}), 422, "impossible").await, ["/date"]);
}

async fn a_finished_one_is_restored_already(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    let date = json!({"date": "2026-06-15T12:10:00Z"});
    let finished = app.post("/incidents/outage/finished", date.clone()).await.expect(200);
    for repeat in [json!({}), date] {
        assert_eq!(app.post("/incidents/outage/restored", repeat).await.expect(200), finished);
    }
    let other = json!({"date": "2026-06-15T12:05:00Z"});
    assert_eq!(app.refuses_post("/incidents/outage/restored", other, 409, "conflict").await, ["/date"]);
    assert_eq!(app.total("incident_restored_total").await, 1.0);
}
