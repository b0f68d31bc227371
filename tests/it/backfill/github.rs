//! `em-metrics backfill github`, against an API that answers as GitHub does.

use std::process::Output;

use reqwest::Method;
use serde_json::{Value, json};

use super::fake::{Asked, Fake, page, refusal, silence};
use crate::app::{Answer, App};
use crate::cli::{em_metrics_at, stderr, stdout};
use crate::engine::Engine;
use crate::webhooks::inbox::settled;

on_each_engine! {
    what_webhooks_did_not_tell_is_read_and_counts_once,
    what_a_webhook_told_is_the_same_fact,
}

pub const DEPLOYMENTS: &str = "/repos/acme/shop/deployments?per_page=100";
const SECOND: &str = "/repositories/1/deployments?per_page=100&page=2";
const PULLS: &str = "/repos/acme/shop/pulls?state=all&sort=updated&direction=desc&per_page=100";
const RELEASES: &str = "/repos/acme/shop/releases?per_page=100";

fn deployment(id: u32, at: &str) -> Value {
    json!({"id": id, "sha": format!("{id:040x}"), "environment": "production", "created_at": at, "updated_at": at,
        "creator": {"login": "ann"}, "task": "deploy", "url": "https://api.github.com/repos/acme/shop/deployments/1"})
}

pub fn status(id: u32, state: &str, at: &str) -> Value {
    json!({"id": id, "state": state, "created_at": at, "environment": "production", "description": "",
        "target_url": "https://ci.example/1", "creator": {"login": "ann"}})
}

pub fn statuses(id: u32) -> String {
    format!("/repos/acme/shop/deployments/{id}/statuses?per_page=100")
}

fn pull_request() -> Value {
    json!({"id": 51, "number": 7, "state": "closed", "title": "Sell", "user": {"login": "ann"}, "draft": false,
        "created_at": "2026-06-10T08:00:00Z", "updated_at": "2026-06-11T09:00:00Z", "merge_commit_sha": "e9",
        "closed_at": "2026-06-11T09:00:00Z", "merged_at": "2026-06-11T09:00:00Z",
        "head": {"ref": "more", "sha": "p2"}, "base": {"ref": "main", "sha": "a1"}})
}

/// Three deployments on two pages, one of which failed; a reviewed pull request; a release.
pub async fn forge() -> Fake {
    let fake = Fake::start().await;
    fake.at("/repos/Acme/Shop", [page(json!({"id": 1, "full_name": "acme/shop"}))]);
    let first = [deployment(3, "2026-06-12T10:00:00Z"), deployment(2, "2026-06-11T10:00:00Z")];
    fake.at(DEPLOYMENTS, [page(json!(first)).with("link", fake.next(SECOND)).with("etag", "W/\"one\"")]);
    fake.at(SECOND, [page(json!([deployment(1, "2026-06-10T10:00:00Z")])).with("etag", "\"two\"")]);
    let running = status(1, "in_progress", "2026-06-12T10:01:00Z");
    fake.at(&statuses(3), [page(json!([status(2, "failure", "2026-06-12T10:05:00Z"), running]))]);
    let replaced = status(4, "inactive", "2026-06-12T10:05:00Z");
    fake.at(&statuses(2), [page(json!([replaced, status(3, "success", "2026-06-11T10:05:00Z")]))]);
    fake.at(&statuses(1), [page(json!([status(5, "success", "2026-06-10T10:05:00Z")]))]);
    fake.at(PULLS, [page(json!([pull_request()])).with("etag", "\"pulls\"")]);
    let mut whole = pull_request();
    for (field, value) in [("additions", 12), ("deletions", 3), ("commits", 2), ("comments", 1), ("review_comments", 1)]
    {
        whole[field] = json!(value);
    }
    fake.at("/repos/acme/shop/pulls/7", [page(whole)]);
    let review = json!({"id": 9, "user": {"login": "bob", "type": "User"}, "state": "APPROVED",
        "submitted_at": "2026-06-11T08:00:00Z"});
    fake.at("/repos/acme/shop/pulls/7/reviews?per_page=100", [page(json!([review]))]);
    let release = json!({"id": 4, "tag_name": "v1", "draft": false, "prerelease": false,
        "created_at": "2026-06-09T08:00:00Z", "published_at": "2026-06-10T08:00:00Z", "author": {"login": "ann"}});
    fake.at(RELEASES, [page(json!([release])).with("etag", "\"releases\"")]);
    fake
}

