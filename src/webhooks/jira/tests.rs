use serde_json::{Value, json};

use super::*;
use crate::domain::incident::Cause;
use crate::webhooks::Settings;

/// What an issue tells that was updated so at 12:00.
fn told_as(event: Option<&str>, fields: &Value, changes: &Value) -> Result<Vec<Happening>, String> {
    let mut body = json!({"timestamp": 1_781_524_800_000_i64, "changelog": {"items": changes},
        "issue": {"key": "SHOP-42", "self": "https://jira.example/sub/rest/api/2/issue/1",
            "fields": {"created": "2026-06-08T11:00:00.000+0200"}}});
    if let Some(event) = event {
        body["webhookEvent"] = json!(event);
    }
    for (field, value) in fields.as_object().into_iter().flatten() {
        body["issue"]["fields"][field] = value.clone();
    }
    let headers = Headers::default();
    let about = about(&headers, Body(&body));
    let received_at = Timestamp::parse("2026-06-20T00:00:00Z").unwrap();
    let settings = Settings { estimate_field: Some("customfield_1".to_owned()), ..Settings::default() };
    let event = Event { event: &about.event, headers: &headers, body: Body(&body), received_at, settings: &settings };
    read(&event).map_err(|ignored| ignored.0)
}

fn told(fields: &Value, changes: &Value) -> Vec<Happening> {
    told_as(Some("jira:issue_updated"), fields, changes).unwrap()
}

fn ticket(happenings: &[Happening]) -> &Ticket {
    match &happenings[0] {
        Happening::Ticket(ticket) => ticket,
        other => panic!("no ticket: {other:?}"),
    }
}

fn incident(happening: &Happening) -> &incident::Sighting {
    match happening {
        Happening::Incident(fact) => &fact.sighting,
        other => panic!("no incident: {other:?}"),
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn status(category: &str) -> Value {
    json!({"name": "Any", "statusCategory": {"key": category}})
}

#[test]
fn an_issue_is_known_by_its_key_and_shown_where_people_see_it() {
    let happenings = told(&json!({}), &json!([]));
    let ticket = ticket(&happenings);
    assert_eq!((ticket.id.as_str(), ticket.place.as_str()), ("jira:SHOP-42", "jira:SHOP"));
    assert_eq!(ticket.url.as_ref().unwrap().as_str(), "https://jira.example/sub/browse/SHOP-42");
    assert_eq!(ticket.at, time("2026-06-15T12:00:00Z"));
    assert_eq!(ticket.status, None);
}

#[test]
fn work_begins_with_the_category_and_not_with_a_comment() {
    let change = json!([{"field": "status", "fromString": "To Do", "toString": "Doing"}]);
    let started = |fields: Value, changes: &Value| ticket(&told(&fields, changes)).started_at;
    let doing = json!({"status": status("indeterminate")});
    assert_eq!(started(doing.clone(), &change), Some(time("2026-06-15T12:00:00Z")));
    assert_eq!(started(doing, &json!([{"field": "assignee"}])), None);
    let since = json!({"status": status("indeterminate"), "statuscategorychangedate": "2026-06-10T10:00:00.000+0200"});
    assert_eq!(started(since, &json!([])), Some(time("2026-06-10T08:00:00Z")));
    assert_eq!(started(json!({"status": status("new")}), &change), None);
}

#[test]
fn done_is_not_always_finished() {
    let ended = |resolution: Value, changes: &Value| {
        let happenings = told(&json!({"status": status("done"), "resolution": resolution}), changes);
        (ticket(&happenings).status, ticket(&happenings).finished_at)
    };
    let change = json!([{"field": "status", "toString": "Done"}]);
    let at = Some(time("2026-06-15T12:00:00Z"));
    // a workflow that sets no resolution
    assert_eq!(ended(Value::Null, &change), (Some(TicketStatus::Finished), at));
    assert_eq!(ended(Value::Null, &json!([])), (Some(TicketStatus::Finished), None));
    assert_eq!(ended(json!({"name": "Won\u{2019}t Do"}), &change), (Some(TicketStatus::Dropped), None));
    assert_eq!(ended(json!({"name": "Duplicate"}), &change).0, Some(TicketStatus::Dropped));
    // versions without categories
    let old = told(&json!({"status": {"name": "Closed"}, "resolution": {"name": "Fixed"}}), &json!([]));
    assert_eq!(ticket(&old).status, Some(TicketStatus::Finished));
    assert_eq!(ticket(&told(&json!({"status": status("undefined")}), &json!([]))).status, None);
}

#[test]
fn what_is_deleted_is_dropped_unless_it_was_done() {
    let deleted = |category: &str| {
        ticket(&told_as(Some("jira:issue_deleted"), &json!({"status": status(category)}), &json!([])).unwrap()).status
    };
    assert_eq!(deleted("indeterminate"), Some(TicketStatus::Dropped));
    assert_eq!(deleted("done"), Some(TicketStatus::Finished));
}

#[test]
fn an_estimate_is_a_number_or_the_choice_of_one() {
    let estimate = |value: Value| ticket(&told(&json!({"customfield_1": value}), &json!([]))).estimate;
    assert_eq!(estimate(json!(3)), Some(3.0));
    assert_eq!(estimate(json!("0.5")), Some(0.5));
    assert_eq!(estimate(json!({"value": "8", "id": "1"})), Some(8.0));
    assert_eq!(estimate(Value::Null), None);
}

#[test]
fn an_incident_by_type_or_label_and_what_is_none_any_more() {
    let kind = json!({"issuetype": {"name": "Incident"}, "status": status("new")});
    assert_eq!(incident(&told(&kind, &json!([]))[0]).state, Some(State::Open));
    let done = json!({"labels": ["incident", "deployment:github:7001"], "status": status("done"),
        "resolutiondate": "2026-06-15T11:30:00.000+0000", "resolution": {"name": "Done"}});
    let happenings = told(&done, &json!([]));
    assert_eq!(happenings.len(), 1);
    assert_eq!(incident(&happenings[0]).state, Some(State::Finished(time("2026-06-15T11:30:00Z"))));
    assert_eq!(incident(&happenings[0]).cause, Some(Cause::Deployment(name("github:7001").unwrap())));
    let duplicate = json!({"labels": ["incident"], "status": status("done"), "resolution": {"name": "Duplicate"}});
    assert_eq!(incident(&told(&duplicate, &json!([]))[0]).state, Some(State::Void));
    for changes in [
        json!([{"field": "labels", "fromString": "till Incident", "toString": "till"}]),
        json!([{"field": "issuetype", "fromString": "Incident", "toString": "Task"}]),
    ] {
        let happenings =
            told(&json!({"issuetype": {"name": "Task"}, "labels": ["till"], "status": status("new")}), &changes);
        assert_eq!(ticket(&happenings).status, Some(TicketStatus::Waiting));
        assert_eq!(incident(&happenings[1]).state, Some(State::Void), "{changes}");
    }
}

#[test]
fn a_delivery_without_an_event_is_read_by_its_issue() {
    let nameless = told_as(None, &json!({"status": status("new")}), &Value::Null).unwrap();
    assert_eq!(ticket(&nameless).status, Some(TicketStatus::Waiting));
    let comment = told_as(Some("comment_created"), &json!({}), &Value::Null);
    assert_eq!(comment.unwrap_err(), "\"comment_created\" is no event that anything is read from");
}
