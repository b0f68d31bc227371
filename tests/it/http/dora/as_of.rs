//! `?as_of=`: the answer as it was known at some moment.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use reqwest::Method;
use serde_json::{Value, json};

use super::{deployed, incident, tell};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::memory::anything;

on_each_engine! {
    what_was_answered_then_is_answered_again,
    what_was_explained_then_is_explained_again,
    what_had_been_sent_but_was_not_recorded_then_is_not_counted,
    what_was_not_known_then_is_not_counted,
    by_default_the_window_ends_then,
    nobody_knows_the_future,
}

/// Without what says that it is a look back.
async fn answer(app: &App, query: &str) -> String {
    let mut answer = app.get(&format!("/dora?{query}")).await.expect(200);
    answer.as_object_mut().unwrap().remove("as_of");
    answer.to_string()
}

async fn what_was_answered_then_is_answered_again(engine: Engine) {
    let app = engine.app().await;
    let mut random = StdRng::seed_from_u64(11);
    let questions = [
        "from=2026-05-20&to=2026-06-16&interval=week&tz=Europe/Berlin&group_by=team",
        "from=2026-06-03T10:30:00Z&to=2026-06-09&interval=day&group_by=environment",
        "from=2026-06-01&to=2026-06-16&project_id=shop&project_id=cart&group_by=project",
    ];
    let mut given = Vec::new();
    for minute in 0..30 {
        let moment = format!("2026-06-15T12:{minute:02}:00Z");
        app.set_now(&moment);
        for _ in 0..15 {
            let (method, path, body) = anything(&mut random);
            assert!(!Answer::of(app.request(method, &path).json(&body)).await.status.is_server_error());
        }
        for question in questions {
            given.push((format!("{question}&as_of={moment}"), answer(&app, question).await));
        }
    }
    assert!(given.first().unwrap().1 != given.last().unwrap().1);
    for (question, then) in given {
        assert_eq!(answer(&app, &question).await, then, "{question}");
        let table = app.get(&format!("/dora.csv?{question}")).await;
        assert_eq!(table.status, 200);
    }
}

async fn what_was_explained_then_is_explained_again(engine: Engine) {
    let app = engine.app().await;
    let mut random = StdRng::seed_from_u64(12);
    let windows = [
        "from=2026-05-20&to=2026-06-16",
        "from=2026-06-03T10:30:00Z&to=2026-06-09&environment=production&environment=staging&limit=7",
        "from=2026-06-01&to=2026-06-16&project_id=shop&team_id=red&counted=true",
    ];
    let metrics =
        ["change_failure_rate", "failed_deployment_recovery_time", "time_to_detect", "incidents", "pipelines"];
    let questions: Vec<_> =
        metrics.iter().flat_map(|metric| windows.map(|window| format!("metric={metric}&{window}"))).collect();
    let explanation = async |query: &str| {
        let mut explanation = app.get(&format!("/dora/explain?{query}")).await.expect(200);
        explanation.as_object_mut().unwrap().remove("as_of");
        // links lead to what there is now; and why nothing is known of a deployment is told of now only
        for fact in explanation["facts"].as_array_mut().unwrap() {
            for now in ["link", "related", "deleted"] {
                fact.as_object_mut().unwrap().remove(now);
            }
            if fact["reason"] == "deployment_deleted" {
                (fact["reason"], fact["detail"]) = (json!("deployment_not_deployed"), Value::Null);
            } else if fact["reason"] == "deployment_not_deployed" {
                fact["detail"] = Value::Null;
            }
        }
        explanation
    };
    let mut given = Vec::new();
    for minute in 0..12 {
        let moment = format!("2026-06-15T12:{minute:02}:00Z");
        app.set_now(&moment);
        for _ in 0..40 {
            let (method, path, body) = anything(&mut random);
            assert!(!Answer::of(app.request(method, &path).json(&body)).await.status.is_server_error());
        }
        for question in &questions {
            given.push((format!("{question}&as_of={moment}"), explanation(question).await));
        }
    }
    assert!(given.iter().filter(|(_, then)| then["left_out"] != 0 && then["counted"] != 0).count() > 50);
    for (question, then) in given {
        assert_eq!(explanation(&question).await, then, "{question}");
    }
    // pages lead on to what was known then
    let first = app.get("/dora/explain?metric=pipelines&from=2026-06-01&limit=2&as_of=2026-06-15T12:03:00Z").await;
    assert_eq!(first.expect(200)["as_of"], "2026-06-15T12:03:00Z");
    let next = app.get(&first.next_page().unwrap()).await.expect(200);
    assert_eq!((&next["as_of"], &next["counted"]), (&first.expect(200)["as_of"], &first.expect(200)["counted"]));
}

