use serde_json::json;

use super::*;
use crate::webhooks::testing::{RECEIVED, at, ignored, incidents, read, states};

#[test]
fn the_header_says_when_it_was_done() {
    let issue = json!({"id": "7", "firstSeen": "2026-06-15T10:00:00.000000Z", "project": {"slug": "shop"}});
    let headers = [("sentry-hook-resource", "issue"), ("sentry-hook-timestamp", "1781519400")];
    let done = at("2026-06-15T10:30:00Z");
    for (action, when, state) in [
        ("created", at("2026-06-15T10:00:00Z"), Some(State::Open)),
        ("unresolved", done, Some(State::Open)),
        ("resolved", done, Some(State::Finished(done))),
        ("ignored", done, Some(State::Void)),
        ("archived", done, Some(State::Void)),
        ("assigned", done, None),
    ] {
        let told = read(&VENDOR, &headers, &json!({"action": action, "data": {"issue": issue}})).unwrap();
        let Happening::Incident(fact) = &told[0] else { panic!("{told:?}") };
        assert_eq!((fact.sighting.at, fact.sighting.state), (when, state), "{action}");
    }
    let bare = json!({"action": "resolved", "data": {"issue": issue}});
    assert_eq!(states(&VENDOR, &bare), [Some(State::Finished(at(RECEIVED)))]);
}

#[test]
fn a_repairing_release_is_no_cause_and_the_first_one_is() {
    let cause =
        |issue: Value| incidents(&VENDOR, &json!({"action": "created", "data": {"issue": issue}}))[0].1.cause.clone();
    assert_eq!(cause(json!({"id": 1, "statusDetails": {"inRelease": "2.0"}})), None);
    let version = super::super::body::name("1.9").map(Cause::Version);
    assert_eq!(cause(json!({"id": 1, "firstRelease": {"version": "1.9"}})), version);
}

#[test]
fn an_alert_and_its_issue_are_one_incident_of_one_project() {
    let alert = json!({"action": "triggered", "data": {"event": {
        "issue_url": "https://sentry.example/api/0/issues/7/", "project": 5_216_640, "timestamp": 1_781_517_600.5,
        "url": "https://sentry.example/api/0/projects/acme/shop/events/80777a9c/", "release": "shop@1.9",
    }}});
    let told = read(&VENDOR, &[], &alert).unwrap();
    let Happening::Incident(fact) = &told[0] else { panic!("{told:?}") };
    assert_eq!((fact.id.as_str(), fact.project.as_ref().unwrap().as_str()), ("sentry:issue:7", "shop"));
    assert_eq!(fact.sighting.at, at("2026-06-15T10:00:00.500Z"));
}

#[test]
fn what_tells_nothing_says_why() {
    for (body, reason) in [
        (json!({"action": "created", "data": {"issue": {}}}), "issue"),
        (json!({"action": "eaten", "data": {"issue": {"id": 1}}}), "issue.eaten"),
        (json!({"action": "critical", "data": {"metric_alert": {}}}), "data.metric_alert.id"),
        (json!({"data": {"metric_alert": {"id": 1}}}), "metric_alert"),
        (json!({"action": "created", "data": {"comment_id": 1, "issue_id": 2}}), "comment.created"),
        (json!({"event": {}}), "issue"),
        (json!([]), "\"\""),
    ] {
        assert!(ignored(&VENDOR, &body).contains(reason), "{body}: {}", ignored(&VENDOR, &body));
    }
}
