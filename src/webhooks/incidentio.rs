//! incident.io: <https://docs.incident.io/api-reference/webhooks>. The object is under the name of the event.

use super::body::id;
use super::{About, Body, Event, Fact, Headers, Ignored, Reading, Scheme, Vendor, several};
use crate::domain::incident::{Sighting, State};
use crate::domain::{Name, Timestamp};

pub static VENDOR: Vendor = Vendor {
    name: "incidentio",
    title: "incident.io",
    schemes: &[Scheme::Standard],
    headers: &["webhook-id"],
    about,
    read,
    guide: include_str!("guides/incidentio.md"),
    samples: &[
        sample!("incidentio", "created", [("webhook-id", "msg_created")]),
        sample!("incidentio", "status_learning", [("webhook-id", "msg_learning")]),
        sample!("incidentio", "status_closed", [("webhook-id", "msg_closed")]),
        sample!("incidentio", "status_declined", [("webhook-id", "msg_declined")]),
        sample!("incidentio", "test_mode", [("webhook-id", "msg_test")]),
        sample!("incidentio", "private", [("webhook-id", "msg_private")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    About {
        event: body.at("/event_type").text().unwrap_or_default().to_owned(),
        delivery: headers.get("webhook-id").map(str::to_owned),
    }
}

fn read(event: &Event<'_>) -> Reading {
    let object = event.body.field(event.event);
    let (subject, kind) = event.event.split_once('.').unwrap_or_default();
    // whatever version of it
    let kind = kind.rsplit_once("_v").map_or(kind, |(kind, _)| kind);
    match (subject, kind) {
        ("public_incident", "incident_created" | "incident_updated") => incident(event, object),
        ("public_incident", "incident_status_updated") => incident(event, object.at("/incident")),
        ("private_incident", _) => Err(Ignored::because("of a private incident only the id is sent")),
        ("public_alert" | "private_alert", _) => Err(Ignored::because("alerts are no incidents yet: these are read")),
        _ => Err(Ignored::event(event.event)),
    }
}

fn incident(event: &Event<'_>, incident: Body<'_>) -> Reading {
    match incident.at("/mode").text() {
        Some(mode @ ("test" | "tutorial")) => return Err(Ignored(format!("a {mode} is no incident"))),
        Some("stream") => return Err(Ignored::because("a stream is a part of another incident")),
        _ => {}
    }
    let at = incident.at("/updated_at").time().unwrap_or(event.received_at);
    let restored = moment(incident, &["fixed", "resolved", "impact ended"]);
    let states = match incident.at("/incident_status/category").text() {
        Some("triage") => return Err(Ignored::because("nobody has accepted it as an incident yet")),
        Some("live" | "active") => vec![State::Open],
        Some("paused") => vec![],
        Some("learning") => vec![State::Restored(restored.unwrap_or(at))],
        Some("closed") => several::ended(restored, moment(incident, &["closed"]).unwrap_or(at)),
        Some("declined" | "merged" | "canceled" | "cancelled") => vec![State::Void],
        other => return Err(Ignored(format!("{other:?} is no category of a status that is known here"))),
    };
    let incident_id = incident.at("/id").word().unwrap_or_default();
    let sighting = Sighting {
        started_at: moment(incident, &["impact started"]).or_else(|| incident.at("/created_at").time()),
        environment: custom(incident, &["environment"]),
        cause: super::causes::find([].into_iter(), incident.at("/summary").text()),
        severity: incident.at("/severity/name").name(),
        title: incident.at("/name").prose(),
        url: incident.at("/permalink").prose(),
        ..Sighting::new(at)
    };
    let project = custom(incident, &["project", "service", "services", "affected service", "affected services"]);
    let id = id(VENDOR.name, &[&incident_id]).ok_or_else(|| Ignored::because("it has no id of an incident"))?;
    Ok(several::stands(Fact { id, project, sighting }, &states))
}

/// Timestamps have the names that the account gives them, often with "at" behind.
fn moment(incident: Body<'_>, names: &[&str]) -> Option<Timestamp> {
    let values = || incident.at("/incident_timestamp_values").items();
    names.iter().find_map(|name| {
        let mut of_name = values().filter(|value| {
            let own = value.at("/incident_timestamp/name").text().unwrap_or_default().trim().to_lowercase();
            own.strip_suffix(" at").unwrap_or(&own) == *name
        });
        of_name.find_map(|value| value.at("/value/value").time())
    })
}

/// The first value of a field that the account has made.
fn custom(incident: Body<'_>, names: &[&str]) -> Option<Name> {
    let entries = || incident.at("/custom_field_entries").items();
    names.iter().find_map(|name| {
        let is_named = |entry: &Body<'_>| {
            entry.at("/custom_field/name").text().is_some_and(|own| own.trim().eq_ignore_ascii_case(name))
        };
        entries().filter(is_named).flat_map(|entry| entry.at("/values").items()).find_map(|value| {
            let places = ["/value_catalog_entry/name", "/value_option/value", "/value_text"];
            places.into_iter().find_map(|place| value.at(place).name())
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhooks::testing::{at, ignored, incidents, states};

    fn status(category: &str, timestamps: &Value) -> Value {
        json!({"event_type": "public_incident.incident_updated_v2", "public_incident.incident_updated_v2": {
            "id": "01F", "mode": "standard", "created_at": "2026-06-15T10:10:00Z", "updated_at": "2026-06-15T12:00:00Z",
            "incident_status": {"category": category, "name": "Closed"}, "incident_timestamp_values": timestamps,
        }})
    }

    fn value(name: &str, at: &str) -> Value {
        json!({"incident_timestamp": {"name": name}, "value": {"value": at}})
    }

    #[test]
    fn the_category_says_how_it_stands_and_timestamps_since_when() {
        let none = json!([{"incident_timestamp": {"name": "Fixed at"}, "value": null}]);
        let updated = at("2026-06-15T12:00:00Z");
        for (category, expected) in [
            ("live", vec![Some(State::Open)]),
            ("active", vec![Some(State::Open)]),
            ("paused", vec![None]),
            ("learning", vec![Some(State::Restored(updated))]),
            ("closed", vec![Some(State::Finished(updated))]),
            ("merged", vec![Some(State::Void)]),
            ("canceled", vec![Some(State::Void)]),
        ] {
            assert_eq!(states(&VENDOR, &status(category, &none)), expected, "{category}");
        }
        let times = json!([
            value("Impact started at", "2026-06-15T10:00:00Z"),
            value("Fixed at", "2026-06-15T10:30:00Z"),
            value("Closed at", "2026-06-15T11:30:00Z"),
        ]);
        let fixed = State::Restored(at("2026-06-15T10:30:00Z"));
        let closed = State::Finished(at("2026-06-15T11:30:00Z"));
        assert_eq!(states(&VENDOR, &status("closed", &times)), [Some(fixed), Some(closed)]);
        assert_eq!(states(&VENDOR, &status("learning", &times)), [Some(fixed)]);
        // it may have opened again since
        assert_eq!(states(&VENDOR, &status("live", &times)), [Some(State::Open)]);
        assert_eq!(incidents(&VENDOR, &status("live", &times))[0].1.started_at, Some(at("2026-06-15T10:00:00Z")));
    }

    #[test]
    fn what_tells_nothing_says_why() {
        assert!(ignored(&VENDOR, &status("triage", &json!([]))).contains("accepted"));
        assert!(ignored(&VENDOR, &status("vanished", &json!(7))).contains("vanished"));
        for (kind, reason) in [
            ("private_incident.incident_created_v2", "private"),
            ("public_alert.alert_created_v1", "alerts"),
            ("public_incident.action_created_v1", "action_created"),
            ("public_incident.incident_created_v3", "category"),
            ("", "\"\""),
        ] {
            assert!(ignored(&VENDOR, &json!({"event_type": kind, kind: {"id": "abc"}})).contains(reason), "{kind}");
        }
    }
}
