//! Incidents that were only heard of when they were over: nothing is measured from a beginning that nobody has told.

use reqwest::Method;
use serde_json::{Value, json};

use super::inbox::{SECRET, settled, source};
use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    nothing_is_measured_from_a_beginning_that_nobody_has_told,
    what_its_tool_takes_back_is_its_deployments_no_more,
}

pub async fn app(engine: Engine) -> App {
    engine.app_with(|config| config.webhooks.sources = vec![source("pagerduty")]).await
}

/// What the tool says of its incident, without when that was made.
pub async fn tell(app: &App, kind: &str, at: &str) {
    let data = json!({"id": "P1", "type": "incident", "service": {"summary": "shop"}});
    let event = json!({"id": kind, "event_type": format!("incident.{kind}"), "occurred_at": at, "data": data});
    let request = app.request(Method::POST, "/webhooks/pagerduty").header("authorization", format!("Bearer {SECRET}"));
    Answer::of(request.json(&json!({"event": event}))).await.expect(200);
    settled(app).await;
}

/// A deployment at nine, an incident of it that is over at eleven.
pub async fn over(app: &App) {
    let body = json!({"id": "1", "project_id": "shop", "first_commit_at": "2026-06-01T08:00:00Z",
        "deploy_start_at": "2026-06-01T08:30:00Z", "deployed_at": "2026-06-01T09:00:00Z"});
    app.post("/deployments", body).await.expect(201);
    tell(app, "resolved", "2026-06-01T11:00:00Z").await;
    let patch = app.request(Method::PATCH, "/incidents/pagerduty:P1").json(&json!({"deployment_id": "1"}));
    Answer::of(patch).await.expect(200);
}

const WINDOW: &str = "from=2026-06-01&to=2026-06-02";

/// n and the mean of each duration of incidents.
fn durations(dora: &Value) -> [(u64, Option<f64>); 3] {
    ["time_to_restore", "time_to_detect", "failed_deployment_recovery_time"]
        .map(|block| (dora[block]["n"].as_u64().unwrap(), dora[block]["mean_seconds"].as_f64()))
}

async fn nothing_is_measured_from_a_beginning_that_nobody_has_told(engine: Engine) {
    let app = app(engine).await;
    over(&app).await;
    let fact = app.get("/incidents/pagerduty:P1").await.expect(200);
    assert_eq!([&fact["time_to_restore_seconds"], &fact["time_to_detect_seconds"]], [&Value::Null, &Value::Null]);
    let before = app.get(&format!("/dora?{WINDOW}")).await.expect(200);
    assert_eq!(durations(&before), [(0, None); 3]);
    assert_eq!((&before["incidents"]["restored"], &before["change_failure_rate"]["failed"]), (&json!(1), &json!(1)));
    assert_eq!(before["failed_deployment_recovery_time"]["open"], 0);
    let explain = async |metric: &str| {
        let explanation = app.get(&format!("/dora/explain?metric={metric}&{WINDOW}")).await.expect(200);
        let fact = &explanation["facts"][0];
        assert_eq!(explanation["answer"]["n"], u64::from(fact["counted"] == true), "{metric}");
        (fact["counted"].clone(), fact["reason"].clone(), fact["detail"].clone())
    };
    for metric in ["time_to_restore", "time_to_detect", "failed_deployment_recovery_time"] {
        let (counted, reason, detail) = explain(metric).await;
        assert_eq!((&counted, &reason), (&json!(false), &json!("start_not_known")), "{metric}");
        assert!(detail.as_str().unwrap().contains("not known yet"), "{detail}");
    }
    let of_views = "SELECT 'known' FROM v_incidents WHERE COALESCE(time_to_restore_seconds, time_to_detect_seconds) >= 0 \
                    UNION ALL SELECT 'recovered' FROM v_deployments WHERE recovery_seconds >= 0";
    assert_eq!(app.database.texts(of_views).await, [""; 0]);
    app.expect_exact().await;

    app.set_now("2026-06-15T13:00:00Z");
    tell(&app, "triggered", "2026-06-01T10:00:00Z").await;
    let hour = (1, Some(3600.0));
    assert_eq!(durations(&app.get(&format!("/dora?{WINDOW}")).await.expect(200)), [hour; 3]);
    for metric in ["time_to_restore", "time_to_detect", "failed_deployment_recovery_time"] {
        assert_eq!(explain(metric).await.0, true, "{metric}");
    }
    assert_eq!(app.database.texts(of_views).await, ["known", "recovered"]);
    app.expect_exact().await;
    // what was known then
    let then = app.get(&format!("/dora?{WINDOW}&as_of=2026-06-15T12:30:00Z")).await.expect(200);
    assert_eq!(durations(&then), [(0, None); 3]);
}

async fn what_its_tool_takes_back_is_its_deployments_no_more(engine: Engine) {
    let app = engine.app_with(|config| config.webhooks.sources = vec![source("opsgenie")]).await;
    let body = json!({"id": "1", "project_id": "shop", "first_commit_at": "2026-06-01T08:00:00Z",
        "deployed_at": "2026-06-01T09:00:00Z"});
    app.post("/deployments", body).await.expect(201);
    let tell = async |action: &str, at: i64| {
        let alert = json!({"alertId": "a", "message": "down", "entity": "shop", "createdAt": 1_780_308_000_000_i64,
            "updatedAt": at * 1_000_000});
        let request =
            app.request(Method::POST, "/webhooks/opsgenie").header("authorization", format!("Bearer {SECRET}"));
        Answer::of(request.json(&json!({"action": action, "alert": alert}))).await.expect(200);
        settled(&app).await;
    };
    tell("Create", 1_780_308_000_000).await;
    let patch = app.request(Method::PATCH, "/incidents/opsgenie:a").json(&json!({"deployment_id": "1"}));
    Answer::of(patch).await.expect(200);
    let incidents = async || app.get("/deployments/1").await.expect(200)["incidents"].clone();
    assert_eq!(incidents().await, json!(["opsgenie:a"]));
    tell("Delete", 1_780_308_600_000).await;
    app.get("/incidents/opsgenie:a").await.expect_problem(404, "not-found");
    assert_eq!(incidents().await, json!([]));
    assert_eq!(app.database.texts("SELECT CAST(incident_count AS TEXT) FROM deployments").await, ["0"]);
}
