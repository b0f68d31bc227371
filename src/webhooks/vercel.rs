//! Vercel: <https://vercel.com/docs/webhooks/webhooks-api>.

use super::body::id;
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::Name;
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "vercel",
    title: "Vercel",
    // SHA-1, whatever is written elsewhere
    schemes: &[Scheme::Hex { header: "x-vercel-signature", prefix: "", hash: Hash::Sha1 }],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/vercel.md"),
    samples: &[
        sample!("vercel", "succeeded", []),
        sample!("vercel", "created", []),
        sample!("vercel", "error_of_preview", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    About { event: body.at("/type").text().unwrap_or_default().to_owned(), delivery: body.at("/id").word() }
}

fn read(event: &Event<'_>) -> Reading {
    let payload = event.body.at("/payload");
    let at = event.body.at("/createdAt").time().unwrap_or(event.received_at);
    // those with a hyphen, and the one without anything, are what they were called before
    let (start, outcome) = match event.event {
        "deployment.created" | "deployment" => (Some(at), None),
        "deployment.succeeded" | "deployment.promoted" | "deployment-ready" => (None, Some(Outcome::Deployed(at))),
        "deployment.error" | "deployment-error" => (None, Some(Outcome::Failed(at))),
        "deployment.canceled" | "deployment-canceled" => {
            return Err(Ignored::because("a deployment that is canceled neither deployed nor failed"));
        }
        other => return Err(Ignored::event(other)),
    };
    let deployment = payload.at("/deployment");
    let own_id = deployment.at("/id").word().or(payload.at("/deploymentId").word());
    let own_id = own_id.and_then(|own_id| id("vercel", &[&own_id]));
    // null is a preview; where the field is not there it is not said
    let target = payload.at("/target");
    let is_preview = payload.0.get("target").is_some_and(serde_json::Value::is_null);
    let environment = if is_preview { super::body::name("preview") } else { target.name() };
    let meta = deployment.at("/meta");
    let shas = ["/githubCommitSha", "/gitlabCommitSha", "/bitbucketCommitSha"];
    let names = [deployment.at("/name"), payload.at("/name"), payload.at("/project/id"), payload.at("/projectId")];
    Ok(vec![Happening::deployment(
        own_id.ok_or_else(|| Ignored::missing("payload.deployment.id"))?,
        names.into_iter().find_map(Body::name),
        deployment::Sighting {
            outcome,
            deploy_start_at: start,
            environment,
            commit_sha: shas.iter().find_map(|field| meta.at(field).sha()),
            repository: repository(meta),
            url: payload.at("/links/deployment").prose(),
            ..deployment::Sighting::new(at)
        },
    )])
}

fn repository(meta: Body<'_>) -> Option<Name> {
    let (organisation, repository) = meta.at("/githubCommitOrg").text().zip(meta.at("/githubCommitRepo").text())?;
    id("github", &[&format!("{organisation}/{repository}")])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Timestamp;
    use crate::webhooks::Settings;

    fn told(body: &Value) -> Result<deployment::Sighting, Ignored> {
        let headers = Headers::default();
        let settings = Settings::default();
        let about = about(&headers, Body(body));
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        read(&Event { event: &about.event, headers: &headers, body: Body(body), received_at, settings: &settings }).map(
            |mut told| match told.remove(0) {
                Happening::Deployment(fact) => fact.sighting,
                other => panic!("{other:?}"),
            },
        )
    }

    #[test]
    fn each_event_and_target() {
        let at = Timestamp::parse("2026-06-15T10:04:31.500Z").unwrap();
        let mut body: Value = serde_json::from_str(VENDOR.samples[0].body).unwrap();
        for (event, start, outcome) in [
            ("deployment.created", Some(at), None),
            ("deployment.succeeded", None, Some(Outcome::Deployed(at))),
            ("deployment.promoted", None, Some(Outcome::Deployed(at))),
            ("deployment.error", None, Some(Outcome::Failed(at))),
        ] {
            body["type"] = json!(event);
            let said = told(&body).unwrap();
            assert_eq!((said.deploy_start_at, said.outcome), (start, outcome), "{event}");
        }
        body["payload"]["target"] = json!(null);
        assert_eq!(told(&body).unwrap().environment, super::super::body::name("preview"));
        body["payload"].as_object_mut().unwrap().remove("target");
        assert_eq!(told(&body).unwrap().environment, None);
        for event in ["deployment.canceled", "deployment.check-rerequested", "project.created", ""] {
            body["type"] = json!(event);
            told(&body).unwrap_err();
        }
        told(&json!({"type": "deployment.succeeded"})).unwrap_err();
    }
}