async fn what_had_been_sent_but_was_not_recorded_then_is_not_counted(engine: Engine) {
    let app = engine.app().await;
    let (path, body) = deployed("1", "2026-06-10T12:00:00Z", json!({}));
    let count = async |as_of: &str| {
        let answer = app.get(&format!("/dora?from=2026-06-10&to=2026-06-11{as_of}")).await.expect(200);
        answer["deployment_frequency"]["deployments"].as_u64().unwrap()
    };
    let lock = app.database.other().await.hold().await;
    let sent = tokio::spawn(Answer::of(app.request(Method::POST, &path).json(&body)));
    // it is on its way to the writer, which waits
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    app.set_now("2026-06-15T12:00:02Z");
    assert_eq!((count("").await, sent.is_finished()), (0, false));
    app.set_now("2026-06-15T12:00:03Z");
    lock.let_go().await;
    sent.await.unwrap().expect(201);
    assert_eq!(count("&as_of=2026-06-15T12:00:02Z").await, 0, "as it was answered then");
    assert_eq!(count("&as_of=2026-06-15T12:00:03Z").await, 1);
}

async fn what_was_not_known_then_is_not_counted(engine: Engine) {
    let app = engine.app().await;
    tell(&app, [deployed("1", "2026-06-10T12:00:00Z", json!({}))]).await;
    app.set_now("2026-06-15T13:00:00Z");
    tell(&app, [deployed("2", "2026-06-10T12:00:00Z", json!({}))]).await;
    tell(&app, [incident("a", "2026-06-10T13:00:00Z", json!({"deployment_id": "1"}))]).await;
    app.set_now("2026-06-15T14:00:00Z");
    Answer::of(app.request(Method::DELETE, "/deployments/2")).await;
    let counts = async |as_of: &str| {
        let answer = app.get(&format!("/dora?from=2026-06-10&to=2026-06-11{as_of}")).await.expect(200);
        let rate = &answer["change_failure_rate"];
        (rate["failed"].as_u64().unwrap(), rate["deployments"].as_u64().unwrap())
    };
    assert_eq!(counts("&as_of=2026-06-15T11:59:59.999999Z").await, (0, 0));
    assert_eq!(counts("&as_of=2026-06-15T12:00:00Z").await, (0, 1));
    assert_eq!(counts("&as_of=2026-06-15T13:00:00Z").await, (1, 2));
    assert_eq!(counts("&as_of=2026-06-15T14:00:00Z").await, (1, 1));
    assert_eq!(counts("").await, (1, 1));
}

async fn by_default_the_window_ends_then(engine: Engine) {
    let app = engine.app().await;
    let answer = app.get("/dora?as_of=2026-06-14T12:00:00Z").await.expect(200);
    assert_eq!((&answer["to"], &answer["as_of"]), (&json!("2026-06-14T12:00:00Z"), &json!("2026-06-14T12:00:00Z")));
    assert_eq!(app.get("/dora").await.expect(200)["as_of"], Value::Null);
}

async fn nobody_knows_the_future(engine: Engine) {
    let app = engine.app().await;
    for as_of in ["2026-06-15T12:00:00.000001Z", "yesterday"] {
        for path in ["/dora?", "/dora/explain?metric=incidents&"] {
            assert_eq!(app.get(&format!("{path}as_of={as_of}")).await.expect_problem(400, "invalid"), ["/as_of"]);
        }
    }
}
