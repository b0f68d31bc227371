//! When the first commit was made, which no deployment's webhook carries.

use em_metrics::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use super::inbox::{hex_signature, settled, source};
use crate::app::{Answer, App};
use crate::engine::Engine;

on_each_engine! {
    it_is_the_earliest_of_the_pushes_since_the_deployment_before,
    a_push_that_comes_late_fills_it_in_once,
    a_squashed_pull_request_has_the_commits_of_its_branch,
    the_first_deployment_has_the_head_commit_after_a_while,
    what_was_sent_stays,
    more_than_can_be_looked_at_at_once_are_looked_at_in_turn,
}

/// Tells GitHub's story, one event after the other.
pub struct Story {
    pub app: App,
    told: u32,
}

impl Story {
    async fn begin(engine: Engine) -> Self {
        Self::begin_with(engine, |_| ()).await
    }

    pub async fn begin_with(engine: Engine, more: impl FnOnce(&mut Config)) -> Self {
        let configure = |config: &mut Config| {
            config.webhooks.sources = vec![source("github")];
            more(config);
        };
        Self { app: engine.app_with(configure).await, told: 0 }
    }

    /// Goes on being told, by other deliveries, at another replica.
    pub async fn elsewhere(&self, more: impl FnOnce(&mut Config)) -> Self {
        let configure = |config: &mut Config| {
            config.webhooks.sources = vec![source("github")];
            more(config);
        };
        Self { app: App::start(self.app.database.shared(), configure).await, told: 1000 }
    }

    pub async fn tell(&mut self, event: &str, body: Value) {
        self.send(event, body).await;
        settled(&self.app).await;
    }

    /// Waits for nothing but the answer.
    async fn send(&mut self, event: &str, mut body: Value) {
        body["repository"] = json!({"full_name": "acme/shop"});
        let body = body.to_string();
        self.told += 1;
        let request = self.app.request(Method::POST, "/webhooks/github").header("x-github-event", event);
        let signature = format!("sha256={}", hex_signature(body.as_bytes()));
        let request = request.header("x-github-delivery", self.told.to_string());
        Answer::of(request.header("x-hub-signature-256", signature).body(body)).await.expect(200);
    }

    async fn push(&mut self, branch: &str, before: &str, after: &str, commits: &[(&str, &str)]) {
        let listed: Vec<_> = commits.iter().map(|(sha, at)| json!({"id": sha, "timestamp": at})).collect();
        let push = json!({"ref": format!("refs/heads/{branch}"), "before": before, "after": after, "commits": listed,
            "head_commit": {"timestamp": commits.last().unwrap().1}});
        self.tell("push", push).await;
    }

    pub async fn deployed(&mut self, id: u32, sha: &str, at: &str) {
        let deployment = json!({"id": id, "sha": sha, "environment": "production", "created_at": at});
        let status = json!({"state": "success", "created_at": at});
        self.tell("deployment_status", json!({"deployment": deployment, "deployment_status": status})).await;
    }

    /// Waits until the deployment's first commit is known: when it was, and from where that is known.
    pub async fn first_commit(&self, id: u32) -> (String, String) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        loop {
            let fact = self.app.get(&format!("/deployments/github:{id}")).await.expect(200);
            if let (Some(at), Some(from)) = (fact["first_commit_at"].as_str(), fact["first_commit_from"].as_str()) {
                return (at.to_owned(), from.to_owned());
            }
            assert!(tokio::time::Instant::now() < deadline, "nothing was found: {fact}");
            tokio::task::yield_now().await;
        }
    }
}

pub fn found(at: &str, from: &str) -> (String, String) {
    (at.to_owned(), from.to_owned())
}

const NONE: &str = "0000000000000000000000000000000000000000";

async fn it_is_the_earliest_of_the_pushes_since_the_deployment_before(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.push("main", NONE, "a1", &[("a1", "2026-06-01T00:00:00Z")]).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.push("main", "a1", "b2", &[("b1", "2026-06-03T00:00:00Z"), ("b2", "2026-06-03T06:00:00Z")]).await;
    story.push("main", "b2", "c1", &[("c1", "2026-06-04T00:00:00Z")]).await;
    story.deployed(2, "c1", "2026-06-05T00:00:00Z").await;
    assert_eq!(story.first_commit(2).await, found("2026-06-03T00:00:00Z", "pushes"));
    let fact = story.app.get("/deployments/github:2").await.expect(200);
    assert_eq!(fact["lead_time_seconds"], 172_800.0);
    assert_eq!(story.app.metric("lead_time_for_changes_seconds_count{").await, Some(1.0));
    assert_eq!(story.app.metric("lead_time_for_changes_seconds_sum{").await, Some(172_800.0));

    // whoever asks why a lead time is what it is sees where it comes from
    let query = "metric=lead_time_for_changes&from=2026-06-01&to=2026-06-15";
    let explanation = story.app.get(&format!("/dora/explain?{query}&counted=true")).await.expect(200);
    let line = &explanation["facts"][0];
    assert_eq!((&line["id"], &line["first_commit_from"]), (&json!("github:2"), &json!("pushes")), "{explanation}");
    let page = story.app.request(Method::GET, &format!("/facts?{query}")).header("accept", "text/html");
    let page = Answer::of(page).await.text;
    assert!(page.contains("of the pushes since the deployment before"), "{page}");
}

