//! A store with something in each of its tables: what pipelines, people and tools tell in no order, drawn from a seed.

use em_metrics::config::Config;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{Answer, App};
use crate::webhooks::inbox::{hex_signature, settled, source};

const PROJECTS: [&str; 4] = ["shop", "bank", "Ünïcode 店", "a'b\"c\\d"];
const NONE: &str = "0000000000000000000000000000000000000000";

pub fn configure(config: &mut Config) {
    config.webhooks.sources = vec![source("github")];
}

/// What was told, so that it can be told once more.
#[derive(Debug, Clone)]
pub struct Told {
    method: Method,
    path: String,
    body: Value,
}

/// Tells `steps` things, of which some are refused; none must fail.
pub async fn tell(app: &App, seed: u64, steps: u32) -> Vec<Told> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut told = Vec::new();
    for _ in 0..steps {
        let step = draw(&mut random, seed);
        let answer = again(app, &step).await;
        assert!(!answer.status.is_server_error(), "{step:?}: {}", answer.text);
        told.push(step);
    }
    told
}

pub async fn again(app: &App, told: &Told) -> Answer {
    Answer::of(app.request(told.method.clone(), &told.path).json(&told.body)).await
}

fn draw(random: &mut StdRng, seed: u64) -> Told {
    let project = *PROJECTS.choose(random).unwrap();
    let id = format!("{seed}.{}", random.random_range(0..40));
    let time = |random: &mut StdRng| {
        let (day, hour) = (random.random_range(1..15), random.random_range(0..24));
        format!("2026-06-{day:02}T{hour:02}:30:00.{:06}Z", random.random_range(0..1_000_000))
    };
    let of = "project_id=shop";
    let (method, path, body) = match random.random_range(0..12) {
        0..3 => {
            let mut body = json!({"id": id, "project_id": project, "first_commit_at": time(random),
                "username": "ann 🚀", "reason": "line one\nline two"});
            for field in ["deploy_start_at", "deployed_at"] {
                if random.random() {
                    body[field] = time(random).into();
                }
            }
            if random.random() {
                body["team_id"] = (*["red", "blue"].choose(random).unwrap()).into();
                body["unplanned"] = random.random::<bool>().into();
            }
            (Method::POST, "/deployments".to_owned(), body)
        }
        3..5 => {
            let body = json!({"project_id": "shop", "create_if_not_exists": true});
            (Method::POST, format!("/deployments/{id}/deployed"), body)
        }
        5 => (Method::POST, format!("/deployments/{id}/failed?{of}"), json!({})),
        6 => (Method::POST, format!("/deployments/{id}/rolled-back?{of}"), json!({})),
        7 => {
            let body = json!({"id": format!("i{id}"), "project_id": "shop", "deployment_id": id, "title": "down"});
            (Method::POST, "/incidents".to_owned(), body)
        }
        8 => (Method::POST, "/incidents".to_owned(), json!({"project_id": project, "severity": "high"})),
        9 => (Method::POST, format!("/incidents/i{id}/restored?{of}"), json!({})),
        10 => {
            let body = json!({"first_commit_at": time(random), "team_id": "red", "username": null});
            (Method::PATCH, format!("/deployments/{id}?{of}"), body)
        }
        _ => {
            let kind = *["deployments/", "incidents/i"].choose(random).unwrap();
            (Method::DELETE, format!("/{kind}{id}?{of}"), json!({}))
        }
    };
    Told { method, path, body }
}

/// What GitHub tells of a push, a pull request and a deployment; and one delivery that nothing is made of.
pub async fn tell_by_webhook(app: &App, number: u32) {
    let (before, after) = (format!("{number}a"), format!("{number}b"));
    let commits = json!([{"id": after, "timestamp": "2026-06-03T00:00:00Z"}]);
    let push = json!({"ref": "refs/heads/main", "before": NONE, "after": after, "commits": commits,
        "head_commit": {"timestamp": "2026-06-03T00:00:00Z"}});
    deliver(app, "push", push, number * 10).await;
    let merged = json!({"action": "closed", "pull_request": {"id": number, "number": number, "state": "closed",
        "merged": true, "user": {"login": "ann"}, "created_at": "2026-06-03T01:00:00Z",
        "updated_at": "2026-06-05T00:00:00Z", "closed_at": "2026-06-05T00:00:00Z",
        "merged_at": "2026-06-05T00:00:00Z", "merge_commit_sha": after, "head": {"ref": "more", "sha": before},
        "base": {"ref": "main", "sha": before}}});
    deliver(app, "pull_request", merged, number * 10 + 1).await;
    let deployment = json!({"id": number, "sha": after, "environment": "production",
        "created_at": "2026-06-06T00:00:00Z"});
    let status = json!({"state": "success", "created_at": "2026-06-06T00:00:00Z"});
    deliver(app, "deployment_status", json!({"deployment": deployment, "deployment_status": status}), number * 10 + 2)
        .await;
    deliver(app, "ping", json!({"zen": "a \u{0} in a body is for nobody"}), number * 10 + 3).await;
}

async fn deliver(app: &App, event: &str, mut body: Value, delivery: u32) {
    body["repository"] = json!({"full_name": "acme/shop"});
    let body = body.to_string();
    let signature = format!("sha256={}", hex_signature(body.as_bytes()));
    let request = app.request(Method::POST, "/webhooks/github").header("x-github-event", event);
    let request = request.header("x-github-delivery", delivery.to_string());
    Answer::of(request.header("x-hub-signature-256", signature).body(body)).await.expect(200);
    settled(app).await;
}

impl Told {
    pub fn path(&self) -> &str {
        &self.path
    }
}
