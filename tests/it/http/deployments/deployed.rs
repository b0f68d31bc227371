//! `POST /deployments/{id}/deployed`

use reqwest::Method;
use serde_json::json;

use super::start;
use crate::app::Answer;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    a_repeated_deployed_call_counts_once,
    an_empty_body_deploys_now,
    a_repeat_may_name_the_same_time_and_no_other,
    an_unknown_deployment_is_not_made_unless_asked,
    it_is_made_when_asked,
    what_is_needed_to_make_it_is_named,
    create_if_not_exists_on_a_known_one_only_deploys_it,
    it_is_made_in_the_project_that_is_named,
    details_fill_in_or_contradict,
    a_contradiction_of_the_project_is_told,
    a_failed_deployment_cannot_be_deployed,
    a_rolled_back_deployment_is_not_deployed_again,
    impossible_times_are_refused,
    a_pipelines_clock_may_be_a_little_ahead,
}

async fn a_repeated_deployed_call_counts_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments", start("17")).await.expect(200);
    for _ in 0..3 {
        let deployed = app.post("/deployments/17/deployed", json!({})).await.expect(200);
        assert_eq!(deployed["lead_time_seconds"], 7200.0);
    }
    assert_eq!(app.metric("deployment_started_total{").await, Some(1.0));
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(1.0));
    assert_eq!(app.metric("lead_time_for_changes_seconds_sum{").await, Some(7200.0));
    app.expect_exact().await;
}

async fn an_empty_body_deploys_now(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.set_now("2026-06-15T12:07:30.5Z");
    let deployed = Answer::of(app.request(Method::POST, "/deployments/17/deployed")).await.expect(200);
    assert_eq!(deployed["status"], "deployed");
    assert_eq!(deployed["deployed_at"], "2026-06-15T12:07:30.500Z");
    assert_eq!(deployed["updated_at"], "2026-06-15T12:07:30.500Z");
    assert_eq!(deployed["created_at"], "2026-06-15T12:00:00Z");
    assert_eq!(deployed["duration_seconds"], 450.5);
    app.expect_exact().await;
}

async fn a_repeat_may_name_the_same_time_and_no_other(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let at = |time: &str| json!({"deployed_at": time});
    let first = app.post("/deployments/17/deployed", at("2026-06-15T12:00:00Z")).await.expect(200);
    app.set_now("2026-06-15T14:00:00Z");
    let before = app.stored().await;
    for repeat in [json!({}), at("2026-06-15T12:00:00Z"), at("2026-06-15T05:00:00-07:00")] {
        assert_eq!(app.post("/deployments/17/deployed", repeat).await.expect(200), first);
    }
    assert_eq!(app.stored().await, before);
    for other in ["2026-06-15T12:00:01Z", "2026-06-15T11:59:59Z"] {
        let pointers = app.refuses_post("/deployments/17/deployed", at(other), 409, "conflict").await;
        assert_eq!(pointers, ["/deployed_at"]);
    }
}

