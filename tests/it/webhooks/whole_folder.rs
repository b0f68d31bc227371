//! Everything that was captured in the wild, sent to the running service as its vendors send it: each delivery is
//! answered with 200, ends as done or as ignored for a reason, and makes the same facts on either engine.

use std::collections::BTreeMap;

use em_metrics::config::{Config, Source};
use em_metrics::domain::Timestamp;
use em_metrics::webhooks::{Headers, Scheme, VENDORS, Vendor};
use reqwest::Method;
use serde_json::{Value, json};

use super::payloads::{Captured, captured, generous, is_captured};
use crate::app::{Answer, App, NOW};
use crate::engine::Engine;

on_each_engine! {
    #[ignore = "needs EM_METRICS_PAYLOADS"]
    every_captured_delivery_is_taken_in_and_becomes_what_it_tells_of,
}

fn secret(vendor: &Vendor) -> String {
    format!("the secret of {}", vendor.name)
}

/// How many sources of each vendor there are: documentation gives many of its deliveries one id.
const SOURCES: usize = 2 * SECOND;
/// The first of them that are there to have everything sent once more.
pub const SECOND: usize = 40;

/// What the address of a vendor's source ends with.
fn place(number: usize) -> String {
    if number == 0 { String::new() } else { format!("/{number}") }
}

/// One that has everything read, and calls what names no project after its vendor.
fn source(vendor: &Vendor, number: usize) -> Source {
    let (settings, name) = (generous(), (number > 0).then(|| number.to_string()));
    serde_json::from_value(json!({
        "vendor": vendor.name, "name": name, "secrets": [secret(vendor)], "project_id": vendor.name,
        "deploy_workflows": settings.deploy_workflows, "incident_labels": settings.incident_labels,
        "releases": settings.releases, "estimate_field": settings.estimate_field,
    }))
    .unwrap()
}

pub fn every_source(config: &mut Config) {
    let of = |vendor: &'static Vendor| (0..SOURCES).map(|number| source(vendor, number));
    config.webhooks.sources = VENDORS.iter().copied().flat_map(of).collect();
}

