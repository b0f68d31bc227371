//! `POST /events`: `CloudEvents` in their three forms, and what becomes of them.

use em_metrics::auth::Role;
use em_metrics::config::{Auth, Config, Token};
use em_metrics::webhooks::vendor;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::inbox::{SECRET, settled, source};
use crate::app::{Answer, App};
use crate::engine::Engine;
use crate::http::name;

on_each_engine! {
    a_deployment_and_an_incident_become_facts,
    the_three_forms_of_an_event_are_one_event,
    a_batch_is_taken_in_whole_and_told_in_its_order,
    a_batch_with_a_broken_event_leaves_no_trace,
    an_event_is_known_by_its_source_and_id,
    what_is_not_authentic_leaves_no_trace,
    what_is_broken_is_refused_and_the_event_is_named,
    a_dry_run_of_a_batch_tells_and_keeps_nothing,
    whoever_reads_answers_as_events_is_sent_none,
    senders_may_ask_whether_they_are_expected,
    every_sample_is_taken_in,
}

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";

fn closed(config: &mut Config) {
    let token = |owner, role| Token { name: name(owner), token: format!("{role:?} token").into(), role };
    let tokens = vec![token("ci", Role::Writer), token("eve", Role::Reader)];
    config.auth = Auth { tokens, ..Auth::default() };
    config.webhooks.sources = vec![source("cdevents")];
}

/// A service that asks for credentials, when all samples have happened.
async fn started(engine: Engine) -> App {
    let app = engine.app_with(closed).await.authorized("Bearer Writer token");
    app.set_now("2026-06-15T18:00:00Z");
    app
}

fn sample(name: &str) -> Value {
    let samples = vendor("cdevents").unwrap().samples;
    serde_json::from_str(samples.iter().find(|sample| sample.name == name).unwrap().body).unwrap()
}

/// A deployment of the sample's service under another id.
fn deployed(id: &str) -> Value {
    let mut event = sample("service_deployed");
    event["id"] = json!(id);
    event["data"]["context"]["id"] = json!(id);
    event
}

fn post(app: &App, content_type: &str, body: &Value) -> RequestBuilder {
    app.request(Method::POST, "/events").header("content-type", content_type).body(body.to_string())
}

/// An event in headers and body.
fn binary(app: &App, event: &Value) -> RequestBuilder {
    let request = post(app, "application/json", &event["data"]);
    ["specversion", "id", "source", "type", "time", "subject"].iter().fold(request, |request, attribute| {
        request.header(format!("ce-{attribute}"), event[*attribute].as_str().unwrap())
    })
}

fn states(received: &Value) -> Vec<&str> {
    received.as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect()
}

async fn a_deployment_and_an_incident_become_facts(engine: Engine) {
    let app = started(engine).await;
    let answer = Answer::of(post(&app, STRUCTURED, &sample("service_deployed"))).await.expect(200);
    assert_eq!(answer[0]["event"], "dev.cdevents.service.deployed");
    // these two without an envelope
    for event in ["incident_resolved", "incident_detected"] {
        Answer::of(post(&app, "application/json", &sample(event))).await.expect(200);
    }
    let inbox = settled(&app).await;
    for delivery in &inbox {
        assert_eq!((&delivery["source"], &delivery["state"]), (&json!("cdevents"), &json!("done")), "{delivery}");
    }
    let deployments = app.get("/deployments").await.expect(200);
    assert_eq!(deployments.as_array().unwrap().len(), 1);
    let deployment = &deployments[0];
    assert_eq!((&deployment["project_id"], &deployment["status"]), (&json!("shop"), &json!("deployed")));
    assert_eq!(deployment["deployed_at"], "2026-06-15T12:10:00.250Z");
    assert_eq!(deployment["commit_sha"], "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5");
    let incidents = app.get("/incidents").await.expect(200);
    assert_eq!(incidents.as_array().unwrap().len(), 1);
    let incident = &incidents[0];
    assert_eq!((&incident["project_id"], &incident["started_at"]), (&json!("shop"), &json!("2026-06-15T12:30:00Z")));
    assert_eq!(
        (&incident["finished_at"], &incident["time_to_restore_seconds"]),
        (&json!("2026-06-15T13:10:00Z"), &json!(2400.0))
    );
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(1.0));
}

