//! The description of the contract: `/openapi.json`, `/docs`.

use std::collections::BTreeSet;

use em_metrics::config::Publication;
use em_metrics::dora::explain::Metric;
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    it_is_openapi_3_1,
    every_path_of_the_contract_is_described,
    every_described_path_answers_at_both_places,
    refusals_are_described_as_problem_documents,
    a_body_is_required_where_a_field_is,
    bounds_are_described,
    people_can_read_it_too,
}

struct Operation {
    method: String,
    path: String,
    value: Value,
}

async fn operations(app: &App) -> Vec<Operation> {
    let description = app.get("/openapi.json").await.expect(200);
    let mut operations = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, value) in item.as_object().unwrap() {
            operations.push(Operation { method: method.to_uppercase(), path: path.clone(), value: value.clone() });
        }
    }
    operations
}

async fn it_is_openapi_3_1(engine: Engine) {
    let app = engine.app().await;
    let answer = app.get("/openapi.json").await;
    let description = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(description["info"]["version"], em_metrics::VERSION);
    let mut ids = BTreeSet::new();
    for Operation { path, value, .. } in operations(&app).await {
        let id = value["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} twice");
        assert!(!value["summary"].as_str().unwrap().is_empty(), "{id}");
        assert_eq!(value["tags"].as_array().unwrap().len(), 1, "{id}");
        for (status, response) in value["responses"].as_object().unwrap() {
            // OpenAPI 3.1 asks for one, and strict readers refuse the whole document without
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{id} {status}");
        }
        let declared: Vec<_> = value["parameters"].as_array().into_iter().flatten().collect();
        for name in path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
            assert!(declared.iter().any(|p| p["name"] == name && p["in"] == "path" && p["required"] == true), "{id}");
        }
    }
    let mut text = answer.text.as_str();
    while let Some((_, rest)) = text.split_once(r##""$ref":"#"##) {
        let (pointer, rest) = rest.split_once('"').unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer} leads nowhere");
        text = rest;
    }
}

