//! `group_by`

use reqwest::Method;
use serde_json::{Value, json};

use super::{deployed, dora, incident, tell};
use crate::app::App;
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    every_group_is_answered_as_if_asked_alone,
    a_group_asked_for_is_there_though_nothing_happened,
    too_many_answers_are_refused,
}

async fn fill(engine: Engine) -> App {
    let app = engine.app_with(|config| config.teams.add_project(&name("red"), name("shop"))).await;
    tell(
        &app,
        [
            deployed("1", "2026-06-08T10:00:00Z", json!({})),
            deployed("2", "2026-06-09T10:00:00Z", json!({"first_commit_at": "2026-06-09T07:00:00Z"})),
            deployed("1", "2026-06-09T10:00:00Z", json!({"project_id": "api", "unplanned": true})),
            deployed("3", "2026-06-10T10:00:00Z", json!({"environment": "staging"})),
            incident("a", "2026-06-09T11:00:00Z", json!({"deployment_id": "2"})),
            incident("b", "2026-06-09T11:00:00Z", json!({"project_id": "web"})),
        ],
    )
    .await;
    app
}

async fn every_group_is_answered_as_if_asked_alone(engine: Engine) {
    let app = fill(engine).await;
    for (group_by, parameter, expected) in [
        ("project", "project_id", json!(["api", "shop", "web"])),
        ("team", "team_id", json!([null, "red"])),
        ("environment", "environment", json!(["production", "staging"])),
    ] {
        let query = "from=2026-06-08&to=2026-06-15&interval=week";
        let answer = dora(&app, &format!("{query}&group_by={group_by}")).await;
        assert_eq!(answer["group_by"], group_by);
        let groups = answer["groups"].as_array().unwrap();
        let names: Vec<_> = groups.iter().map(|group| group["name"].clone()).collect();
        assert_eq!(Value::from(names), expected);
        for group in groups.iter().filter(|group| group["name"].is_string()) {
            let alone = dora(&app, &format!("{query}&{parameter}={}", group["name"].as_str().unwrap())).await;
            for (block, value) in group.as_object().unwrap().iter().filter(|(block, _)| *block != "name") {
                assert_eq!(value, &alone[block], "{group_by} {} {block}", group["name"]);
            }
        }
    }
    // the whole is that of all groups together
    let answer = dora(&app, "group_by=environment").await;
    assert_eq!(answer["environments"], json!(null));
    assert_eq!(answer["deployment_frequency"]["deployments"], 4);
    assert_eq!(dora(&app, "group_by=project").await["deployment_frequency"]["deployments"], 3);
}

async fn a_group_asked_for_is_there_though_nothing_happened(engine: Engine) {
    let app = fill(engine).await;
    let answer = dora(&app, "group_by=project&project_id=quiet&project_id=api").await;
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|group| group["name"].as_str().unwrap()).collect::<Vec<_>>(), ["api", "quiet"]);
    assert_eq!(groups[1]["change_failure_rate"]["ratio"], json!(null));
    assert_eq!(dora(&app, "group_by=team&project_id=quiet").await["groups"], json!([]));
}

async fn too_many_answers_are_refused(engine: Engine) {
    let app = engine.app().await;
    // 1,462 days times 14 projects are more than 20,000 answers
    let projects: Vec<_> = (0..14).map(|n| format!("project_id=p{n}")).collect();
    let path = format!("/dora?from=2022-06-14&to=2026-06-15&interval=day&group_by=project&{}", projects.join("&"));
    let pointers = app.refuses(app.request(Method::GET, &path), 400, "invalid").await;
    assert_eq!(pointers, ["/group_by"]);
    app.get(&path.replace("&project_id=p13", "")).await.expect(200);
}