async fn the_three_forms_of_an_event_are_one_event(engine: Engine) {
    let event = sample("service_deployed");
    let mut ends = Vec::new();
    for form in ["binary", "structured", "batched", "bare"] {
        let app = started(engine).await;
        let request = || match form {
            "binary" => binary(&app, &event),
            "structured" => post(&app, STRUCTURED, &event),
            "batched" => post(&app, BATCH, &json!([event])),
            _ => post(&app, "application/json", &event["data"]),
        };
        assert_eq!(states(&Answer::of(request()).await.expect(200)), ["received"], "{form}");
        assert_eq!(states(&Answer::of(request()).await.expect(200)), ["repeated"], "{form}");
        let inbox = settled(&app).await;
        assert_eq!(inbox.len(), 1, "{form}");
        // the same event, in whichever form and at whichever address
        let there = app.request(Method::POST, "/webhooks/cdevents").header("content-type", STRUCTURED);
        assert_eq!(Answer::of(there.body(event.to_string())).await.expect(200)["state"], "repeated", "{form}");
        let whole = app.get(&format!("/inbox/{}", inbox[0]["id"])).await.expect(200);
        assert_eq!(whole["headers"], json!({"content-type": STRUCTURED}), "{form}");
        assert_eq!(whole["body"]["data"], event["data"], "{form}");
        ends.push((inbox[0]["delivery"].clone(), inbox[0]["became"].clone(), app.stored().await.facts()));
    }
    for end in &ends {
        assert_eq!(end, &ends[0]);
    }
}

async fn a_batch_is_taken_in_whole_and_told_in_its_order(engine: Engine) {
    let app = started(engine).await;
    Answer::of(post(&app, STRUCTURED, &deployed("d2"))).await.expect(200);
    let batch = json!([deployed("d1"), deployed("d2"), sample("change_merged"), deployed("d1"), deployed("d3")]);
    let told = Answer::of(post(&app, BATCH, &batch)).await.expect(200);
    assert_eq!(states(&told), ["received", "repeated", "received", "repeated", "received"]);
    assert_eq!(told[2]["event"], "dev.cdevents.change.merged");
    assert!(told[1]["id"].is_null() && told[3]["id"].is_null(), "{told}");
    for (place, delivery) in [(0, "/acme/delivery d1"), (4, "/acme/delivery d3")] {
        assert_eq!(app.get(&format!("/inbox/{}", told[place]["id"])).await.expect(200)["delivery"], delivery);
    }
    assert_eq!(settled(&app).await.len(), 4);
    assert_eq!(app.metric("deployment_frequency_total{").await, Some(3.0));
    assert_eq!(Answer::of(post(&app, BATCH, &json!([]))).await.expect(200), json!([]));
    let most: Vec<_> = (0..1000).map(|n| deployed(&format!("n{n}"))).collect();
    let told = Answer::of(post(&app, BATCH, &json!(most))).await.expect(200);
    assert_eq!(states(&told), ["received"; 1000]);
    let too_many: Vec<_> = (0..1001).map(|n| deployed(&format!("m{n}"))).collect();
    Answer::of(post(&app, BATCH, &json!(too_many))).await.expect_problem(413, "too-large");
}

async fn a_batch_with_a_broken_event_leaves_no_trace(engine: Engine) {
    let app = started(engine).await;
    let mut nameless = deployed("d2");
    nameless.as_object_mut().unwrap().remove("id");
    let answer = Answer::of(post(&app, BATCH, &json!([deployed("d1"), nameless, deployed("d3")]))).await;
    assert_eq!(answer.expect_problem(400, "invalid"), ["/1/id"]);
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("event 2 of the batch has no id"), "{answer:?}");
    assert_eq!(app.get("/inbox").await.expect(200), json!([]));
    assert_eq!(app.stored().await.facts(), 0);
    // once it is mended, nothing of it is a repeat
    let told = Answer::of(post(&app, BATCH, &json!([deployed("d1"), deployed("d2"), deployed("d3")]))).await;
    assert_eq!(states(&told.expect(200)), ["received"; 3]);
}

