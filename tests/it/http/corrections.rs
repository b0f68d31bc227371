//! `PATCH`, `DELETE` and `/restore`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    a_correction_replaces_removes_and_keeps,
    a_correction_that_says_nothing_new_changes_nothing,
    answers_follow_and_totals_stay,
    what_a_correction_makes_known_counts_once,
    the_status_follows_from_the_times,
    what_cannot_have_happened_is_refused,
    what_cannot_be_corrected_is_refused,
    what_is_deleted_is_in_no_answer,
    a_deleted_id_stays_taken,
    an_incident_is_linked_moved_and_unlinked,
    a_deleted_incident_is_no_failure,
    a_deleted_deployment_has_no_time_to_detect,
    corrected_times_reach_the_linked_incidents,
    an_id_of_several_projects_asks_which_one,
    a_deleted_fact_makes_no_id_ambiguous,
}

fn deployed(id: &str) -> Value {
    json!({
        "id": id, "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z",
        "deploy_start_at": "2026-06-15T10:00:00Z", "deployed_at": "2026-06-15T11:00:00Z",
    })
}

fn incident(id: &str, deployment: Option<&str>) -> Value {
    json!({"id": id, "project_id": "shop", "started_at": "2026-06-15T11:30:00Z", "deployment_id": deployment})
}

async fn patch(app: &App, path: &str, body: Value) -> Answer {
    Answer::of(app.request(Method::PATCH, path).json(&body)).await
}

async fn delete(app: &App, path: &str) -> u16 {
    Answer::of(app.request(Method::DELETE, path)).await.status.as_u16()
}

async fn refuses(app: &App, path: &str, body: Value, status: u16, problem: &str) -> Vec<String> {
    app.refuses(app.request(Method::PATCH, path).json(&body), status, problem).await
}

/// The answer for the day of these tests.
async fn dora(app: &App) -> Value {
    app.get("/dora?from=2026-06-15&to=2026-06-16").await.expect(200)
}

async fn a_correction_replaces_removes_and_keeps(engine: Engine) {
    let app = engine.app().await;
    let body = with(deployed("17"), json!({"username": "ann", "version": "1.2", "team_id": "red"}));
    app.post("/deployments", body).await.expect(201);
    let correction = json!({"first_commit_at": "2026-06-15T09:00:00Z", "username": null, "team_id": "blue"});
    let after = patch(&app, "/deployments/17", correction).await.expect(200);
    assert_eq!(after["first_commit_at"], "2026-06-15T09:00:00Z");
    assert_eq!(after["lead_time_seconds"], 7200.0);
    assert_eq!(
        (&after["username"], &after["version"], &after["team_id"]),
        (&Value::Null, &json!("1.2"), &json!("blue"))
    );
    assert_eq!(app.get("/deployments/17").await.expect(200), after);

    app.post("/incidents", with(incident("outage", None), json!({"severity": "low", "title": "Slow"})))
        .await
        .expect(201);
    let correction = json!({"severity": "high", "title": null, "restored_at": "2026-06-15T11:45:00Z"});
    let after = patch(&app, "/incidents/outage?project_id=shop", correction).await.expect(200);
    assert_eq!((&after["severity"], &after["title"]), (&json!("high"), &Value::Null));
    assert_eq!(after["time_to_restore_seconds"], 900.0);
    assert_eq!(app.get("/incidents/outage").await.expect(200), after);
}

async fn a_correction_that_says_nothing_new_changes_nothing(engine: Engine) {
    let app = engine.app().await;
    let before = app.post("/deployments", deployed("17")).await.expect(201);
    let stored = app.stored().await;
    app.set_now("2026-06-15T13:00:00Z");
    for body in [json!({}), json!({"deployed_at": "2026-06-15T13:00:00+02:00", "reason": null, "unheard_of": 1})] {
        assert_eq!(patch(&app, "/deployments/17", body).await.expect(200), before);
    }
    assert_eq!(app.stored().await, stored);
}

