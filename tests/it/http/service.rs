//! The service about itself.

use reqwest::Method;
use serde_json::json;

use crate::app::Answer;
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    health_is_ok_while_it_serves,
    the_version_is_told,
    the_configuration_is_shown_without_secrets,
    every_problem_has_a_page,
    the_root_leads_to_the_documentation,
    a_scraper_may_send_parameters,
}

async fn health_is_ok_while_it_serves(engine: Engine) {
    let app = engine.app().await;
    for path in ["/health", "/health/live", "/health/ready"] {
        assert_eq!(app.get(path).await.expect(200), json!({"status": "ok"}), "{path}");
    }
}

async fn the_version_is_told(engine: Engine) {
    let app = engine.app().await;
    let version = app.get("/version").await.expect(200);
    assert_eq!(version, json!({"version": em_metrics::VERSION, "commit": em_metrics::COMMIT}));
}

async fn the_configuration_is_shown_without_secrets(engine: Engine) {
    use em_metrics::config::{Basic, Role, Token};
    let app = engine
        .app_with(|config| {
            config.production_environment = name("live");
            config.auth.tokens =
                vec![Token { name: name("ci"), token: "hush-token".to_owned().into(), role: Role::Writer }];
            config.auth.basic = Some(Basic { username: "ann".to_owned(), password: "hush-password".to_owned().into() });
        })
        .await;
    let answer = app.get("/config").await;
    let config = answer.expect(200);
    assert_eq!(config["production_environment"], "live");
    assert_eq!(config["server"]["body_limit_bytes"], 1_048_576);
    assert_eq!(config["auth"]["tokens"], json!([{"name": "ci", "token": "***", "role": "writer"}]));
    assert_eq!(config["auth"]["basic"], json!({"username": "ann", "password": "***"}));
    assert!(!answer.text.contains("hush"), "{}", answer.text);
}

async fn every_problem_has_a_page(engine: Engine) {
    let app = engine.app().await;
    for (problem, status) in [
        ("not-json", 400),
        ("invalid", 400),
        ("unauthenticated", 401),
        ("forbidden", 403),
        ("not-found", 404),
        ("method-not-allowed", 405),
        ("timeout", 408),
        ("conflict", 409),
        ("ambiguous-id", 409),
        ("too-large", 413),
        ("unsupported-media-type", 415),
        ("unsupported-encoding", 415),
        ("impossible", 422),
        ("internal", 500),
        ("unavailable", 503),
    ] {
        let kind = app.get(&format!("/problems/{problem}")).await.expect(200);
        assert_eq!(kind["type"], format!("/problems/{problem}"));
        assert_eq!(kind["status"], status);
        assert!(kind["title"].as_str().unwrap().len() > 5 && kind["advice"].as_str().unwrap().len() > 10, "{kind}");
    }
    app.refuses(app.request(Method::GET, "/problems/nothing"), 404, "not-found").await;
}

async fn the_root_leads_to_the_documentation(engine: Engine) {
    let app = engine.app().await;
    for path in ["/", "/api/v1", "/api/v1/"] {
        // the client follows redirects
        let answer = Answer::of(app.request(Method::GET, path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.starts_with("<!doctype html>"), "{path}");
    }
}

async fn a_scraper_may_send_parameters(engine: Engine) {
    let app = engine.app().await;
    for query in ["x=1", "name[]=deployment_frequency", "%ff"] {
        assert_eq!(app.get(&format!("/metrics?{query}")).await.status, 200, "{query}");
    }
}
