//! From a delivery to facts: who may deliver, what is kept, what becomes of it.

use em_metrics::auth::Role;
use em_metrics::config::{Auth, Config, Source, Token, Webhooks};
use em_metrics::ingest::webhooks::InboxKeeper;
use em_metrics::webhooks::vendor;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    a_signed_delivery_becomes_a_fact,
    what_is_not_authentic_leaves_no_trace,
    the_same_delivery_counts_once,
    what_is_not_read_is_answered_with_200_and_a_reason,
    an_end_before_its_beginning_gives_the_same_deployment,
    a_resolution_before_its_trigger_has_its_duration_all_the_same,
    a_dry_run_tells_and_keeps_nothing,
    what_names_no_project_is_read_again_when_it_is_configured,
    words_of_senders_are_mapped,
    the_inbox_is_filtered_and_paged,
    an_impossible_delivery_has_failed_and_says_why,
    a_form_with_a_payload_is_read,
    what_is_old_or_too_much_is_cleared_away,
    a_source_that_falls_silent_is_warned_about_until_it_sends_again,
}

pub const SECRET: &str = "a secret of the tests";

/// A source without anything but its secret.
pub fn source(vendor: &str) -> Source {
    serde_json::from_value(json!({"vendor": vendor, "secrets": [SECRET]})).unwrap()
}

/// Credentials are asked for, and one source is there.
fn closed(config: &mut Config) {
    let token = |role| Token { name: name("ci"), token: format!("{role:?} token").into(), role };
    config.auth = Auth { tokens: vec![token(Role::Writer), token(Role::Reader)], ..Auth::default() };
    config.auth.tokens[1].name = name("eve");
    config.webhooks.sources = vec![source("github"), source("statuspage")];
    config.webhooks.sources[1].name = Some(name("eu"));
    config.webhooks.sources.retain(|source| vendor(&source.vendor).is_some());
}

pub fn hex_signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// A GitHub delivery, signed.
fn github(app: &App, event: &str, delivery: &str, body: &str) -> reqwest::RequestBuilder {
    let signature = format!("sha256={}", hex_signature(body.as_bytes()));
    app.request(Method::POST, "/webhooks/github")
        .header("x-github-event", event)
        .header("x-github-delivery", delivery)
        .header("x-hub-signature-256", signature)
        .header("content-type", "application/json")
        .body(body.to_owned())
}

fn sample(name: &str) -> &'static str {
    vendor("github").unwrap().samples.iter().find(|sample| sample.name == name).unwrap().body
}

/// The sample of a deployment's success, with another state.
fn status(state: &str, at: &str) -> String {
    let mut body: Value = serde_json::from_str(sample("deployment_status")).unwrap();
    body["deployment_status"]["state"] = json!(state);
    body["deployment_status"]["created_at"] = json!(at);
    body.to_string()
}

/// Waits until nothing is left to be read; the inbox, oldest first.
pub async fn settled(app: &App) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let waiting = app.get("/inbox?state=received&limit=1").await.expect(200);
        if waiting.as_array().unwrap().is_empty() {
            let mut inbox = app.get("/inbox?limit=1000").await.expect(200).as_array().unwrap().clone();
            inbox.reverse();
            return inbox;
        }
        assert!(tokio::time::Instant::now() < deadline, "still waiting: {waiting}");
        tokio::task::yield_now().await;
    }
}

async fn a_signed_delivery_becomes_a_fact(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let answer = Answer::of(github(&app, "deployment_status", "d1", sample("deployment_status"))).await.expect(200);
    assert_eq!((&answer["state"], &answer["event"]), (&json!("received"), &json!("deployment_status.created")));
    let inbox = settled(&app).await;
    assert_eq!(inbox[0]["state"], "done", "{inbox:?}");
    let became = json!([{"kind": "deployment", "project_id": "acme/shop", "id": "github:7001", "effect": "created"}]);
    assert_eq!(inbox[0]["became"], became);
    let fact = app.get("/deployments/github:7001").await.expect(200);
    assert_eq!(fact["status"], "deployed");
    assert_eq!(fact["deployed_at"], "2026-06-15T12:10:00Z");
    assert_eq!(fact["duration_seconds"], 600.0);
    assert_eq!(fact["lead_time_seconds"], Value::Null);
    assert_eq!(fact["commit_sha"], "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5");
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(1.0));
    let entry = &app.get("/journal").await.expect(200)[0];
    assert_eq!((&entry["kind"], &entry["actor"]), (&json!("deployment.sighted"), &json!("github")));
    let whole = app.get(&format!("/inbox/{}", answer["id"])).await.expect(200);
    assert_eq!(whole["body"]["deployment"]["id"], 7001);
    assert_eq!(whole["headers"]["x-github-event"], "deployment_status");
    assert_eq!(whole["headers"].get("x-hub-signature-256"), None, "{whole}");
    app.get("/inbox/99").await.expect_problem(404, "not-found");
    app.get("/inbox/soon").await.expect_problem(400, "invalid");
}

