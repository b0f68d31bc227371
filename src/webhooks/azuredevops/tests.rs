//! What the samples do not show: states, attempts, votes.

use serde_json::{Value, json};

use super::*;
use crate::domain::deployment::{Outcome, Sighting};
use crate::domain::{PullRequest, Ticket, TicketStatus, Timestamp};
use crate::webhooks::{Happening, Settings};

fn told(body: &Value) -> Reading {
    let headers = Headers::default();
    let settings = Settings { deploy_workflows: vec!["deploy".to_owned()], ..Settings::default() };
    let about = about(&headers, Body(body));
    let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    read(&Event { event: &about.event, headers: &headers, body: Body(body), received_at, settings: &settings })
}

fn sample(name: &str) -> Value {
    serde_json::from_str(VENDOR.samples.iter().find(|sample| sample.name == name).unwrap().body).unwrap()
}

fn deployment(body: &Value) -> (Name, Sighting) {
    match told(body).unwrap().remove(0) {
        Happening::Deployment(fact) => (fact.id, fact.sighting),
        other => panic!("{other:?}"),
    }
}

fn request(body: &Value) -> PullRequest {
    match told(body).unwrap().remove(0) {
        Happening::PullRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

fn ticket(body: &Value) -> Ticket {
    match told(body).unwrap().remove(0) {
        Happening::Ticket(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_status_of_a_release() {
    let mut body = sample("release_deployed");
    for (status, failed) in [("succeeded", false), ("rejected", true), ("failed", true), ("partiallySucceeded", true)] {
        body["resource"]["environment"]["status"] = json!(status);
        let outcome = deployment(&body).1.outcome.unwrap();
        assert_eq!(matches!(outcome, Outcome::Failed(_)), failed, "{status}");
    }
    for status in [json!("canceled"), json!("undefined"), json!(null)] {
        body["resource"]["environment"]["status"] = status;
        told(&body).unwrap_err();
    }
}

#[test]
fn a_second_attempt_is_another_deployment_than_the_first() {
    let (started, deployed) = (sample("release_started"), sample("release_deployed"));
    let mut again = deployed.clone();
    again["resource"]["environment"]["deploySteps"] = json!([{"attempt": 1}, {"attempt": 2}]);
    assert_eq!(deployment(&started).0, deployment(&deployed).0);
    assert_ne!(deployment(&started).0, deployment(&again).0);
}

#[test]
fn a_run_says_how_it_ended_and_one_that_waits_says_nothing() {
    let mut body = sample("run");
    for (state, result, outcome) in [
        ("inProgress", json!(null), Some(None)),
        ("completed", json!("succeeded"), Some(Some(false))),
        ("completed", json!("failed"), Some(Some(true))),
        ("completed", json!("canceled"), None),
        ("completed", json!("skipped"), None),
        ("waiting", json!(null), None),
    ] {
        (body["resource"]["run"]["state"], body["resource"]["run"]["result"]) = (json!(state), result.clone());
        let read = told(&body).ok().map(|_| deployment(&body).1.outcome.map(|o| matches!(o, Outcome::Failed(_))));
        assert_eq!(read, outcome, "{state} {result}");
    }
    body["resource"]["pipeline"]["name"] = json!("Test");
    assert!(told(&body).unwrap_err().0.contains("deploy_workflows"));
}

#[test]
fn an_attempt_to_merge_is_no_merge_and_votes_count_when_they_are_cast() {
    let mut body = sample("pull_request");
    let voted = request(&body);
    assert_eq!((voted.first_review_at, voted.approved_at), (Some(voted.at), Some(voted.at)));
    body["resource"]["reviewers"][0]["vote"] = json!(-5);
    assert_eq!((request(&body).first_review_at.is_some(), request(&body).approved_at), (true, None));
    body["resource"]["reviewers"][0]["id"] = body["resource"]["createdBy"]["id"].clone();
    assert_eq!(request(&body).first_review_at, None);

    let mut body = sample("pull_request");
    body["eventType"] = json!("git.pullrequest.merged");
    let attempted = request(&body);
    assert_eq!((attempted.merged_at, attempted.is_closed, attempted.approved_at), (None, Some(false), None));
    assert_eq!(attempted.merge_sha, None);
    body["resource"]["status"] = json!("completed");
    body["resource"]["closedDate"] = json!("2026-06-15T09:59:00.5006647Z");
    let merged = request(&body);
    assert_eq!(merged.merged_at, Timestamp::parse("2026-06-15T09:59:00.500664Z").ok());
    assert!(merged.merge_sha.is_some() && merged.is_closed == Some(true));
}

#[test]
fn a_work_item_moves_when_its_state_changes() {
    let body = sample("work_item");
    let moved = ticket(&body);
    assert_eq!((moved.status, moved.started_at), (Some(TicketStatus::Started), Some(moved.at)));
    let mut body = body;
    body["resource"]["fields"] = json!({"System.Title": {"oldValue": "Sell", "newValue": "Sell boots"}});
    let renamed = ticket(&body);
    assert_eq!((renamed.started_at, renamed.title.unwrap().to_string()), (None, "Sell boots".to_owned()));
    body["resource"]["revision"]["fields"]["System.State"] = json!("Cooking");
    assert_eq!(ticket(&body).status, None);
    body["eventType"] = json!("workitem.deleted");
    assert_eq!(ticket(&body).status, Some(TicketStatus::Dropped));
}
