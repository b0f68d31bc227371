//! `POST /deployments`

use reqwest::Method;
use serde_json::json;

use super::start;
use crate::app::Answer;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    a_deployment_is_started_with_defaults,
    all_that_is_sent_comes_back,
    with_deployed_at_every_metric_moves_at_once,
    a_deployment_told_only_when_it_is_over_has_no_duration,
    a_repeat_changes_nothing,
    a_contradiction_names_the_field,
    a_contradiction_names_all_fields,
    a_later_call_fills_in_what_was_unknown,
    a_later_start_with_deployed_at_deploys_it_once,
    a_repeat_with_another_deployed_at_is_a_conflict,
    a_failed_one_is_not_deployed_by_a_start,
    missing_fields_are_all_named,
    null_is_the_same_as_absent,
    unknown_fields_are_ignored,
    impossible_times_are_refused,
    times_may_lie_24_hours_ahead_and_no_more,
    query_parameters_are_refused,
}

async fn a_deployment_is_started_with_defaults(engine: Engine) {
    let app = engine.app().await;
    let answer = app.post("/deployments", start("17")).await;
    insta::allow_duplicates! { insta::assert_json_snapshot!(answer.expect(201), @r#"
    {
      "commit_sha": null,
      "created_at": "2026-06-15T12:00:00Z",
      "deploy_start_at": "2026-06-15T12:00:00Z",
      "deployed_at": null,
      "duration_seconds": null,
      "environment": "production",
      "failed_at": null,
      "first_commit_at": "2026-06-15T10:00:00Z",
      "first_commit_from": null,
      "id": "17",
      "incidents": [],
      "lead_time_seconds": null,
      "project_id": "shop",
      "reason": null,
      "rolled_back_at": null,
      "status": "started",
      "team_id": null,
      "unplanned": false,
      "updated_at": "2026-06-15T12:00:00Z",
      "url": null,
      "username": null,
      "version": null
    }
    "#) };
    assert_eq!(app.get(answer.header("location")).await.expect(200), answer.json());
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    assert_eq!(app.total("deployment_frequency_total").await, 0.0);
    app.expect_exact().await;
}

async fn all_that_is_sent_comes_back(engine: Engine) {
    let app = engine.app_with(|config| config.production_environment = crate::http::name("live")).await;
    let body = json!({
        "id": "17", "project_id": "shop", "team_id": "red", "environment": "staging",
        "first_commit_at": "2026-06-15T09:00:00+02:00", "deploy_start_at": "2026-06-15T11:30:00.25Z",
        "deployed_at": "2026-06-15T11:45:00Z", "username": "ann", "commit_sha": "4be1", "version": "v1.2",
        "url": "https://ci.example.com/17", "unplanned": true,
    });
    let answer = app.post("/deployments", body).await;
    insta::allow_duplicates! { insta::assert_json_snapshot!(answer.expect(201), @r#"
    {
      "commit_sha": "4be1",
      "created_at": "2026-06-15T12:00:00Z",
      "deploy_start_at": "2026-06-15T11:30:00.250Z",
      "deployed_at": "2026-06-15T11:45:00Z",
      "duration_seconds": 899.75,
      "environment": "staging",
      "failed_at": null,
      "first_commit_at": "2026-06-15T07:00:00Z",
      "first_commit_from": null,
      "id": "17",
      "incidents": [],
      "lead_time_seconds": 17100.0,
      "project_id": "shop",
      "reason": null,
      "rolled_back_at": null,
      "status": "deployed",
      "team_id": "red",
      "unplanned": true,
      "updated_at": "2026-06-15T12:00:00Z",
      "url": "https://ci.example.com/17",
      "username": "ann",
      "version": "v1.2"
    }
    "#) };
    assert_eq!(app.get("/deployments/17").await.expect(200), answer.json());
    let other = app.post("/deployments", start("18")).await.expect(201);
    assert_eq!(other["environment"], "live", "the configured production environment");
}

async fn with_deployed_at_every_metric_moves_at_once(engine: Engine) {
    let app = engine.app().await;
    let body =
        with(start("17"), json!({"deploy_start_at": "2026-06-15T11:50:00Z", "deployed_at": "2026-06-15T12:00:00Z"}));
    app.post("/deployments", body.clone()).await.expect(201);
    app.post("/deployments", body).await.expect(200);
    let labels = r#"{environment="production",project_id="shop",team_id=""}"#;
    for (series, expected) in [
        ("deployment_started_total", 1.0),
        ("deployment_frequency_total", 1.0),
        ("lead_time_for_changes_seconds_count", 1.0),
        ("lead_time_for_changes_seconds_sum", 7200.0),
        ("deployment_duration_seconds_count", 1.0),
        ("deployment_duration_seconds_sum", 600.0),
        ("change_failure_count_total", 0.0),
    ] {
        assert_eq!(app.metric(&format!("{series}{labels}")).await, Some(expected), "{series}");
    }
    app.expect_exact().await;
}

async fn a_deployment_told_only_when_it_is_over_has_no_duration(engine: Engine) {
    let app = engine.app().await;
    let body = with(start("17"), json!({"deployed_at": "2026-06-15T11:00:00Z"}));
    let deployment = app.post("/deployments", body).await.expect(201);
    assert_eq!(deployment["status"], "deployed");
    assert_eq!(deployment["lead_time_seconds"], 3600.0);
    assert_eq!(deployment["deploy_start_at"], json!(null));
    assert_eq!(deployment["duration_seconds"], json!(null));
    assert_eq!(app.total("deployment_duration_seconds_count").await, 0.0);
    app.expect_exact().await;
}

async fn a_repeat_changes_nothing(engine: Engine) {
    let app = engine.app().await;
    let full = with(start("17"), json!({"team_id": "red", "username": "ann", "version": "1", "unplanned": false}));
    let first = app.post("/deployments", full.clone()).await.expect(201);
    let before = app.stored().await;
    app.set_now("2026-06-15T13:00:00Z");
    // the same instant in another offset, and less than the first time
    let fewer = with(start("17"), json!({"first_commit_at": "2026-06-15T12:00:00+02:00"}));
    for repeat in [full, fewer] {
        let answer = app.post("/deployments", repeat).await;
        assert_eq!(answer.expect(200), first);
        assert_eq!(answer.header("location"), "", "nothing was made");
    }
    assert_eq!(app.stored().await, before);
}

async fn a_contradiction_names_the_field(engine: Engine) {
    let app = engine.app().await;
    let full = json!({
        "id": "17", "project_id": "shop", "team_id": "red", "environment": "live", "username": "ann",
        "commit_sha": "4be1", "version": "v1", "url": "https://ci.example.com/17", "unplanned": true,
        "first_commit_at": "2026-06-15T10:00:00Z", "deploy_start_at": "2026-06-15T11:00:00Z",
    });
    app.post("/deployments", full.clone()).await.expect(201);
    for (field, other) in [
        ("team_id", json!("blue")),
        ("environment", json!("staging")),
        ("username", json!("bob")),
        ("commit_sha", json!("5be1")),
        ("version", json!("v2")),
        ("url", json!("https://ci.example.com/18")),
        ("unplanned", json!(false)),
        ("first_commit_at", json!("2026-06-15T10:00:01Z")),
        ("deploy_start_at", json!("2026-06-15T11:00:01Z")),
    ] {
        let pointers =
            app.refuses_post("/deployments", with(full.clone(), json!({field: other})), 409, "conflict").await;
        assert_eq!(pointers, [format!("/{field}")]);
    }
}

async fn a_contradiction_names_all_fields(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", with(start("17"), json!({"version": "1", "username": "ann"}))).await.expect(201);
    let other = with(start("17"), json!({"version": "2", "username": "bob", "environment": "test", "url": "new"}));
    let mut pointers = app.refuses_post("/deployments", other, 409, "conflict").await;
    pointers.sort();
    assert_eq!(pointers, ["/environment", "/username", "/version"]);
}

async fn a_later_call_fills_in_what_was_unknown(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.set_now("2026-06-15T12:05:00Z");
    for (field, value) in [
        ("team_id", json!("red")),
        ("username", json!("ann")),
        ("commit_sha", json!("4be1")),
        ("version", json!("v1")),
        ("url", json!("https://ci.example.com/17")),
        ("unplanned", json!(true)),
    ] {
        let filled = app.post("/deployments", with(start("17"), json!({field: value.clone()}))).await.expect(200);
        assert_eq!(filled[field], value);
        assert_eq!(filled["updated_at"], "2026-06-15T12:05:00Z");
        assert_eq!(app.get("/deployments/17").await.expect(200), filled);
    }
    assert_eq!(app.total("deployment_started_total").await, 1.0);
}

async fn a_later_start_with_deployed_at_deploys_it_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let over = with(start("17"), json!({"deployed_at": "2026-06-15T12:00:00Z"}));
    for _ in 0..2 {
        assert_eq!(app.post("/deployments", over.clone()).await.expect(200)["status"], "deployed");
    }
    assert_eq!(app.post("/deployments", start("17")).await.expect(200)["status"], "deployed");
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_repeat_with_another_deployed_at_is_a_conflict(engine: Engine) {
    let app = engine.app().await;
    let body = with(start("17"), json!({"deployed_at": "2026-06-15T11:00:00Z"}));
    app.post("/deployments", body.clone()).await.expect(201);
    let other = with(body, json!({"deployed_at": "2026-06-15T11:00:00.000001Z"}));
    assert_eq!(app.refuses_post("/deployments", other, 409, "conflict").await, ["/deployed_at"]);
}

async fn a_failed_one_is_not_deployed_by_a_start(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    app.post("/deployments/17/failed", json!({})).await.expect(200);
    assert_eq!(app.post("/deployments", start("17")).await.expect(200)["status"], "failed");
    let deployed = with(start("17"), json!({"deployed_at": "2026-06-15T12:00:00Z"}));
    assert_eq!(app.refuses_post("/deployments", deployed, 409, "conflict").await, ["/deployed_at"]);
}

async fn missing_fields_are_all_named(engine: Engine) {
    let app = engine.app().await;
    let pointers = app.refuses_post("/deployments", json!({}), 400, "invalid").await;
    assert_eq!(pointers, ["/id", "/project_id", "/first_commit_at"]);
    let pointers = app.refuses_post("/deployments", json!({"id": "17", "first_commit_at": null}), 400, "invalid").await;
    assert_eq!(pointers, ["/project_id", "/first_commit_at"]);
    // no body at all is `{}`
    let pointers = app.refuses(app.request(Method::POST, "/deployments"), 400, "invalid").await;
    assert_eq!(pointers.len(), 3);
}

async fn null_is_the_same_as_absent(engine: Engine) {
    let app = engine.app().await;
    let nulls = json!({
        "deploy_start_at": null, "deployed_at": null, "environment": null, "username": null, "team_id": null,
        "commit_sha": null, "version": null, "url": null, "unplanned": null,
    });
    let first = app.post("/deployments", with(start("17"), nulls)).await.expect(201);
    assert_eq!(first["status"], "started");
    assert_eq!(app.post("/deployments", start("17")).await.expect(200), first);
}

async fn unknown_fields_are_ignored(engine: Engine) {
    let app = engine.app().await;
    let body = with(start("17"), json!({"status": "failed", "colour": {"deep": [1, 2, null]}, "": 0, "created_at": 1}));
    let deployment = app.post("/deployments", body).await.expect(201);
    assert_eq!(deployment["status"], "started");
    assert_eq!(deployment["colour"], json!(null));
}

async fn impossible_times_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (changes, expected) in [
        (json!({"deployed_at": "2026-06-15T09:59:59.999999Z"}), vec!["/deployed_at"]),
        (
            json!({"deploy_start_at": "2026-06-15T11:00:00Z", "deployed_at": "2026-06-15T10:59:59Z"}),
            vec!["/deployed_at"],
        ),
        (json!({"first_commit_at": "2026-06-17T00:00:00Z"}), vec!["/first_commit_at"]),
        (json!({"deploy_start_at": "2026-06-17T00:00:00Z"}), vec!["/deploy_start_at"]),
        (json!({"deployed_at": "2026-06-17T00:00:00Z"}), vec!["/deployed_at"]),
        (json!({"deployed_at": "9999-12-31T23:59:59Z"}), vec!["/deployed_at"]),
        (
            json!({"first_commit_at": "2026-06-17T00:00:00Z", "deploy_start_at": "2026-06-18T00:00:00Z"}),
            vec!["/first_commit_at", "/deploy_start_at"],
        ),
    ] {
        let pointers = app.refuses_post("/deployments", with(start("17"), changes.clone()), 422, "impossible").await;
        assert_eq!(pointers, expected, "{changes}");
    }
    // at the very same moment is possible
    let at_once = json!({"deploy_start_at": "2026-06-15T10:00:00Z", "deployed_at": "2026-06-15T10:00:00Z"});
    let deployment = app.post("/deployments", with(start("17"), at_once)).await.expect(201);
    assert_eq!(deployment["lead_time_seconds"], 0.0);
    assert_eq!(app.total("lead_time_for_changes_seconds_count").await, 1.0);
}

async fn times_may_lie_24_hours_ahead_and_no_more(engine: Engine) {
    let app = engine.app().await;
    let at = |time: &str| with(start("17"), json!({"deployed_at": time}));
    app.refuses_post("/deployments", at("2026-06-16T12:00:00.000001Z"), 422, "impossible").await;
    app.post("/deployments", at("2026-06-16T12:00:00Z")).await.expect(201);
}

async fn query_parameters_are_refused(engine: Engine) {
    let app = engine.app().await;
    let request = app.request(Method::POST, "/deployments?project_id=other").json(&start("17"));
    assert_eq!(app.refuses(request, 400, "invalid").await, ["/project_id"]);
    let answer = Answer::of(app.request(Method::POST, "/deployments?").json(&start("17"))).await;
    answer.expect(201);
}