async fn what_is_not_authentic_leaves_no_trace(engine: Engine) {
    let app = engine.app_with(closed).await;
    let body = sample("deployment_status");
    let unsigned = || app.request(Method::POST, "/webhooks/github").header("x-github-event", "ping").body(body);
    let wrong = format!("sha256={}", hex_signature(b"another body"));
    for request in [
        unsigned(),
        unsigned().header("x-hub-signature-256", wrong),
        unsigned().header("x-hub-signature-256", "sha256=zz"),
        unsigned().header("authorization", "Bearer Reader token"),
        unsigned().header("authorization", "Bearer nonsense"),
        app.request(Method::POST, "/webhooks/gitlab").body(body),
        app.request(Method::POST, "/webhooks/github?dry_run=true").body(body),
        app.request(Method::POST, "/webhooks/github/other").body(body),
        app.request(Method::POST, "/webhooks/nobody").body(body),
    ] {
        Answer::of(request).await.expect_problem(401, "unauthenticated");
    }
    for path in ["/webhooks/nobody", "/webhooks/github/other", "/webhooks/github/other/a%20secret%20of%20the%20tests"] {
        let request = app.request(Method::POST, path).header("authorization", "Bearer Writer token").body(body);
        Answer::of(request).await.expect_problem(404, "not-found");
    }
    let app = app.authorized("Bearer Writer token");
    assert_eq!(app.get("/inbox").await.expect(200), json!([]));
    for authorization in
        ["Bearer Writer token", "Bearer a secret of the tests", "Basic ZW06YSBzZWNyZXQgb2YgdGhlIHRlc3Rz"]
    {
        let by = app.request(Method::POST, "/webhooks/github").header("x-github-event", "ping").body("{}");
        let by = by.header("x-github-delivery", authorization);
        let request = by.build().unwrap();
        let mut headers = request.headers().clone();
        headers.insert("authorization", authorization.parse().unwrap());
        Answer::of(app.request(Method::POST, "/webhooks/github").headers(headers).body("{}")).await.expect(200);
    }
    assert_eq!(settled(&app).await.len(), 3);
}

async fn the_same_delivery_counts_once(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    for (delivery, expected) in [("d1", "received"), ("d1", "repeated"), ("d2", "received")] {
        let answer = Answer::of(github(&app, "deployment_status", delivery, sample("deployment_status"))).await;
        assert_eq!(answer.expect(200)["state"], expected);
        settled(&app).await;
    }
    let inbox = settled(&app).await;
    assert_eq!(inbox.iter().map(|d| &d["became"][0]["effect"]).collect::<Vec<_>>(), ["created", "unchanged"]);
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(1.0));
    assert_eq!(app.get("/journal").await.expect(200).as_array().unwrap().len(), 1);
}

async fn what_is_not_read_is_answered_with_200_and_a_reason(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    for (event, body) in
        [("ping", "{\"zen\": \"x\"}"), ("star", "{\"action\": \"created\"}"), ("push", "not JSON"), ("", "")]
    {
        Answer::of(github(&app, event, &format!("{event}{body}"), body)).await.expect(200);
    }
    Answer::of(github(&app, "deployment_status", "odd", &status("teleported", "2026-06-15T12:00:00Z")))
        .await
        .expect(200);
    let inbox = settled(&app).await;
    assert_eq!(inbox.len(), 5);
    for delivery in &inbox {
        assert_eq!(delivery["state"], "ignored", "{delivery}");
        assert!(!delivery["reason"].as_str().unwrap().is_empty(), "{delivery}");
    }
    assert_eq!(app.stored().await.facts(), 0);
}

