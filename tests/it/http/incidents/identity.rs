//! Which incident a path means.

use reqwest::Method;
use serde_json::json;

use super::open;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    ids_of_every_shape_can_be_used_in_paths,
    unfit_ids_in_paths_are_refused,
    an_id_that_several_projects_have_needs_the_project,
    an_unknown_id_is_not_found,
    links_keep_the_prefix_that_was_used,
}

async fn ids_of_every_shape_can_be_used_in_paths(engine: Engine) {
    let app = engine.app().await;
    let longest = "ü".repeat(200);
    for (id, encoded) in [
        ("a/b", "a%2Fb"),
        ("grüße 🚀", "gr%C3%BC%C3%9Fe%20%F0%9F%9A%80"),
        ("a?b#c%25", "a%3Fb%23c%2525"),
        (&longest, &"%C3%BC".repeat(200)),
    ] {
        let answer = app.post("/incidents", open(id)).await;
        assert_eq!(answer.expect(201)["id"], id);
        assert_eq!(app.get(answer.header("location")).await.expect(200), answer.json());
        assert_eq!(app.get(&format!("/incidents/{encoded}")).await.expect(200), answer.json());
        let finished = app.post(&format!("/incidents/{encoded}/finished"), json!({})).await.expect(200);
        assert_eq!(finished["id"], id);
    }
    app.expect_exact().await;
}

async fn unfit_ids_in_paths_are_refused(engine: Engine) {
    let app = engine.app().await;
    for encoded in ["%00", "%20", "%ff", &"x".repeat(201)] {
        let path = format!("/incidents/{encoded}");
        assert_eq!(app.refuses(app.request(Method::GET, &path), 400, "invalid").await, ["/id"], "{encoded}");
        for step in ["restored", "finished"] {
            let pointers = app.refuses_post(&format!("{path}/{step}"), json!({}), 400, "invalid").await;
            assert_eq!(pointers, ["/id"], "{encoded}");
        }
    }
}

async fn an_id_that_several_projects_have_needs_the_project(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.post("/incidents", with(open("outage"), json!({"project_id": "api"}))).await.expect(201);
    app.refuses(app.request(Method::GET, "/incidents/outage"), 409, "ambiguous-id").await;
    for step in ["restored", "finished"] {
        app.refuses_post(&format!("/incidents/outage/{step}"), json!({}), 409, "ambiguous-id").await;
    }
    app.post("/incidents/outage/restored?project_id=api", json!({})).await.expect(200);
    let untouched = app.get("/incidents/outage?project_id=shop").await.expect(200);
    assert_eq!(untouched["restored_at"], json!(null));
    assert_eq!(app.get("/incidents/outage?project_id=api").await.expect(200)["restored_at"], "2026-06-15T12:00:00Z");
    app.expect_exact().await;
}

async fn an_unknown_id_is_not_found(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    for path in ["/incidents/other", "/incidents/outage?project_id=api"] {
        app.refuses(app.request(Method::GET, path), 404, "not-found").await;
    }
    for step in ["restored", "finished"] {
        app.refuses_post(&format!("/incidents/other/{step}"), json!({}), 404, "not-found").await;
        app.refuses_post(&format!("/incidents/outage/{step}?project_id=api"), json!({}), 404, "not-found").await;
    }
}

async fn links_keep_the_prefix_that_was_used(engine: Engine) {
    let app = engine.app().await;
    let answer = app.post("/api/v1/incidents", json!({"project_id": "a b"})).await;
    assert_eq!(answer.header("location"), "/api/v1/incidents/incident_a%20b_1?project_id=a%20b");
    assert_eq!(app.get(answer.header("location")).await.expect(200), answer.expect(201));
}
