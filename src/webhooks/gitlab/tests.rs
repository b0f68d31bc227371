//! What the samples do not show: states, and who has reviewed.

use serde_json::{Value, json};

use super::*;
use crate::domain::{PullRequest, Timestamp, incident};
use crate::webhooks::Settings;

fn told(body: &Value) -> Reading {
    let headers = Headers::default();
    let about = about(&headers, Body(body));
    let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    let settings = Settings { deploy_workflows: vec!["Ship".to_owned()], releases: true, ..Settings::default() };
    read(&Event { event: &about.event, headers: &headers, body: Body(body), received_at, settings: &settings })
}

fn sample(name: &str) -> Value {
    serde_json::from_str(VENDOR.samples.iter().find(|sample| sample.name == name).unwrap().body).unwrap()
}

fn with(mut body: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[field] = value.clone();
    }
    body
}

fn deployment_of(body: &Value) -> deployment::Sighting {
    match told(body).unwrap().remove(0) {
        Happening::Deployment(fact) => fact.sighting,
        other => panic!("{other:?}"),
    }
}

fn incident_of(body: &Value) -> incident::Sighting {
    match told(body).unwrap().remove(0) {
        Happening::Incident(fact) => fact.sighting,
        other => panic!("{other:?}"),
    }
}

fn request_of(body: &Value) -> PullRequest {
    match told(body).unwrap().remove(0) {
        Happening::PullRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_status_of_a_deployment() {
    let at = Timestamp::parse("2026-06-15T10:04:31Z").unwrap();
    let status = |status: &str| with(sample("deployment"), &[("/status", json!(status))]);
    let running = deployment_of(&status("running"));
    assert_eq!((running.deploy_start_at, running.outcome), (Some(at), None));
    for (word, outcome) in [("success", Outcome::Deployed(at)), ("failed", Outcome::Failed(at))] {
        let said = deployment_of(&status(word));
        assert_eq!((said.deploy_start_at, said.outcome), (None, Some(outcome)), "{word}");
    }
    assert_eq!(deployment_of(&status("created")).outcome, None);
    for word in ["canceled", "skipped", "approved", ""] {
        told(&status(word)).unwrap_err();
    }
    told(&with(sample("deployment"), &[("/deployment_id", json!(null))])).unwrap_err();
}

#[test]
fn a_commit_is_the_end_of_its_address_or_else_its_beginning() {
    let commit = |url: Value| {
        let body = with(sample("deployment"), &[("/commit_url", url)]);
        deployment_of(&body).commit_sha.unwrap().to_string()
    };
    let other = "https://gitlab.example/-/commit/9999999d0e4a5973c1b2a3948576d0e1f2a3b4c5";
    for url in [json!(null), json!("https://gitlab.example/"), json!(other), json!("")] {
        assert_eq!(commit(url), "2f8c6b1d");
    }
    let whole = "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5";
    assert_eq!(commit(json!(format!("https://gitlab.example/acme/shop/-/commit/{whole}"))), whole);
}

#[test]
fn a_pipeline_of_the_name_is_one_deployment() {
    let finished = [
        ("/object_attributes/name", json!("ship")),
        ("/object_attributes/status", json!("success")),
        ("/object_attributes/finished_at", json!("2026-06-15 10:05:12 UTC")),
    ];
    let body = with(sample("pipeline"), &finished);
    let said = deployment_of(&body);
    let at = Timestamp::parse("2026-06-15T10:05:12Z").unwrap();
    assert_eq!((said.at, said.outcome, said.environment), (at, Some(Outcome::Deployed(at)), None));
    let production = with(body, &[("/builds/1/environment/name", json!("production"))]);
    assert_eq!(deployment_of(&production).environment, name("production"));
    assert!(told(&sample("pipeline")).unwrap_err().0.contains("deploy_workflows"));
}

#[test]
fn a_release_of_tomorrow_is_not_yet_a_deployment() {
    let body = with(sample("release"), &[("/released_at", json!("2026-06-16 10:00:00 UTC"))]);
    assert!(told(&body).unwrap_err().0.contains("2026-06-16"));
    told(&with(sample("release"), &[("/action", json!("update"))])).unwrap_err();
}

#[test]
fn only_others_review_and_only_people() {
    let approval = |user: Value| {
        let body = sample("merge_request");
        request_of(&with(body, &[("/object_attributes/action", json!("approved")), ("/user", user)]))
    };
    let at = Timestamp::parse("2026-06-15T09:59:00Z").ok();
    let of_bob = approval(json!({"id": 8, "username": "bob"}));
    assert_eq!((of_bob.first_review_at, of_bob.approved_at, of_bob.author), (at, at, name("ann")));
    for user in [json!({"id": 7, "username": "ann"}), json!({"id": 9, "username": "project_1001_bot_4ab"})] {
        assert_eq!(approval(user).approved_at, None);
    }
    let own = with(sample("note"), &[("/object_attributes/author_id", json!(7))]);
    assert_eq!(request_of(&own).first_review_at, None);
    told(&with(sample("note"), &[("/object_attributes/system", json!(true))])).unwrap_err();
}

#[test]
fn a_merge_request_is_merged_when_it_was_and_not_when_it_changed_after() {
    let later = [
        ("/object_attributes/action", json!("update")),
        ("/object_attributes/updated_at", json!("2026-06-15 12:00:00 UTC")),
    ];
    let said = request_of(&with(sample("merge_request"), &later));
    assert_eq!((said.merged_at, said.is_closed, said.ready_at), (None, Some(true), None));
    let title = json!({"title": {"previous": "Draft: Sell", "current": "Sell"}});
    let ready = request_of(&with(sample("merge_request"), &[("/changes", title)]));
    assert_eq!(ready.ready_at, Some(ready.at));
}

#[test]
fn what_is_no_incident_any_longer_was_none() {
    let bare = with(sample("issue"), &[("/labels", json!([{"title": "incident"}]))]);
    assert_eq!(incident_of(&bare).state, Some(incident::State::Open));
    let gone = json!({"labels": {"previous": [{"title": "Incident"}], "current": []}});
    let gone = with(sample("issue"), &[("/changes", gone)]);
    assert_eq!(incident_of(&gone).state, Some(incident::State::Void));
    let twin = with(sample("incident"), &[("/object_attributes/duplicated_to_id", json!(12))]);
    assert_eq!(incident_of(&twin).state, Some(incident::State::Void));
    let labels = json!([{"title": "incident"}, {"title": "severity::2"}, {"title": "deployment::4201"}]);
    let labelled = incident_of(&with(sample("issue"), &[("/labels", labels)]));
    assert_eq!(labelled.severity, name("2"));
    assert_eq!(labelled.cause, name("4201").map(incident::Cause::Deployment));
}
