//! The team of a fact whose sender does not name one, as configured.

use em_metrics::config::Config;
use serde_json::{Value, json};

use crate::app::App;
use crate::engine::Engine;
use crate::http::{name, with};

on_each_engine! {
    the_team_of_a_deployment_is_found,
    the_team_of_an_incident_is_its_projects,
    totals_carry_the_team,
    a_user_who_becomes_known_later_settles_the_team,
    a_team_that_is_sent_wins_and_stays,
    series_of_configured_teams_begin_at_zero,
}

/// red has shop and shares api with blue; bob is in both, cleo in blue only.
fn two_teams(config: &mut Config) {
    for (team, projects, users) in
        [("red", ["shop", "api"].as_slice(), ["ann", "bob"]), ("blue", &["api"], ["cleo", "bob"])]
    {
        for project in projects {
            config.teams.add_project(&name(team), name(project));
        }
        for user in users {
            config.teams.add_user(&name(team), name(user));
        }
    }
    config.teams.add_project(&name("green"), name("web"));
    config.teams.add_project(&name("red"), name("web"));
}

async fn team(app: &App, id: usize, facts: Value) -> Value {
    let body = with(json!({"id": id.to_string(), "first_commit_at": "2026-06-15T10:00:00Z"}), facts);
    app.post("/deployments", body).await.expect(201)["team_id"].clone()
}

async fn the_team_of_a_deployment_is_found(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    for (n, (facts, expected)) in [
        (json!({"project_id": "shop"}), json!("red")),
        // the only team that has the project, whoever it was
        (json!({"project_id": "shop", "username": "cleo"}), json!("red")),
        (json!({"project_id": "shop", "team_id": "violet"}), json!("violet")),
        // the only team that has the user
        (json!({"project_id": "api", "username": "cleo"}), json!("blue")),
        (json!({"project_id": "unknown", "username": "ann"}), json!("red")),
        // the only team that has both
        (json!({"project_id": "web", "username": "bob"}), json!("red")),
        // two teams have both, or nobody has anything
        (json!({"project_id": "api", "username": "bob"}), json!(null)),
        (json!({"project_id": "api"}), json!(null)),
        (json!({"project_id": "unknown", "username": "bob"}), json!(null)),
        (json!({"project_id": "unknown", "username": "unknown"}), json!(null)),
        (json!({"project_id": "Shop"}), json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(team(&app, n, facts.clone()).await, expected, "{facts}");
    }
}

async fn the_team_of_an_incident_is_its_projects(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    for (project, expected) in [("shop", json!("red")), ("api", json!(null)), ("unknown", json!(null))] {
        let incident = app.post("/incidents", json!({"project_id": project})).await.expect(201);
        assert_eq!(incident["team_id"], expected, "{project}");
    }
    app.expect_exact().await;
}

async fn totals_carry_the_team(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    let deployed = json!({"username": "cleo", "project_id": "api", "deployed_at": "2026-06-15T11:00:00Z"});
    team(&app, 17, deployed).await;
    app.post("/incidents", json!({"project_id": "api", "deployment_id": "17"})).await.expect(201);
    let blue = r#"{environment="production",project_id="api",team_id="blue"}"#;
    let none = r#"{environment="production",project_id="api",team_id=""}"#;
    for (series, expected) in [
        (format!("deployment_frequency_total{blue}"), 1.0),
        (format!("lead_time_for_changes_seconds_sum{blue}"), 3600.0),
        (format!("change_failure_count_total{blue}"), 1.0),
        (format!("incident_count_total{none}"), 1.0),
        (format!("incident_count_total{blue}"), 0.0),
    ] {
        assert_eq!(app.metric(&series).await, Some(expected), "{series}");
    }
    app.expect_exact().await;
}

async fn a_user_who_becomes_known_later_settles_the_team(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    assert_eq!(team(&app, 17, json!({"project_id": "api"})).await, json!(null));
    let deployed = app.post("/deployments/17/deployed", json!({"username": "cleo"})).await.expect(200);
    assert_eq!(deployed["team_id"], "blue");
    let blue = r#"{environment="production",project_id="api",team_id="blue"}"#;
    assert_eq!(app.metric(&format!("deployment_frequency_total{blue}")).await, Some(1.0));
    app.expect_exact().await;
}

async fn a_team_that_is_sent_wins_and_stays(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    assert_eq!(team(&app, 17, json!({"project_id": "shop", "team_id": "violet"})).await, "violet");
    let repeat = json!({"id": "17", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    assert_eq!(app.post("/deployments", repeat.clone()).await.expect(200)["team_id"], "violet");
    let other = with(repeat, json!({"team_id": "red"}));
    assert_eq!(app.refuses_post("/deployments", other, 409, "conflict").await, ["/team_id"]);
}

async fn series_of_configured_teams_begin_at_zero(engine: Engine) {
    let app = engine.app_with(two_teams).await;
    for (project, team) in [("shop", "red"), ("api", "red"), ("api", "blue"), ("web", "green")] {
        let series = format!(
            r#"deployment_frequency_total{{environment="production",project_id="{project}",team_id="{team}"}}"#
        );
        assert_eq!(app.metric(&series).await, Some(0.0), "{series}");
    }
}
