//! Alerts as Prometheus' Alertmanager sends them, and Grafana after it: several in a delivery, each with a status of
//! its own. An alert that fires again has a new `startsAt`, and is another incident.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::body::id;
use super::{About, Body, Event, Happening, Ignored, Reading, several, tags};
use crate::domain::incident::{Sighting, State};

/// Labels that name a project, the most telling first.
const PROJECT: &[&str] = &["project", "service", "namespace", "job"];

pub fn about(body: Body<'_>) -> About {
    let status = body.at("/status").text().unwrap_or_default();
    let event = match body.at("/truncatedAlerts").int() {
        Some(cut @ 1..) => format!("{status}, {cut} more cut off by max_alerts"),
        _ => status.to_owned(),
    };
    About { event, delivery: None }
}

pub fn read(vendor: &str, event: &Event<'_>) -> Reading {
    let alerts = event.body.at("/alerts").items();
    several::each(alerts, "it has no alerts: the group is empty", |alert| one(vendor, event, alert))
}

fn one(vendor: &str, event: &Event<'_>, alert: Body<'_>) -> Result<Happening, Ignored> {
    let (labels, annotations) = (alert.at("/labels"), alert.at("/annotations"));
    let label = |name: &str| labels.field(name).text();
    if label("alertname") == Some("TestAlert") && label("instance") == Some("Grafana") {
        return Err(Ignored::because("Grafana's test of a contact point, and no alert"));
    }
    let started = alert.at("/startsAt").time();
    let started = started.ok_or_else(|| Ignored::because("an alert without startsAt cannot be told from others"))?;
    let (at, state) = match alert.at("/status").text() {
        Some("firing") => (started, State::Open),
        Some("resolved") => {
            // year 1 stands for unset, and is sent with some that are resolved
            let ended = alert.at("/endsAt").time().unwrap_or(event.received_at);
            (ended.max(started), State::Finished(ended))
        }
        other => return Err(Ignored(format!("{other:?} is no status of an alert that is known here"))),
    };
    let text = |fields: &[&str]| fields.iter().map(|field| annotations.field(field)).find(|b| b.text().is_some());
    let texts = ["description", "summary", "message"];
    let cause = texts.iter().find_map(|t| super::causes::find([].into_iter(), annotations.field(t).text()));
    let fingerprint = alert.at("/fingerprint").word().unwrap_or_else(|| fingerprint(labels));
    Ok(Happening::incident(
        id(vendor, &[&fingerprint, &started.to_string()]).ok_or_else(|| Ignored::because("it has no fingerprint"))?,
        tags::label(labels, PROJECT),
        Sighting {
            state: Some(state),
            started_at: Some(started),
            environment: tags::label(labels, tags::ENVIRONMENT),
            cause,
            severity: tags::label(labels, &["severity"]),
            title: text(&["summary", "title", "message"]).unwrap_or(labels.field("alertname")).prose(),
            url: alert.at("/generatorURL").prose().or_else(|| event.body.at("/externalURL").prose()),
            ..Sighting::new(at)
        },
    ))
}

/// Old versions send none, but mean the labels by it.
fn fingerprint(labels: Body<'_>) -> String {
    let sorted: BTreeMap<&String, &Value> = labels.0.as_object().into_iter().flatten().collect();
    let digest = Sha256::digest(serde_json::to_vec(&sorted).unwrap_or_default());
    let mut head = [0; 8];
    head.copy_from_slice(&digest[..8]);
    format!("{:016x}", u64::from_be_bytes(head))
}
