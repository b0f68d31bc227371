//! `em-metrics backfill gitlab`, against an API that answers as GitLab does.

use std::process::Output;

use em_metrics::config::{Config, Source};
use reqwest::Method;
use serde_json::{Value, json};

use super::fake::{Fake, page, refusal};
use crate::app::{Answer, App};
use crate::cli::{em_metrics_at, stderr, stdout};
use crate::engine::Engine;
use crate::webhooks::inbox::{SECRET, settled};

on_each_engine! {
    what_webhooks_did_not_tell_is_read_and_counts_once,
    what_a_webhook_told_is_the_same_fact,
}

const DEPLOYMENTS: &str = "/projects/1001/deployments?order_by=updated_at&sort=desc&per_page=100";
const SECOND: &str = "/projects/1001/deployments?order_by=updated_at&page=2&per_page=100&sort=desc";
const REQUESTS: &str = "/projects/1001/merge_requests?state=all&order_by=updated_at&sort=desc&per_page=100";
const NOTES: &str = "/projects/1001/merge_requests/7/notes?order_by=created_at&sort=asc&per_page=100";
const RELEASES: &str = "/projects/1001/releases?order_by=released_at&sort=desc&per_page=100";
const SHA: &str = "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5";

fn deployment(id: u32, status: &str, started: &str, updated: &str) -> Value {
    json!({"id": id, "iid": id, "ref": "main", "sha": SHA, "status": status, "created_at": started, "updated_at": updated,
        "user": {"id": 7, "username": "ann", "name": "Ann"}, "environment": {"id": 1, "name": "production"},
        "deployable": {"id": 796, "status": status, "started_at": started, "finished_at": updated,
            "web_url": "https://gitlab.example/acme/shop/-/jobs/796"}})
}

fn note(id: u32, author: (u32, &str), is_system: bool, text: &str, at: &str) -> Value {
    json!({"id": id, "body": text, "system": is_system, "created_at": at, "noteable_type": "MergeRequest",
        "author": {"id": author.0, "username": author.1}})
}

/// Deployments that went well, failed, and were called off, on two pages; a reviewed merge request; two releases, one of
/// which is announced.
async fn forge() -> Fake {
    let fake = Fake::start().await;
    fake.at("/projects/acme%2Fshop", [page(json!({"id": 1001, "path_with_namespace": "acme/shop"}))]);
    let first = [
        deployment(43, "failed", "2026-06-12T10:00:00.100Z", "2026-06-12T10:05:00.250Z"),
        deployment(42, "success", "2026-06-11T10:00:00.100Z", "2026-06-11T10:05:00.250Z"),
    ];
    fake.at(DEPLOYMENTS, [page(json!(first)).with("link", fake.next(SECOND)).with("etag", "W/\"one\"")]);
    fake.at(SECOND, [page(json!([deployment(41, "canceled", "2026-06-10T10:00:00Z", "2026-06-10T10:01:00Z")]))]);
    let request = json!({"id": 501, "iid": 7, "title": "Sell", "state": "merged", "draft": false, "sha": "aa11",
        "author": {"id": 7, "username": "ann"}, "web_url": "https://gitlab.example/acme/shop/-/merge_requests/7",
        "created_at": "2026-06-10T08:00:00.000Z", "updated_at": "2026-06-11T09:30:00.000Z", "closed_at": null,
        "merged_at": "2026-06-11T09:00:00.000Z", "source_branch": "more", "target_branch": "main",
        "merge_commit_sha": SHA, "squash_commit_sha": null});
    fake.at(REQUESTS, [page(json!([request])).with("etag", "W/\"requests\"")]);
    let notes = [
        note(1, (7, "ann"), false, "please look", "2026-06-10T08:05:00Z"),
        note(2, (9, "project_1001_bot_4ab"), false, "coverage: 80 %", "2026-06-10T08:06:00Z"),
        note(3, (8, "bob"), false, "why?", "2026-06-10T09:00:00Z"),
        note(4, (8, "bob"), false, "I see", "2026-06-10T10:00:00Z"),
        note(5, (8, "bob"), true, "approved this merge request", "2026-06-11T08:00:00Z"),
        note(6, (8, "bob"), true, "changed the description", "2026-06-11T08:01:00Z"),
    ];
    fake.at(NOTES, [page(json!(notes))]);
    let release = |tag: &str, at: &str| {
        json!({"tag_name": tag, "name": tag, "created_at": "2026-06-09T08:00:00Z", "released_at": at,
            "commit": {"id": SHA, "committed_date": "2026-06-09T07:00:00Z"},
            "_links": {"self": format!("https://gitlab.example/acme/shop/-/releases/{tag}")}})
    };
    let tomorrow = release("v2", "2126-06-10T08:00:00Z");
    fake.at(RELEASES, [page(json!([tomorrow, release("v1", "2026-06-10T08:00:00Z")])).with("etag", "W/\"releases\"")]);
    fake
}

async fn app(engine: Engine) -> App {
    let source = json!({"vendor": "gitlab", "secrets": [SECRET], "releases": true});
    let source: Source = serde_json::from_value(source).unwrap();
    engine.app_with(|config: &mut Config| config.webhooks.sources = vec![source]).await
}

