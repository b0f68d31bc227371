//! Which deployment a path means: `(project_id, id)`, with ids of every shape.

use reqwest::Method;
use serde_json::{Value, json};

use super::start;
use crate::app::App;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    ids_of_every_shape_can_be_used_in_paths,
    unfit_names_are_refused,
    an_optional_text_that_is_empty_is_absent,
    unfit_ids_in_paths_are_refused,
    the_same_id_in_two_projects_is_two_deployments,
    an_id_that_several_projects_have_needs_the_project,
    an_unknown_id_is_not_found,
    the_project_in_the_query_is_checked,
    links_keep_the_prefix_that_was_used,
}

/// `POST`s must not be found under another id than the one that was meant.
async fn ids_of_every_shape_can_be_used_in_paths(engine: Engine) {
    let app = engine.app().await;
    let longest = "ü".repeat(200);
    for (id, encoded) in [
        ("release/2026/06", "release%2F2026%2F06"),
        ("grüße 🚀", "gr%C3%BC%C3%9Fe%20%F0%9F%9A%80"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%", "100%25"),
        ("100%25", "100%2525"),
        ("a+b&c=d;e", "a+b&c=d;e"),
        ("\"quoted\\'", "%22quoted%5C%27"),
        ("{id}", "%7Bid%7D"),
        ("deployed", "deployed"),
        ("' OR 1=1 --", "%27%20OR%201=1%20--"),
        (" padded ", "%20padded%20"),
        ("e\u{301}", "e%CC%81"),
        ("é", "%C3%A9"),
        (&longest, &"%c3%bc".repeat(200)),
    ] {
        let answer = app.post("/deployments", start(id)).await;
        assert_eq!(answer.expect(201)["id"], id);
        let read = app.get(&format!("/deployments/{encoded}")).await.expect(200);
        assert_eq!(read, answer.json(), "{id}");
        assert_eq!(app.get(answer.header("location")).await.expect(200), read, "{id}");
        let deployed = app.post(&format!("/deployments/{encoded}/deployed"), json!({})).await.expect(200);
        assert_eq!((&deployed["id"], &deployed["status"]), (&json!(id), &json!("deployed")));
    }
    app.expect_exact().await;
}

async fn unfit_names_are_refused(engine: Engine) {
    let app = engine.app().await;
    let longest = "x".repeat(200);
    let unfit = [" ", "\u{3000}", "a\nb", "a\tb", "a\u{0}b", "\u{7f}", "a\u{85}b", &"x".repeat(201)];
    for field in ["id", "project_id", "team_id", "environment", "username", "commit_sha", "version"] {
        for text in unfit {
            let body = with(start("17"), json!({field: text}));
            let pointers = app.refuses_post("/deployments", body, 400, "invalid").await;
            assert_eq!(pointers, [format!("/{field}")], "{text:?}");
        }
    }
    for (field, text) in [("id", ""), ("project_id", ""), ("id", "."), ("id", "..")] {
        let body = with(start("17"), json!({field: text}));
        assert_eq!(app.refuses_post("/deployments", body, 400, "invalid").await, [format!("/{field}")], "{text:?}");
    }
    for text in [" ", "nul\u{0}", &"x".repeat(2001)] {
        let body = with(start("17"), json!({"url": text}));
        assert_eq!(app.refuses_post("/deployments", body, 400, "invalid").await, ["/url"], "{text:?}");
    }
    let all_long = json!({
        "id": longest, "project_id": longest, "team_id": longest, "environment": longest, "username": longest,
        "commit_sha": longest, "version": longest, "url": "x".repeat(2000),
    });
    app.post("/deployments", with(start("17"), all_long)).await.expect(201);
}

async fn an_optional_text_that_is_empty_is_absent(engine: Engine) {
    let app = engine.app().await;
    let empty = json!({"team_id": "", "environment": "", "username": "", "commit_sha": "", "version": "", "url": ""});
    let made = app.post("/deployments", with(start("17"), empty.clone())).await.expect(201);
    assert_eq!(made["environment"], "production");
    for field in ["team_id", "username", "commit_sha", "version", "url"] {
        assert_eq!(made[field], Value::Null, "{field}");
    }
    let known = json!({"team_id": "red", "version": "v1"});
    app.post("/deployments/17/deployed", known).await.expect(200);
    let again = app.post("/deployments/17/deployed", empty).await.expect(200);
    assert_eq!((&again["team_id"], &again["version"]), (&"red".into(), &"v1".into()));
    let back = app.post("/deployments/17/rolled-back", json!({"reason": ""})).await.expect(200);
    assert_eq!(back["reason"], Value::Null);
    app.expect_exact().await;
}

async fn unfit_ids_in_paths_are_refused(engine: Engine) {
    let app = engine.app().await;
    let too_long = "x".repeat(201);
    for encoded in ["%00", "a%0Ab", "%20", "%ff", "%C3", too_long.as_str()] {
        let path = format!("/deployments/{encoded}");
        let pointers = app.refuses(app.request(Method::GET, &path), 400, "invalid").await;
        assert_eq!(pointers, ["/id"], "{encoded}");
        for step in ["deployed", "failed", "rolled-back"] {
            let body = json!({
                "create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"
            });
            let pointers = app.refuses_post(&format!("{path}/{step}"), body, 400, "invalid").await;
            assert_eq!(pointers, ["/id"], "{encoded}");
        }
    }
    app.refuses_post("/deployments//deployed", json!({}), 400, "invalid").await;
    // a client that leaves them in, as curl --path-as-is
    for id in [".", "..", "%2e", "%2E."] {
        let body = r#"{"create_if_not_exists":true,"project_id":"shop","first_commit_at":"2026-06-15T10:00:00Z"}"#;
        let head = "host: h\r\nconnection: close\r\ncontent-type: application/json";
        let length = body.len();
        let request =
            format!("POST /deployments/{id}/deployed HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        app.talk(request).await.expect_problem(400, "invalid");
    }
}

async fn two_projects(app: &App) -> [Value; 2] {
    let api = with(start("17"), json!({"project_id": "api", "version": "v9"}));
    [app.post("/deployments", start("17")).await.expect(201), app.post("/deployments", api).await.expect(201)]
}

async fn the_same_id_in_two_projects_is_two_deployments(engine: Engine) {
    let app = engine.app().await;
    let [shop, api] = two_projects(&app).await;
    assert_eq!(app.get("/deployments/17?project_id=shop").await.expect(200), shop);
    assert_eq!(app.get("/deployments/17?project_id=api").await.expect(200), api);
    app.post("/deployments/17/deployed?project_id=api", json!({})).await.expect(200);
    app.post("/deployments/17/rolled-back?project_id=api", json!({})).await.expect(200);
    app.post("/deployments/17/failed?project_id=shop", json!({})).await.expect(200);
    assert_eq!(app.get("/deployments/17?project_id=shop").await.expect(200)["status"], "failed");
    assert_eq!(app.get("/deployments/17?project_id=api").await.expect(200)["status"], "rolled_back");
    app.expect_exact().await;
}

async fn an_id_that_several_projects_have_needs_the_project(engine: Engine) {
    let app = engine.app().await;
    two_projects(&app).await;
    app.refuses(app.request(Method::GET, "/deployments/17"), 409, "ambiguous-id").await;
    for step in ["deployed", "failed", "rolled-back"] {
        app.refuses_post(&format!("/deployments/17/{step}"), json!({}), 409, "ambiguous-id").await;
    }
    let create = json!({"create_if_not_exists": true, "first_commit_at": "2026-06-15T10:00:00Z"});
    app.refuses_post("/deployments/17/deployed", create, 409, "ambiguous-id").await;
    let detail = app.get("/deployments/17").await.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("api, shop") && detail.contains("?project_id="), "{detail}");
}

async fn an_unknown_id_is_not_found(engine: Engine) {
    let app = engine.app().await;
    two_projects(&app).await;
    for path in ["/deployments/18", "/deployments/17?project_id=web", "/deployments/1", "/deployments/17%20"] {
        app.refuses(app.request(Method::GET, path), 404, "not-found").await;
    }
    for step in ["deployed", "failed", "rolled-back"] {
        app.refuses_post(&format!("/deployments/18/{step}"), json!({}), 404, "not-found").await;
        app.refuses_post(&format!("/deployments/17/{step}?project_id=web"), json!({}), 404, "not-found").await;
    }
}

async fn the_project_in_the_query_is_checked(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    for query in ["project_id=%00", "project_id=shop&project_id=shop", "project_id=%FF"] {
        let request = app.request(Method::GET, &format!("/deployments/17?{query}"));
        assert_eq!(app.refuses(request, 400, "invalid").await, ["/project_id"], "{query}");
    }
    let request = app.request(Method::GET, "/deployments/17?project=shop");
    assert_eq!(app.refuses(request, 400, "invalid").await, ["/project"]);
    // an answer that was not asked for would be made under a name that nobody sent
    let create = json!({"create_if_not_exists": true, "first_commit_at": "2026-06-15T10:00:00Z"});
    app.refuses_post("/deployments/17/deployed?project_id=%FF", create, 400, "invalid").await;
}

async fn links_keep_the_prefix_that_was_used(engine: Engine) {
    let app = engine.app().await;
    let odd = with(start("a/b"), json!({"project_id": "one & only"}));
    let answer = app.post("/api/v1/deployments", odd).await;
    assert_eq!(answer.header("location"), "/api/v1/deployments/a%2Fb?project_id=one%20%26%20only");
    assert_eq!(app.get(answer.header("location")).await.expect(200), answer.expect(201));
    let answer = app.post("/deployments", start("17")).await;
    assert_eq!(answer.header("location"), "/deployments/17?project_id=shop");
}
