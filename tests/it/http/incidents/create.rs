//! `POST /incidents`

use serde_json::{Value, json};

use super::open;
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    an_incident_is_opened_with_defaults,
    all_that_is_sent_comes_back,
    finished_implies_restored,
    a_repeat_changes_nothing,
    a_contradiction_names_the_field,
    a_later_call_fills_in_what_was_unknown,
    a_later_opening_with_an_end_ends_it_once,
    impossible_times_are_refused,
    unfit_texts_are_refused,
    an_optional_text_that_is_empty_is_absent,
    the_project_is_required,
}

async fn an_incident_is_opened_with_defaults(engine: Engine) {
    let app = engine.app().await;
    let answer = app.post("/incidents", open("outage")).await;
    insta::allow_duplicates! { insta::assert_json_snapshot!(answer.expect(201), @r#"
    {
      "created_at": "2026-06-15T12:00:00Z",
      "deployment_id": null,
      "environment": "production",
      "finished_at": null,
      "id": "outage",
      "link": "unlinked",
      "link_confidence": null,
      "link_method": null,
      "project_id": "shop",
      "restored_at": null,
      "severity": null,
      "started_at": "2026-06-15T12:00:00Z",
      "suggested_deployment_id": null,
      "team_id": null,
      "time_to_detect_seconds": null,
      "time_to_restore_seconds": null,
      "title": null,
      "updated_at": "2026-06-15T12:00:00Z",
      "url": null
    }
    "#) };
    assert_eq!(app.get(answer.header("location")).await.expect(200), answer.json());
    assert_eq!(app.total("incident_count_total").await, 1.0);
    assert_eq!(app.total("incident_restored_total").await, 0.0);
    app.expect_exact().await;
}

async fn all_that_is_sent_comes_back(engine: Engine) {
    let app = engine.app().await;
    let deployed = json!({
        "id": "17", "project_id": "shop", "environment": "staging", "first_commit_at": "2026-06-15T08:00:00Z",
        "deployed_at": "2026-06-15T09:00:00Z",
    });
    app.post("/deployments", deployed).await.expect(201);
    let answer = app
        .post(
            "/incidents",
            json!({
                "id": "outage", "project_id": "shop", "deployment_id": "17", "environment": "live",
                "started_at": "2026-06-15T12:30:00+03:00", "restored_at": "2026-06-15T10:00:00.5Z",
                "finished_at": "2026-06-15T11:00:00Z", "severity": "1", "title": "shop\nis down",
                "url": "https://status.example.com/1",
            }),
        )
        .await;
    insta::allow_duplicates! { insta::assert_json_snapshot!(answer.expect(201), @r#"
    {
      "created_at": "2026-06-15T12:00:00Z",
      "deployment_id": "17",
      "environment": "live",
      "finished_at": "2026-06-15T11:00:00Z",
      "id": "outage",
      "link": "linked",
      "link_confidence": "certain",
      "link_method": "sent",
      "project_id": "shop",
      "restored_at": "2026-06-15T10:00:00.500Z",
      "severity": "1",
      "started_at": "2026-06-15T09:30:00Z",
      "suggested_deployment_id": null,
      "team_id": null,
      "time_to_detect_seconds": 1800.0,
      "time_to_restore_seconds": 1800.5,
      "title": "shop\nis down",
      "updated_at": "2026-06-15T12:00:00Z",
      "url": "https://status.example.com/1"
    }
    "#) };
    assert_eq!(app.get("/incidents/outage").await.expect(200), answer.json());
    app.expect_exact().await;
}

async fn finished_implies_restored(engine: Engine) {
    let app = engine.app().await;
    let body =
        with(open("outage"), json!({"started_at": "2026-06-15T11:00:00Z", "finished_at": "2026-06-15T11:30:00Z"}));
    let incident = app.post("/incidents", body.clone()).await.expect(201);
    assert_eq!(incident["restored_at"], "2026-06-15T11:30:00Z");
    assert_eq!(incident["time_to_restore_seconds"], 1800.0);
    assert_eq!(app.post("/incidents", body).await.expect(200), incident);
    for series in ["incident_count_total", "incident_restored_total", "incident_finished_total"] {
        assert_eq!(app.total(series).await, 1.0, "{series}");
    }
    assert_eq!(app.total("time_to_restore_seconds_sum").await, 1800.0);
    app.expect_exact().await;
}

async fn a_repeat_changes_nothing(engine: Engine) {
    let app = engine.app().await;
    let full = with(open("outage"), json!({"severity": "1", "restored_at": "2026-06-15T12:00:00Z"}));
    let first = app.post("/incidents", full.clone()).await.expect(201);
    app.set_now("2026-06-15T13:00:00Z");
    let before = app.stored().await;
    for repeat in [full, open("outage"), with(open("outage"), json!({"started_at": "2026-06-15T12:00:00Z"}))] {
        assert_eq!(app.post("/incidents", repeat).await.expect(200), first);
    }
    assert_eq!(app.stored().await, before);
}

/// An incident with everything, and the two deployments that it may be linked to.
async fn full_incident(app: &crate::app::App) -> Value {
    for id in ["17", "18"] {
        let body = json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T08:00:00Z",
            "deployed_at": "2026-06-15T09:00:00Z"});
        app.post("/deployments", body).await.expect(201);
    }
    let full = json!({
        "id": "outage", "project_id": "shop", "deployment_id": "17", "environment": "live", "severity": "1",
        "title": "down", "url": "https://status.example.com/1", "started_at": "2026-06-15T10:00:00Z",
        "restored_at": "2026-06-15T10:30:00Z", "finished_at": "2026-06-15T11:00:00Z",
    });
    app.post("/incidents", full.clone()).await.expect(201);
    full
}

async fn a_contradiction_names_the_field(engine: Engine) {
    let app = engine.app().await;
    let full = full_incident(&app).await;
    for (field, other) in [
        ("deployment_id", "18"),
        ("environment", "staging"),
        ("severity", "2"),
        ("title", "slow"),
        ("url", "https://status.example.com/2"),
        ("started_at", "2026-06-15T10:00:00.000001Z"),
        ("restored_at", "2026-06-15T10:30:01Z"),
        ("finished_at", "2026-06-15T11:00:01Z"),
    ] {
        let pointers = app.refuses_post("/incidents", with(full.clone(), json!({field: other})), 409, "conflict").await;
        assert_eq!(pointers, [format!("/{field}")]);
    }
    let two = with(full, json!({"severity": "2", "title": "slow"}));
    let mut pointers = app.refuses_post("/incidents", two, 409, "conflict").await;
    pointers.sort();
    assert_eq!(pointers, ["/severity", "/title"]);
}

async fn a_later_call_fills_in_what_was_unknown(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.set_now("2026-06-15T12:05:00Z");
    for (field, value) in [("severity", "1"), ("title", "down"), ("url", "https://status.example.com/1")] {
        let filled = app.post("/incidents", with(open("outage"), json!({field: value}))).await.expect(200);
        assert_eq!(filled[field], value);
        assert_eq!(filled["updated_at"], "2026-06-15T12:05:00Z");
    }
    assert_eq!(app.total("incident_count_total").await, 1.0);
}

async fn a_later_opening_with_an_end_ends_it_once(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", open("outage")).await.expect(201);
    app.set_now("2026-06-15T13:00:00Z");
    let restored = with(open("outage"), json!({"restored_at": "2026-06-15T12:30:00Z"}));
    let finished = with(open("outage"), json!({"finished_at": "2026-06-15T12:45:00Z"}));
    for body in [&restored, &restored, &finished, &restored, &finished] {
        app.post("/incidents", body.clone()).await.expect(200);
    }
    let incident = app.get("/incidents/outage").await.expect(200);
    assert_eq!(
        (&incident["restored_at"], &incident["finished_at"]),
        (&json!("2026-06-15T12:30:00Z"), &json!("2026-06-15T12:45:00Z"))
    );
    for series in ["incident_restored_total", "incident_finished_total", "time_to_restore_seconds_count"] {
        assert_eq!(app.total(series).await, 1.0, "{series}");
    }
    app.expect_exact().await;
}

async fn impossible_times_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (changes, expected) in [
        (json!({"started_at": "2026-06-15T11:00:00Z", "restored_at": "2026-06-15T10:59:59Z"}), "/restored_at"),
        (json!({"restored_at": "2026-06-15T11:00:00Z"}), "/restored_at"),
        (json!({"restored_at": "2026-06-15T12:10:00Z", "finished_at": "2026-06-15T12:09:59Z"}), "/finished_at"),
        (json!({"started_at": "2026-06-16T12:00:01Z"}), "/started_at"),
        (json!({"restored_at": "2026-06-16T12:00:01Z"}), "/restored_at"),
        (json!({"restored_at": "2026-06-15T12:00:00Z", "finished_at": "2026-06-16T12:00:01Z"}), "/finished_at"),
        (json!({"deployment_id": "17"}), "/deployment_id"),
    ] {
        let pointers = app.refuses_post("/incidents", with(open("outage"), changes.clone()), 422, "impossible").await;
        assert_eq!(pointers, [expected], "{changes}");
    }
    // the sender wrote `finished_at`: that is the field to correct
    for time in ["2026-06-15T11:00:00Z", "2026-06-16T12:00:01Z"] {
        let body = with(open("outage"), json!({"finished_at": time}));
        assert_eq!(app.refuses_post("/incidents", body, 422, "impossible").await, ["/finished_at"], "{time}");
    }
    let at_once = with(open("outage"), json!({"restored_at": "2026-06-15T12:00:00Z"}));
    assert_eq!(app.post("/incidents", at_once).await.expect(201)["time_to_restore_seconds"], 0.0);
}

async fn unfit_texts_are_refused(engine: Engine) {
    let app = engine.app().await;
    for field in ["id", "project_id", "deployment_id", "environment", "severity"] {
        for text in [" ", "a\nb", "a\u{0}b", &"x".repeat(201)] {
            let body = with(open("outage"), json!({field: text}));
            let pointers = app.refuses_post("/incidents", body, 400, "invalid").await;
            assert_eq!(pointers, [format!("/{field}")], "{text:?}");
        }
    }
    for (field, text) in [("id", ""), ("project_id", ""), ("deployment_id", ""), ("id", "."), ("id", "..")] {
        let body = with(open("outage"), json!({field: text}));
        assert_eq!(app.refuses_post("/incidents", body, 400, "invalid").await, [format!("/{field}")], "{text:?}");
    }
    for field in ["title", "url"] {
        for text in [" ", "nul\u{0}", &"x".repeat(2001)] {
            let body = with(open("outage"), json!({field: text}));
            assert_eq!(app.refuses_post("/incidents", body, 400, "invalid").await, [format!("/{field}")], "{text:?}");
        }
    }
}

async fn an_optional_text_that_is_empty_is_absent(engine: Engine) {
    let app = engine.app().await;
    let empty = json!({"environment": "", "severity": "", "title": "", "url": ""});
    let made = app.post("/incidents", with(open("outage"), empty)).await.expect(201);
    assert_eq!(made["environment"], "production");
    for field in ["severity", "title", "url"] {
        assert_eq!(made[field], serde_json::Value::Null, "{field}");
    }
}

async fn the_project_is_required(engine: Engine) {
    let app = engine.app().await;
    for body in [json!({}), json!({"id": "outage"}), json!({"id": "outage", "project_id": null})] {
        assert_eq!(app.refuses_post("/incidents", body, 400, "invalid").await, ["/project_id"]);
    }
    let request = app.request(reqwest::Method::POST, "/incidents?project_id=shop").json(&json!({}));
    assert_eq!(app.refuses(request, 400, "invalid").await, ["/project_id"]);
}
