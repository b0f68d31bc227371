//! Atlassian Statuspage: <https://support.atlassian.com/statuspage/docs/enable-webhook-notifications/>. It signs
//! nothing: the secret is the last part of the address.

use super::body::id;
use super::{About, Body, Event, Fact, Headers, Ignored, Reading, Vendor, several};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "statuspage",
    title: "Statuspage",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/statuspage.md"),
    samples: &[
        sample!("statuspage", "investigating", []),
        sample!("statuspage", "monitoring", []),
        sample!("statuspage", "resolved", []),
        sample!("statuspage", "scheduled", []),
        sample!("statuspage", "component", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let event = match body.at("/incident/status").text() {
        Some(status) => format!("incident.{status}"),
        None if body.at("/component_update").is_null() => String::new(),
        None => "component_update".to_owned(),
    };
    About { event, delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    let incident = event.body.at("/incident");
    if event.event == "component_update" {
        return Err(Ignored::because("how a component stands is no incident: these are read"));
    }
    if incident.is_null() {
        return Err(Ignored::because("it has no incident"));
    }
    if !incident.at("/scheduled_for").is_null() || incident.at("/impact").text() == Some("maintenance") {
        return Err(Ignored::because("a scheduled maintenance is no incident"));
    }
    if incident.at("/backfilled").flag() == Some(true) {
        return Err(Ignored::because("it was written down long after it happened"));
    }
    let at = incident.at("/updated_at").time().unwrap_or(event.received_at);
    let monitoring = incident.at("/monitoring_at").time();
    let states = match incident.at("/status").text() {
        Some("investigating" | "identified") => vec![State::Open],
        Some("monitoring") => vec![State::Restored(monitoring.unwrap_or(at))],
        Some("resolved" | "postmortem") => several::ended(monitoring, incident.at("/resolved_at").time().unwrap_or(at)),
        other => return Err(Ignored(format!("{other:?} is no status of an incident that is known here"))),
    };
    let incident_id = incident.at("/id").word().unwrap_or_default();
    let mut texts = incident.at("/incident_updates").items().map(|update| update.at("/body").text());
    let sighting = Sighting {
        started_at: incident.at("/created_at").time(),
        cause: texts.find_map(|text| super::causes::find([].into_iter(), text)),
        severity: incident.at("/impact").name(),
        title: incident.at("/name").prose(),
        url: incident.at("/shortlink").prose(),
        ..Sighting::new(at)
    };
    let project = several::first_name(incident.at("/components")).or_else(|| event.body.at("/page/id").name());
    let id = id(VENDOR.name, &[&incident_id]).ok_or_else(|| Ignored::because("it has no incident.id"))?;
    Ok(several::stands(Fact { id, project, sighting }, &states))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhooks::testing::{at, ignored, states};

    fn incident(more: &Value) -> Value {
        let mut incident = json!({"id": "z3", "updated_at": "2026-06-15T12:00:00Z", "monitoring_at": null});
        incident.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"page": {"id": "jb"}, "incident": incident})
    }

    #[test]
    fn the_status_says_how_it_stands_and_the_times_since_when() {
        let of = |status: &str| {
            let times = json!({"monitoring_at": "2026-06-15T10:30:00.5Z", "resolved_at": "2026-06-15T11:00:00Z"});
            let mut body = incident(&times);
            body["incident"]["status"] = json!(status);
            states(&VENDOR, &body)
        };
        let restored = Some(State::Restored(at("2026-06-15T10:30:00.500Z")));
        let finished = Some(State::Finished(at("2026-06-15T11:00:00Z")));
        // it may have begun again since it was watched
        assert_eq!(of("investigating"), [Some(State::Open)]);
        assert_eq!(of("monitoring"), [restored]);
        assert_eq!(of("resolved"), [restored, finished]);
        assert_eq!(of("postmortem"), [restored, finished]);
        let bare = states(&VENDOR, &incident(&json!({"status": "resolved"})));
        assert_eq!(bare, [Some(State::Finished(at("2026-06-15T12:00:00Z")))]);
    }

    #[test]
    fn what_tells_nothing_says_why() {
        for (more, reason) in [
            (json!({"status": "resolved", "scheduled_for": "2026-06-16T00:00:00Z"}), "maintenance"),
            (json!({"status": "resolved", "backfilled": true}), "long after"),
            (json!({"status": "in_progress"}), "in_progress"),
            (json!({"status": "resolved", "id": null}), "incident.id"),
        ] {
            assert!(ignored(&VENDOR, &incident(&more)).contains(reason), "{more}");
        }
        assert!(ignored(&VENDOR, &json!({"component_update": {}})).contains("component"));
        assert!(ignored(&VENDOR, &json!({"page": {}})).contains("no incident"));
    }
}
