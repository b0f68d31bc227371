//! Grafana Alerting, since version 8: Alertmanager's body with additions. And the alerting before it, which knows
//! rules only. <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/>

use super::body::id;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor, alerts, tags};
use crate::domain::incident::{Sighting, State};

pub static VENDOR: Vendor = Vendor {
    name: "grafana",
    title: "Grafana",
    schemes: &[Scheme::TimedHex {
        header: "x-grafana-alerting-signature",
        time_header: "x-grafana-alerting-timestamp",
        separator: ":",
    }],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/grafana.md"),
    samples: &[
        sample!("grafana", "firing", []),
        sample!("grafana", "resolved", []),
        sample!("grafana", "test", []),
        sample!("grafana", "legacy_alerting", []),
        sample!("grafana", "legacy_ok", []),
        sample!("grafana", "legacy_no_data", []),
    ],
};

fn is_legacy(body: Body<'_>) -> bool {
    !body.at("/ruleId").is_null() || !body.at("/ruleName").is_null()
}

fn about(_: &Headers, body: Body<'_>) -> About {
    if is_legacy(body) {
        return About { event: body.at("/state").text().unwrap_or_default().to_owned(), delivery: None };
    }
    alerts::about(body)
}

fn read(event: &Event<'_>) -> Reading {
    let body = event.body;
    if is_legacy(body) {
        return legacy(event);
    }
    if !body.at("/alert_group").is_null() {
        return Err(Ignored::because("this is from Grafana OnCall: send it to /webhooks/grafana-oncall"));
    }
    alerts::read(VENDOR.name, event)
}

/// It sends no time, and nothing that tells one alert of a rule from the next: a rule is one incident, which opens
/// again.
fn legacy(event: &Event<'_>) -> Reading {
    let body = event.body;
    let rule = body.at("/ruleId").word().filter(|rule| rule != "0");
    let Some(rule) = rule else {
        return Err(Ignored::because("Grafana's test of a notification channel, and no alert"));
    };
    let at = event.received_at;
    let state = match event.event {
        "alerting" => State::Open,
        "ok" => State::Finished(at),
        "no_data" | "paused" | "pending" | "unknown" => {
            return Err(Ignored(format!("a rule that is {:?} neither fires nor recovers", event.event)));
        }
        other => return Err(Ignored(format!("{other:?} is no state of a rule that is known here"))),
    };
    let organisation = body.at("/orgId").word().unwrap_or_default();
    Ok(vec![Happening::incident(
        id(VENDOR.name, &["rule", &organisation, &rule]).ok_or_else(|| Ignored::because("it has no ruleId"))?,
        tags::label(body.at("/tags"), tags::PROJECT),
        Sighting {
            state: Some(state),
            environment: tags::label(body.at("/tags"), tags::ENVIRONMENT),
            cause: super::causes::find([].into_iter(), body.at("/message").text()),
            severity: tags::label(body.at("/tags"), &["severity"]),
            title: body.at("/ruleName").prose(),
            url: body.at("/ruleUrl").prose(),
            ..Sighting::new(at)
        },
    )])
}
