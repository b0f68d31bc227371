//! `GET /deployments`

use reqwest::Method;
use serde_json::{Value, json};

use super::start;
use crate::app::App;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    an_empty_store_answers_an_empty_list,
    the_newest_comes_first,
    each_filter_restricts,
    a_filter_may_repeat,
    from_is_included_and_to_is_not,
    pages_lead_through_everything_once,
    facts_that_arrive_meanwhile_disturb_no_page,
    a_page_holds_50_unless_told,
    bad_parameters_are_refused,
    incidents_are_listed_with_their_deployment,
}

async fn ids(app: &App, query: &str) -> Vec<String> {
    let list = app.get(&format!("/deployments{query}")).await.expect(200);
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

async fn an_empty_store_answers_an_empty_list(engine: Engine) {
    let app = engine.app().await;
    let answer = app.get("/deployments").await;
    assert_eq!(answer.expect(200), json!([]));
    assert_eq!(answer.next_page(), None);
}

/// Five deployments, one of each fate, at hours of their own.
async fn fill(app: &App) {
    let at =
        |id: &str, changes: Value| with(with(start(id), json!({"first_commit_at": "2026-06-01T00:00:00Z"})), changes);
    for body in [
        at("deployed", json!({"deployed_at": "2026-06-10T12:00:00Z", "team_id": "red"})),
        at("started", json!({"deploy_start_at": "2026-06-11T12:00:00Z", "environment": "staging"})),
        at("failed", json!({"deploy_start_at": "2026-06-09T12:00:00Z", "project_id": "api"})),
        at("rolled-back", json!({"deployed_at": "2026-06-08T12:00:00Z", "project_id": "api", "team_id": "blue"})),
        at("old", json!({"deployed_at": "2026-06-02T12:00:00Z", "project_id": "web"})),
    ] {
        app.post("/deployments", body).await.expect(201);
    }
    app.post("/deployments/failed/failed", json!({"failed_at": "2026-06-12T12:00:00Z"})).await.expect(200);
    app.post("/deployments/rolled-back/rolled-back", json!({"rolled_back_at": "2026-06-13T12:00:00Z"}))
        .await
        .expect(200);
}

async fn the_newest_comes_first(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    // by when it was deployed, else failed, else started
    assert_eq!(ids(&app, "").await, ["failed", "started", "deployed", "rolled-back", "old"]);
    let listed = app.get("/deployments?project_id=web").await.expect(200);
    assert_eq!(listed[0], app.get("/deployments/old").await.expect(200), "the same whole body");
}

async fn each_filter_restricts(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    for (query, expected) in [
        ("?project_id=api", vec!["failed", "rolled-back"]),
        ("?team_id=red", vec!["deployed"]),
        ("?environment=staging", vec!["started"]),
        ("?status=started", vec!["started"]),
        ("?status=deployed", vec!["deployed", "old"]),
        ("?status=failed", vec!["failed"]),
        ("?status=rolled_back", vec!["rolled-back"]),
        ("?project_id=api&status=failed&environment=production", vec!["failed"]),
        ("?project_id=api&status=started", vec![]),
        ("?project_id=nothing", vec![]),
        ("?project_id=API", vec![]),
        ("?from=2026-06-10", vec!["failed", "started", "deployed"]),
        ("?to=2026-06-09", vec!["rolled-back", "old"]),
        ("?from=2026-06-08&to=2026-06-11&team_id=blue", vec!["rolled-back"]),
    ] {
        assert_eq!(ids(&app, query).await, expected, "{query}");
    }
}

async fn a_filter_may_repeat(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    assert_eq!(ids(&app, "?project_id=api&project_id=web").await, ["failed", "rolled-back", "old"]);
    assert_eq!(ids(&app, "?status=started&status=failed").await, ["failed", "started"]);
    assert_eq!(ids(&app, "?team_id=red&team_id=blue").await, ["deployed", "rolled-back"]);
    assert_eq!(ids(&app, "?environment=staging&environment=test").await, ["started"]);
}

async fn from_is_included_and_to_is_not(engine: Engine) {
    let app = engine.app().await;
    fill(&app).await;
    for query in [
        "?from=2026-06-10T12:00:00Z&to=2026-06-10T12:00:01Z",
        "?from=2026-06-10T14:00:00%2B02:00&to=2026-06-10T12:00:00.000001Z",
        // a plus sign that nobody encoded
        "?from=2026-06-10T14:00:00+02:00&to=2026-06-11",
    ] {
        assert_eq!(ids(&app, query).await, ["deployed"], "{query}");
    }
    for query in ["?from=2026-06-10T12:00:00.000001Z&to=2026-06-11", "?from=2026-06-10&to=2026-06-10T12:00:00Z"] {
        assert!(ids(&app, query).await.is_empty(), "{query}");
    }
}

async fn pages_lead_through_everything_once(engine: Engine) {
    let app = engine.app().await;
    // many at the same moment, in two projects that share ids: only the whole key tells them apart
    let mut expected = Vec::new();
    for n in 0..12 {
        for project in ["shop", "Shop", "grüße/&=? 🚀"] {
            let day = if n % 3 == 0 { "2026-06-14" } else { "2026-06-13" };
            let body = json!({
                "id": format!("{n}é"), "project_id": project, "environment": "a&b", "first_commit_at": "2026-06-01T00:00:00Z",
                "deployed_at": format!("{day}T12:00:00Z"),
            });
            app.post("/deployments", body).await.expect(201);
            expected.push(format!("{project} {n}é"));
        }
    }
    expected.sort();
    for limit in [1, 7, 35, 36, 37] {
        let all = app.every(&format!("/api/v1/deployments?limit={limit}&environment=a%26b")).await;
        let times: Vec<_> = all.iter().map(|item| item["deployed_at"].as_str().unwrap().to_owned()).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first: {times:?}");
        let mut keys: Vec<_> = all
            .iter()
            .map(|item| format!("{} {}", item["project_id"].as_str().unwrap(), item["id"].as_str().unwrap()))
            .collect();
        keys.sort();
        assert_eq!(keys, expected, "limit {limit}");
    }
    let first = app.get("/api/v1/deployments?limit=36").await;
    assert_eq!(first.next_page(), None, "a full last page has no next one");
    let first = app.get("/api/v1/deployments?limit=7&environment=a%26b").await.next_page().unwrap();
    assert!(first.starts_with("/api/v1/deployments?limit=7&environment=a%26b&cursor="), "{first}");
}

async fn facts_that_arrive_meanwhile_disturb_no_page(engine: Engine) {
    let app = engine.app().await;
    for n in 0..6 {
        let body = with(start(&n.to_string()), json!({"deployed_at": format!("2026-06-15T11:0{n}:00Z")}));
        app.post("/deployments", body).await.expect(201);
    }
    let first = app.get("/deployments?limit=3").await;
    assert_eq!(first.expect(200).as_array().unwrap().len(), 3);
    app.post("/deployments", with(start("newer"), json!({"deployed_at": "2026-06-15T11:30:00Z"}))).await.expect(201);
    let rest = app.every(&first.next_page().unwrap()).await;
    let rest: Vec<_> = rest.iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(rest, ["2", "1", "0"]);
}

async fn a_page_holds_50_unless_told(engine: Engine) {
    let app = engine.app().await;
    for n in 0..51 {
        app.post("/deployments", start(&n.to_string())).await.expect(201);
    }
    let first = app.get("/deployments").await;
    assert_eq!(first.expect(200).as_array().unwrap().len(), 50);
    let last = app.get(&first.next_page().unwrap()).await;
    assert_eq!(last.expect(200).as_array().unwrap().len(), 1);
    assert_eq!(last.next_page(), None);
    assert_eq!(ids(&app, "?limit=1000").await.len(), 51);
}

async fn bad_parameters_are_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    for (query, pointer) in [
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=-1", "/limit"),
        ("limit=1.5", "/limit"),
        ("limit=ten", "/limit"),
        ("limit=99999999999999999999", "/limit"),
        ("limit=5&limit=6", "/limit"),
        ("status=done", "/status"),
        ("status=Deployed", "/status"),
        ("status=started&status=done", "/status"),
        ("from=yesterday", "/from"),
        ("from=2026-06-15T12:00:00", "/from"),
        ("from=2026-02-30", "/from"),
        ("from=2026-06-15&from=2026-06-15", "/from"),
        ("to=15.06.2026", "/to"),
        ("to=%F0%9F%9A%80%F0%9F%9A%80%C3%A9", "/to"),
        ("from=2026-06-15&to=2026-06-14", "/from"),
        ("project_id=%00", "/project_id"),
        ("project_id=%FF", "/project_id"),
        ("team_id=%0A", "/team_id"),
        ("environment=%07", "/environment"),
        ("projectid=shop", "/projectid"),
        ("filter=unfinished", "/filter"),
        ("cursor=garbage", "/cursor"),
        ("cursor=%FF%00", "/cursor"),
        ("cursor=W10", "/cursor"),
        ("cursor=bnVsbA", "/cursor"),
        // [-1,"a","b"], [1,"","b"], [1e99,"a","b"]
        ("cursor=Wy0xLCJhIiwiYiJd", "/cursor"),
        ("cursor=WzEsIiIsImIiXQ", "/cursor"),
        ("cursor=WzFlOTksImEiLCJiIl0", "/cursor"),
    ] {
        let request = app.request(Method::GET, &format!("/deployments?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{query}");
    }
}

async fn incidents_are_listed_with_their_deployment(engine: Engine) {
    let app = engine.app().await;
    for project in ["shop", "api"] {
        app.post("/deployments", with(start("17"), json!({"project_id": project}))).await.expect(201);
    }
    for (id, started_at) in [("late", "2026-06-15T12:30:00Z"), ("early", "2026-06-15T12:10:00Z")] {
        let body = json!({"id": id, "project_id": "shop", "deployment_id": "17", "started_at": started_at});
        app.post("/incidents", body).await.expect(201);
    }
    let list = app.get("/deployments?project_id=shop").await.expect(200);
    assert_eq!(list[0]["incidents"], json!(["early", "late"]));
    assert_eq!(app.get("/deployments/17?project_id=shop").await.expect(200)["incidents"], json!(["early", "late"]));
    assert_eq!(app.get("/deployments?project_id=api").await.expect(200)[0]["incidents"], json!([]));
}