async fn an_end_before_its_beginning_gives_the_same_deployment(engine: Engine) {
    let events = [
        ("deployment_status", status("in_progress", "2026-06-15T12:01:00Z")),
        ("deployment_status", status("failure", "2026-06-15T12:05:00Z")),
        ("deployment_status", status("success", "2026-06-15T12:10:00Z")),
        ("deployment_status", status("inactive", "2026-06-16T12:10:00Z")),
    ];
    let orders: [&[usize]; 4] = [&[0, 1, 2, 3], &[3, 2, 1, 0], &[2, 0, 3, 1, 2], &[1, 2, 1, 0]];
    let mut ends = Vec::new();
    for order in orders {
        let app = engine.app_with(closed).await.authorized("Bearer Writer token");
        for (n, place) in order.iter().enumerate() {
            let (event, body) = &events[*place];
            Answer::of(github(&app, event, &n.to_string(), body)).await.expect(200);
            settled(&app).await;
        }
        let stored = app.stored().await;
        let totals = app.get("/metrics").await.text;
        let totals: Vec<_> = totals.lines().filter(|line| line.starts_with("deployment_")).map(str::to_owned).collect();
        ends.push((app.get("/deployments/github:7001").await.expect(200), stored.facts(), totals));
    }
    assert_eq!(ends[0].0["status"], "deployed");
    assert!(
        ends[0].2.iter().any(|line| line.starts_with("deployment_failed_total") && line.ends_with(" 1")),
        "{ends:?}"
    );
    for end in &ends[1..] {
        assert_eq!(end, &ends[0]);
    }
}

async fn a_resolution_before_its_trigger_has_its_duration_all_the_same(engine: Engine) {
    let app = engine.app_with(|config| config.webhooks.sources = vec![source("pagerduty")]).await;
    let tell = async |kind: &str, at: &str| {
        let data = json!({"id": "P1", "type": "incident", "service": {"summary": "shop"}});
        let event = json!({"id": kind, "event_type": format!("incident.{kind}"), "occurred_at": at, "data": data});
        let request =
            app.request(Method::POST, "/webhooks/pagerduty").header("authorization", format!("Bearer {SECRET}"));
        Answer::of(request.json(&json!({"event": event}))).await.expect(200);
        settled(&app).await;
        app.expect_exact().await;
        app.get("/incidents/pagerduty:P1").await.expect(200)["time_to_restore_seconds"].clone()
    };
    assert_eq!(tell("resolved", "2026-06-01T11:00:00Z").await, Value::Null, "nobody has said when it began");
    assert_eq!(app.metric("incident_restored_total{").await, Some(1.0));
    assert_eq!(tell("triggered", "2026-06-01T10:00:00Z").await, 3600.0);
    assert_eq!(app.metric("time_to_restore_seconds_sum{").await, Some(3600.0));
}

async fn a_dry_run_tells_and_keeps_nothing(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let dry = app.request(Method::POST, "/webhooks/github?dry_run=true");
    let dry = dry.header("x-github-event", "deployment_status").body(sample("deployment_status"));
    let told = Answer::of(dry).await.expect(200);
    assert_eq!(told["state"], "dry_run");
    assert_eq!(told["became"][0]["effect"], "created", "{told}");
    let ping = app.request(Method::POST, "/webhooks/github?dry_run=true").header("x-github-event", "ping").body("{}");
    assert!(Answer::of(ping).await.expect(200)["ignored"].is_string());
    assert_eq!(app.get("/inbox").await.expect(200), json!([]));
    assert_eq!(app.stored().await.facts(), 0);
}

async fn what_names_no_project_is_read_again_when_it_is_configured(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let mut body: Value = serde_json::from_str(sample("deployment_status")).unwrap();
    body["repository"] = Value::Null;
    Answer::of(github(&app, "deployment_status", "d1", &body.to_string())).await.expect(200);
    let inbox = settled(&app).await;
    assert_eq!(inbox[0]["state"], "ignored");
    assert!(inbox[0]["reason"].as_str().unwrap().contains("project"), "{inbox:?}");
    let database = app.stop().await;
    let with_project = |config: &mut Config| {
        closed(config);
        config.webhooks.sources[0].project_id = Some(name("shop"));
        config.webhooks.sources[0].team_id = Some(name("red"));
    };
    let app = App::start(database, with_project).await.authorized("Bearer Writer token");
    let path = format!("/inbox/{}/replay", inbox[0]["id"]);
    assert_eq!(app.post(&path, json!({})).await.expect(200)["delivery"], "d1");
    assert_eq!(settled(&app).await[0]["state"], "done");
    assert_eq!(app.get("/deployments/github:7001").await.expect(200)["team_id"], "red");
    app.post("/inbox/99/replay", json!({})).await.expect_problem(404, "not-found");
    let eve = app.authorized("Bearer Reader token");
    eve.post(&path, json!({})).await.expect_problem(403, "forbidden");
}

