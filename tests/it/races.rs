//! Many callers at the same moment: whoever is first, it is one fact and one count.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    callers_who_say_the_same_make_one_deployment,
    of_callers_who_contradict_each_other_one_wins,
    a_deployment_made_by_its_end_is_made_once,
    a_deployment_ends_one_way_only,
    of_dates_that_contradict_each_other_one_wins,
    incidents_without_an_id_get_numbers_of_their_own,
    incidents_of_one_deployment_are_one_failed_change,
    whatever_the_order_the_totals_equal_the_facts,
}

const CALLERS: usize = 32;

fn start(id: &str) -> Value {
    json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"})
}

/// How often each status was answered.
fn statuses(answers: &[Answer]) -> Vec<(u16, usize)> {
    let mut counted = std::collections::BTreeMap::new();
    for answer in answers {
        *counted.entry(answer.status.as_u16()).or_insert(0) += 1;
    }
    counted.into_iter().collect()
}

async fn callers_who_say_the_same_make_one_deployment(engine: Engine) {
    let app = engine.app().await;
    for n in 0..5 {
        let answers = join_all((0..CALLERS).map(|_| app.post("/deployments", start(&n.to_string())))).await;
        assert_eq!(statuses(&answers), [(200, CALLERS - 1), (201, 1)]);
        assert!(answers.iter().all(|answer| answer.json() == answers[0].json()));
        let path = format!("/deployments/{n}/deployed");
        let answers = join_all((0..CALLERS).map(|_| app.post(&path, json!({})))).await;
        assert_eq!(statuses(&answers), [(200, CALLERS)]);
    }
    assert_eq!(app.total("deployment_started_total").await, 5.0);
    assert_eq!(app.total("deployment_frequency_total").await, 5.0);
    assert_eq!(app.database.journal().await.len(), 10);
    app.expect_exact().await;
}

async fn of_callers_who_contradict_each_other_one_wins(engine: Engine) {
    let app = engine.app().await;
    for n in 0..5 {
        let bodies = (0..CALLERS).map(|caller| {
            let mut body = start(&n.to_string());
            body["version"] = json!(caller.to_string());
            app.post("/deployments", body)
        });
        let answers = join_all(bodies).await;
        assert_eq!(statuses(&answers), [(201, 1), (409, CALLERS - 1)]);
        let won = answers.iter().find(|answer| answer.status == 201).unwrap().json();
        assert_eq!(app.get(&format!("/deployments/{n}")).await.expect(200), won);
        for lost in answers.iter().filter(|answer| answer.status == 409) {
            assert_eq!(lost.expect_problem(409, "conflict"), ["/version"]);
        }
    }
    assert_eq!(app.database.journal().await.len(), 5);
    app.expect_exact().await;
}

async fn a_deployment_made_by_its_end_is_made_once(engine: Engine) {
    let app = engine.app().await;
    let body = json!({"create_if_not_exists": true, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    let answers = join_all((0..CALLERS).map(|_| app.post("/deployments/17/deployed", body.clone()))).await;
    assert_eq!(statuses(&answers), [(200, CALLERS - 1), (201, 1)]);
    assert_eq!(app.total("deployment_frequency_total").await, 1.0);
    app.expect_exact().await;
}

async fn a_deployment_ends_one_way_only(engine: Engine) {
    let app = engine.app().await;
    for n in 0..10 {
        app.post("/deployments", start(&n.to_string())).await.expect(201);
        let ends = (0..CALLERS).map(|caller| {
            let step = if caller % 2 == 0 { "deployed" } else { "failed" };
            let path = format!("/deployments/{n}/{step}");
            let app = &app;
            async move { app.post(&path, json!({})).await }
        });
        let answers = join_all(ends).await;
        assert_eq!(statuses(&answers), [(200, CALLERS / 2), (409, CALLERS / 2)]);
    }
    let ended = app.total("deployment_frequency_total").await + app.total("deployment_failed_total").await;
    assert_eq!(ended, 10.0);
    app.expect_exact().await;
}

async fn of_dates_that_contradict_each_other_one_wins(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", json!({"id": "outage", "project_id": "shop"})).await.expect(201);
    for step in ["restored", "finished"] {
        let path = format!("/incidents/outage/{step}");
        let answers = join_all((0..CALLERS).map(|caller| {
            let date =
                json!({"date": format!("2026-06-15T1{}:00:{caller:02}Z", if step == "restored" { 2 } else { 3 })});
            app.post(&path, date)
        }))
        .await;
        assert_eq!(statuses(&answers), [(200, 1), (409, CALLERS - 1)], "{step}");
    }
    assert_eq!(app.total("incident_restored_total").await, 1.0);
    assert_eq!(app.total("incident_finished_total").await, 1.0);
    app.expect_exact().await;
}

async fn incidents_without_an_id_get_numbers_of_their_own(engine: Engine) {
    let app = engine.app().await;
    // somebody has taken some of the numbers by hand, and others do so meanwhile
    for n in [3, 50, 199] {
        let body = json!({"id": format!("incident_shop_{n}"), "project_id": "shop"});
        app.post("/incidents", body).await.expect(201);
    }
    let answers = join_all((0..200).map(|n| {
        let body = match n {
            20 | 120 => json!({"id": format!("incident_shop_{n}"), "project_id": "shop"}),
            _ => json!({"project_id": if n % 4 == 0 { "api" } else { "shop" }}),
        };
        app.post("/incidents", body)
    }))
    .await;
    // one who takes a number by hand may come too late for it: then it is that incident again
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(answers.iter().all(|answer| answer.status.is_success()), "{:?}", statuses(&answers));
    let ids: BTreeSet<_> =
        app.every("/incidents").await.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), made + 3);
    let of_api: BTreeSet<_> = ids.iter().filter(|id| id.starts_with("incident_api_")).cloned().collect();
    assert_eq!(of_api, (1..=48).map(|n| format!("incident_api_{n}")).collect());
    app.expect_exact().await;
}