async fn answers_follow_and_totals_stay(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    let series = app.stored().await;
    patch(
        &app,
        "/deployments/17",
        json!({"deployed_at": "2026-06-14T11:00:00Z", "deploy_start_at": null,
        "first_commit_at": "2026-06-13T11:00:00Z"}),
    )
    .await
    .expect(200);
    assert_eq!(dora(&app).await["deployment_frequency"]["deployments"], 0);
    let before = app.get("/dora?from=2026-06-14&to=2026-06-15").await.expect(200);
    assert_eq!(before["deployment_frequency"]["deployments"], 1);
    assert_eq!(before["lead_time_for_changes"]["median_seconds"], 86400.0);
    assert_eq!(app.total("lead_time_for_changes_seconds_sum").await, 10800.0);
    patch(&app, "/deployments/17", json!({"environment": "staging"})).await.expect(200);
    let before = app.get("/dora?from=2026-06-14&to=2026-06-15").await.expect(200);
    assert_eq!(before["deployment_frequency"]["deployments"], 0);
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
    assert_ne!(app.stored().await, series);
}

async fn what_a_correction_makes_known_counts_once(engine: Engine) {
    let app = engine.app().await;
    let started = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z"});
    app.post("/deployments", started).await.expect(201);
    for deployed_at in [json!("2026-06-15T12:00:00Z"), Value::Null, json!("2026-06-15T12:00:00Z")] {
        patch(&app, "/deployments/17", json!({"deployed_at": deployed_at})).await.expect(200);
        assert_eq!(app.total("deployment_frequency_total").await, 1.0);
        assert_eq!(app.total("lead_time_for_changes_seconds_count").await, 1.0);
    }
    assert_eq!(app.total("deployment_started_total").await, 1.0);
    app.expect_exact().await;
}

async fn the_status_follows_from_the_times(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    for (correction, status) in [
        (json!({"rolled_back_at": "2026-06-15T11:30:00Z"}), "rolled_back"),
        (json!({"rolled_back_at": null}), "deployed"),
        (json!({"deployed_at": null, "failed_at": "2026-06-15T10:10:00Z"}), "failed"),
        (json!({"failed_at": null}), "started"),
    ] {
        assert_eq!(patch(&app, "/deployments/17", correction).await.expect(200)["status"], status);
    }
    assert_eq!(app.total("deployment_failed_total").await, 1.0);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
}

async fn what_cannot_have_happened_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", incident("outage", Some("17"))).await.expect(201);
    for (body, pointer) in [
        (json!({"first_commit_at": "2026-06-15T11:00:00.000001Z"}), "/deployed_at"),
        (json!({"deployed_at": "2026-06-17T11:00:00Z"}), "/deployed_at"),
        (json!({"failed_at": "2026-06-15T11:00:00Z"}), "/failed_at"),
        (json!({"deployed_at": null, "rolled_back_at": "2026-06-15T11:00:00Z"}), "/rolled_back_at"),
    ] {
        assert_eq!(refuses(&app, "/deployments/17", body, 422, "impossible").await, [pointer]);
    }
    for (body, pointer) in [
        (json!({"deployment_id": "18"}), "/deployment_id"),
        (json!({"restored_at": "2026-06-15T11:29:59Z"}), "/restored_at"),
        (json!({"finished_at": "2026-06-15T11:45:00Z", "restored_at": null}), "/restored_at"),
        (json!({"started_at": "2026-06-15T09:59:59Z"}), "/started_at"),
    ] {
        assert_eq!(refuses(&app, "/incidents/outage", body, 422, "impossible").await, [pointer]);
    }
}

async fn what_cannot_be_corrected_is_refused(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", incident("outage", None)).await.expect(201);
    for (body, pointer) in [
        (json!({"status": "failed"}), "/status"),
        (json!({"id": "18"}), "/id"),
        (json!({"environment": null}), "/environment"),
        (json!({"deployed_at": "yesterday"}), "/deployed_at"),
        (json!({"unplanned": "yes"}), "/unplanned"),
    ] {
        assert_eq!(refuses(&app, "/deployments/17", body, 400, "invalid").await, [pointer]);
    }
    for (body, pointer) in [(json!({"started_at": null}), "/started_at"), (json!({"id": "other"}), "/id")] {
        assert_eq!(refuses(&app, "/incidents/outage", body, 400, "invalid").await, [pointer]);
    }
    refuses(&app, "/deployments/18", json!({}), 404, "not-found").await;
    refuses(&app, "/deployments/17?project_id=api", json!({}), 404, "not-found").await;
    refuses(&app, "/incidents/none", json!({}), 404, "not-found").await;
}