async fn backfill(app: &App, fake: &Fake, more: &[&str]) -> Output {
    let arguments = ["backfill", "gitlab", "--project", "acme/shop", "--since", "2026-05-01", "--api-url", &fake.url];
    let mut command = em_metrics_at(&format!("http://{}", app.address), &[&arguments[..], more].concat());
    command.env("EM_METRICS_GITLAB_TOKEN", "glpat-of-gitlab").output().await.unwrap()
}

#[track_caller]
fn done(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    assert!(stdout(output).starts_with(words), "{}{}", stdout(output), stderr(output));
}

async fn what_webhooks_did_not_tell_is_read_and_counts_once(engine: Engine) {
    let (app, fake) = (app(engine).await, forge().await);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let first = backfill(&app, &fake, &["--state", &state]).await;
    done(&first, "3 deployments, 1 changes, 1 releases: 9 deliveries are new, 0 were known");
    assert!(fake.asked().iter().all(|asked| asked.authorization.as_deref() == Some("Bearer glpat-of-gitlab")));
    let inbox = settled(&app).await;
    assert!(inbox.iter().all(|letter| letter["state"] == "done"), "{inbox:?}");

    let deployed = app.get("/deployments/gitlab:42?project_id=acme/shop").await.expect(200);
    for (field, value) in [
        ("status", "deployed"),
        ("deploy_start_at", "2026-06-11T10:00:00Z"),
        ("deployed_at", "2026-06-11T10:05:00Z"),
        ("commit_sha", SHA),
        ("username", "ann"),
        ("environment", "production"),
    ] {
        assert_eq!(deployed[field], value, "{field}");
    }
    assert_eq!(app.get("/deployments/gitlab:43?project_id=acme/shop").await.expect(200)["status"], "failed");
    let release = app.get("/deployments/gitlab:release:1001:v1?project_id=acme/shop").await.expect(200);
    assert_eq!((&release["version"], &release["commit_sha"]), (&json!("v1"), &json!(SHA)));
    let known = app.database.texts("SELECT known FROM changes").await;
    let [known] = &known[..] else { panic!("{known:?}") };
    for part in ["2026-06-10T09:00:00Z", "2026-06-11T08:00:00Z", "2026-06-11T09:00:00Z", "\"ann\"", "\"aa11\"", SHA] {
        assert!(known.contains(part), "{part} of {known}");
    }
    assert!(!known.contains("2026-06-10T08:06:00Z"), "a bot does not review: {known}");

    let before = app.stored().await;
    assert_eq!(before.counts(), (3, 0), "what was called off did nothing");
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
    done(&backfill(&app, &fake, &["--state", &state]).await, "0 deployments, 0 changes, 0 releases");
    let statuses: Vec<_> = fake.asked().iter().map(|asked| asked.status).collect();
    assert_eq!(statuses, [200, 304, 304, 200], "the release that is announced may have come");
    fake.at(DEPLOYMENTS, [refusal(429).with("retry-after", "0"), page(json!([]))]);
    done(&backfill(&app, &fake, &[]).await, "0 deployments, 1 changes, 1 releases: 0 deliveries are new");
    assert_eq!(app.stored().await, before);
}

async fn what_a_webhook_told_is_the_same_fact(engine: Engine) {
    let (app, fake) = (app(engine).await, forge().await);
    let tell = async |event: &str, mut body: Value| {
        body["project"] = json!({"id": 1001, "path_with_namespace": "acme/shop"});
        let request = app.request(Method::POST, "/webhooks/gitlab").header("x-gitlab-event", event);
        Answer::of(request.json(&body)).await.expect(200);
        settled(&app).await;
    };
    let told = |id: u32, status: &str, at: &str| {
        json!({"object_kind": "deployment", "status": status, "status_changed_at": at, "deployment_id": id,
            "deployable_url": "https://gitlab.example/acme/shop/-/jobs/796", "environment": "production",
            "short_sha": &SHA[..8], "user": {"username": "ann"},
            "commit_url": format!("https://gitlab.example/acme/shop/-/commit/{SHA}")})
    };
    tell("Deployment Hook", told(42, "running", "2026-06-11 12:00:00 +0200")).await;
    tell("Deployment Hook", told(42, "success", "2026-06-11 12:05:00 +0200")).await;
    let release = json!({"object_kind": "release", "action": "create", "id": 9001, "tag": "v1",
        "created_at": "2026-06-09 08:00:00 UTC", "released_at": "2026-06-10 08:00:00 UTC",
        "url": "https://gitlab.example/acme/shop/-/releases/v1",
        "commit": {"id": SHA, "timestamp": "2026-06-09T09:00:00+02:00"}});
    tell("Release Hook", release).await;
    let before = app.stored().await;
    assert_eq!(before.counts(), (2, 0));
    done(&backfill(&app, &fake, &[]).await, "3 deployments, 1 changes, 1 releases");
    settled(&app).await;
    assert_eq!(app.stored().await.counts(), (3, 0));
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
    let entries = app.database.journal().await;
    let about_known = entries.iter().filter(|entry| entry.entity_id != "gitlab:43").count();
    assert_eq!(about_known, 3, "what the webhooks told, and nothing else: {entries:?}");
    // and what a webhook tells late
    let before = app.stored().await;
    tell("Deployment Hook", told(43, "failed", "2026-06-12 12:05:00 +0200")).await;
    assert_eq!(app.stored().await, before);
}
