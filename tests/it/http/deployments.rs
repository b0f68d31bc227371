//! `/deployments`

use serde_json::json;

use crate::engine::Engine;

on_each_engine! {
    a_repeated_deployed_call_counts_once,
}

async fn a_repeated_deployed_call_counts_once(engine: Engine) {
    let app = engine.app().await;
    let start = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", start.clone()).await.expect(201);
    app.post("/deployments", start).await.expect(200);
    for _ in 0..3 {
        let deployed = app.post("/deployments/17/deployed", json!({})).await.expect(200);
        assert_eq!(deployed["lead_time_seconds"], 7200.0);
    }
    assert_eq!(app.metric("deployment_started_total{").await, Some(1.0));
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(1.0));
    assert_eq!(app.metric("lead_time_for_changes_seconds_sum{").await, Some(7200.0));
}
