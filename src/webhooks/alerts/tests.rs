use serde_json::{Value, json};

use super::*;
use crate::webhooks::testing::{RECEIVED, at, ignored, incidents, states};
use crate::webhooks::{alertmanager, grafana};

fn alert(status: &str, ends_at: &str) -> Value {
    json!({
        "status": status, "labels": {"alertname": "Down", "job": "node"}, "fingerprint": "f404",
        "startsAt": "2026-06-15T10:00:00.123456789Z", "endsAt": ends_at,
    })
}

fn delivery(alerts: &[Value]) -> Value {
    json!({"status": "firing", "alerts": alerts, "truncatedAlerts": 0})
}

#[test]
fn each_alert_has_its_own_status_and_the_group_has_no_say() {
    let unset = "0001-01-01T00:00:00Z";
    let body =
        delivery(&[alert("resolved", "2026-06-15T10:30:00.5Z"), alert("firing", unset), alert("resolved", unset)]);
    let told = incidents(&alertmanager::VENDOR, &body);
    let ended = at("2026-06-15T10:30:00.5Z");
    let started = at("2026-06-15T10:00:00.123456Z");
    assert_eq!((told[0].1.at, told[0].1.state), (ended, Some(State::Finished(ended))));
    assert_eq!((told[1].1.at, told[1].1.state), (started, Some(State::Open)));
    assert_eq!(told[2].1.state, Some(State::Finished(at(RECEIVED))));
    assert!(told.iter().all(|(id, sighting)| *id == told[0].0 && sighting.started_at == Some(started)));
    assert_eq!(incidents(&grafana::VENDOR, &body)[0].0, told[0].0.replace("alertmanager:", "grafana:"));
}

#[test]
fn what_fires_again_is_another_incident() {
    let mut again = alert("firing", "");
    again["startsAt"] = json!("2026-06-15T11:00:00Z");
    let told = incidents(&alertmanager::VENDOR, &delivery(&[alert("firing", ""), again]));
    assert_ne!(told[0].0, told[1].0);
}

#[test]
fn without_a_fingerprint_the_labels_are_one_in_any_order() {
    let of = |labels: &str| {
        let labels: Value = serde_json::from_str(labels).unwrap();
        let alert = json!({"status": "firing", "labels": labels, "startsAt": "2026-06-15T10:00:00+02:00"});
        incidents(&alertmanager::VENDOR, &delivery(&[alert])).remove(0).0
    };
    assert_eq!(of(r#"{"a": "1", "b": "2"}"#), of(r#"{"b": "2", "a": "1"}"#));
    assert_ne!(of(r#"{"a": "1", "b": "2"}"#), of(r#"{"a": "1", "b": "3"}"#));
    assert!(of("{}").ends_with(":2026-06-15T08:00:00Z"));
}

#[test]
fn what_tells_nothing_says_why_and_what_was_cut_off_is_noted() {
    let reason = |alerts: &[Value]| ignored(&alertmanager::VENDOR, &delivery(alerts));
    assert!(reason(&[]).contains("empty"));
    assert!(reason(&[alert("suppressed", "")]).contains("suppressed"));
    assert!(reason(&[json!({"status": "firing", "fingerprint": "f"})]).contains("startsAt"));
    assert!(reason(&[json!(7)]).contains("startsAt"));
    let test = json!({
        "status": "firing", "startsAt": "2026-06-15T10:00:00Z",
        "labels": {"alertname": "TestAlert", "instance": "Grafana"},
    });
    assert!(ignored(&grafana::VENDOR, &delivery(&[test])).contains("test"));
    // one that cannot be read takes no other with it
    assert_eq!(states(&alertmanager::VENDOR, &delivery(&[json!(7), alert("firing", "")])), [Some(State::Open)]);
    let cut = json!({"status": "firing", "alerts": [], "truncatedAlerts": 3});
    assert_eq!(about(Body(&cut)).event, "firing, 3 more cut off by max_alerts");
}
