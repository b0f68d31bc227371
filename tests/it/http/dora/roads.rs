//! The same facts, however they came in, give the same bytes.

use serde_json::json;

use super::{incident, step, tell};
use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    the_order_and_repeats_of_calls_change_no_byte,
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

async fn the_order_and_repeats_of_calls_change_no_byte(engine: Engine) {
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
    tell(&shuffled, incidents).await;

    let expected = answers(&in_order).await;
    assert_eq!(answers(&shuffled).await, expected);
    assert_eq!(answers(&shuffled).await, expected, "asked twice");
    assert!(expected[0].contains("\"deployments\":32"), "{}", expected[0]);
}