async fn incidents_of_one_deployment_are_one_failed_change(engine: Engine) {
    let app = engine.app().await;
    app.post("/deployments", start("17")).await.expect(201);
    let calls = (0..CALLERS).map(|caller| {
        let (path, body) = match caller % 4 {
            0 => ("/deployments/17/deployed", json!({"deployed_at": "2026-06-15T12:00:00Z"})),
            1 => ("/deployments/17/rolled-back", json!({})),
            _ => ("/incidents", json!({"project_id": "shop", "deployment_id": "17"})),
        };
        app.post(path, body)
    });
    let answers = join_all(calls).await;
    // a roll-back that comes before the deployment is a conflict, nothing else is wrong
    assert!(answers.iter().all(|answer| [200, 201, 409].contains(&answer.status.as_u16())), "{:?}", statuses(&answers));
    app.post("/deployments/17/rolled-back", json!({})).await.expect(200);
    let deployment = app.get("/deployments/17").await.expect(200);
    assert_eq!(deployment["incidents"].as_array().unwrap().len(), CALLERS / 2);
    assert_eq!(app.total("change_failure_count_total").await, 1.0);
    assert_eq!(app.total("time_to_detect_seconds_count").await, f64::from(u8::try_from(CALLERS / 2).unwrap()));
    app.expect_exact().await;
}

/// Every step of a deployment's life at once, several times, in two projects that share ids.
async fn life(app: &App, id: &str, project: &str) {
    let known = json!({"project_id": project, "first_commit_at": "2026-06-15T10:00:00Z"});
    let mut start = known.clone();
    start["id"] = json!(id);
    let mut deployed = known;
    deployed["create_if_not_exists"] = json!(true);
    let incident = json!({"id": format!("of-{id}"), "project_id": project, "deployment_id": id});
    let path = |step: &str| format!("/deployments/{id}/{step}?project_id={project}");
    let of_incident = |step: &str| format!("/incidents/of-{id}/{step}?project_id={project}");
    let calls = (0..3).flat_map(|_| {
        [
            ("/incidents".to_owned(), incident.clone()),
            (path("rolled-back"), json!({})),
            (of_incident("finished"), json!({})),
            (path("failed"), json!({})),
            (path("deployed"), deployed.clone()),
            ("/deployments".to_owned(), start.clone()),
            (of_incident("restored"), json!({})),
        ]
    });
    let answers = join_all(calls.map(|(path, body)| async move { app.post(&path, body).await })).await;
    for answer in &answers {
        let status = answer.status.as_u16();
        assert!([200, 201, 404, 409, 422].contains(&status), "{}", answer.text);
    }
}

async fn whatever_the_order_the_totals_equal_the_facts(engine: Engine) {
    let app = engine.app().await;
    let ids: Vec<_> = (0..12).map(|n| n.to_string()).collect();
    join_all(ids.iter().flat_map(|id| [life(&app, id, "shop"), life(&app, id, "api")])).await;
    assert_eq!(app.every("/deployments?limit=5").await.len(), 24);
    assert_eq!(app.total("deployment_started_total").await, 24.0);
    app.expect_exact().await;
}