async fn what_is_deleted_is_in_no_answer(engine: Engine) {
    let app = engine.app().await;
    let deployment = app.post("/deployments", deployed("17")).await.expect(201);
    let outage = app.post("/incidents", incident("outage", None)).await.expect(201);
    let answer = dora(&app).await;
    let series = app.store.series().await.unwrap();
    for path in ["/deployments/17", "/incidents/outage"] {
        assert_eq!((delete(&app, path).await, delete(&app, path).await), (204, 204));
        app.get(path).await.expect_problem(404, "not-found");
        let list = path.rsplit_once('/').unwrap().0;
        assert_eq!(app.get(list).await.expect(200), json!([]));
    }
    let gone = dora(&app).await;
    assert_eq!(gone["deployment_frequency"]["deployments"], 0);
    assert_eq!(gone["incidents"]["started"], 0);
    for metric in ["deployment_frequency", "time_to_restore"] {
        let query = format!("/dora/explain?metric={metric}&from=2026-06-15&to=2026-06-16");
        assert!(app.get(&query).await.expect(200)["facts"].as_array().unwrap().is_empty(), "{metric}");
    }
    assert_eq!(app.store.series().await.unwrap(), series, "totals never go down");

    for (path, before) in [("/deployments/17", deployment), ("/incidents/outage", outage)] {
        let restored = app.post(&format!("{path}/restore"), json!({})).await.expect(200);
        assert_eq!(with(restored, json!({"updated_at": null})), with(before, json!({"updated_at": null})));
        app.post(&format!("{path}/restore"), json!({})).await.expect(200);
    }
    assert_eq!(dora(&app).await, answer);
    assert_eq!(app.store.series().await.unwrap(), series);
    assert_eq!(delete(&app, "/deployments/unknown").await, 404);
    app.post("/incidents/unknown/restore", json!({})).await.expect_problem(404, "not-found");
}

async fn a_deleted_id_stays_taken(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", incident("outage", None)).await.expect(201);
    assert_eq!(delete(&app, "/deployments/17").await, 204);
    assert_eq!(delete(&app, "/incidents/outage").await, 204);
    app.refuses_post("/deployments", deployed("17"), 409, "conflict").await;
    let again = json!({"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z"});
    app.refuses_post("/deployments/17/deployed", again, 409, "conflict").await;
    app.refuses_post("/deployments/17/rolled-back", json!({}), 404, "not-found").await;
    app.refuses_post("/incidents", incident("outage", None), 409, "conflict").await;
    app.refuses_post("/incidents/outage/restored", json!({}), 404, "not-found").await;
    refuses(&app, "/deployments/17", json!({"unplanned": true}), 404, "not-found").await;
    refuses(&app, "/incidents/outage", json!({"severity": "low"}), 404, "not-found").await;
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
}

async fn an_incident_is_linked_moved_and_unlinked(engine: Engine) {
    let app = engine.app().await;
    for id in ["17", "18"] {
        app.post("/deployments", deployed(id)).await.expect(201);
    }
    app.post("/incidents", incident("outage", None)).await.expect(201);
    let failed = async |app: &App| dora(app).await["change_failure_rate"]["failed"].clone();
    assert_eq!(failed(&app).await, 0);
    for (link, of_17, of_18) in [
        (json!("17"), json!(["outage"]), json!([])),
        (json!("18"), json!([]), json!(["outage"])),
        (Value::Null, json!([]), json!([])),
        (json!("17"), json!(["outage"]), json!([])),
    ] {
        let after = patch(&app, "/incidents/outage", json!({"deployment_id": link})).await.expect(200);
        assert_eq!(after["deployment_id"], link);
        assert_eq!(after["time_to_detect_seconds"], if link.is_null() { Value::Null } else { json!(1800.0) });
        assert_eq!(app.get("/deployments/17").await.expect(200)["incidents"], of_17);
        assert_eq!(app.get("/deployments/18").await.expect(200)["incidents"], of_18);
        assert_eq!(failed(&app).await, i32::from(!link.is_null()));
    }
    assert_eq!(app.total("change_failure_count_total").await, 2.0);
    assert_eq!(app.total("time_to_detect_seconds_count").await, 1.0);
}