/// A captured delivery, ready to be sent.
#[derive(Debug, Clone)]
pub struct Post {
    pub vendor: &'static Vendor,
    pub file: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Post {
    /// Signed as its vendor signs; with the bare secret where the vendor cannot sign.
    fn new(vendor: &'static Vendor, Captured { file, headers, body }: Captured) -> Self {
        let (body, signed) = match vendor.schemes.first() {
            Some(scheme) => scheme.sign(&dated(*scheme, body), &secret(vendor), Timestamp::parse(NOW).unwrap()),
            None => (body, vec![("authorization", format!("Bearer {}", secret(vendor)))]),
        };
        let sent = [("content-type".to_owned(), "application/json".to_owned())];
        let sent = sent.into_iter().chain(read_by(vendor, &headers));
        let sent = sent.chain(signed.into_iter().map(|(name, value)| (name.to_owned(), value)));
        // of a header that is there twice, ours counts
        let headers = sent.collect::<BTreeMap<_, _>>().into_iter().collect();
        Self { vendor, file, headers, body }
    }

    /// Sends it to the first source at or after the `from`th that does not know its id yet: its number in the inbox,
    /// and how many sources had it already.
    pub async fn send(&self, app: &App, from: usize) -> (i64, usize) {
        for repeated in 0..SOURCES - from {
            let path = format!("/webhooks/{}{}", self.vendor.name, place(from + repeated));
            let request = app.request(Method::POST, &path);
            let signed = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            let answer = Answer::of(signed.body(self.body.clone())).await;
            assert_eq!(answer.status, 200, "{} {}: {}", self.vendor.name, self.file, answer.text);
            if let Some(id) = answer.json()["id"].as_i64() {
                return (id, repeated);
            }
        }
        panic!("{} {}: every source has it already", self.vendor.name, self.file);
    }
}

/// The headers of a recorded request, without those of the connection that it came by.
fn read_by(vendor: &Vendor, headers: &Headers) -> Vec<(String, String)> {
    let sent = vendor.headers.iter().filter_map(|name| Some(((*name).to_owned(), headers.get(name)?.to_owned())));
    sent.collect()
}

/// With the field that the signature's time is put into, where captures lack it.
fn dated(scheme: Scheme, body: Vec<u8>) -> Vec<u8> {
    let Scheme::HexWithBodyTime { time, .. } = scheme else { return body };
    let mut dated: Value = serde_json::from_slice(&body).unwrap();
    dated[time.trim_start_matches('/')] = json!(0);
    dated.to_string().into_bytes()
}

/// Everything, vendor by vendor.
pub fn every_post() -> Vec<Post> {
    let vendors = VENDORS.iter().copied().filter(|vendor| is_captured(vendor.name));
    vendors.flat_map(|vendor| captured(vendor.name).into_iter().map(|captured| Post::new(vendor, captured))).collect()
}

/// Waits until everything that came in is read; the inbox by number.
pub async fn read_through(app: &App) -> BTreeMap<i64, Value> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(2);
    loop {
        let waiting = app.get("/inbox?state=received&limit=1").await.expect(200);
        if waiting.as_array().unwrap().is_empty() {
            let inbox = app.every("/inbox?limit=1000").await;
            return inbox.into_iter().map(|delivery| (delivery["id"].as_i64().unwrap(), delivery)).collect();
        }
        assert!(tokio::time::Instant::now() < deadline, "still waiting: {waiting}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// What has become of one vendor's deliveries.
#[derive(Debug, Default, serde::Serialize)]
struct Became {
    deliveries: BTreeMap<&'static str, usize>,
    deployments: Vec<String>,
    incidents: Vec<String>,
    /// Pushes, pull requests and tickets.
    kept: BTreeMap<String, usize>,
}

async fn every_captured_delivery_is_taken_in_and_becomes_what_it_tells_of(engine: Engine) {
    let app = engine.app_with(every_source).await;
    let (mut of, mut became) = (BTreeMap::new(), BTreeMap::<&str, Became>::new());
    for post in every_post() {
        let (id, repeated) = post.send(&app, 0).await;
        if repeated > 0 {
            let counts = &mut became.entry(post.vendor.name).or_default().deliveries;
            *counts.entry("of an id that was there already").or_default() += 1;
        }
        of.insert(id, post);
    }
    let inbox = read_through(&app).await;
    assert_eq!(inbox.keys().collect::<Vec<_>>(), of.keys().collect::<Vec<_>>());
    let mut told = BTreeMap::new();
    for (id, Post { vendor, file, .. }) in &of {
        let (delivery, became) = (&inbox[id], became.entry(vendor.name).or_default());
        let state = match delivery["state"].as_str() {
            Some("done") => "done",
            Some("ignored") => "ignored",
            _ => panic!("{} {file}: {delivery:#}", vendor.name),
        };
        *became.deliveries.entry(state).or_default() += 1;
        let has_reason = delivery["reason"].as_str().is_some_and(|reason| !reason.trim().is_empty());
        assert_eq!(has_reason, state != "done", "{} {file}: {delivery}", vendor.name);
        for fact in delivery["became"].as_array().into_iter().flatten() {
            let kind = fact["kind"].as_str().unwrap();
            match kind {
                "deployment" | "incident" => {
                    let key = (kind.to_owned(), fact["project_id"].to_string(), fact["id"].to_string());
                    assert_eq!(*told.entry(key).or_insert(vendor.name), vendor.name, "{fact} is of two vendors");
                }
                _ => *became.kept.entry(kind.to_owned()).or_default() += 1,
            }
        }
    }
    for (kind, list) in [("deployment", "/deployments?limit=1000"), ("incident", "/incidents?limit=1000")] {
        for fact in app.every(list).await {
            let key = (kind.to_owned(), fact["project_id"].to_string(), fact["id"].to_string());
            let became = became.get_mut(told[&key]).unwrap();
            match kind {
                "deployment" => became.deployments.push(deployment(&fact)),
                _ => became.incidents.push(incident(&fact)),
            }
        }
    }
    for (vendor, mut became) in became {
        became.deployments.sort();
        became.incidents.sort();
        insta::assert_json_snapshot!(format!("became_of_{vendor}"), became);
    }
}

fn deployment(fact: &Value) -> String {
    line(fact, fact["status"].as_str().unwrap(), &["deploy_start_at", "deployed_at", "failed_at", "rolled_back_at"])
}

fn incident(fact: &Value) -> String {
    let state = match (&fact["restored_at"], &fact["finished_at"]) {
        (Value::Null, Value::Null) => "open",
        (_, Value::Null) => "restored",
        _ => "finished",
    };
    line(fact, state, &["started_at", "restored_at", "finished_at"])
}

/// `id of project in environment: status`, and the times that are known.
fn line(fact: &Value, status: &str, times: &[&str]) -> String {
    let text = |field: &str| fact[field].as_str();
    let known = times.iter().filter_map(|time| Some(format!(", {time} {}", text(time)?)));
    let [id, project, environment] = ["id", "project_id", "environment"].map(|field| text(field).unwrap());
    format!("{id} of {project} in {environment}: {status}{}", known.collect::<String>())
}
