//! `em-metrics report` against the real service.

use serde_json::{Value, json};

use super::{app, em_metrics, stderr, stdout};

const WEEK: [&str; 5] = ["report", "--since", "7d", "--to", "2026-06-15"];

#[tokio::test(flavor = "multi_thread")]
async fn a_week_is_told_with_what_has_changed_and_why() {
    let app = app().await;
    for day in 1..=14 {
        let body = json!({
            "id": day.to_string(), "project_id": "sh|op", "first_commit_at": format!("2026-06-{day:02}T08:00:00Z"),
            "deployed_at": format!("2026-06-{day:02}T10:00:00Z"),
        });
        app.post("/deployments", body).await.expect(201);
    }
    for (id, deployment, at) in [("old", "3", "2026-06-03T12:00:00Z"), ("new", "9", "2026-06-09T12:00:00Z")] {
        let body = json!({
            "id": id, "project_id": "sh|op", "deployment_id": deployment, "started_at": at, "title": "<no> checkout",
        });
        app.post("/incidents", body).await.expect(201);
    }
    let told = em_metrics(&app, &[&WEEK[..], &["--format", "json"]].concat()).await;
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!((&report["from"], &report["to"]), (&json!("2026-06-08T00:00:00Z"), &json!("2026-06-15T00:00:00Z")));
    assert_eq!(report["counts"][0], json!({"what": "deployments", "this": 7, "before": 7}));
    let lead_time = &report["numbers"][1];
    assert_eq!((&lead_time["metric"], &lead_time["this"]["value"]), (&json!("lead_time_for_changes"), &json!(7200.0)));
    assert_eq!((&lead_time["verdict"], &lead_time["this"]["enough"]), (&json!("noise"), &json!(true)));
    assert_eq!(lead_time["facts"].as_array().unwrap().len(), 7);
    let failures = &report["numbers"][2];
    assert_eq!((&failures["this"]["enough"], &failures["counted"]), (&json!(false), &json!(7)));
    assert_eq!((&failures["facts"][0]["id"], failures["facts"].as_array().unwrap().len()), (&json!("9"), 1));
    // the one that began before is still open
    let incidents: Vec<_> = report["incidents"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(incidents, ["new", "old"]);

    let markdown = stdout(&em_metrics(&app, &WEEK).await);
    assert!(markdown.starts_with("# Engineering report, 2026-06-08 to 2026-06-15\n"), "{markdown}");
    assert!(markdown.contains("| Change lead time, median | 2 h | 7 | 2 h | 7 | none | noise |"), "{markdown}");
    assert!(markdown.contains("| Change fail rate | not enough data | 7 | not enough data | 7 |"), "{markdown}");
    assert!(markdown.contains("* &lt;no&gt; checkout (sh\\|op, 2026-06-09T12:00:00Z, deployment 9): not restored"));
    let html = stdout(&em_metrics(&app, &[&WEEK[..], &["--format", "html", "--project", "sh|op"]].concat()).await);
    assert!(html.starts_with("<!doctype html>") && html.contains("&lt;no&gt; checkout") && html.ends_with("</html>\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_week_is_no_error_and_a_wrong_question_is() {
    let app = app().await;
    let empty = em_metrics(&app, &[&WEEK[..], &["--tz", "Europe/Berlin"]].concat()).await;
    assert_eq!(empty.status.code(), Some(0), "{}", stderr(&empty));
    assert!(stdout(&empty).contains("None began, and none is open."), "{}", stdout(&empty));
    assert!(stdout(&empty).contains("2026-06-14T22:00:00Z (Europe/Berlin)"), "{}", stdout(&empty));
    let wrong = em_metrics(&app, &["report", "--since", "yesterday"]).await;
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("/from: expected"), "{}", stderr(&wrong));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_past_week_is_told_from_all_its_facts_as_it_ended() {
    let app = app().await;
    let deployment = |n: usize, first_commit: &str, more: Value| {
        let at = format!("2026-06-10T{:02}:{:02}:{:02}Z", n / 3600, n / 60 % 60, n % 60);
        let fact = json!({"kind": "deployment", "project_id": "shop", "id": n.to_string(), "first_commit_at": first_commit,
            "deployed_at": at});
        crate::http::with(fact, more).to_string()
    };
    // the oldest of more than a page are the ones to tell of
    let slow = (0..3).map(|n| deployment(n, "2026-05-01T00:00:00Z", json!({"rolled_back_at": "2026-06-10T12:00:00Z"})));
    let quick = (3..1200).map(|n| deployment(n, "2026-06-09T23:00:00Z", json!({})));
    let incident = |id: &str, started_at: &str, restored_at: &str| {
        json!({"kind": "incident", "project_id": "shop", "id": id, "started_at": started_at, "restored_at": restored_at})
            .to_string()
    };
    let incidents = [
        incident("open then", "2026-06-03T12:00:00Z", "2026-06-15T11:00:00Z"),
        incident("over then", "2026-06-03T12:00:00Z", "2026-06-09T11:00:00Z"),
    ];
    let lines = slow.chain(quick).chain(incidents).collect::<Vec<_>>().join("\n");
    let request = app.request(reqwest::Method::POST, "/import").header("content-type", "application/x-ndjson");
    crate::app::Answer::of(request.body(lines)).await.expect(200);
    let told = em_metrics(&app, &[&WEEK[..], &["--format", "json", "--facts", "3"]].concat()).await;
    assert_eq!(told.status.code(), Some(0), "{}", stderr(&told));
    let report: Value = serde_json::from_slice(&told.stdout).unwrap();
    for (metric, number) in [(1, "lead_time_for_changes"), (2, "change_failure_rate")] {
        let number = (&report["numbers"][metric], number);
        assert_eq!((&number.0["metric"], &number.0["looked_at"]), (&json!(number.1), &json!(1200)));
        let ids: Vec<_> = number.0["facts"].as_array().unwrap().iter().map(|fact| fact["id"].clone()).collect();
        assert!(ids.len() == 3 && ids.contains(&json!("0")), "{} {ids:?}", number.1);
    }
    let incidents: Vec<_> = report["incidents"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
    assert_eq!(incidents, ["open then"]);
}
