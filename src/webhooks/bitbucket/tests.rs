//! What the samples do not show: who has reviewed, and bodies that say less.

use serde_json::{Value, json};

use super::*;
use crate::domain::{PullRequest, Timestamp};
use crate::webhooks::{Happening, Settings};

fn told(key: &str, body: &Value) -> Reading {
    let headers: Headers = [("x-event-key", key)].into_iter().collect();
    let settings = Settings::default();
    let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    read(&Event { event: key, headers: &headers, body: Body(body), received_at, settings: &settings })
}

fn sample(name: &str) -> Value {
    serde_json::from_str(VENDOR.samples.iter().find(|sample| sample.name == name).unwrap().body).unwrap()
}

fn request(key: &str, body: &Value) -> PullRequest {
    match told(key, body).unwrap().remove(0) {
        Happening::PullRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

#[test]
fn only_others_review_and_no_apps() {
    let mut body = sample("pull_request_approved");
    assert!(request("pullrequest:approved", &body).approved_at.is_some());
    body["approval"]["user"]["type"] = json!("app_user");
    assert_eq!(request("pullrequest:approved", &body).approved_at, None);
    body["approval"]["user"] = body["pullrequest"]["author"].clone();
    assert_eq!(request("pullrequest:approved", &body).first_review_at, None);

    let mut body = sample("data_center_needs_work");
    assert!(request("pr:reviewer:needs_work", &body).first_review_at.is_some());
    assert_eq!(request("pr:reviewer:needs_work", &body).approved_at, None);
    assert!(request("pr:reviewer:approved", &body).approved_at.is_some());
    body["participant"]["user"]["name"] = json!("ann");
    assert_eq!(request("pr:reviewer:approved", &body).first_review_at, None);
}

#[test]
fn a_request_ends_when_it_is_said_to() {
    let merged = sample("pull_request_merged");
    let later = request("pullrequest:comment_deleted", &merged);
    assert_eq!((later.merged_at, later.closed_at, later.is_closed), (None, None, Some(true)));
    let deleted = request("pr:deleted", &sample("data_center_needs_work"));
    assert_eq!((deleted.is_closed, deleted.closed_at, deleted.merged_at), (Some(true), Some(deleted.at), None));
}

#[test]
fn the_numbers_of_requests_are_of_their_repository() {
    let cloud = request("pullrequest:approved", &sample("pull_request_approved"));
    assert_eq!((cloud.id.as_str(), cloud.repository.as_str()), ("bitbucket:acme/shop:pull:12", "bitbucket:acme/shop"));
    let own = request("pr:merged", &sample("data_center_merged"));
    assert_eq!((own.id.as_str(), own.repository.as_str()), ("bitbucket:ACME/shop:pull:12", "bitbucket:ACME/shop"));
}

#[test]
fn newer_data_centers_list_commits() {
    let mut body = sample("data_center_push");
    body["changes"].as_array_mut().unwrap().pop();
    let commit = |id: &str, at: i64| json!({"id": id, "committerTimestamp": at});
    body["commits"] = json!([commit("2f8c6b1", 1_781_517_480_000), commit("a0b1c2d", 1_781_451_000_000)]);
    body["toCommit"] = commit("2f8c6b1", 1_781_517_480_000);
    let Happening::Push(push) = told("repo:refs_changed", &body).unwrap().remove(0) else { panic!("no push") };
    let shas: Vec<_> = push.commits.iter().map(|commit| commit.sha.as_str()).collect();
    assert_eq!((shas, push.is_cut), (vec!["a0b1c2d", "2f8c6b1"], true));
}

#[test]
fn what_says_nothing_is_ignored() {
    for (key, body) in [
        ("repo:push", json!({"repository": {"full_name": "a/b"}, "push": {"changes": []}})),
        ("repo:push", json!({})),
        ("repo:refs_changed", json!({"repository": {"slug": "b", "project": {"key": "A"}}})),
        ("pullrequest:updated", json!({"repository": {"full_name": "a/b"}})),
        ("pr:merged", json!({})),
        ("diagnostics:ping", json!({"test": true})),
        ("repo:fork", json!({})),
    ] {
        told(key, &body).unwrap_err();
    }
}
