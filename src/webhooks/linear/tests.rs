use serde_json::{Value, json};

use super::*;
use crate::domain::Timestamp;
use crate::webhooks::{Settings, verify};

fn told(action: &str, data: &Value) -> Result<Ticket, String> {
    let mut body = json!({"type": "Issue", "action": action, "createdAt": "2026-06-15T14:00:00Z",
        "data": {"number": 42, "team": {"key": "SHOP"}, "updatedAt": "2026-06-15T13:00:00Z"}});
    for (field, value) in data.as_object().into_iter().flatten() {
        body["data"][field] = value.clone();
    }
    let headers = Headers::default();
    let about = about(&headers, Body(&body));
    let received_at = Timestamp::parse("2026-06-20T00:00:00Z").unwrap();
    let settings = Settings::default();
    let event = Event { event: &about.event, headers: &headers, body: Body(&body), received_at, settings: &settings };
    match read(&event).map_err(|ignored| ignored.0)?.remove(0) {
        Happening::Ticket(ticket) => Ok(ticket),
        other => Err(format!("{other:?}")),
    }
}

#[test]
fn an_issue_is_known_by_its_identifier_also_where_only_its_parts_are_sent() {
    let old = told("update", &json!({})).unwrap();
    assert_eq!((old.id.as_str(), old.place.as_str()), ("linear:SHOP-42", "linear:SHOP"));
    assert_eq!(told("update", &json!({"identifier": "SHOP-42", "number": null})).unwrap().id, old.id);
    assert_eq!(told("update", &json!({"number": null})).unwrap_err(), "it has no data.identifier");
}

#[test]
fn states_are_known_by_their_types() {
    let state = |kind: &str| told("update", &json!({"state": {"type": kind}, "completedAt": "2026-06-15T12:00:00Z"}));
    for (kind, status) in [
        ("triage", TicketStatus::Waiting),
        ("backlog", TicketStatus::Waiting),
        ("started", TicketStatus::Started),
        ("completed", TicketStatus::Finished),
        ("canceled", TicketStatus::Dropped),
        ("duplicate", TicketStatus::Dropped),
    ] {
        let ticket = state(kind).unwrap();
        assert_eq!(ticket.status, Some(status), "{kind}");
        assert_eq!(ticket.finished_at.is_some(), kind == "completed", "{kind}");
    }
    assert_eq!(state("paused").unwrap_err(), "\"paused\" is no type of state that is known here");
}

#[test]
fn what_is_removed_is_dropped_when_it_was_removed_and_what_is_done_stays_done() {
    let removed = told("remove", &json!({"state": {"type": "started"}})).unwrap();
    assert_eq!(
        (removed.status, removed.at.to_string().as_str()),
        (Some(TicketStatus::Dropped), "2026-06-15T14:00:00Z")
    );
    let done = told("remove", &json!({"state": {"type": "completed"}})).unwrap();
    assert_eq!(done.status, Some(TicketStatus::Finished));
}

#[test]
fn the_type_is_a_label() {
    let kind = |labels: &[&str]| {
        let labels: Vec<_> = labels.iter().map(|label| json!({"name": label})).collect();
        told("update", &json!({"labels": labels})).unwrap().kind.map(|kind| kind.as_str().to_owned())
    };
    assert_eq!(kind(&["Chore"]).as_deref(), Some("Chore"));
    assert_eq!(kind(&["Feature", "Till", "Bug"]).as_deref(), Some("Bug"));
    assert_eq!(kind(&["Till", "Desk"]), None);
}

#[test]
fn a_signed_time_may_be_a_minute_old_and_an_unsigned_one_does_not_count() {
    let body = br#"{"webhookTimestamp": 1781532000000}"#;
    // by openssl dgst -sha256 -hmac secret
    let signature = "6156f864cf5e089953c312e8bc30c3270ce2024ff7b8a6831af5359d99632564";
    let headers: Headers =
        [("Linear-Signature", signature), ("Linear-Timestamp", "1781539200000")].into_iter().collect();
    let judge = |now: &str| verify(VENDOR.schemes, &headers, body, &["secret"], Timestamp::parse(now).unwrap());
    assert_eq!(judge("2026-06-15T14:00:59Z"), Ok(()));
    assert_eq!(judge("2026-06-15T14:01:01Z"), Err(crate::webhooks::Forged::Old));
    assert_eq!(judge("2026-06-15T16:00:00Z"), Err(crate::webhooks::Forged::Old));
}
