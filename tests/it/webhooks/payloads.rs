//! What is read from deliveries: those of our own writing, which are in the repository, and those that were captured
//! in the wild, which are in the folder that `EM_METRICS_PAYLOADS` names.

use std::path::PathBuf;

use em_metrics::domain::Timestamp;
use em_metrics::webhooks::{Body, Event, Headers, Settings, VENDORS, Vendor, vendor};
use serde_json::{Value, json};

/// The folder of captured deliveries.
pub fn folder() -> PathBuf {
    let folder = std::env::var_os("EM_METRICS_PAYLOADS").expect("EM_METRICS_PAYLOADS names the folder of payloads");
    PathBuf::from(folder)
}

/// A captured delivery: its file, its body, and the headers that its vendor would have sent with it.
#[derive(Debug)]
pub struct Captured {
    pub file: String,
    pub headers: Headers,
    pub body: Vec<u8>,
}

/// What a vendor has sent.
pub fn captured(vendor: &str) -> Vec<Captured> {
    let folders = [folder_of(vendor)].into_iter().chain(more_folders_of(vendor).iter().copied());
    let mut files: Vec<_> = folders
        .flat_map(|name| std::fs::read_dir(folder().join(name)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.file_name().is_some_and(|name| name != "SOURCE.md"))
        .chain(elsewhere(vendor).iter().map(|file| folder().join(file)))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there is nothing of {vendor}");
    let captured = |path: PathBuf| {
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let (headers, body) = sent(vendor, &file, std::fs::read(path).unwrap());
        Captured { file, headers, body }
    };
    files.into_iter().map(captured).collect()
}

/// Where a vendor's deliveries are, when not under its name.
fn folder_of(vendor: &str) -> &str {
    match vendor {
        "grafana-oncall" => "grafana-oncall-inbound",
        _ => vendor,
    }
}

/// And where more of them are.
fn more_folders_of(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "bitbucket" => &["bitbucket-server"],
        _ => &[],
    }
}

/// Deliveries of a vendor that are in the folder of another.
fn elsewhere(vendor: &str) -> &'static [&'static str] {
    match vendor {
        "grafana-oncall" => &["grafana/oncall.outgoing-webhook.resolve.json"],
        _ => &[],
    }
}

/// Vendors of which nothing can be captured, and why.
const UNCAPTURED: &[(&str, &str)] = &[("servicenow", "it has no format of its own: ours is in the guide")];

pub fn is_captured(name: &str) -> bool {
    !UNCAPTURED.iter().any(|(vendor, _)| *vendor == name)
}

/// Some files hold a whole recorded request: then its headers and its body.
fn sent(vendor: &str, file: &str, bytes: Vec<u8>) -> (Headers, Vec<u8>) {
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if let (Some(headers), true) = (body["headers"].as_object(), file.ends_with(".http.json")) {
        let headers = headers.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        return (headers.collect(), serde_json::to_vec(&body["body"]).unwrap());
    }
    let header = match vendor {
        "github" => Some(("x-github-event", github_event(&body).to_owned())),
        "bitbucket" => Some(("x-event-key", bitbucket_event(&body, file))),
        _ => None,
    };
    (header.into_iter().collect(), bytes)
}

/// GitHub names the event in a header that most captures lack; what the body is about tells it as well.
fn github_event(body: &Value) -> &'static str {
    let has = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
    let by_field = [
        ("deployment_status", "deployment_status"),
        ("workflow_run", "workflow_run"),
        ("workflow_job", "workflow_job"),
        ("review", "pull_request_review"),
        ("check_run", "check_run"),
        ("check_suite", "check_suite"),
        ("deployment", "deployment"),
        ("release", "release"),
        ("comment", "issue_comment"),
        ("pull_request", "pull_request"),
        ("issue", "issues"),
        ("pusher", "push"),
        ("zen", "ping"),
    ];
    by_field.into_iter().find(|(field, _)| has(field)).map_or("other", |(_, event)| event)
}