async fn an_unknown_deployment_is_not_made_unless_asked(engine: Engine) {
    let app = engine.app().await;
    let all = json!({"project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    for body in [json!({}), all.clone(), with(all, json!({"create_if_not_exists": false}))] {
        app.refuses_post("/deployments/17/deployed", body, 404, "not-found").await;
    }
    app.post("/deployments", start("17")).await.expect(201);
    app.refuses_post("/deployments/17/deployed?project_id=other", json!({}), 404, "not-found").await;
    app.refuses_post("/deployments/17/deployed", json!({"project_id": "other"}), 404, "not-found").await;
}

async fn it_is_made_when_asked(engine: Engine) {
    let app = engine.app().await;
    let body = json!({
        "create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z",
        "deploy_start_at": "2026-06-15T11:30:00Z", "team_id": "red", "environment": "live", "username": "ann",
        "commit_sha": "4be1", "version": "v1", "url": "https://ci.example.com/17", "unplanned": true,
    });
    let answer = app.post("/deployments/17/deployed", body.clone()).await;
    let made = answer.expect(201);
    assert_eq!(made["deployed_at"], "2026-06-15T12:00:00Z");
    assert_eq!(made["duration_seconds"], 1800.0);
    for field in [
        "project_id",
        "first_commit_at",
        "deploy_start_at",
        "team_id",
        "environment",
        "username",
        "commit_sha",
        "version",
        "url",
        "unplanned",
    ] {
        assert_eq!(made[field], body[field], "{field}");
    }
    assert_eq!(app.get(answer.header("location")).await.expect(200), made);
    assert_eq!(app.post("/deployments/17/deployed", body).await.expect(200), made);
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);

    let least = json!({"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    let made = app.post("/deployments/18/deployed", least).await.expect(201);
    assert_eq!(made["deploy_start_at"], json!(null), "an unknown start is not invented");
    assert_eq!(app.total("deployment_duration_seconds_count").await, 1.0);
    app.expect_exact().await;
}

async fn what_is_needed_to_make_it_is_named(engine: Engine) {
    let app = engine.app().await;
    for (body, expected) in [
        (json!({"create_if_not_exists": true}), vec!["/project_id", "/first_commit_at"]),
        (json!({"create_if_not_exists": true, "project_id": "shop"}), vec!["/first_commit_at"]),
        (json!({"create_if_not_exists": true, "first_commit_at": "2026-06-15T10:00:00Z"}), vec!["/project_id"]),
    ] {
        assert_eq!(app.refuses_post("/deployments/17/deployed", body, 400, "invalid").await, expected);
    }
}

async fn create_if_not_exists_on_a_known_one_only_deploys_it(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    // neither project nor first commit are needed: it is there
    let deployed = app.post("/deployments/17/deployed", json!({"create_if_not_exists": true})).await.expect(200);
    assert_eq!(deployed["project_id"], "shop");
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
}

async fn it_is_made_in_the_project_that_is_named(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let in_body = json!({"create_if_not_exists": true, "project_id": "api", "first_commit_at": "2026-06-15T11:00:00Z"});
    assert_eq!(app.post("/deployments/17/deployed", in_body).await.expect(201)["project_id"], "api");
    let in_query = json!({"create_if_not_exists": true, "first_commit_at": "2026-06-15T11:00:00Z"});
    let made = app.post("/deployments/17/deployed?project_id=web", in_query).await.expect(201);
    assert_eq!(made["project_id"], "web");
    let untouched = app.get("/deployments/17?project_id=shop").await.expect(200);
    assert_eq!(untouched["status"], "started");
    app.expect_exact().await;
}

async fn details_fill_in_or_contradict(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", with(start("17"), json!({"version": "v1"}))).await.expect(201);
    let contradiction = json!({"version": "v2", "first_commit_at": "2026-06-15T09:00:00Z", "username": "ann"});
    let mut pointers = app.refuses_post("/deployments/17/deployed", contradiction, 409, "conflict").await;
    pointers.sort();
    assert_eq!(pointers, ["/first_commit_at", "/version"]);
    let deployed = app.post("/deployments/17/deployed", json!({"username": "ann", "version": "v1"})).await.expect(200);
    assert_eq!((deployed["username"].as_str(), deployed["status"].as_str()), (Some("ann"), Some("deployed")));
    // also after it was deployed
    let filled = app.post("/deployments/17/deployed", json!({"url": "https://ci.example.com/17"})).await.expect(200);
    assert_eq!(filled["url"], "https://ci.example.com/17");
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
}

async fn a_contradiction_of_the_project_is_told(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let pointers = app
        .refuses_post("/deployments/17/deployed?project_id=shop", json!({"project_id": "api"}), 400, "invalid")
        .await;
    assert_eq!(pointers, ["/project_id"]);
    app.post("/deployments/17/deployed?project_id=shop", json!({"project_id": "shop"})).await.expect(200);
}

async fn a_failed_deployment_cannot_be_deployed(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/failed", json!({})).await.expect(200);
    let all = json!({"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    for body in [json!({}), json!({"deployed_at": "2026-06-15T12:00:00Z"}), all] {
        app.refuses_post("/deployments/17/deployed", body, 409, "conflict").await;
    }
    app.expect_exact().await;
}

async fn a_rolled_back_deployment_is_not_deployed_again(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/deployed", json!({})).await.expect(200);
    let rolled_back = app.post("/deployments/17/rolled-back", json!({})).await.expect(200);
    // a late repeat is fine and does not undo the roll-back
    assert_eq!(app.post("/deployments/17/deployed", json!({})).await.expect(200), rolled_back);
    let other = json!({"deployed_at": "2026-06-15T12:30:00Z"});
    assert_eq!(app.refuses_post("/deployments/17/deployed", other, 409, "conflict").await, ["/deployed_at"]);
}

async fn impossible_times_are_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", with(start("17"), json!({"deploy_start_at": "2026-06-15T11:00:00Z"}))).await.expect(201);
    for time in ["2026-06-15T10:59:59Z", "2026-06-15T09:00:00Z", "2026-06-16T12:00:01Z", "1970-01-01T00:00:00Z"] {
        let body = json!({"deployed_at": time});
        let mut pointers = app.refuses_post("/deployments/17/deployed", body, 422, "impossible").await;
        pointers.dedup();
        assert_eq!(pointers, ["/deployed_at"], "{time}");
    }
    let made = json!({
        "create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T11:00:00Z",
        "deployed_at": "2026-06-15T10:00:00Z",
    });
    assert_eq!(app.refuses_post("/deployments/18/deployed", made, 422, "impossible").await, ["/deployed_at"]);
}

async fn a_pipelines_clock_may_be_a_little_ahead(engine: Engine) {
    let app = engine.app().await;
    let ahead = |id: &str, time: &str| with(start(id), json!({"deploy_start_at": time}));
    app.post("/deployments", ahead("17", "2026-06-15T12:03:00Z")).await.expect(201);
    let deployed = app.post("/deployments/17/deployed", json!({})).await.expect(200);
    assert_eq!(deployed["duration_seconds"], 0.0, "never below 0");
    app.post("/deployments", ahead("18", "2026-06-15T12:30:00Z")).await.expect(201);
    assert_eq!(app.refuses_post("/deployments/18/deployed", json!({}), 422, "impossible").await, ["/deployed_at"]);
}
