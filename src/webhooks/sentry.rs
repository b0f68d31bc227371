//! Sentry's integration platform: <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>,
//! and the older plugin, which sends an event of an issue without saying what sort of delivery it is.

#[cfg(test)]
mod tests;

use serde_json::Value;

use super::body::id;
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor, times};
use crate::domain::incident::{Cause, Sighting, State};
use crate::domain::{Name, Timestamp};

pub static VENDOR: Vendor = Vendor {
    name: "sentry",
    title: "Sentry",
    schemes: &[Scheme::Hex { header: "sentry-hook-signature", prefix: "", hash: Hash::Sha256 }],
    headers: &["sentry-hook-resource", "sentry-hook-timestamp", "request-id"],
    about,
    read,
    guide: include_str!("guides/sentry.md"),
    samples: &[
        sample!(
            "sentry",
            "issue_created",
            [("sentry-hook-resource", "issue"), ("sentry-hook-timestamp", "1781517601")]
        ),
        sample!(
            "sentry",
            "issue_resolved",
            [("sentry-hook-resource", "issue"), ("sentry-hook-timestamp", "1781519400"),]
        ),
        sample!(
            "sentry",
            "event_alert",
            [("sentry-hook-resource", "event_alert"), ("sentry-hook-timestamp", "1781517660"),]
        ),
        sample!(
            "sentry",
            "metric_alert_critical",
            [("sentry-hook-resource", "metric_alert"), ("sentry-hook-timestamp", "1781517720"),]
        ),
        sample!(
            "sentry",
            "metric_alert_resolved",
            [("sentry-hook-resource", "metric_alert"), ("sentry-hook-timestamp", "1781519460"),]
        ),
        sample!("sentry", "plugin", []),
    ],
};

const PLUGIN: &str = "plugin";

fn about(headers: &Headers, body: Body<'_>) -> About {
    let resource = headers.get("sentry-hook-resource").or_else(|| resource(body)).unwrap_or_default();
    let event = match body.at("/action").text() {
        Some(action) => format!("{resource}.{action}"),
        None => resource.to_owned(),
    };
    About { event, delivery: headers.get("request-id").map(str::to_owned) }
}

/// What the body is about, should something on the way have dropped the header.
fn resource(body: Body<'_>) -> Option<&'static str> {
    let has = |field: &str| !body.at(field).is_null();
    let by_field = [
        ("/data/comment_id", "comment"),
        ("/data/metric_alert", "metric_alert"),
        ("/data/event", "event_alert"),
        ("/data/error", "error"),
        ("/data/issue", "issue"),
        ("/data/installation", "installation"),
        ("/event", PLUGIN),
    ];
    by_field.into_iter().find_map(|(field, resource)| has(field).then_some(resource))
}

fn read(event: &Event<'_>) -> Reading {
    match event.event.split_once('.') {
        Some(("issue", action)) => issue(event, action),
        Some(("event_alert", "triggered")) => event_alert(event),
        Some(("metric_alert", action)) => metric_alert(event, action),
        None if event.event == PLUGIN => plugin(event),
        _ => Err(Ignored::event(event.event)),
    }
}

/// When something was done, which no body says.
fn sent_at(event: &Event<'_>) -> Timestamp {
    let header = event.headers.get("sentry-hook-timestamp");
    header.and_then(|time| times::read(&Value::String(time.to_owned()))).unwrap_or(event.received_at)
}

fn issue_id(own: Option<String>) -> Result<Name, Ignored> {
    own.and_then(|own| id(VENDOR.name, &["issue", &own])).ok_or_else(|| Ignored::because("it has no id of an issue"))
}

fn issue(event: &Event<'_>, action: &str) -> Reading {
    let issue = event.body.at("/data/issue");
    let first_seen = issue.at("/firstSeen").time();
    let (at, state) = match action {
        "created" => (first_seen.unwrap_or_else(|| sent_at(event)), Some(State::Open)),
        "unresolved" => (sent_at(event), Some(State::Open)),
        "resolved" => (sent_at(event), Some(State::Finished(sent_at(event)))),
        // nobody is going to do anything about it
        "ignored" | "archived" => (sent_at(event), Some(State::Void)),
        "assigned" => (sent_at(event), None),
        _ => return Err(Ignored::event(event.event)),
    };
    Ok(vec![Happening::incident(
        issue_id(issue.at("/id").word())?,
        issue.at("/project/slug").name(),
        Sighting {
            state,
            started_at: first_seen,
            // of statusDetails.inRelease it is said that it repairs it
            cause: issue.at("/firstRelease/version").name().map(Cause::Version),
            severity: issue.at("/level").name(),
            title: issue.at("/title").prose(),
            url: issue.at("/web_url").prose().or_else(|| issue.at("/permalink").prose()),
            ..Sighting::new(at)
        },
    )])
}

/// An event of an issue that a rule has something to say about.
fn event_alert(event: &Event<'_>) -> Reading {
    let said = event.body.at("/data/event");
    let last_of = |field: &str| said.at(field).text()?.trim_end_matches('/').rsplit('/').next().map(str::to_owned);
    let own_id = said.at("/issue_id").word().or_else(|| last_of("/issue_url"));
    // .../projects/<organisation>/<project>/events/...
    let mut address = said.at("/url").text().unwrap_or_default().split('/').skip_while(|part| *part != "projects");
    let project = address.nth(2).and_then(super::body::name);
    Ok(vec![of_event(event, said, issue_id(own_id)?, project, said.at("/web_url"))])
}

fn plugin(event: &Event<'_>) -> Reading {
    let body = event.body;
    let project = body.at("/project_slug").name().or_else(|| body.at("/project").name());
    Ok(vec![of_event(event, body.at("/event"), issue_id(body.at("/id").word())?, project, body.at("/url"))])
}

fn of_event(event: &Event<'_>, said: Body<'_>, id: Name, project: Option<Name>, url: Body<'_>) -> Happening {
    let at = ["/datetime", "/timestamp", "/received"].into_iter().find_map(|field| said.at(field).time());
    let sighting = Sighting {
        state: Some(State::Open),
        environment: said.at("/environment").name(),
        cause: said.at("/release").name().map(Cause::Version),
        severity: said.at("/level").name(),
        title: said.at("/title").prose(),
        url: url.prose(),
        ..Sighting::new(at.unwrap_or_else(|| sent_at(event)))
    };
    Happening::incident(id, project, sighting)
}

fn metric_alert(event: &Event<'_>, action: &str) -> Reading {
    let alert = event.body.at("/data/metric_alert");
    let at = sent_at(event);
    let state = match action {
        "critical" | "warning" => State::Open,
        "resolved" => State::Finished(alert.at("/date_closed").time().unwrap_or(at)),
        _ => return Err(Ignored::event(event.event)),
    };
    let own_id = alert.at("/id").word().unwrap_or_default();
    Ok(vec![Happening::incident(
        id(VENDOR.name, &["metric_alert", &own_id])
            .filter(|_| !own_id.is_empty())
            .ok_or_else(|| Ignored::because("it has no data.metric_alert.id"))?,
        alert.at("/projects/0").name().or_else(|| alert.at("/alert_rule/projects/0").name()),
        Sighting {
            state: Some(state),
            started_at: alert.at("/date_started").time(),
            environment: alert.at("/alert_rule/environment").name(),
            severity: Some(action).filter(|action| *action != "resolved").and_then(super::body::name),
            title: alert.at("/title").prose(),
            url: event.body.at("/data/web_url").prose(),
            ..Sighting::new(at)
        },
    )])
}
