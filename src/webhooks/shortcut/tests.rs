use serde_json::{Value, json};

use super::*;
use crate::webhooks::Settings;

fn told(body: &Value) -> Result<Vec<Ticket>, String> {
    let headers = Headers::default();
    let about = about(&headers, Body(body));
    let received_at = Timestamp::parse("2026-06-20T00:00:00Z").unwrap();
    let settings = Settings::default();
    let event = Event { event: &about.event, headers: &headers, body: Body(body), received_at, settings: &settings };
    let happenings = read(&event).map_err(|ignored| ignored.0)?;
    let ticket = |happening| match happening {
        Happening::Ticket(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    };
    Ok(happenings.into_iter().map(ticket).collect())
}

fn update(changes: &Value, references: &Value) -> Ticket {
    let story = json!({"id": 42, "entity_type": "story", "action": "update", "name": "Sell more", "changes": changes});
    told(&json!({"changed_at": "2026-06-15T14:00:00Z", "actions": [story], "references": references}))
        .unwrap()
        .remove(0)
}

#[test]
fn each_story_of_a_delivery_is_a_ticket_and_nothing_else_is_one() {
    let action = |id: u32, kind: &str| json!({"id": id, "entity_type": kind, "action": "update", "name": "x"});
    let body = json!({"id": "d-1", "changed_at": "2026-06-15T14:00:00Z",
        "actions": [action(1, "branch"), action(42, "story"), action(43, "story"), action(7, "epic")]});
    let ids: Vec<_> = told(&body).unwrap().into_iter().map(|ticket| (ticket.id, ticket.place)).collect();
    let name = |text: &str| crate::webhooks::body::name(text).unwrap();
    let place = name("shortcut:stories");
    assert_eq!(ids, [(name("shortcut:42"), place.clone()), (name("shortcut:43"), place)]);
    let about = about(&Headers::default(), Body(&body));
    assert_eq!((about.event.as_str(), about.delivery.as_deref()), ("story.update", Some("d-1")));
    let none = told(&json!({"actions": [action(7, "epic")]})).unwrap_err();
    assert_eq!(none, "none of its actions is on a story");
    assert_eq!(told(&json!({})).unwrap_err(), none);
}

#[test]
fn a_state_is_known_by_its_type_or_by_the_flags_beside_it() {
    let moved = json!({"workflow_state_id": {"new": 503, "old": 502}, "completed_at": {"new": "2026-06-15T13:59:00Z"}});
    let state = |kind: &str| json!([{"id": 503, "entity_type": "workflow-state", "name": "Out", "type": kind}]);
    let done = update(&moved, &state("done"));
    assert_eq!((done.status, done.finished_at.is_some()), (Some(TicketStatus::Finished), true));
    let started = update(&moved, &state("started"));
    assert_eq!((started.status, started.finished_at), (Some(TicketStatus::Started), None));
    assert_eq!(update(&moved, &state("backlog")).status, Some(TicketStatus::Waiting));
    assert_eq!(update(&moved, &state("frozen")).status, None);
    // another thing with the same number
    let other = json!([{"id": 503, "entity_type": "label", "type": "done"}]);
    assert_eq!(update(&moved, &other).status, None);
    let flags = json!({"workflow_state_id": {"new": 503}, "completed": {"new": true}});
    assert_eq!(update(&flags, &json!([])).status, Some(TicketStatus::Finished));
    assert_eq!(update(&json!({"started": {"new": true}}), &json!([])).status, Some(TicketStatus::Started));
    assert_eq!(update(&json!({"label_ids": {"adds": [1]}}), &json!([])).status, None);
}

#[test]
fn what_is_taken_away_is_not_the_old_value() {
    let ticket = update(&json!({"estimate": {"old": 4}, "name": {"old": "a", "new": "b"}}), &json!([]));
    assert_eq!((ticket.estimate, ticket.title.unwrap().as_str()), (None, "b"));
}
