//! `ServiceNow`'s incidents. It has no webhooks of its own: the body is written by the business rule of our guide, which
//! sends fields by their names in the table `incident`, times in UTC.

use super::body::id;
use super::{About, Body, Event, Fact, Headers, Ignored, Reading, Vendor, several};
use crate::domain::incident::{Cause, Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "servicenow",
    title: "ServiceNow",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/servicenow.md"),
    samples: &[
        sample!("servicenow", "new", []),
        sample!("servicenow", "resolved", []),
        sample!("servicenow", "closed", []),
        sample!("servicenow", "canceled", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let state = body.at("/state").word().unwrap_or_default();
    let parts = ["/sys_id", "/sys_mod_count"].map(|field| body.at(field).word());
    About {
        event: format!("incident.{}", name_of(&state)),
        delivery: parts.into_iter().collect::<Option<Vec<_>>>().map(|parts| parts.join(" ")),
    }
}

/// The state as people read it, of the number that is kept.
fn name_of(state: &str) -> String {
    match state {
        "1" => "new".to_owned(),
        "2" => "in progress".to_owned(),
        "3" => "on hold".to_owned(),
        "6" => "resolved".to_owned(),
        "7" => "closed".to_owned(),
        "8" => "canceled".to_owned(),
        other => other.trim().to_lowercase(),
    }
}

fn read(event: &Event<'_>) -> Reading {
    let body = event.body;
    let time = |field: &str| body.at(field).time();
    let at = time("/sys_updated_on").unwrap_or(event.received_at);
    let states = match event.event.strip_prefix("incident.").unwrap_or_default() {
        "new" | "in progress" | "on hold" => vec![State::Open],
        "resolved" => vec![State::Restored(time("/resolved_at").unwrap_or(at))],
        "closed" => several::ended(time("/resolved_at"), time("/closed_at").unwrap_or(at)),
        "canceled" | "cancelled" => vec![State::Void],
        "" => return Err(Ignored::because("it has no \"state\": send what the business rule of the guide sends")),
        other => return Err(Ignored(format!("{other:?} is no state of an incident that is known here"))),
    };
    let first = |fields: [&str; 2]| fields.into_iter().find_map(|field| body.at(field).name());
    let own_id = body.at("/sys_id").word().or_else(|| body.at("/number").word()).unwrap_or_default();
    let texts = ["/description", "/close_notes"].map(|field| body.at(field).text());
    let in_text = || texts.into_iter().find_map(|text| super::causes::find([].into_iter(), text));
    let sighting = Sighting {
        started_at: time("/opened_at"),
        environment: body.at("/environment").name(),
        cause: body.at("/deployment").name().map(Cause::Deployment).or_else(in_text),
        severity: first(["/priority", "/severity"]),
        title: body.at("/short_description").prose(),
        url: body.at("/url").prose(),
        ..Sighting::new(at)
    };
    let project = first(["/cmdb_ci", "/business_service"]);
    let id = id(VENDOR.name, &[&own_id]).ok_or_else(|| Ignored::because("it has no \"sys_id\""))?;
    Ok(several::stands(Fact { id, project, sighting }, &states))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhooks::testing::{at, ignored, incidents, states};

    fn incident(state: &Value) -> Value {
        json!({
            "sys_id": "9d385017c611228701d22104cc95c371", "number": "INC0010001", "state": state, "cmdb_ci": "",
            "opened_at": "2026-06-15 10:00:00", "resolved_at": "2026-06-15 10:30:00", "closed_at": "",
            "sys_updated_on": "2026-06-15 12:00:00", "sys_mod_count": "4", "business_service": "Shop",
        })
    }

    #[test]
    fn numbers_and_names_of_states_are_one_and_times_are_utc() {
        let restored = Some(State::Restored(at("2026-06-15T10:30:00Z")));
        let finished = Some(State::Finished(at("2026-06-15T12:00:00Z")));
        for (state, expected) in [
            (json!(1), vec![Some(State::Open)]),
            (json!("In Progress"), vec![Some(State::Open)]),
            (json!("6"), vec![restored]),
            (json!("Closed"), vec![restored, finished]),
            (json!(8), vec![Some(State::Void)]),
        ] {
            assert_eq!(states(&VENDOR, &incident(&state)), expected, "{state}");
        }
        let (_, sighting) = incidents(&VENDOR, &incident(&json!(1))).remove(0);
        assert_eq!(sighting.started_at, Some(at("2026-06-15T10:00:00Z")));
        let about = (VENDOR.about)(&Headers::default(), Body(&incident(&json!(6))));
        let delivery = Some("9d385017c611228701d22104cc95c371 4".to_owned());
        assert_eq!(about, About { event: "incident.resolved".to_owned(), delivery });
    }

    #[test]
    fn what_tells_nothing_says_why() {
        assert!(ignored(&VENDOR, &json!({})).contains("guide"));
        assert!(ignored(&VENDOR, &json!({"state": "42"})).contains("42"));
        assert!(ignored(&VENDOR, &json!({"state": "1"})).contains("sys_id"));
    }
}
