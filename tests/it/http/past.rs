//! `/export?format=openmetrics`: the totals by event time.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    it_ends_with_the_totals_that_are_scraped,
    a_window_and_the_labels_are_kept_to,
    what_makes_no_sense_or_too_much_is_refused,
}

async fn record(app: &App) {
    let deployments =
        [("1", "red", "06-10T10:00:00Z"), ("2", "red", "06-12T10:00:00Z"), ("3", "blue", "06-12T11:30:00Z")];
    for (id, team, at) in deployments {
        let body = json!({
            "id": id, "project_id": "shop", "team_id": team, "first_commit_at": "2026-06-10T07:00:00Z",
            "deploy_start_at": "2026-06-10T09:00:00Z", "deployed_at": format!("2026-{at}"),
        });
        app.post("/deployments", body).await.expect(201);
    }
    for (id, at) in [("a", "06-12T10:20:00Z"), ("b", "06-12T12:10:00Z")] {
        let body = json!({
            "id": id, "project_id": "shop", "deployment_id": "1", "started_at": format!("2026-{at}"),
            "finished_at": "2026-06-13T00:00:00Z",
        });
        app.post("/incidents", body).await.expect(201);
    }
    app.post("/deployments/2/rolled-back", json!({"rolled_back_at": "2026-06-14T10:00:00Z"})).await.expect(200);
}

/// The samples of a series: value at time.
fn samples(answer: &Answer, series: &str) -> Vec<(f64, i64)> {
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text.ends_with("\n# EOF\n"), "{}", answer.text);
    let lines = answer.text.lines().filter(|line| line.starts_with(series));
    lines
        .map(|line| {
            let (rest, time) = line.rsplit_once(' ').unwrap();
            let time = time.strip_suffix(".000").unwrap().parse().unwrap();
            (rest.rsplit_once(' ').unwrap().1.parse().unwrap(), time)
        })
        .collect()
}

fn hour(text: &str) -> i64 {
    em_metrics::domain::Timestamp::parse(&format!("2026-{text}:00:00Z")).unwrap().micros() / 1_000_000
}

/// Name and labels, which stand in another order there; `le` is the same number in both formats.
fn labelled(line: &str) -> (&str, BTreeSet<String>) {
    let (name, labels) = line.rsplit_once('}').unwrap().0.split_once('{').unwrap();
    (name, labels.split(',').map(|label| label.replace(".0\"", "\"")).collect())
}

async fn it_ends_with_the_totals_that_are_scraped(engine: Engine) {
    let app = engine.app().await;
    record(&app).await;
    let past = app.get("/export?format=openmetrics").await;
    let scraped = app.get("/metrics").await.text;
    let mut compared = 0;
    for line in scraped.lines().filter(|line| !line.starts_with('#') && line.contains("project_id=")) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let wanted = labelled(series);
        let last = past.text.lines().rfind(|line| line.contains('}') && labelled(line) == wanted);
        let last = last.unwrap_or_else(|| panic!("{line} has no past"));
        assert_eq!(last.rsplit(' ').nth(1), Some(value), "{line}\n{last}");
        compared += 1;
    }
    assert!(compared > 150, "{compared}");
}

async fn a_window_and_the_labels_are_kept_to(engine: Engine) {
    let app = engine.app().await;
    record(&app).await;
    let window = "/export?format=openmetrics&step=6h&from=2026-06-12T06:00:00Z&to=2026-06-13";
    let (first, second, third) = (hour("06-12T06"), hour("06-12T12"), hour("06-12T18"));
    let end = hour("06-13T00");
    let past = app.get(window).await;
    let red = "{environment=\"production\",project_id=\"shop\",team_id=\"red\"}";
    let deployed = samples(&past, &format!("deployment_frequency_total{red}"));
    assert_eq!(deployed, [(1.0, first), (2.0, second), (2.0, third), (2.0, end)]);
    // of the first deployment when its first incident began; of the second not before it was rolled back
    let failed = samples(&past, &format!("change_failure_count_total{red}"));
    assert_eq!(failed, [(0.0, first), (1.0, second), (1.0, third), (1.0, end)]);
    // under the deployment's labels
    let detected = samples(&past, &format!("time_to_detect_seconds_count{red}"));
    assert_eq!(detected, [(0.0, first), (1.0, second), (2.0, third), (2.0, end)]);
    assert_eq!(samples(&past, "incident_finished_total{").last(), Some(&(0.0, end)), "the end is not in it");
    let blue = app.get(&format!("{window}&team_id=blue&project_id=shop")).await;
    assert_eq!(samples(&blue, &format!("deployment_frequency_total{red}")), []);
    assert_eq!(samples(&blue, "deployment_frequency_total{").len(), 4);
    assert_eq!(app.get("/export?format=openmetrics&environment=test").await.text.matches("project_id").count(), 0);
}

async fn what_makes_no_sense_or_too_much_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", json!({
        "id": "1", "project_id": "shop", "first_commit_at": "1971-01-01T00:00:00Z", "deployed_at": "1971-01-01T01:00:00Z",
    })).await.expect(201);
    for (query, pointer) in [
        ("format=openmetrics&step=59s", "/step"),
        ("format=openmetrics&step=2d", "/step"),
        ("format=openmetrics&step=9223372036854775807h", "/step"),
        ("format=openmetrics&step=1m", "/step"),
        ("format=openmetrics&kind=incident", "/kind"),
        ("format=openmetrics&from=2026-06-16", "/from"),
        ("format=csv&kind=incident&step=1h", "/step"),
        ("step=1h", "/step"),
    ] {
        let answer = app.get(&format!("/export?{query}")).await;
        assert_eq!(answer.expect_problem(400, "invalid"), [pointer], "{query}");
    }
    let whole = app.get("/export?format=openmetrics&step=1d").await;
    assert_eq!(samples(&whole, "deployment_frequency_total").last().map(|(value, _)| *value), Some(1.0));
}