async fn a_push_that_comes_late_fills_it_in_once(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.deployed(2, "c1", "2026-06-05T00:00:00Z").await;
    story.push("main", "b2", "c1", &[("c1", "2026-06-04T00:00:00Z")]).await;
    let fact = story.app.get("/deployments/github:2").await.expect(200);
    assert_eq!(fact["first_commit_at"], Value::Null, "half of the way is told");
    assert_eq!(story.app.metric("lead_time_for_changes_seconds_count{").await.unwrap_or_default(), 0.0);
    story.push("main", "a1", "b2", &[("b2", "2026-06-03T00:00:00Z")]).await;
    assert_eq!(story.first_commit(2).await, found("2026-06-03T00:00:00Z", "pushes"));
    story.push("main", "a1", "b2", &[("b2", "2026-06-03T00:00:00Z")]).await;
    assert_eq!(story.app.metric("lead_time_for_changes_seconds_count{").await, Some(1.0));
}

async fn a_squashed_pull_request_has_the_commits_of_its_branch(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.push("more", NONE, "p1", &[("p1", "2026-06-03T00:00:00Z")]).await;
    story.push("more", "p1", "p2", &[("p2", "2026-06-04T00:00:00Z")]).await;
    let merged = json!({"action": "closed", "pull_request": {"id": 5, "number": 7, "state": "closed", "merged": true,
        "user": {"login": "ann"}, "created_at": "2026-06-03T01:00:00Z", "updated_at": "2026-06-05T00:00:00Z",
        "closed_at": "2026-06-05T00:00:00Z", "merged_at": "2026-06-05T00:00:00Z", "merge_commit_sha": "e9",
        "head": {"ref": "more", "sha": "p2"}, "base": {"ref": "main", "sha": "a1"}}});
    story.tell("pull_request", merged).await;
    story.push("main", "a1", "e9", &[("e9", "2026-06-05T00:00:00Z")]).await;
    story.deployed(2, "e9", "2026-06-06T00:00:00Z").await;
    assert_eq!(story.first_commit(2).await, found("2026-06-03T00:00:00Z", "pushes"));
}

async fn the_first_deployment_has_the_head_commit_after_a_while(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.push("main", NONE, "a1", &[("a0", "2020-01-01T00:00:00Z"), ("a1", "2026-06-01T00:00:00Z")]).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    let fact = story.app.get("/deployments/github:1").await.expect(200);
    assert_eq!(fact["first_commit_at"], Value::Null, "a better source may still come");
    story.app.set_now("2026-06-15T12:11:00Z");
    // anything that comes in
    story.tell("ping", json!({})).await;
    assert_eq!(story.first_commit(1).await, found("2026-06-01T00:00:00Z", "head_commit"));
}

async fn what_was_sent_stays(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.deployed(1, "a1", "2026-06-02T00:00:00Z").await;
    story.deployed(2, "b1", "2026-06-05T00:00:00Z").await;
    let patch = json!({"first_commit_at": "2026-06-04T00:00:00Z"});
    Answer::of(story.app.request(Method::PATCH, "/deployments/github:2").json(&patch)).await.expect(200);
    story.push("main", "a1", "b1", &[("b1", "2026-06-03T00:00:00Z")]).await;
    story.tell("ping", json!({})).await;
    let fact = story.app.get("/deployments/github:2").await.expect(200);
    assert_eq!((&fact["first_commit_at"], &fact["first_commit_from"]), (&json!("2026-06-04T00:00:00Z"), &Value::Null));
}

async fn more_than_can_be_looked_at_at_once_are_looked_at_in_turn(engine: Engine) {
    let mut story = Story::begin(engine).await;
    story.deployed(1, "a1", "2020-06-02T00:00:00Z").await;
    story.deployed(2, "b1", "2020-06-05T00:00:00Z").await;
    for id in 100..600 {
        // nothing will ever be found of these
        let at = "2026-06-02T00:00:00Z";
        let deployment = json!({"id": id, "sha": format!("c{id}"), "environment": "test", "created_at": at});
        let status = json!({"state": "success", "created_at": at});
        story.send("deployment_status", json!({"deployment": deployment, "deployment_status": status})).await;
    }
    story.push("main", "a1", "b1", &[("b1", "2020-06-03T00:00:00Z")]).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    while story.app.get("/deployments/github:2").await.expect(200)["first_commit_from"] != json!("pushes") {
        assert!(tokio::time::Instant::now() < deadline, "it is never looked at");
        // whatever comes in is a reason to look
        story.tell("ping", json!({})).await;
    }
}
