//! Opsgenie and Jira Service Management's alerts: <https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/>.

use super::body::{id, name};
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor, tags};
use crate::domain::Name;
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "opsgenie",
    title: "Opsgenie",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/opsgenie.md"),
    samples: &[
        sample!("opsgenie", "create", []),
        sample!("opsgenie", "acknowledge", []),
        sample!("opsgenie", "add_note", []),
        sample!("opsgenie", "close", []),
        sample!("opsgenie", "delete", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    About { event: body.at("/action").text().unwrap_or_default().to_owned(), delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    let alert = event.body.at("/alert");
    let at = alert.at("/updatedAt").time().unwrap_or(event.received_at);
    let state = match event.event {
        "Create" => Some(State::Open),
        "Close" => Some(State::Finished(at)),
        "Delete" => Some(State::Void),
        "Acknowledge" | "UnAcknowledge" | "AddTeam" | "AddRecipient" | "AddResponder" | "AddNote" | "AddTags"
        | "RemoveTags" | "AssignOwnership" | "TakeOwnership" | "Snooze" | "SnoozeEnded" | "UpdatePriority"
        | "UpdateMessage" | "UpdateDescription" => None,
        "Escalate" | "EscalateNext" => return Err(Ignored::because("it says nothing of the alert but its id")),
        _ => return Err(Ignored::event(event.event)),
    };
    let tags: Vec<_> = alert.at("/tags").items().filter_map(Body::text).collect();
    let texts = ["/note", "/description", "/message"].map(|field| alert.at(field).text());
    let cause = texts.into_iter().find_map(|text| super::causes::find(tags.iter().copied(), text));
    let alert_id = alert.at("/alertId").word().unwrap_or_default();
    Ok(vec![Happening::incident(
        id(VENDOR.name, &[&alert_id]).ok_or_else(|| Ignored::because("it has no alert.alertId"))?,
        tags::value(&tags, tags::PROJECT).or_else(|| alert.at("/entity").name()),
        Sighting {
            state,
            started_at: alert.at("/createdAt").time(),
            environment: tags::value(&tags, tags::ENVIRONMENT),
            cause,
            severity: priority(alert.at("/priority")),
            title: alert.at("/message").prose(),
            ..Sighting::new(at)
        },
    )])
}

/// `P3`, which some send as 3.
fn priority(priority: Body<'_>) -> Option<Name> {
    match priority.0.as_i64() {
        Some(number) => name(&format!("P{number}")),
        None => priority.name(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::incident::Cause;
    use crate::webhooks::testing::{at, ignored, incidents, states};

    fn action(action: &str) -> Value {
        json!({"action": action, "alert": {
            "alertId": "a-1", "createdAt": 1_781_517_600_000_i64, "updatedAt": 1_781_517_900_250_000_000_i64,
            "tags": ["service:shop", "Env: live", "deployment:github:7"], "entity": "till", "priority": 2,
        }})
    }

    #[test]
    fn nanoseconds_and_milliseconds_stand_side_by_side() {
        let (id, sighting) = incidents(&VENDOR, &action("Close")).remove(0);
        let closed = at("2026-06-15T10:05:00.250Z");
        assert_eq!(
            (id.as_str(), sighting.at, sighting.started_at),
            ("opsgenie:a-1", closed, Some(at("2026-06-15T10:00:00Z")))
        );
        assert_eq!(sighting.state, Some(State::Finished(closed)));
        assert_eq!(sighting.environment, name("live"));
        assert_eq!(sighting.severity, name("P2"));
        assert_eq!(sighting.cause, name("github:7").map(Cause::Deployment));
    }

    #[test]
    fn only_creating_closing_and_deleting_change_how_it_stands() {
        assert_eq!(states(&VENDOR, &action("Create")), [Some(State::Open)]);
        assert_eq!(states(&VENDOR, &action("Delete")), [Some(State::Void)]);
        assert_eq!(states(&VENDOR, &action("AddNote")), [None]);
        assert!(ignored(&VENDOR, &action("Reboot the till")).contains("Reboot"));
        assert!(ignored(&VENDOR, &action("Escalate")).contains("its id"));
        assert!(ignored(&VENDOR, &json!({"action": "Close"})).contains("alertId"));
    }
}
