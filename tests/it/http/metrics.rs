//! `GET /metrics`: the totals as text, in whichever of its two forms the caller reads.

use reqwest::Method;
use serde_json::json;

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    people_and_old_scrapers_get_prometheus_text,
    openmetrics_is_for_those_who_ask_for_it,
    every_instrument_is_there_with_help_and_type,
    labels_are_escaped,
    buckets_add_up,
    reading_moves_nothing,
}

async fn some_facts(app: &App) {
    let deployed = json!({
        "id": "17", "project_id": "shop", "team_id": "red", "first_commit_at": "2026-06-15T10:00:00Z",
        "deploy_start_at": "2026-06-15T11:00:00Z", "deployed_at": "2026-06-15T11:10:00Z",
    });
    app.post("/deployments", deployed.clone()).await.expect(201);
    app.post("/deployments", with(deployed, json!({"id": "18", "deployed_at": null}))).await.expect(201);
    app.post("/deployments/18/failed", json!({})).await.expect(200);
    let incident = json!({"project_id": "shop", "deployment_id": "17", "finished_at": "2026-06-15T12:00:00Z"});
    app.post("/incidents", incident).await.expect(201);
}

async fn asked(app: &App, accept: &str) -> Answer {
    Answer::of(app.request(Method::GET, "/metrics").header("accept", accept)).await
}

async fn people_and_old_scrapers_get_prometheus_text(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    for accept in ["*/*", "text/html", "text/plain;version=0.0.4;q=1,*/*;q=0.1", "application/openmetrics-text;q=0"] {
        let answer = asked(&app, accept).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8", "{accept}");
        assert!(!answer.text.contains("# EOF"), "{accept}");
        assert!(answer.text.contains("# TYPE deployment_frequency_total counter\n"), "{accept}");
    }
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
}

async fn openmetrics_is_for_those_who_ask_for_it(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
        application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
        text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
    for accept in [prometheus_3, "application/openmetrics-text"] {
        let answer = asked(&app, accept).await;
        assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
        assert!(answer.text.ends_with("# EOF\n"));
        assert!(answer.text.contains("# TYPE deployment_frequency counter\n"));
        assert!(answer.text.contains("# UNIT lead_time_for_changes_seconds seconds\n"));
    }
}

async fn every_instrument_is_there_with_help_and_type(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    let text = app.get("/metrics").await.text;
    for (name, kind) in [
        ("deployment_started_total", "counter"),
        ("deployment_frequency_total", "counter"),
        ("deployment_failed_total", "counter"),
        ("deployment_duration_seconds", "histogram"),
        ("lead_time_for_changes_seconds", "histogram"),
        ("change_failure_count_total", "counter"),
        ("incident_count_total", "counter"),
        ("time_to_detect_seconds", "histogram"),
        ("incident_restored_total", "counter"),
        ("time_to_restore_seconds", "histogram"),
        ("incident_finished_total", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        let sample = if kind == "counter" { name.to_owned() } else { format!("{name}_count") };
        let labels = r#"{environment="production",project_id="shop",team_id="red"}"#;
        // an instrument that nothing has moved yet begins at 0
        assert!(text.contains(&format!("\n{sample}{labels} ")), "{name}");
    }
    let mut lines: Vec<_> = text.lines().filter_map(|line| line.split_once(' ')).map(|(series, _)| series).collect();
    lines.retain(|series| *series != "#");
    let all = lines.len();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), all, "each series once");
    assert!(!text.contains("NaN") && !text.contains("_created"));
}

async fn labels_are_escaped(engine: Engine) {
    let app = engine.app().await;
    let odd = json!({
        "id": "17", "project_id": r#"a"b\c{d}"#, "team_id": "grün, 🚀", "environment": "x=y",
        "first_commit_at": "2026-06-15T10:00:00Z",
    });
    app.post("/deployments", odd).await.expect(201);
    let series = r#"deployment_started_total{environment="x=y",project_id="a\"b\\c{d}",team_id="grün, 🚀"}"#;
    assert_eq!(app.metric(series).await, Some(1.0));
}

async fn buckets_add_up(engine: Engine) {
    let app = engine.app().await;
    // just on a bound, just above it, above all bounds, nothing at all
    for (id, first_commit_at) in [
        ("a", "2026-06-15T11:58:00Z"),
        ("b", "2026-06-15T11:57:59.999999Z"),
        ("c", "1970-01-01T00:00:00Z"),
        ("d", "2026-06-15T12:00:00Z"),
    ] {
        let body = json!({
            "id": id, "project_id": "shop", "first_commit_at": first_commit_at, "deployed_at": "2026-06-15T12:00:00Z",
        });
        app.post("/deployments", body).await.expect(201);
    }
    let text = app.get("/metrics").await.text;
    let buckets: Vec<(&str, u32)> = text
        .lines()
        .filter(|line| line.starts_with("lead_time_for_changes_seconds_bucket{"))
        .map(|line| {
            let (_, rest) = line.split_once("le=\"").unwrap();
            let (bound, count) = rest.split_once("\"} ").unwrap();
            (bound, count.parse().unwrap())
        })
        .collect();
    let bounds: Vec<String> = (0..=18).map(|i| (60_u64 << i).to_string()).chain(["+Inf".to_owned()]).collect();
    assert_eq!(buckets.iter().map(|(bound, _)| *bound).collect::<Vec<_>>(), bounds);
    let expected: Vec<_> = [1, 2].into_iter().chain([3; 17]).chain([4]).collect();
    assert_eq!(buckets.iter().map(|(_, count)| *count).collect::<Vec<_>>(), expected);
    app.expect_exact().await;
}

async fn reading_moves_nothing(engine: Engine) {
    let app = engine.app().await;
    some_facts(&app).await;
    let before = app.stored().await;
    for path in ["/deployments", "/deployments/17", "/incidents", "/metrics", "/health/ready", "/config"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    asked(&app, "application/openmetrics-text;version=1.0.0").await;
    assert_eq!(app.stored().await, before);
    app.expect_exact().await;
}
