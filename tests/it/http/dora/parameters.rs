//! What may be asked, and how it is refused.

use reqwest::Method;
use serde_json::json;

use super::{deployed, dora, incident, tell};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    the_last_thirty_days_are_the_default,
    one_end_is_enough,
    each_filter_restricts,
    filters_are_answered_sorted_and_once,
    the_configured_environment_is_the_default,
    bad_parameters_are_refused,
    readers_may_ask,
}

async fn the_last_thirty_days_are_the_default(engine: Engine) {
    let app = engine.app().await;
    tell(
        &app,
        [
            deployed("1", "2026-05-16T11:59:59Z", json!({})),
            deployed("2", "2026-05-16T12:00:00Z", json!({})),
            deployed("3", "2026-06-15T11:59:59Z", json!({})),
            deployed("4", "2026-06-15T12:00:00Z", json!({})),
        ],
    )
    .await;
    let answer = dora(&app, "").await;
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-05-16T12:00:00Z"), &json!("2026-06-15T12:00:00Z")));
    assert_eq!(answer["deployment_frequency"]["deployments"], 2);
    assert_eq!(answer["deployment_frequency"]["per_day"], 2.0 / 30.0);
    assert_eq!(answer["series"], json!(null));
    assert_eq!(app.get("/api/v1/dora").await.expect(200), answer);
}

async fn one_end_is_enough(engine: Engine) {
    let app = engine.app().await;
    let answer = dora(&app, "to=2026-04-10&tz=Europe/Berlin").await;
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-03-10T23:00:00Z"), &json!("2026-04-09T22:00:00Z")));
    assert_eq!(answer["deployment_frequency"]["per_day"], 0.0);
    let answer = dora(&app, "from=2026-06-01").await;
    assert_eq!((&answer["from"], &answer["to"]), (&json!("2026-06-01T00:00:00Z"), &json!("2026-06-15T12:00:00Z")));
}

async fn each_filter_restricts(engine: Engine) {
    let app = engine
        .app_with(|config| {
            config.teams.add_project(&name("red"), name("shop"));
            config.teams.add_project(&name("blue"), name("api"));
        })
        .await;
    let at = "2026-06-10T10:00:00Z";
    tell(
        &app,
        [
            deployed("1", at, json!({})),
            deployed("2", at, json!({"project_id": "api"})),
            deployed("3", at, json!({"project_id": "api", "environment": "staging"})),
            deployed("4", at, json!({"project_id": "web"})),
            incident("a", at, json!({})),
            incident("b", at, json!({"project_id": "api"})),
            incident("c", at, json!({"project_id": "api", "environment": "staging"})),
            incident("d", at, json!({"project_id": "web"})),
        ],
    )
    .await;
    for (query, expected) in [
        ("", 3),
        ("project_id=", 3),
        ("project_id=shop", 1),
        ("project_id=shop&project_id=api", 2),
        ("project_id=nothing", 0),
        ("team_id=red", 1),
        ("team_id=red&team_id=blue", 2),
        ("team_id=red&project_id=api", 0),
        ("environment=staging", 1),
        ("environment=staging&environment=production", 4),
        ("environment=staging&team_id=red", 0),
    ] {
        let answer = dora(&app, query).await;
        assert_eq!(answer["deployment_frequency"]["deployments"], expected, "{query}");
        assert_eq!(answer["incidents"]["started"], expected, "{query}");
        assert_eq!(answer["incidents"]["open"], expected, "{query}");
    }
}

async fn filters_are_answered_sorted_and_once(engine: Engine) {
    let app = engine.app().await;
    let answer = dora(&app, "project_id=b&project_id=a&project_id=b&team_id=t&environment=y&environment=x").await;
    assert_eq!(answer["projects"], json!(["a", "b"]));
    assert_eq!(answer["teams"], json!(["t"]));
    assert_eq!(answer["environment"], json!(null), "there are two");
    assert_eq!(answer["environments"], json!(["x", "y"]));
}

async fn the_configured_environment_is_the_default(engine: Engine) {
    let app = engine.app_with(|config| config.production_environment = name("live")).await;
    tell(
        &app,
        [
            deployed("1", "2026-06-10T10:00:00Z", json!({})),
            deployed("2", "2026-06-10T10:00:00Z", json!({"environment": "production"})),
        ],
    )
    .await;
    let answer = dora(&app, "").await;
    assert_eq!((&answer["environment"], &answer["deployment_frequency"]["deployments"]), (&json!("live"), &json!(1)));
}

async fn bad_parameters_are_refused(engine: Engine) {
    let app = engine.app().await;
    for (query, pointer) in [
        ("tz=Europe/Atlantis", "/tz"),
        ("tz=%2B02:00", "/tz"),
        ("from=yesterday", "/from"),
        ("from=2026-02-30", "/from"),
        ("from=2026-06-01T00:00:00", "/from"),
        ("to=1969-12-31", "/to"),
        ("from=2026-06-02&to=2026-06-01", "/from"),
        ("from=2026-06-16", "/from"),
        ("from=1970-01-01&to=2170-01-01", "/from"),
        ("from=2017-01-01&interval=day", "/interval"),
        ("interval=hour", "/interval"),
        ("interval=day&interval=week", "/interval"),
        ("group_by=user", "/group_by"),
        ("project=shop", "/project"),
        ("metric=change_failure_rate", "/metric"),
        ("team_id=%00", "/team_id"),
    ] {
        for path in ["/dora", "/dora.csv"] {
            let request = app.request(Method::GET, &format!("{path}?{query}"));
            assert_eq!(app.refuses(request, 400, "invalid").await, [pointer], "{path}?{query}");
        }
    }
}

async fn readers_may_ask(engine: Engine) {
    let app = engine
        .app_with(|config| {
            config.auth.no_auth = false;
            config.auth.tokens = vec![em_metrics::config::Token {
                name: name("dashboards"),
                token: "secret-of-dashboards".into(),
                role: em_metrics::config::Role::Reader,
            }];
        })
        .await;
    for path in ["/dora", "/dora.csv"] {
        app.get(path).await.expect_problem(401, "unauthenticated");
    }
    let app = app.authorized("Bearer secret-of-dashboards");
    for path in ["/dora", "/dora.csv"] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
}