async fn a_deleted_incident_is_no_failure(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", incident("outage", Some("17"))).await.expect(201);
    let before = dora(&app).await;
    assert_eq!(before["change_failure_rate"]["failed"], 1);
    assert_eq!(delete(&app, "/incidents/outage").await, 204);
    assert_eq!(dora(&app).await["change_failure_rate"]["failed"], 0);
    assert_eq!(app.get("/deployments/17").await.expect(200)["incidents"], json!([]));
    app.post("/incidents/outage/restore", json!({})).await.expect(200);
    assert_eq!(dora(&app).await, before);
    app.expect_exact().await;
}

async fn a_deleted_deployment_has_no_time_to_detect(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    app.post("/incidents", incident("outage", Some("17"))).await.expect(201);
    let before = dora(&app).await;
    assert_eq!(delete(&app, "/deployments/17").await, 204);
    let outage = app.get("/incidents/outage").await.expect(200);
    assert_eq!((&outage["deployment_id"], &outage["time_to_detect_seconds"]), (&json!("17"), &Value::Null));
    assert_eq!(dora(&app).await["time_to_detect"]["n"], 0);
    // what is linked to a deleted deployment may still be corrected, and its own deletion taken back
    patch(&app, "/incidents/outage", json!({"severity": "low"})).await.expect(200);
    assert_eq!(delete(&app, "/incidents/outage").await, 204);
    app.post("/incidents/outage/restore", json!({})).await.expect(200);
    app.post("/incidents", incident("second", None)).await.expect(201);
    assert_eq!(
        refuses(&app, "/incidents/second", json!({"deployment_id": "17"}), 422, "impossible").await,
        ["/deployment_id"]
    );
    delete(&app, "/incidents/second").await;
    app.post("/deployments/17/restore", json!({})).await.expect(200);
    assert_eq!(dora(&app).await, before);
}

async fn corrected_times_reach_the_linked_incidents(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", deployed("17")).await.expect(201);
    for id in ["a", "b"] {
        app.post("/incidents", incident(id, Some("17"))).await.expect(201);
    }
    delete(&app, "/incidents/b").await;
    patch(&app, "/deployments/17", json!({"deployed_at": "2026-06-15T11:15:00Z"})).await.expect(200);
    app.post("/incidents/b/restore", json!({})).await.expect(200);
    for id in ["a", "b"] {
        assert_eq!(app.get(&format!("/incidents/{id}")).await.expect(200)["time_to_detect_seconds"], 900.0);
    }
    assert_eq!(dora(&app).await["time_to_detect"]["median_seconds"], 900.0);
}

async fn an_id_of_several_projects_asks_which_one(engine: Engine) {
    let app = engine.app().await;
    for project in ["shop", "api"] {
        app.post("/deployments", with(deployed("17"), json!({"project_id": project}))).await.expect(201);
    }
    refuses(&app, "/deployments/17", json!({"version": "2"}), 409, "ambiguous-id").await;
    patch(&app, "/deployments/17", json!({"project_id": "api", "version": "2"})).await.expect(200);
    patch(&app, "/deployments/17?project_id=shop", json!({"version": "3"})).await.expect(200);
    assert_eq!(delete(&app, "/deployments/17").await, 409);
    assert_eq!(delete(&app, "/deployments/17?project_id=api").await, 204);
}

async fn a_deleted_fact_makes_no_id_ambiguous(engine: Engine) {
    let app = engine.app().await;
    for project in ["shop", "api"] {
        app.post("/deployments", with(deployed("17"), json!({"project_id": project}))).await.expect(201);
    }
    delete(&app, "/deployments/17?project_id=api").await;
    assert_eq!(app.get("/deployments/17").await.expect(200)["project_id"], "shop");
    assert_eq!(patch(&app, "/deployments/17", json!({"version": "2"})).await.expect(200)["project_id"], "shop");
    app.post("/deployments/17/restore", json!({})).await.expect(200);
    app.get("/deployments/17").await.expect_problem(409, "ambiguous-id");
}
