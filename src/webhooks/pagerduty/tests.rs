use serde_json::{Value, json};

use super::*;
use crate::webhooks::testing::{RECEIVED, at, ignored, incidents, states};

fn event(kind: &str, more: &Value) -> Value {
    let mut data = json!({"id": "PGR0VU2", "type": "incident", "status": "triggered", "assignees": []});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"event": {"id": "01", "event_type": kind, "occurred_at": "2026-06-15T10:05:00.250Z", "agent": null, "data": data}})
}

#[test]
fn the_kind_of_event_says_how_it_stands_whatever_the_status_says() {
    let when = at("2026-06-15T10:05:00.250Z");
    for (kind, state) in [
        ("incident.triggered", Some(State::Open)),
        ("incident.reopened", Some(State::Open)),
        ("incident.resolved", Some(State::Finished(when))),
        ("incident.acknowledged", None),
        ("incident.priority_updated", None),
    ] {
        assert_eq!(states(&VENDOR, &event(kind, &json!({}))), [state], "{kind}");
    }
    let merged = json!({"resolve_reason": {"type": "merge_resolve_reason", "incident": {"id": "P2"}}});
    assert_eq!(states(&VENDOR, &event("incident.resolved", &merged)), [Some(State::Void)]);
}

#[test]
fn what_is_null_or_absent_is_not_told() {
    let nulls = json!({"priority": null, "service": null, "urgency": "low"});
    let (id, sighting) = incidents(&VENDOR, &event("incident.triggered", &nulls)).remove(0);
    assert_eq!(id, "pagerduty:PGR0VU2");
    assert_eq!((sighting.started_at, sighting.severity.as_ref().unwrap().as_str()), (None, "low"));
    let bare = json!({"event": {"event_type": "incident.resolved", "data": {"id": "P1"}}});
    assert_eq!(states(&VENDOR, &bare), [Some(State::Finished(at(RECEIVED)))]);
}

#[test]
fn what_tells_nothing_says_why() {
    for (body, reason) in [
        (event("incident.unheard_of", &json!({})), "incident.unheard_of"),
        (event("incident.annotated", &json!({})), "incident.annotated"),
        (json!({"event": {"event_type": "pagey.ping", "data": {}}}), "all is well"),
        (json!({"event": {"event_type": "incident.triggered", "data": {}}}), "event.data.id"),
        (json!({"messages": []}), "no event"),
        (json!({"messages": [7, {"event": "incident.trigger"}]}), "no event that"),
        (json!({"routing_key": "e93", "event_action": "resolve"}), "webhook subscription"),
        (json!(null), "no event"),
    ] {
        assert!(ignored(&VENDOR, &body).contains(reason), "{body}: {}", ignored(&VENDOR, &body));
    }
}

#[test]
fn several_messages_are_several_tellings() {
    let message = |kind: &str, created_on: &str| json!({"event": kind, "created_on": created_on, "incident": {"id": "P1", "created_at": "2026-06-15T10:00:00Z"}});
    let body = json!({"messages": [
        message("incident.resolve", "2026-06-15T10:30:00Z"),
        message("incident.unheard_of", "2026-06-15T10:10:00Z"),
        message("incident.trigger", "2026-06-15T10:00:00Z"),
    ]});
    let told = incidents(&VENDOR, &body);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].1.state, Some(State::Finished(at("2026-06-15T10:30:00Z"))));
    assert_eq!((told[1].1.at, told[1].1.state), (at("2026-06-15T10:00:00Z"), Some(State::Open)));
    let about = (VENDOR.about)(&Headers::default(), Body(&body));
    assert_eq!(about, About { event: "incident.resolve".to_owned(), delivery: None });
}