async fn an_event_is_known_by_its_source_and_id(engine: Engine) {
    let app = started(engine).await;
    let with = |source: &str, id: &str, type_: &str| {
        let mut event = deployed(id);
        for attributes in ["", "/data/context"] {
            let attributes = event.pointer_mut(attributes).unwrap();
            attributes["source"] = json!(source);
            attributes["type"] = json!(type_);
        }
        event
    };
    let (old, new) = ("dev.cdevents.service.deployed.0.1.0", "dev.cdevents.service.deployed.0.3.0-draft");
    // longer than what the inbox keeps of it
    let (long, longer) = (format!("/{}", "p".repeat(300)), format!("/{}", "p".repeat(301)));
    for (event, expected) in [
        (with("/a", "1", old), "received"),
        (with("/a", "1", new), "repeated"),
        (with("/b", "1", new), "received"),
        (with("/a", "2", new), "received"),
        (with(&long, "1", old), "received"),
        (with(&long, "1", new), "repeated"),
        (with(&longer, "1", new), "received"),
    ] {
        assert_eq!(states(&Answer::of(post(&app, STRUCTURED, &event)).await.expect(200)), [expected], "{event}");
    }
    assert_eq!(settled(&app).await.iter().filter(|delivery| delivery["state"] == "done").count(), 5);
}

async fn what_is_not_authentic_leaves_no_trace(engine: Engine) {
    let app = engine.app_with(closed).await;
    let unsigned = || post(&app, STRUCTURED, &sample("service_deployed"));
    for request in [
        unsigned(),
        unsigned().header("authorization", "Bearer Reader token"),
        unsigned().header("authorization", "Bearer nonsense"),
        unsigned().header("authorization", format!("Digest {SECRET}")),
        // who may not send is not told what is wrong with it
        post(&app, STRUCTURED, &json!({})),
        app.request(Method::POST, "/events?dry_run=true").body("{}"),
    ] {
        let answer = Answer::of(request).await;
        answer.expect_problem(401, "unauthenticated");
        assert!(!answer.header("www-authenticate").is_empty());
    }
    for (n, authorization) in
        ["Bearer Writer token", "Bearer a secret of the tests", "Basic ZW06YSBzZWNyZXQgb2YgdGhlIHRlc3Rz"]
            .into_iter()
            .enumerate()
    {
        let request = post(&app, STRUCTURED, &deployed(&format!("d{n}"))).header("authorization", authorization);
        assert_eq!(states(&Answer::of(request).await.expect(200)), ["received"], "{authorization}");
    }
    let app = app.authorized("Bearer Writer token");
    assert_eq!(settled(&app).await.len(), 3);
    let journal = app.get("/journal").await.expect(200);
    let mut actors: Vec<_> = journal.as_array().unwrap().iter().map(|entry| entry["actor"].as_str().unwrap()).collect();
    actors.sort_unstable();
    assert_eq!(actors, ["cdevents", "cdevents", "ci"]);
}

async fn what_is_broken_is_refused_and_the_event_is_named(engine: Engine) {
    let app = started(engine).await;
    let event = sample("service_deployed");
    let without = |attribute: &str| {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove(attribute);
        event
    };
    let old = json!({"specversion": "0.3", "id": "1", "source": "/a", "type": "b"});
    for (content_type, body, pointer) in [
        (STRUCTURED, without("id"), "/id"),
        (STRUCTURED, without("type"), "/type"),
        (STRUCTURED, json!({"specversion": "1.0", "id": 7, "source": "/a", "type": "b"}), "/id"),
        (STRUCTURED, old.clone(), "/specversion"),
        (STRUCTURED, json!([event]), ""),
        (BATCH, event.clone(), ""),
        (BATCH, json!([event, 7]), "/1"),
        ("application/json", json!([event, old]), "/1/specversion"),
        ("application/json", json!({"hello": "world"}), ""),
    ] {
        let pointers = app.refuses(post(&app, content_type, &body), 400, "invalid").await;
        assert_eq!(pointers, [pointer], "{content_type} {body}");
    }
    let lame = post(&app, "application/json", &event["data"]).header("ce-id", "1").header("ce-source", "/a");
    assert_eq!(app.refuses(lame.header("ce-type", "b"), 400, "invalid").await, ["/specversion"]);
    for body in ["", "{", "{\"a\": 1} x"] {
        let request = app.request(Method::POST, "/events").header("content-type", STRUCTURED).body(body);
        app.refuses(request, 400, "not-json").await;
    }
    let avro = app.request(Method::POST, "/events").header("content-type", "application/cloudevents+avro").body("x");
    app.refuses(avro, 415, "unsupported-media-type").await;
    app.refuses(app.request(Method::POST, "/events?dry_run=maybe").body("{}"), 400, "invalid").await;
    assert_eq!(app.get("/inbox").await.expect(200), json!([]));
}

