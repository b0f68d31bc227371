//! Versions 1 and 2: several messages in one delivery, each with the incident as it was then.

use super::{incident_id, is_merged};
use crate::domain::incident::{Sighting, State};
use crate::webhooks::{About, Body, Event, Happening, Ignored, Reading, several};

/// `None`: it is no delivery of these versions.
pub(super) fn about(body: Body<'_>) -> Option<About> {
    let messages = body.at("/messages");
    let event = kind(messages.items().next()?).unwrap_or_default().to_owned();
    let delivery = messages.at("/0/id").word().filter(|_| messages.items().len() == 1);
    Some(About { event, delivery })
}

/// Version 2 calls it the event, version 1 the type.
fn kind(message: Body<'_>) -> Option<&str> {
    message.at("/event").text().or(message.at("/type").text())
}

pub(super) fn read(event: &Event<'_>) -> Reading {
    let messages = event.body.at("/messages").items();
    several::each(messages, "it has no messages", |message| one(event, message))
}

fn one(event: &Event<'_>, message: Body<'_>) -> Result<Happening, Ignored> {
    let kind = kind(message).unwrap_or_default();
    let version_2 = message.at("/incident");
    let incident = if version_2.is_null() { message.at("/data/incident") } else { version_2 };
    let time = |fields: [&str; 2]| fields.into_iter().find_map(|field| incident.at(field).time());
    let at = message.at("/created_on").time();
    let at = at.or_else(|| time(["/last_status_change_at", "/last_status_change_on"])).unwrap_or(event.received_at);
    let state = match kind {
        "incident.trigger" => Some(State::Open),
        "incident.resolve" if is_merged(incident) => Some(State::Void),
        "incident.resolve" => Some(State::Finished(at)),
        "incident.acknowledge"
        | "incident.unacknowledge"
        | "incident.assign"
        | "incident.delegate"
        | "incident.escalate"
        | "incident.annotate" => None,
        _ => return Err(Ignored::event(kind)),
    };
    let text = |fields: [&'static str; 3]| fields.into_iter().map(|field| incident.at(field)).find(|b| !b.is_null());
    let title = text(["/title", "/trigger_summary_data/subject", "/trigger_summary_data/description"]);
    let service = text(["/service/name", "/service/summary", "/service/id"]);
    Ok(Happening::incident(
        incident_id(incident, "incident.id")?,
        service.and_then(Body::name),
        Sighting {
            state,
            started_at: time(["/created_at", "/created_on"]),
            cause: crate::webhooks::causes::find([].into_iter(), incident.at("/description").text()),
            severity: incident.at("/priority/summary").name().or(incident.at("/urgency").name()),
            title: title.and_then(Body::prose),
            url: incident.at("/html_url").prose(),
            ..Sighting::new(at)
        },
    ))
}
