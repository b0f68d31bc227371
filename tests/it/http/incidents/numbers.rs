//! Incidents whose senders have no id for them.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    incidents_without_an_id_are_numbered_by_project,
    numbers_count_every_incident_of_the_project,
    a_number_that_is_taken_is_passed_over,
    thousands_of_numbers_that_are_taken_are_passed_over_in_time,
    a_numbered_incident_can_be_ended_by_its_id,
    a_project_too_long_for_a_number_is_told_to_send_an_id,
    what_is_refused_takes_no_number,
}

async fn numbered(app: &App, project: &str) -> String {
    let answer = app.post("/incidents", json!({"project_id": project})).await;
    answer.expect(201)["id"].as_str().unwrap().to_owned()
}

async fn incidents_without_an_id_are_numbered_by_project(engine: Engine) {
    let app = engine.app().await;
    assert_eq!(numbered(&app, "shop").await, "incident_shop_1");
    assert_eq!(numbered(&app, "shop").await, "incident_shop_2");
    assert_eq!(numbered(&app, "api").await, "incident_api_1");
    assert_eq!(numbered(&app, "a/b ü").await, "incident_a/b ü_1");
    assert_eq!(numbered(&app, "shop").await, "incident_shop_3");
    app.expect_exact().await;
}

async fn numbers_count_every_incident_of_the_project(engine: Engine) {
    let app = engine.app().await;
    for id in ["a", "b", "c"] {
        app.post("/incidents", json!({"id": id, "project_id": "shop"})).await.expect(201);
    }
    assert_eq!(numbered(&app, "shop").await, "incident_shop_4");
}

async fn a_number_that_is_taken_is_passed_over(engine: Engine) {
    let app = engine.app().await;
    for n in [1, 2, 4, 5, 9] {
        let body = json!({"id": format!("incident_shop_{n}"), "project_id": "shop"});
        app.post("/incidents", body).await.expect(201);
    }
    for expected in ["incident_shop_6", "incident_shop_7", "incident_shop_8", "incident_shop_10"] {
        assert_eq!(numbered(&app, "shop").await, expected);
    }
    // the same name in another project is another incident
    app.post("/incidents", json!({"id": "incident_api_1", "project_id": "web"})).await.expect(201);
    assert_eq!(numbered(&app, "api").await, "incident_api_1");
}

async fn thousands_of_numbers_that_are_taken_are_passed_over_in_time(engine: Engine) {
    let app = engine.app_with(|config| config.server.request_timeout_seconds = 4).await;
    // counting begins at 20,001, and there are 10,000 from there on
    let by_hand = "INSERT INTO incidents (project_id, id, environment, started_at, counted, created_at, updated_at) \
                   WITH RECURSIVE numbers (n) AS (SELECT 10001 UNION ALL SELECT n + 1 FROM numbers WHERE n < 30000) \
                   SELECT 'shop', 'incident_shop_' || n, 'production', 1, 1, 1, 1 FROM numbers";
    app.database.other().await.execute(by_hand).await;
    assert_eq!(numbered(&app, "shop").await, "incident_shop_30001");
    let answers = (0..40).map(|_| numbered(&app, "shop"));
    let ids: BTreeSet<_> = join_all(answers).await.into_iter().collect();
    assert_eq!(ids, (30002..30042).map(|n| format!("incident_shop_{n}")).collect());
}

async fn a_numbered_incident_can_be_ended_by_its_id(engine: Engine) {
    let app = engine.app().await;
    let id = numbered(&app, "a/b").await;
    let path = format!("/incidents/{}", id.replace('/', "%2F"));
    app.post(&format!("{path}/finished"), json!({})).await.expect(200);
    let repeat = json!({"id": id, "project_id": "a/b"});
    assert_eq!(app.post("/incidents", repeat).await.expect(200)["finished_at"], "2026-06-15T12:00:00Z");
}

async fn a_project_too_long_for_a_number_is_told_to_send_an_id(engine: Engine) {
    let app = engine.app().await;
    let long = "x".repeat(200);
    let pointers = app.refuses_post("/incidents", json!({"project_id": long}), 400, "invalid").await;
    assert_eq!(pointers, ["/project_id"]);
    app.post("/incidents", json!({"project_id": long, "id": "1"})).await.expect(201);
}

async fn what_is_refused_takes_no_number(engine: Engine) {
    let app = engine.app().await;
    let refused = json!({"project_id": "shop", "restored_at": "2026-06-15T11:00:00Z"});
    app.refuses_post("/incidents", refused, 422, "impossible").await;
    let refused = json!({"project_id": "shop", "deployment_id": "17"});
    app.refuses_post("/incidents", refused, 422, "impossible").await;
    assert_eq!(numbered(&app, "shop").await, "incident_shop_1");
}
