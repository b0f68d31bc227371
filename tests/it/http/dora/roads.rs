//! The same facts, however they came in, give the same bytes.

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use reqwest::Method;
use serde_json::json;

use super::{incident, step, tell};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::with;

on_each_engine! {
    whatever_road_the_facts_took_no_byte_differs,
}

const QUERIES: &[&str] = &[
    "/dora?from=2026-06-01&to=2026-06-15&interval=day&tz=Europe/Berlin&group_by=project",
    "/dora?from=2026-06-01&to=2026-06-15&group_by=team&environment=production&environment=staging",
    "/dora/explain?metric=failed_deployment_recovery_time&from=2026-06-01&to=2026-06-15&limit=1000",
    "/dora/explain?metric=incidents&from=2026-06-05&to=2026-06-15&environment=staging",
    "/dora.csv?from=2026-06-01&to=2026-06-15&interval=week&group_by=environment",
];

async fn answers(app: &App) -> Vec<String> {
    let mut answers = Vec::new();
    for query in QUERIES {
        let answer = app.get(query).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answers.push(answer.text);
    }
    answers
}

/// How many facts it made.
async fn import(app: &App, lines: String) -> usize {
    let request = app.request(Method::POST, "/import").header("content-type", "application/x-ndjson").body(lines);
    Answer::of(request).await.expect(200)["created"].as_u64().unwrap().try_into().unwrap()
}

async fn whatever_road_the_facts_took_no_byte_differs(engine: Engine) {
    let start = |n: u32| {
        let project = ["shop", "api", "web"][n as usize % 3];
        let environment = if n.is_multiple_of(5) { "staging" } else { "production" };
        let hour = format!("2026-06-{:02}T{:02}", 1 + n % 13, n % 24);
        let first_commit_at = format!("{hour}:00:00.{:06}Z", n * 7919 % 1_000_000);
        let body = json!({"id": n.to_string(), "project_id": project, "environment": environment,
            "first_commit_at": first_commit_at, "deploy_start_at": format!("{hour}:10:00Z"), "unplanned": n.is_multiple_of(4)});
        (project, hour, body)
    };
    let deployments: Vec<_> = (0_u32..40)
        .map(|n| {
            let (project, hour, body) = start(n);
            let at = format!("{hour}:3{}:00Z", n % 10);
            (
                step("/deployments", body),
                step(&format!("/deployments/{n}/deployed?project_id={project}"), json!({"deployed_at": at})),
            )
        })
        .collect();
    let incidents: Vec<_> = (0_u32..40)
        .step_by(3)
        .map(|n| {
            let (project, hour, _) = start(n);
            let at = format!("{hour}:5{}:00Z", n % 10);
            let restored_at = n.is_multiple_of(2).then(|| format!("2026-06-14T10:{}:00Z", 10 + n));
            let body = json!({"project_id": project, "deployment_id": n.to_string(), "restored_at": restored_at});
            incident(&n.to_string(), &at, body)
        })
        .collect();

    let in_order = engine.app().await;
    for (started, reached) in &deployments {
        tell(&in_order, [started.clone(), reached.clone()]).await;
    }
    tell(&in_order, incidents.clone()).await;

    let shuffled = engine.app().await;
    tell(&shuffled, deployments.iter().rev().map(|(started, _)| started.clone())).await;
    tell(&shuffled, incidents.iter().rev().cloned()).await;
    for (started, reached) in deployments.iter().skip(17).chain(deployments.iter().take(17)) {
        tell(&shuffled, [reached.clone(), started.clone(), reached.clone()]).await;
    }
    tell(&shuffled, incidents.clone()).await;

    // what was told in order, taken out, shuffled and taken in elsewhere
    let imported = engine.app().await;
    let exported = in_order.get("/export").await.text;
    let mut lines: Vec<_> = exported.lines().collect();
    lines.shuffle(&mut StdRng::seed_from_u64(3));
    assert_eq!(import(&imported, lines.join("\n")).await, lines.len());

    // told wrongly, then corrected; deleted, then restored
    let corrected = engine.app().await;
    for (started, reached) in &deployments {
        let wrong = json!({"first_commit_at": "2026-05-01T10:00:00Z", "deploy_start_at": "2026-05-01T10:00:00Z",
            "environment": "wrong", "unplanned": true});
        tell(&corrected, [(started.0.clone(), with(started.1.clone(), wrong)), reached.clone()]).await;
    }
    for incident in &incidents {
        let wrong = json!({"deployment_id": null, "restored_at": null, "started_at": "2026-06-14T10:00:00Z"});
        tell(&corrected, [(incident.0.clone(), with(incident.1.clone(), wrong))]).await;
    }
    let right = deployments.iter().map(|(started, _)| started).chain(&incidents);
    for (collection, body) in right {
        let fact = format!("{collection}/{}", body["id"].as_str().unwrap());
        let of = format!("?project_id={}", body["project_id"].as_str().unwrap());
        for (method, path) in [(Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "/restore")] {
            let body =
                with(body.clone(), json!({"environment": body.get("environment").unwrap_or(&json!("production"))}));
            let answer = Answer::of(corrected.request(method, &format!("{fact}{path}{of}")).json(&body)).await;
            assert!(answer.status.is_success(), "{fact}: {}", answer.text);
        }
    }
    for incident in incidents.iter().filter(|(_, body)| body.get("environment").is_none()) {
        // an incident takes its environment from its deployment only when it is opened
        let (id, project) = (incident.1["id"].as_str().unwrap(), incident.1["project_id"].as_str().unwrap());
        let told = in_order.get(&format!("/incidents/{id}?project_id={project}")).await.expect(200);
        let path = format!("/incidents/{id}?project_id={project}");
        let environment = json!({"environment": told["environment"]});
        Answer::of(corrected.request(Method::PATCH, &path).json(&environment)).await.expect(200);
    }

    // who says which deployment it was is another: whoever told of the incident, or who corrected it
    let as_sent = |text: String| text.replace(r#""link_method":"person""#, r#""link_method":"sent""#);
    let expected = answers(&in_order).await;
    assert_eq!(answers(&shuffled).await, expected);
    assert_eq!(answers(&shuffled).await, expected, "asked twice");
    assert_eq!(answers(&imported).await, expected);
    let by_persons = answers(&corrected).await.into_iter().map(as_sent).collect::<Vec<_>>();
    assert_eq!(by_persons, expected);
    assert_eq!(imported.get("/export").await.text, exported);
    assert_eq!(as_sent(corrected.get("/export").await.text), exported);
    assert!(expected[0].contains("\"deployments\":32"), "{}", expected[0]);
}