async fn a_dry_run_of_a_batch_tells_and_keeps_nothing(engine: Engine) {
    let app = started(engine).await;
    let unknown = json!({"specversion": "1.0", "id": "1", "source": "/a", "type": "com.example.other"});
    let batch = json!([deployed("e-7001"), unknown, sample("service_rolledback"), deployed("e-7002")]);
    let dry = app.request(Method::POST, "/events?dry_run=true").header("content-type", BATCH);
    let told = Answer::of(dry.body(batch.to_string())).await.expect(200);
    assert_eq!(states(&told), ["dry_run"; 4]);
    let effects: Vec<_> = told.as_array().unwrap().iter().map(|one| one["became"][0]["effect"].clone()).collect();
    // the third is about the first
    assert_eq!(effects, [json!("created"), Value::Null, json!("changed"), json!("created")], "{told}");
    assert!(told[1]["ignored"].as_str().unwrap().contains("com.example.other"), "{told}");
    assert_eq!(app.get("/inbox").await.expect(200), json!([]));
    assert_eq!(app.stored().await.facts(), 0);
}

async fn whoever_reads_answers_as_events_is_sent_none(engine: Engine) {
    let app = started(engine).await;
    for (id, preference) in [("d1", "reply"), ("d2", "respond-async, Reply")] {
        let answer = Answer::of(binary(&app, &deployed(id)).header("prefer", preference)).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
    }
    let minimal = binary(&app, &deployed("d3")).header("prefer", "return=minimal");
    assert_eq!(states(&Answer::of(minimal).await.expect(200)), ["received"]);
    assert_eq!(settled(&app).await.len(), 3);
}

async fn senders_may_ask_whether_they_are_expected(engine: Engine) {
    for origins in [vec![], vec!["https://board.example.com".to_owned()]] {
        let app = engine
            .app_with(|config| {
                closed(config);
                config.server.cors_origins.clone_from(&origins);
            })
            .await;
        for path in ["/events", "/api/v1/events"] {
            let ask = || app.request(Method::OPTIONS, path);
            let origin = "eventgrid.azure.example";
            let asked = ask().header("webhook-request-origin", origin).header("webhook-request-rate", "120");
            let answer = Answer::of(asked.header("webhook-request-callback", "https://x.example/confirm")).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{origins:?}");
            assert_eq!(answer.header("webhook-allowed-origin"), origin);
            assert_eq!(answer.header("webhook-allowed-rate"), "*");
            assert_eq!(answer.header("allow"), "OPTIONS,POST");
            assert!(!answer.header("x-request-id").is_empty());
            let answer = Answer::of(ask()).await;
            assert_eq!((answer.status.as_u16(), answer.header("webhook-allowed-origin")), (200, ""), "{origins:?}");
        }
        let answer = Answer::of(app.request(Method::GET, "/events")).await;
        answer.expect_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "POST,OPTIONS");
        let elsewhere = app.request(Method::OPTIONS, "/deployments").header("webhook-request-origin", "x.example");
        Answer::of(elsewhere).await.expect_problem(405, "method-not-allowed");
    }
}

async fn every_sample_is_taken_in(engine: Engine) {
    let app = started(engine).await;
    let samples = vendor("cdevents").unwrap().samples;
    for sample in samples {
        let request = app.request(Method::POST, "/events").body(sample.body);
        let request = sample.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(states(&Answer::of(request).await.expect(200)), ["received"], "{}", sample.name);
        settled(&app).await;
    }
    let inbox = settled(&app).await;
    assert_eq!(inbox.len(), samples.len());
    // which pipelines deploy is not configured here
    let ignored: Vec<_> = inbox.iter().filter(|delivery| delivery["state"] != "done").collect();
    assert!(ignored.len() == 1 && ignored[0]["event"] == "dev.cdevents.pipelinerun.finished", "{ignored:?}");
    let deployment = &app.get("/deployments").await.expect(200)[0];
    assert_eq!(deployment["status"], "rolled_back", "{deployment}");
}
