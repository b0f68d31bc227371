//! Netlify: <https://docs.netlify.com/deploy/deploy-notifications/>.

use super::body::id;
use super::forges;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "netlify",
    title: "Netlify",
    schemes: &[Scheme::Jws { header: "x-webhook-signature", issuer: "netlify" }],
    headers: &["x-netlify-event"],
    about,
    read,
    guide: include_str!("guides/netlify.md"),
    samples: &[
        sample!("netlify", "ready", [("x-netlify-event", "deploy_created")]),
        sample!("netlify", "building", [("x-netlify-event", "deploy_building")]),
        sample!("netlify", "error", [("x-netlify-event", "deploy_failed")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    let state = body.at("/state").text().unwrap_or_default();
    let event = headers.get("x-netlify-event").unwrap_or("deploy");
    About { event: format!("{event}.{state}"), delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    let body = event.body;
    let own_id = body.at("/id").word().and_then(|own_id| id("netlify", &[&own_id]));
    let at = body.at("/updated_at").time().or(body.at("/created_at").time()).unwrap_or(event.received_at);
    let message = body.at("/error_message").text().unwrap_or_default();
    let outcome = match body.at("/state").text() {
        _ if body.at("/skipped").flag() == Some(true) => return Err(Ignored::because("a deploy that was skipped")),
        Some("ready") => Some(Outcome::Deployed(body.at("/published_at").time().unwrap_or(at))),
        // it has no state of its own for them
        Some("error") if message.to_ascii_lowercase().starts_with("cancel") => {
            return Err(Ignored::because("a deploy that is canceled neither deployed nor failed"));
        }
        Some("error") => Some(Outcome::Failed(at)),
        Some(
            "new" | "enqueued" | "pending_review" | "accepted" | "building" | "preparing" | "prepared" | "uploading"
            | "uploaded" | "processing" | "processed" | "retrying",
        ) => None,
        other => return Err(Ignored(format!("{other:?} is no state of a deploy that is known here"))),
    };
    let urls = ["/deploy_ssl_url", "/deploy_url", "/ssl_url"];
    Ok(vec![Happening::deployment(
        own_id.ok_or_else(|| Ignored::missing("id"))?,
        body.at("/name").name().or(body.at("/site_id").name()),
        deployment::Sighting {
            outcome,
            deploy_start_at: body.at("/created_at").time(),
            environment: body.at("/context").name(),
            commit_sha: body.at("/commit_ref").sha(),
            repository: body.at("/commit_url").text().and_then(forges::repository),
            username: body.at("/committer").name(),
            url: urls.iter().find_map(|field| body.at(field).prose()),
            reason: body.at("/error_message").prose().filter(|_| matches!(outcome, Some(Outcome::Failed(_)))),
            ..deployment::Sighting::new(at)
        },
    )])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Timestamp;
    use crate::webhooks::Settings;

    fn told(state: &str, more: &Value) -> Result<Option<Outcome>, Ignored> {
        let mut body = json!({"id": "5b78", "state": state, "updated_at": "2026-06-15T10:04:31Z"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let headers = Headers::default();
        let settings = Settings::default();
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        read(&Event { event: "", headers: &headers, body: Body(&body), received_at, settings: &settings }).map(|told| {
            match &told[0] {
                Happening::Deployment(fact) => fact.sighting.outcome,
                other => panic!("{other:?}"),
            }
        })
    }

    #[test]
    fn each_state() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let updated = at("2026-06-15T10:04:31Z");
        assert_eq!(told("ready", &json!({})), Ok(Some(Outcome::Deployed(updated))));
        let published = json!({"published_at": "2026-06-15T10:04:30Z"});
        assert_eq!(told("ready", &published), Ok(Some(Outcome::Deployed(at("2026-06-15T10:04:30Z")))));
        assert_eq!(told("building", &json!({})), Ok(None));
        assert_eq!(told("error", &json!({"error_message": "Build failed"})), Ok(Some(Outcome::Failed(updated))));
        for (state, more) in [
            ("error", json!({"error_message": "Canceled build"})),
            ("ready", json!({"skipped": true})),
            ("deleted", json!({})),
            ("ready", json!({"id": null})),
        ] {
            told(state, &more).unwrap_err();
        }
    }
}
