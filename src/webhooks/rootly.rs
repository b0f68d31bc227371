//! Rootly: <https://docs.rootly.com/configuration/event-payloads>.

use super::body::id;
use super::{About, Body, Event, Fact, Headers, Ignored, Reading, Scheme, Vendor, several};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "rootly",
    title: "Rootly",
    schemes: &[Scheme::StampedHex { header: "x-rootly-signature" }],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/rootly.md"),
    samples: &[
        sample!("rootly", "created", []),
        sample!("rootly", "mitigated", []),
        sample!("rootly", "resolved", []),
        sample!("rootly", "cancelled", []),
        sample!("rootly", "test", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let parts = ["/event/id", "/event/type", "/event/issued_at"].map(|field| body.at(field).word());
    About {
        event: body.at("/event/type").text().unwrap_or_default().to_owned(),
        // the documentation has one id in all its examples: so no event may be lost should that be meant
        delivery: parts.into_iter().collect::<Option<Vec<_>>>().map(|parts| parts.join(" ")),
    }
}

fn read(event: &Event<'_>) -> Reading {
    let incident = event.body.at("/data");
    match event.event.split_once('.') {
        Some(("incident", _)) => {}
        Some(("alert", _)) => return Err(Ignored::because("alerts are no incidents yet: these are read")),
        _ => return Err(Ignored::event(event.event)),
    }
    match incident.at("/kind").text() {
        None | Some("normal" | "backfilled") => {}
        Some("scheduled") => return Err(Ignored::because("a scheduled maintenance is no incident")),
        Some(sub) if sub.ends_with("_sub") => return Err(Ignored::because("it is a part of another incident")),
        Some(other) => return Err(Ignored(format!("of kind {other:?}, which is no incident"))),
    }
    let time = |field: &str| incident.at(field).time();
    let issued = event.body.at("/event/issued_at").time();
    let at = time("/updated_at").or(issued).unwrap_or(event.received_at);
    let states = match (event.event, incident.at("/status").text()) {
        ("incident.deleted", _) | (_, Some("cancelled" | "canceled")) => vec![State::Void],
        (_, Some("in_triage")) => return Err(Ignored::because("nobody has accepted it as an incident yet")),
        (_, Some("started" | "detected" | "acknowledged")) => vec![State::Open],
        (_, Some("mitigated")) => vec![State::Restored(time("/mitigated_at").unwrap_or(at))],
        (_, Some("resolved" | "closed" | "completed")) => {
            several::ended(time("/mitigated_at"), time("/resolved_at").unwrap_or(at))
        }
        (_, other) => return Err(Ignored(format!("{other:?} is no status of an incident that is known here"))),
    };
    let labels = labels(incident.at("/labels"));
    let severity = incident.at("/severity");
    let sighting = Sighting {
        started_at: time("/started_at").or_else(|| time("/created_at")),
        environment: several::first_name(incident.at("/environments")),
        cause: super::causes::find(labels.iter().map(String::as_str), incident.at("/summary").text()),
        severity: severity.name().or_else(|| severity.at("/slug").name()).or_else(|| severity.at("/name").name()),
        title: incident.at("/title").prose(),
        url: incident.at("/url").prose(),
        ..Sighting::new(at)
    };
    let own_id = incident.at("/id").word().unwrap_or_default();
    let project = several::first_name(incident.at("/services"));
    let id = id(VENDOR.name, &[&own_id]).ok_or_else(|| Ignored::because("it has no data.id"))?;
    Ok(several::stands(Fact { id, project, sighting }, &states))
}

/// As `key:value`; Rootly sends an object with incidents and a list of pairs with the rest.
fn labels(labels: Body<'_>) -> Vec<String> {
    let object = labels.0.as_object().into_iter().flatten();
    let object = object.filter_map(|(key, value)| Some(format!("{key}:{}", Body(value).word()?)));
    let pairs = labels.items();
    let pairs = pairs.filter_map(|pair| Some(format!("{}:{}", pair.at("/key").word()?, pair.at("/value").word()?)));
    object.chain(pairs).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::incident::Cause;
    use crate::webhooks::testing::{at, ignored, incidents, states};

    fn incident(kind: &str, more: &Value) -> Value {
        let mut data = json!({
            "id": "b7", "kind": "normal", "started_at": "2026-06-15T02:00:00.000-08:00",
            "updated_at": "2026-06-15T04:00:00.000-08:00", "mitigated_at": null, "resolved_at": null,
        });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"event": {"id": "98", "type": kind, "issued_at": "2026-06-15T04:00:01.000-08:00"}, "data": data})
    }

    #[test]
    fn the_status_says_how_it_stands_and_the_times_since_when() {
        let of = |status: &str| {
            let times = json!({
                "status": status, "mitigated_at": "2026-06-15T02:30:00.000-08:00",
                "resolved_at": "2026-06-15T03:00:00.000-08:00",
            });
            states(&VENDOR, &incident("incident.updated", &times))
        };
        let restored = Some(State::Restored(at("2026-06-15T10:30:00Z")));
        let finished = Some(State::Finished(at("2026-06-15T11:00:00Z")));
        assert_eq!(of("started"), [Some(State::Open)]);
        assert_eq!(of("mitigated"), [restored]);
        assert_eq!(of("resolved"), [restored, finished]);
        assert_eq!(of("closed"), [restored, finished]);
        assert_eq!(of("cancelled"), [Some(State::Void)]);
        let deleted = incident("incident.deleted", &json!({"status": "started"}));
        assert_eq!(states(&VENDOR, &deleted), [Some(State::Void)]);
        let bare = incident("incident.resolved", &json!({"status": "resolved"}));
        assert_eq!(states(&VENDOR, &bare), [Some(State::Finished(at("2026-06-15T12:00:00Z")))]);
    }

    #[test]
    fn labels_are_read_in_both_their_shapes() {
        for labels in [json!({"deployment": "github:7"}), json!([{"key": "deployment", "value": "github:7"}])] {
            let body = incident("incident.created", &json!({"status": "started", "labels": labels}));
            let cause = incidents(&VENDOR, &body)[0].1.cause.clone();
            assert_eq!(cause, super::super::body::name("github:7").map(Cause::Deployment));
        }
    }

    #[test]
    fn what_tells_nothing_says_why() {
        for (kind, more, reason) in [
            ("incident.created", json!({"status": "in_triage"}), "accepted"),
            ("incident.created", json!({"status": "dreamt"}), "dreamt"),
            ("incident.created", json!({"kind": "example"}), "example"),
            ("incident.created", json!({"kind": "scheduled"}), "maintenance"),
            ("incident.created", json!({"kind": "normal_sub"}), "part of another"),
            ("incident.created", json!({"status": "started", "id": null}), "data.id"),
            ("alert.created", json!({}), "alerts"),
            ("pulse.created", json!({}), "pulse.created"),
        ] {
            assert!(ignored(&VENDOR, &incident(kind, &more)).contains(reason), "{kind} {more}");
        }
    }
}
