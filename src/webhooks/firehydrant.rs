//! `FireHydrant`: <https://docs.firehydrant.com/docs/webhooks>.

use super::body::id;
use super::signature::Hash;
use super::{About, Body, Event, Fact, Headers, Ignored, Reading, Scheme, Vendor, several, tags};
use crate::domain::Name;
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "firehydrant",
    title: "FireHydrant",
    schemes: &[Scheme::Hex { header: "fh-signature", prefix: "", hash: Hash::Sha256 }],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/firehydrant.md"),
    samples: &[
        sample!("firehydrant", "created", []),
        sample!("firehydrant", "mitigated", []),
        sample!("firehydrant", "resolved", []),
        sample!("firehydrant", "gameday", []),
        sample!("firehydrant", "change_event", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let word = |field: &str| body.at(field).text().unwrap_or_default().to_ascii_lowercase();
    About { event: format!("{}.{}", word("/event/resource_type"), word("/event/operation")), delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event {
        "incident.created" | "incident.updated" => incident(event),
        other => match other.split_once('.') {
            Some(("signals_alerts", _)) => Err(Ignored::because("alerts are no incidents yet: these are read")),
            Some(("change_event", _)) => Err(Ignored::because("a change event does not say whether it was deployed")),
            _ => Err(Ignored::event(other)),
        },
    }
}

fn incident(event: &Event<'_>) -> Reading {
    let incident = event.body.at("/data/incident");
    let at = incident.at("/updated_at").time().unwrap_or(event.received_at);
    let milestone = |names: &[&str]| {
        let of = |name: &&str| {
            let mut named = incident.at("/milestones").items().filter(|m| m.at("/type").text() == Some(*name));
            named.find_map(|milestone| milestone.at("/occurred_at").time())
        };
        names.iter().find_map(of)
    };
    let mitigated = milestone(&["mitigated"]);
    let states = match (incident.at("/severity/type").text(), incident.at("/current_milestone").text()) {
        (Some("gameday" | "maintenance"), _) => vec![State::Void],
        (_, Some("started" | "detected" | "acknowledged" | "investigating" | "identified")) => vec![State::Open],
        (_, Some("mitigated")) => vec![State::Restored(mitigated.unwrap_or(at))],
        (
            _,
            Some(
                "resolved"
                | "closed"
                | "postmortem_started"
                | "postmortem_completed"
                | "retrospective_started"
                | "retrospective_completed",
            ),
        ) => several::ended(mitigated, milestone(&["resolved", "closed"]).unwrap_or(at)),
        (_, None) => vec![],
        (_, Some(other)) => return Err(Ignored(format!("{other:?} is no milestone that is known here"))),
    };
    let words: Vec<_> = incident.at("/tags").items().filter_map(|tag| tag.text().or(tag.at("/name").text())).collect();
    let texts = ["/description", "/summary", "/customer_impact_summary"].map(|field| incident.at(field).text());
    let sighting = Sighting {
        started_at: incident.at("/started_at").time().or_else(|| incident.at("/created_at").time()),
        environment: tags::label(incident.at("/labels"), tags::ENVIRONMENT)
            .or_else(|| tags::value(&words, tags::ENVIRONMENT))
            .or_else(|| impacted(incident, "environment")),
        cause: texts.into_iter().find_map(|text| super::causes::find(words.iter().copied(), text)),
        severity: incident.at("/severity/slug").name().or_else(|| incident.at("/priority/slug").name()),
        title: incident.at("/name").prose(),
        url: incident.at("/incident_url").prose(),
        ..Sighting::new(at)
    };
    let project = tags::label(incident.at("/labels"), tags::PROJECT)
        .or_else(|| tags::value(&words, tags::PROJECT))
        .or_else(|| impacted(incident, "service"));
    let own_id = incident.at("/id").word().unwrap_or_default();
    let id = id(VENDOR.name, &[&own_id]).ok_or_else(|| Ignored::because("it has no data.incident.id"))?;
    Ok(several::stands(Fact { id, project, sighting }, &states))
}

/// The first thing of a kind that suffers.
fn impacted(incident: Body<'_>, kind: &str) -> Option<Name> {
    let mut of_kind = incident.at("/impacts").items().filter(|impact| impact.at("/type").text() == Some(kind));
    of_kind.find_map(|impact| impact.at("/name").name().or_else(|| impact.at("/impact/name").name()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::webhooks::testing::{at, ignored, states};

    fn incident(milestone: &str, kind: &str) -> Value {
        let reached = |kind: &str, at: &str| json!({"type": kind, "occurred_at": at});
        json!({"event": {"operation": "UPDATED", "resource_type": "incident"}, "data": {"incident": {
            "id": "04d9", "current_milestone": milestone, "updated_at": "2026-06-15 12:00:00 UTC", "labels": [],
            "milestones": [
                reached("resolved", "2026-06-15 11:00:00 UTC"),
                reached("mitigated", "2026-06-15 10:30:00 UTC"),
            ],
            "severity": {"slug": "SEV2", "type": kind},
        }}})
    }

    #[test]
    fn the_milestone_says_how_it_stands_and_when_it_was_reached() {
        let restored = Some(State::Restored(at("2026-06-15T10:30:00Z")));
        let finished = Some(State::Finished(at("2026-06-15T11:00:00Z")));
        for (milestone, expected) in [
            ("started", vec![Some(State::Open)]),
            ("identified", vec![Some(State::Open)]),
            ("mitigated", vec![restored]),
            ("resolved", vec![restored, finished]),
            ("retrospective_completed", vec![restored, finished]),
        ] {
            assert_eq!(states(&VENDOR, &incident(milestone, "unexpected_downtime")), expected, "{milestone}");
        }
        assert_eq!(states(&VENDOR, &incident("resolved", "gameday")), [Some(State::Void)]);
    }

    #[test]
    fn what_tells_nothing_says_why() {
        assert!(ignored(&VENDOR, &incident("sung_of", "unexpected_downtime")).contains("sung_of"));
        let event = |kind: &str| json!({"event": {"operation": "CREATED", "resource_type": kind}, "data": {}});
        assert!(ignored(&VENDOR, &event("incident")).contains("data.incident.id"));
        assert!(ignored(&VENDOR, &event("signals_alerts")).contains("alerts"));
        assert!(ignored(&VENDOR, &event("change_event")).contains("change"));
        assert!(ignored(&VENDOR, &json!({})).contains("no event"));
    }
}
