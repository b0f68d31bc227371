//! `GET /incidents`

use reqwest::Method;
use serde_json::{Value, json};

use super::open;
use crate::app::App;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    the_newest_comes_first,
    in_progress_means_not_restored,
    each_filter_restricts,
    pages_lead_through_everything_once,
    bad_parameters_are_refused,
}

async fn ids(app: &App, query: &str) -> Vec<String> {
    let list = app.get(&format!("/incidents{query}")).await.expect(200);
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// One of each state, at days of their own.
async fn fill(app: &App) {
    let at = |id: &str, changes: Value| with(open(id), changes);
    for body in [
        at("restored", json!({"started_at": "2026-06-10T12:00:00Z", "restored_at": "2026-06-14T12:00:00Z"})),
        at("open", json!({"started_at": "2026-06-12T12:00:00Z", "environment": "staging"})),
        at("finished", json!({"started_at": "2026-06-11T12:00:00Z", "finished_at": "2026-06-13T12:00:00Z"})),
        at("old", json!({"started_at": "2026-06-01T12:00:00Z", "project_id": "api"})),
    ] {
        app.post("/incidents", body).await.expect(201);
    }
}

async fn the_newest_comes_first(engine: Engine) {
    let app = engine.app().await;
    assert_eq!(app.get("/incidents").await.expect(200), json!([]));
    fill(&app).await;
    assert_eq!(ids(&app, "").await, ["open", "finished", "restored", "old"]);
    let listed = app.get("/incidents?project_id=api").await.expect(200);
    assert_eq!(listed[0], app.get("/incidents/old").await.expect(200), "the same whole body");
}

async fn in_progress_means_not_restored(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    for parameter in ["type", "filter"] {
        assert_eq!(ids(&app, &format!("?{parameter}=in-progress")).await, ["open", "old"]);
        assert_eq!(ids(&app, &format!("?{parameter}=unfinished")).await, ["open", "restored", "old"]);
    }
    assert_eq!(ids(&app, "?type=unfinished&filter=unfinished&project_id=shop").await, ["open", "restored"]);
    app.post("/incidents/open/restored", json!({})).await.expect(200);
    assert_eq!(ids(&app, "?type=in-progress").await, ["old"]);
    app.post("/incidents/open/finished", json!({})).await.expect(200);
    assert_eq!(ids(&app, "?type=unfinished").await, ["restored", "old"]);
}

async fn each_filter_restricts(engine: Engine) {
    let app =
        engine.app_with(|config| config.teams.add_project(&crate::http::name("red"), crate::http::name("shop"))).await;
    fill(&app).await;
    for (query, expected) in [
        ("?project_id=api", vec!["old"]),
        ("?project_id=api&project_id=shop&limit=2", vec!["open", "finished"]),
        ("?team_id=red", vec!["open", "finished", "restored"]),
        ("?team_id=blue", vec![]),
        ("?environment=staging", vec!["open"]),
        ("?environment=production", vec!["finished", "restored", "old"]),
        ("?from=2026-06-11T12:00:00Z", vec!["open", "finished"]),
        ("?to=2026-06-11T12:00:00Z", vec!["restored", "old"]),
        ("?from=2026-06-10&to=2026-06-12&type=unfinished", vec!["restored"]),
    ] {
        assert_eq!(ids(&app, query).await, expected, "{query}");
    }
}

async fn pages_lead_through_everything_once(engine: Engine) {
    let app = engine.app().await;
    for n in 0..20 {
        let project = if n % 2 == 0 { "shop" } else { "Shöp" };
        let body = json!({"id": format!("{}", n / 2), "project_id": project, "started_at": "2026-06-14T12:00:00Z"});
        app.post("/incidents", body).await.expect(201);
    }
    for limit in [1, 3, 19, 20] {
        let mut keys: Vec<_> = app
            .every(&format!("/incidents?limit={limit}&type=unfinished"))
            .await
            .iter()
            .map(|item| format!("{} {}", item["project_id"], item["id"]))
            .collect();
        assert_eq!(keys.len(), 20, "limit {limit}");
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 20, "limit {limit}");
    }
}

async fn bad_parameters_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("type=open", "/type"),
        ("filter=open", "/filter"),
        ("type=in-progress&filter=unfinished", "/filter"),
        ("type=unfinished&type=unfinished", "/type"),
        ("status=started", "/status"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("from=2026", "/from"),
        ("cursor=%00", "/cursor"),
        ("project_id=%FF", "/project_id"),
    ] {
        let request = app.request(Method::GET, &format!("/incidents?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{query}");
    }
}