async fn every_path_of_the_contract_is_described(engine: Engine) {
    let app = engine.app().await;
    let mut described: Vec<_> =
        operations(&app).await.iter().map(|o| format!("{} {} {}", o.method, o.path, o.value["operationId"])).collect();
    described.sort();
    insta::allow_duplicates! { insta::assert_snapshot!(described.join("\n").replace('"', ""), @"
    DELETE /deployments/{id} delete_deployment
    DELETE /incidents/{id} delete_incident
    GET /badges/{file} get_badge
    GET /config get_config
    GET /deployments list_deployments
    GET /deployments/{id} get_deployment
    GET /docs get_docs
    GET /dora get_dora
    GET /dora.csv get_dora_csv
    GET /dora/benchmark get_dora_benchmark
    GET /dora/explain explain_dora
    GET /dora/trend get_dora_trend
    GET /export export
    GET /health get_health
    GET /health/live get_liveness
    GET /health/ready get_readiness
    GET /inbox list_inbox
    GET /inbox/{id} get_delivery
    GET /incidents list_incidents
    GET /incidents/{id} get_incident
    GET /journal get_journal
    GET /metrics get_metrics
    GET /openapi.json get_openapi
    GET /panels/{file} get_panel
    GET /problems/{name} get_problem
    GET /public get_public
    GET /version get_version
    PATCH /deployments/{id} patch_deployment
    PATCH /incidents/{id} patch_incident
    POST /deployments create_deployment
    POST /deployments/{id}/deployed deployed_deployment
    POST /deployments/{id}/failed failed_deployment
    POST /deployments/{id}/restore restore_deployment
    POST /deployments/{id}/rolled-back rolled_back_deployment
    POST /events receive_events
    POST /import import
    POST /inbox/{id}/replay replay_delivery
    POST /incidents create_incident
    POST /incidents/{id}/finished finished_incident
    POST /incidents/{id}/restore restore_incident
    POST /incidents/{id}/restored restored_incident
    POST /webhooks/{vendor} deliver
    POST /webhooks/{vendor}/{name} deliver_to
    POST /webhooks/{vendor}/{name}/{secret} deliver_with_secret
    ") };
}

async fn every_described_path_answers_at_both_places(engine: Engine) {
    let publication = Publication { projects: vec![name("shop")], metrics: vec![Metric::Incidents] };
    let app = engine.app_with(|config| config.public = vec![publication]).await;
    let start = json!({"id": "conflict", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", start).await.expect(201);
    app.post("/incidents", json!({"id": "conflict", "project_id": "shop"})).await.expect(201);
    app.post("/webhooks/github", json!({})).await.expect(200);
    let mut operations = operations(&app).await;
    // what is deleted cannot be read afterwards
    operations.sort_by_key(|operation| operation.method == "DELETE");
    for Operation { method, path, value } in operations {
        let id = if path.starts_with("/inbox") { "1" } else { "conflict" };
        let mut path = path.replace("{id}", id).replace("{name}", "conflict").replace("{file}", "incidents.svg");
        path = path.replace("{vendor}", "github").replace("{secret}", "guessed");
        if path == "/dora/explain" || path == "/dora/trend" {
            path.push_str("?metric=incidents");
        }
        let takes_a_body = value["requestBody"].is_object();
        let expected = match method.as_str() {
            "DELETE" => 204,
            _ if path == "/import" => 422,
            // whatever it is, and no source has that name
            _ if path == "/webhooks/github" => 200,
            _ if path.starts_with("/webhooks/") => 404,
            // no events are events too
            _ if path == "/events" => 200,
            _ if takes_a_body => 400,
            _ => 200,
        };
        for prefix in ["", "/api/v1"] {
            let request = app.request(Method::from_bytes(method.as_bytes()).unwrap(), &format!("{prefix}{path}"));
            let request = if takes_a_body { request.json(&json!([])) } else { request };
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, expected, "{method} {prefix}{path}: {}", answer.text);
        }
    }
}

async fn refusals_are_described_as_problem_documents(engine: Engine) {
    let app = engine.app().await;
    let problem = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    for Operation { method, path, value } in operations(&app).await {
        let responses = value["responses"].as_object().unwrap();
        for (status, response) in responses {
            if status.parse::<u16>().unwrap() >= 400 {
                assert_eq!(response["content"], problem, "{method} {path} {status}");
            }
        }
        let mut expected = vec!["500"];
        if value["security"] != json!([{}]) {
            expected.push("401");
        }
        if method != "GET" {
            expected.extend(["400", "403", "503"]);
        }
        if value["requestBody"].is_object() {
            expected.extend(["400", "408", "413", "415", "422"]);
        }
        if path.contains("{id}") {
            expected.extend(["400", "404", "409", "503"]);
        }
        for status in expected {
            assert!(responses.contains_key(status), "{method} {path} {status}");
        }
    }
}

async fn a_body_is_required_where_a_field_is(engine: Engine) {
    let app = engine.app().await;
    for Operation { method, path, value } in operations(&app).await {
        let required = value["requestBody"]["required"].as_bool().unwrap_or(false);
        assert_eq!(required, method == "POST" && !path.contains("{id}"), "{path}");
    }
}

async fn bounds_are_described(engine: Engine) {
    let app = engine.app().await;
    let operations = operations(&app).await;
    let limits = operations.iter().filter_map(|operation| {
        let parameters = operation.value["parameters"].as_array()?;
        parameters.iter().find(|parameter| parameter["name"] == "limit")
    });
    let limits: Vec<_> = limits.map(|limit| &limit["schema"]).collect();
    assert_eq!(limits.len(), 5);
    for limit in limits {
        assert_eq!((&limit["minimum"], &limit["maximum"], &limit["default"]), (&1.into(), &1000.into(), &50.into()));
    }
    let description = app.get("/openapi.json").await.expect(200);
    let schema = &description["components"]["schemas"]["StartDeployment"];
    assert_eq!(schema["properties"]["id"]["minLength"], 1);
    assert_eq!(schema["properties"]["team_id"]["minLength"], Value::Null, "empty is absent");
    assert_eq!(schema["properties"]["team_id"]["maxLength"], 200);
    assert!(schema["description"].as_str().unwrap().contains("empty"), "{schema}");
}

async fn people_can_read_it_too(engine: Engine) {
    let app = engine.app().await;
    let page = app.get("/docs").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; style-src 'sha256-"));
    for Operation { path, value, .. } in operations(&app).await {
        assert!(page.text.contains(&path), "{path}");
        assert!(page.text.contains(value["summary"].as_str().unwrap()), "{path}");
    }
    assert!(!page.text.contains("<script") && !page.text.contains("http://"), "the page needs no other host");
}
