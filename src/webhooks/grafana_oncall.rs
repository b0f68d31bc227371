//! Grafana `OnCall` and IRM, outgoing webhooks:
//! <https://grafana.com/docs/oncall/latest/configure/integrations/outgoing-webhooks/>.

use super::body::id;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor, tags};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "grafana-oncall",
    title: "Grafana OnCall",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/grafana-oncall.md"),
    samples: &[
        sample!("grafana-oncall", "created", []),
        sample!("grafana-oncall", "acknowledge", []),
        sample!("grafana-oncall", "resolve", []),
        sample!("grafana-oncall", "unresolve", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    About { event: body.at("/event/type").text().unwrap_or_default().to_ascii_lowercase(), delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    let (body, group) = (event.body, event.body.at("/alert_group"));
    if group.is_null() {
        return Err(Ignored::because("it has no alert_group: only webhooks for alert groups are read"));
    }
    let time = |field: &str| group.at(field).time();
    let own_time = match event.event {
        "alert group created" => time("/created_at"),
        "acknowledge" => time("/acknowledged_at"),
        "resolve" => time("/resolved_at"),
        _ => None,
    };
    let at = body.at("/event/time").time().or(own_time).unwrap_or(event.received_at);
    let resolved = || Some(State::Finished(time("/resolved_at").unwrap_or(at)));
    let state = match (event.event, group.at("/state").text()) {
        ("alert group created" | "unresolve", _) | ("status change", Some("firing")) => Some(State::Open),
        ("resolve", _) | ("status change", Some("resolved")) => resolved(),
        (
            "acknowledge"
            | "unacknowledge"
            | "silence"
            | "unsilence"
            | "escalation"
            | "personal notification"
            | "status change",
            _,
        ) => None,
        _ => return Err(Ignored::event(event.event)),
    };
    let own_id = body.at("/alert_group_id").word().or_else(|| group.at("/id").word()).unwrap_or_default();
    let labels = [group.at("/labels"), body.at("/integration/labels")];
    let label = |keys: &[&str]| labels.iter().find_map(|labels| tags::label(*labels, keys));
    Ok(vec![Happening::incident(
        id(VENDOR.name, &[&own_id]).ok_or_else(|| Ignored::because("it has no alert_group_id"))?,
        label(tags::PROJECT).or_else(|| body.at("/integration/name").name()),
        Sighting {
            state,
            started_at: time("/created_at"),
            environment: label(tags::ENVIRONMENT),
            cause: super::causes::find([].into_iter(), group.at("/title").text()),
            severity: label(&["severity"]),
            title: group.at("/title").prose(),
            url: group.at("/permalinks/web").prose(),
            ..Sighting::new(at)
        },
    )])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::webhooks::testing::{RECEIVED, at, ignored, states};

    #[test]
    fn the_kind_of_event_says_how_it_stands() {
        let (when, resolved) = (at("2026-06-15T10:30:00Z"), at("2026-06-15T10:29:59Z"));
        for (kind, group, state) in [
            ("alert group created", "firing", Some(State::Open)),
            ("unresolve", "firing", Some(State::Open)),
            ("resolve", "resolved", Some(State::Finished(resolved))),
            ("status change", "resolved", Some(State::Finished(resolved))),
            ("status change", "silenced", None),
            ("Escalation", "firing", None),
        ] {
            let group = json!({"id": "I1", "state": group, "resolved_at": resolved.to_string()});
            let body = json!({"event": {"type": kind, "time": when.to_string()}, "alert_group": group});
            assert_eq!(states(&VENDOR, &body), [state], "{kind}");
        }
        let bare = json!({"event": {"type": "resolve", "time": null}, "alert_group": {"id": "I1"}});
        assert_eq!(states(&VENDOR, &bare), [Some(State::Finished(at(RECEIVED)))]);
    }

    #[test]
    fn what_tells_nothing_says_why() {
        let kind = |kind: &str, group| json!({"event": {"type": kind}, "alert_group": group});
        assert!(ignored(&VENDOR, &kind("transcend", json!({"id": "I1"}))).contains("transcend"));
        assert!(ignored(&VENDOR, &kind("resolve", json!({}))).contains("alert_group_id"));
        assert!(ignored(&VENDOR, &json!({"state": "alerting"})).contains("alert_group"));
    }
}