/// Bitbucket Cloud names the event in a header that most captures lack; Data Center in the body as well.
fn bitbucket_event(body: &Value, file: &str) -> String {
    let has = |field: &str| body.get(field).is_some_and(|value| !value.is_null());
    let of_request = match body["pullrequest"]["state"].as_str() {
        _ if has("comment") => "pullrequest:comment_created",
        _ if file.contains("approval-removed") => "pullrequest:unapproved",
        Some("MERGED") => "pullrequest:fulfilled",
        Some("DECLINED") => "pullrequest:rejected",
        _ => "pullrequest:updated",
    };
    let by_field = [
        ("test", "diagnostics:ping"),
        ("push", "repo:push"),
        ("pullrequest", of_request),
        ("commit_status", "repo:commit_status_updated"),
        ("issue", "issue:updated"),
        ("comment", "repo:commit_comment_created"),
        ("fork", "repo:fork"),
    ];
    let by_field = || by_field.into_iter().find(|(field, _)| has(field)).map_or("other", |(_, event)| event);
    body["eventKey"].as_str().unwrap_or_else(by_field).to_owned()
}

/// Everything that may be read is.
pub fn generous() -> Settings {
    Settings {
        deploy_workflows: ["Deploy", "build", "CI", "deploy", "build-and-test", "my-workflow", "asgard", "myPipeline"]
            .map(str::to_owned)
            .to_vec(),
        incident_labels: ["incident", "bug"].map(str::to_owned).to_vec(),
        releases: true,
        estimate_field: Some("customfield_10106".to_owned()),
    }
}

/// What a delivery tells, as one line of a snapshot.
pub fn told(vendor: &Vendor, headers: &Headers, body: &[u8]) -> Value {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return json!("not JSON") };
    let about = (vendor.about)(headers, Body(&body));
    let event = Event {
        event: &about.event,
        headers,
        body: Body(&body),
        received_at: Timestamp::parse("2026-06-15T12:00:00Z").unwrap(),
        settings: &generous(),
    };
    match (vendor.read)(&event) {
        Ok(happenings) => {
            assert!(!happenings.is_empty(), "{}: {about:?} tells nothing and gives no reason", vendor.name);
            json!({"event": about.event, "delivery": about.delivery, "tells": happenings})
        }
        Err(ignored) => json!({"event": about.event, "ignored": ignored.0}),
    }
}

#[test]
fn samples_tell_what_they_should() {
    for vendor in VENDORS {
        let mut all = serde_json::Map::new();
        for sample in vendor.samples {
            let headers: Headers = sample.headers.iter().copied().collect();
            all.insert(sample.name.to_owned(), told(vendor, &headers, sample.body.as_bytes()));
        }
        assert!(!all.is_empty(), "{} has no samples", vendor.name);
        let first = vendor.samples[0].name;
        assert!(all[first].get("tells").is_some(), "the first sample of {} tells nothing", vendor.name);
        insta::assert_json_snapshot!(format!("samples_of_{}", vendor.name), all);
    }
}

#[test]
fn every_vendor_is_known_by_its_name_and_has_a_guide() {
    for known in VENDORS {
        assert!(std::ptr::eq(vendor(known.name).unwrap(), *known), "{} is there twice", known.name);
        assert!(known.guide.starts_with(&format!("# {}\n", known.title)), "the guide of {}", known.name);
        assert!(known.guide.contains(&format!("/webhooks/{}", known.name)), "the guide of {}", known.name);
        assert!(known.headers.iter().all(|header| *header == header.to_ascii_lowercase()));
    }
    assert!(vendor("nobody").is_none());
}

#[test]
#[ignore = "needs EM_METRICS_PAYLOADS"]
fn captured_deliveries_tell_what_they_should() {
    for vendor in VENDORS.iter().filter(|vendor| is_captured(vendor.name)) {
        let mut all = serde_json::Map::new();
        for Captured { file, headers, body } in captured(vendor.name) {
            all.insert(file, told(vendor, &headers, &body));
        }
        insta::assert_json_snapshot!(format!("captured_of_{}", vendor.name), all);
    }
}