async fn words_of_senders_are_mapped(engine: Engine) {
    let mapping = |config: &mut Config| {
        closed(config);
        config.webhooks.projects.insert("acme/shop".to_owned(), name("shop"));
        config.webhooks.environments.insert("production".to_owned(), name("live"));
    };
    let app = engine.app_with(mapping).await.authorized("Bearer Writer token");
    Answer::of(github(&app, "deployment_status", "d1", sample("deployment_status"))).await.expect(200);
    settled(&app).await;
    let fact = app.get("/deployments/github:7001").await.expect(200);
    assert_eq!((&fact["project_id"], &fact["environment"]), (&json!("shop"), &json!("live")));
}

async fn the_inbox_is_filtered_and_paged(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    for n in 0..5 {
        Answer::of(github(&app, "ping", &n.to_string(), "{}")).await.expect(200);
    }
    Answer::of(github(&app, "deployment_status", "d1", sample("deployment_status"))).await.expect(200);
    settled(&app).await;
    let mut seen = Vec::new();
    let mut page = Some("/inbox?state=ignored&source=github&limit=2".to_owned());
    while let Some(path) = page {
        let answer = app.get(&path).await;
        seen.extend(answer.expect(200).as_array().unwrap().iter().map(|d| d["delivery"].as_str().unwrap().to_owned()));
        page = answer.next_page();
    }
    assert_eq!(seen, ["4", "3", "2", "1", "0"]);
    assert_eq!(app.get("/inbox?source=gitlab").await.expect(200), json!([]));
    assert_eq!(app.get("/inbox?to=2026-06-15").await.expect(200), json!([]));
    for query in ["state=lost", "cursor=x", "unknown=1", "from=soon"] {
        app.get(&format!("/inbox?{query}")).await.expect_problem(400, "invalid");
    }
}

async fn an_impossible_delivery_has_failed_and_says_why(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let body = status("success", "2036-06-15T12:10:00Z");
    Answer::of(github(&app, "deployment_status", "d1", &body)).await.expect(200);
    let inbox = settled(&app).await;
    assert_eq!(inbox[0]["state"], "failed");
    assert!(inbox[0]["reason"].as_str().unwrap().contains("in the future"), "{inbox:?}");
    assert_eq!(app.stored().await.facts(), 0);
}

async fn a_form_with_a_payload_is_read(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("payload", sample("deployment_status"))
        .finish();
    let request = github(&app, "deployment_status", "d1", &form).build().unwrap();
    let mut headers = request.headers().clone();
    headers.insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
    let request = app.request(Method::POST, "/webhooks/github").headers(headers).body(form);
    Answer::of(request).await.expect(200);
    assert_eq!(settled(&app).await[0]["state"], "done");
}

async fn what_is_old_or_too_much_is_cleared_away(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    for n in 0..4 {
        app.set_now(&format!("2026-06-15T1{n}:00:00Z"));
        Answer::of(github(&app, "ping", &n.to_string(), "{\"a\": 1}")).await.expect(200);
        settled(&app).await;
    }
    let left = async || settled(&app).await.iter().map(|d| d["delivery"].clone()).collect::<Vec<_>>();
    let eleven = em_metrics::domain::Timestamp::parse("2026-06-15T11:00:00Z").unwrap();
    assert_eq!(app.store.clear_inbox(eleven, 1000).await.unwrap(), 1);
    assert_eq!(left().await, ["1", "2", "3"]);
    // each has eight bytes
    assert_eq!(app.store.clear_inbox(eleven, 16).await.unwrap(), 1);
    assert_eq!(left().await, ["2", "3"]);
    assert_eq!(app.store.clear_inbox(eleven, 15).await.unwrap(), 1);
    assert_eq!(left().await, ["3"]);
}

async fn a_source_that_falls_silent_is_warned_about_until_it_sends_again(engine: Engine) {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    let silent_after_hours = 48;
    let section = Webhooks { silent_after_hours, ..Webhooks::default() };
    let mut keeper = InboxKeeper::new(app.store.clone(), app.clock.clone(), &section);
    let mut silent = async |now: &str| {
        app.set_now(now);
        keeper.look().await.unwrap().iter().cloned().collect::<Vec<_>>()
    };
    assert!(silent("2026-06-15T12:00:00Z").await.is_empty(), "who has never sent is not missed");
    Answer::of(github(&app, "ping", "1", "{}")).await.expect(200);
    assert!(silent("2026-06-17T11:59:00Z").await.is_empty());
    assert_eq!(silent("2026-06-17T12:00:00Z").await, ["github"]);
    Answer::of(github(&app, "ping", "2", "{}")).await.expect(200);
    assert!(silent("2026-06-17T12:01:00Z").await.is_empty());
}