fn command(url: &str, fake: &Fake, more: &[&str]) -> tokio::process::Command {
    let mut arguments = vec!["backfill", "github", "--project", "Acme/Shop", "--api-url", &fake.url];
    if !more.contains(&"--since") {
        arguments.extend(["--since", "2026-05-01"]);
    }
    let mut command = em_metrics_at(url, &[&arguments[..], more].concat());
    command.env("EM_METRICS_GITHUB_TOKEN", "a-token-of-github");
    command
}

async fn backfill(app: &App, fake: &Fake, more: &[&str]) -> Output {
    command(&format!("http://{}", app.address), fake, more).output().await.unwrap()
}

#[track_caller]
fn done(output: &Output, words: &str) {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    assert!(stdout(output).starts_with(words), "{}{}", stdout(output), stderr(output));
}

async fn what_webhooks_did_not_tell_is_read_and_counts_once(engine: Engine) {
    let (app, fake) = (engine.app().await, forge().await);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let read = backfill(&app, &fake, &["--state", &state]).await;
    done(&read, "3 deployments, 1 changes, 1 releases: 10 deliveries are new, 0 were known");
    let asked = fake.asked();
    assert!(asked.iter().all(|asked| asked.authorization.as_deref() == Some("Bearer a-token-of-github")));
    for output in [&read.stdout, &read.stderr, &std::fs::read(&state).unwrap()] {
        assert!(!String::from_utf8_lossy(output).contains("a-token-of-github"));
    }

    let inbox = settled(&app).await;
    let became: Vec<_> = inbox.iter().map(|letter| (letter["event"].as_str().unwrap(), &letter["state"])).collect();
    assert_eq!(became.iter().filter(|(_, state)| **state == "done").count(), 9, "{became:?}");
    assert!(became.contains(&("release.published", &json!("ignored"))), "as from a webhook: {became:?}");
    let failed = app.get("/deployments/github:3?project_id=acme/shop").await.expect(200);
    assert_eq!((&failed["status"], &failed["failed_at"]), (&json!("failed"), &json!("2026-06-12T10:05:00Z")));
    let deployed = app.get("/deployments/github:2?project_id=acme/shop").await.expect(200);
    assert_eq!((&deployed["deployed_at"], &deployed["username"]), (&json!("2026-06-11T10:05:00Z"), &json!("ann")));
    let known = app.database.texts("SELECT known FROM changes").await;
    let known: Value = serde_json::from_str(&known[0]).unwrap();
    let said = known.to_string();
    for part in ["2026-06-11T08:00:00Z", "e9", "12"] {
        assert!(said.contains(part), "{part} of {said}");
    }
    let before = app.stored().await;
    assert_eq!(before.counts(), (3, 0));
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
    assert_eq!(app.metric("deployment_failed_total{").await, Some(1.0));

    // nothing has changed: three questions, all of them answered with 304
    done(&backfill(&app, &fake, &["--state", &state]).await, "0 deployments, 0 changes, 0 releases: 0 deliveries");
    let asked = fake.asked();
    let unchanged: Vec<_> = asked.iter().filter(|asked| asked.if_none_match.is_some()).collect();
    assert_eq!(unchanged.iter().map(|asked| asked.status).collect::<Vec<_>>(), [304; 3], "{asked:?}");
    assert_eq!(asked.len(), 4, "{asked:?}");
    // and without what is remembered of it
    done(
        &backfill(&app, &fake, &[]).await,
        "3 deployments, 1 changes, 1 releases: 0 deliveries are new, 10 were known",
    );
    settled(&app).await;
    assert_eq!(app.stored().await, before);
    let silence = app.database.texts("SELECT source FROM webhook_sources").await;
    assert_eq!(silence, [""; 0], "who was asked has not sent anything");
}

