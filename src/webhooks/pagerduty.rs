//! `PagerDuty`: <https://developer.pagerduty.com/docs/webhooks-overview>. Version 3 has one event in a delivery; the
//! older ones, which still arrive, have a list of messages.

mod older;

#[cfg(test)]
mod tests;

use super::body::id;
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "pagerduty",
    title: "PagerDuty",
    schemes: &[Scheme::Hex { header: "x-pagerduty-signature", prefix: "v1=", hash: Hash::Sha256 }],
    headers: &["x-webhook-id"],
    about,
    read,
    guide: include_str!("guides/pagerduty.md"),
    samples: &[
        sample!("pagerduty", "triggered", []),
        sample!("pagerduty", "acknowledged", []),
        sample!("pagerduty", "resolved", []),
        sample!("pagerduty", "merged", []),
        sample!("pagerduty", "messages", []),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    if let Some(about) = older::about(body) {
        return about;
    }
    About {
        event: body.at("/event/event_type").text().unwrap_or_default().to_owned(),
        // of the event, so that two subscriptions to it are one
        delivery: body.at("/event/id").word().or_else(|| headers.get("x-webhook-id").map(str::to_owned)),
    }
}

fn read(event: &Event<'_>) -> Reading {
    if event.body.at("/messages").items().len() > 0 {
        return older::read(event);
    }
    if !event.body.at("/routing_key").is_null() {
        return Err(Ignored::because("this is what is sent to PagerDuty; add a webhook subscription in PagerDuty"));
    }
    let (said, incident) = (event.body.at("/event"), event.body.at("/event/data"));
    if said.is_null() {
        return Err(Ignored::because("it has no event, so it is no delivery of PagerDuty's webhooks"));
    }
    let at = said.at("/occurred_at").time().unwrap_or(event.received_at);
    let state = match event.event {
        "incident.triggered" | "incident.reopened" => Some(State::Open),
        // it goes on in the other one
        "incident.resolved" if is_merged(incident) => Some(State::Void),
        "incident.resolved" => Some(State::Finished(at)),
        "incident.acknowledged"
        | "incident.unacknowledged"
        | "incident.delegated"
        | "incident.escalated"
        | "incident.reassigned"
        | "incident.priority_updated"
        | "incident.service_updated" => None,
        "pagey.ping" => return Err(Ignored::because("PagerDuty asks whether anybody is here: all is well")),
        _ => return Err(Ignored::event(event.event)),
    };
    Ok(vec![Happening::incident(
        incident_id(incident, "event.data.id")?,
        incident.at("/service/summary").name().or(incident.at("/service/id").name()),
        Sighting {
            state,
            started_at: incident.at("/created_at").time(),
            cause: super::causes::find([].into_iter(), incident.at("/title").text()),
            severity: incident.at("/priority/summary").name().or(incident.at("/urgency").name()),
            title: incident.at("/title").prose(),
            url: incident.at("/html_url").prose(),
            ..Sighting::new(at)
        },
    )])
}

fn is_merged(incident: Body<'_>) -> bool {
    incident.at("/resolve_reason/type").text() == Some("merge_resolve_reason")
}

fn incident_id(incident: Body<'_>, field: &str) -> Result<crate::domain::Name, Ignored> {
    id("pagerduty", &[&incident.at("/id").word().unwrap_or_default()])
        .ok_or_else(|| Ignored(format!("it has no {field}")))
}