async fn what_a_webhook_told_is_the_same_fact(engine: Engine) {
    let (app, fake) = (engine.app().await, forge().await);
    let tell = async |event: &str, body: Value| {
        let request = app.request(Method::POST, "/webhooks/github").header("x-github-event", event);
        Answer::of(request.json(&body)).await.expect(200);
        settled(&app).await;
    };
    let told = |id, said: Value, at: &str| {
        json!({"action": "created", "deployment": deployment(id, at), "deployment_status": said,
            "repository": {"full_name": "acme/shop", "id": 1}})
    };
    tell("deployment_status", told(1, status(5, "success", "2026-06-10T10:05:00Z"), "2026-06-10T10:00:00Z")).await;
    tell("deployment_status", told(2, status(3, "success", "2026-06-11T10:05:00Z"), "2026-06-11T10:00:00Z")).await;
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
    done(&backfill(&app, &fake, &["--only", "deployments"]).await, "3 deployments, 0 changes, 0 releases");
    settled(&app).await;
    assert_eq!(app.stored().await.counts(), (3, 0));
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(2.0));
    let before = app.stored().await;
    // and what a webhook tells late
    tell("deployment_status", told(3, status(2, "failure", "2026-06-12T10:05:00Z"), "2026-06-12T10:00:00Z")).await;
    assert_eq!(app.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_was_under_way_is_looked_at_again() {
    let (app, fake) = (Engine::Sqlite.app().await, forge().await);
    let running = status(1, "in_progress", "2026-06-12T10:01:00Z");
    fake.at(&statuses(3), [page(json!([running]))]);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let arguments = ["--state", &state, "--only", "deployments"];
    done(&backfill(&app, &fake, &arguments).await, "3 deployments, 0 changes, 0 releases: 6 deliveries are new");
    // GitHub does not date the deployment anew
    fake.at(&statuses(3), [page(json!([status(2, "success", "2026-06-12T10:05:00Z"), running]))]);
    done(
        &backfill(&app, &fake, &arguments).await,
        "1 deployments, 0 changes, 0 releases: 1 deliveries are new, 2 were known",
    );
    settled(&app).await;
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(3.0));
    fake.asked();
    done(&backfill(&app, &fake, &arguments).await, "0 deployments, 0 changes, 0 releases");
    assert!(!fake.was_asked(&statuses(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_where_it_was_interrupted() {
    let (app, fake) = (Engine::Sqlite.app().await, forge().await);
    fake.at(&statuses(2), [silence()]);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state").display().to_string();
    let piped = std::process::Stdio::piped;
    let url = format!("http://{}", app.address);
    let child = command(&url, &fake, &["--state", &state]).stdout(piped()).stderr(piped()).spawn().unwrap();
    while !fake.was_asked(&statuses(2)) {
        tokio::task::yield_now().await;
    }
    let pid = child.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let stopped = child.wait_with_output().await.unwrap();
    assert_eq!(stopped.status.code(), Some(130), "{}", stderr(&stopped));
    assert!(stderr(&stopped).contains("go on where it stopped"), "{}", stderr(&stopped));

    fake.asked();
    fake.at(&statuses(2), [page(json!([status(3, "success", "2026-06-11T10:05:00Z")]))]);
    done(&backfill(&app, &fake, &["--state", &state]).await, "2 deployments, 1 changes, 1 releases");
    assert!(!fake.was_asked(&statuses(3)), "that one was done: {:?}", fake.asked());
    settled(&app).await;
    assert_eq!(app.stored().await.counts(), (3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_as_it_is_told_to_and_asks_again_what_went_wrong() {
    let (app, fake) = (Engine::Sqlite.app().await, forge().await);
    let good = page(json!([status(5, "success", "2026-06-10T10:05:00Z")]));
    let limited = refusal(429).with("retry-after", "0");
    let reset = refusal(403).with("x-ratelimit-remaining", "0").with("x-ratelimit-reset", "1");
    fake.at(&statuses(1), [limited, reset, refusal(502), refusal(503), good]);
    let read = backfill(&app, &fake, &["--json"]).await;
    assert_eq!(read.status.code(), Some(0), "{}", stderr(&read));
    let tally: Value = serde_json::from_slice(&read.stdout).unwrap();
    assert_eq!((&tally["deployments"], &tally["new"]), (&json!(3), &json!(10)));
    for words in ["asks to slow down: waiting 0 s", "waiting 1 s", "status 502: so it is", "trying again"] {
        assert!(stderr(&read).contains(words), "{words}: {}", stderr(&read));
    }
    let asked: Vec<_> = fake.asked().into_iter().filter(|asked| asked.path == statuses(1)).collect();
    assert_eq!(asked.iter().map(|asked| asked.status).collect::<Vec<_>>(), [429, 403, 502, 503, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_waiting_mends_is_said_at_once() {
    let (app, fake) = (Engine::Sqlite.app().await, forge().await);
    for (path, answer, code, words) in [
        (
            "/repos/Acme/Shop",
            refusal(404),
            1,
            "there is no such thing, or the token may not see it (status 404: so it is)",
        ),
        ("/repos/Acme/Shop", refusal(401), 1, "the token is not accepted"),
        ("/repos/Acme/Shop", refusal(403), 1, "does not have the right"),
        ("/repos/Acme/Shop", refusal(403).with("retry-after", "86400"), 3, "the rate limit is used up for 86400 s"),
        ("/repos/Acme/Shop", refusal(302).with("location", "http://127.0.0.1:9/elsewhere"), 1, "leads to another host"),
        ("/repos/Acme/Shop", page(json!("hello")), 1, "does not describe the project"),
        (DEPLOYMENTS, page(json!({"hello": 1})), 1, "does not describe the project"),
        (DEPLOYMENTS, page(json!([])).with("link", "<http://127.0.0.1:9/x>; rel=\"next\""), 1, "not told the token"),
    ] {
        let elsewhere = forge().await;
        elsewhere.at(path, [answer]);
        let refused = backfill(&app, &elsewhere, &[]).await;
        assert_eq!(refused.status.code(), Some(code), "{words}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(words), "{words}: {}", stderr(&refused));
    }
    let nowhere = command("http://127.0.0.1:9", &fake, &["--timeout", "1"]).output().await.unwrap();
    assert_eq!(nowhere.status.code(), Some(3), "{}", stderr(&nowhere));
    assert_eq!(app.stored().await.facts(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_renamed_is_found_on_the_same_host() {
    let (app, fake) = (Engine::Sqlite.app().await, forge().await);
    fake.at("/repos/Acme/Shop", [refusal(301).with("location", format!("{}/repositories/1", fake.url))]);
    fake.at("/repositories/1", [page(json!({"id": 1, "full_name": "acme/shop"}))]);
    done(&backfill(&app, &fake, &["--only", "releases"]).await, "0 deployments, 0 changes, 1 releases");
    let asked: Vec<Asked> = fake.asked();
    assert!(asked.iter().all(|asked| asked.authorization.is_some()), "{asked:?}");
}

/// Answers as GitHub's own description of its API has them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs EM_METRICS_PAYLOADS"]
async fn what_github_documents_is_read() {
    let folder = std::path::PathBuf::from(std::env::var_os("EM_METRICS_PAYLOADS").unwrap()).join("github-rest");
    let documented = |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.join(format!("openapi.{name}.json"))).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let (app, fake) = (Engine::Sqlite.app().await, Fake::start().await);
    fake.at("/repos/Acme/Shop", [page(documented("repo"))]);
    let own = |path: &str| path.replace("acme/shop", "octocat/Hello-World");
    fake.at(&own(DEPLOYMENTS), [page(documented("deployments"))]);
    fake.at(&own(&statuses(1)), [page(documented("deployment-statuses"))]);
    fake.at(&own(PULLS), [page(json!([documented("pull")]))]);
    fake.at(&own("/repos/acme/shop/pulls/1347"), [page(documented("pull"))]);
    fake.at(&own("/repos/acme/shop/pulls/1347/reviews?per_page=100"), [page(documented("pull-reviews"))]);
    fake.at(&own(RELEASES), [page(documented("releases"))]);
    done(
        &backfill(&app, &fake, &["--since", "2000-01-01"]).await,
        "1 deployments, 1 changes, 1 releases: 5 deliveries",
    );
    let inbox = settled(&app).await;
    let became: Vec<_> = inbox.iter().map(|letter| (letter["event"].as_str().unwrap(), &letter["state"])).collect();
    assert!(became.iter().all(|(event, state)| **state == "done" || event.starts_with("release")), "{inbox:#?}");
    let fact = app.get("/deployments/github:1?project_id=octocat/Hello-World").await.expect(200);
    assert_eq!((&fact["status"], &fact["deployed_at"]), (&json!("deployed"), &json!("2012-07-20T01:19:13Z")));
    assert!(fake.asked().iter().all(|asked| asked.status == 200));
}
