//! Argo CD: its notifications have no body of their own; the guide has the template that makes this one.

use super::body::{id, name};
use super::forges;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor};
use crate::domain::Name;
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "argocd",
    title: "Argo CD",
    // it signs nothing: the guide lets it send the secret
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/argocd.md"),
    samples: &[sample!("argocd", "deployed", []), sample!("argocd", "running", []), sample!("argocd", "failed", [])],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let parts =
        ["/uid", "/operation/startedAt", "/operation/phase", "/health/status"].map(|field| body.at(field).text());
    let [_, _, phase, health] = parts.map(Option::unwrap_or_default);
    let delivery = parts[0].zip(parts[1]).map(|(uid, started)| [uid, started, phase, health].join(" "));
    About { event: format!("{phase}.{health}").trim_end_matches('.').to_owned(), delivery }
}

/// A sync is a deployment. Argo CD's history numbers only those that went well, so it goes by when it began.
fn read(event: &Event<'_>) -> Reading {
    let (body, operation) = (event.body, event.body.at("/operation"));
    let (uid, started) = (body.at("/uid").word(), operation.at("/startedAt").word());
    let (uid, started) = uid
        .zip(started)
        .ok_or_else(|| Ignored::missing("uid or operation.startedAt: use the template of the guide"))?;
    if operation.at("/operation/sync/dryRun").flag() == Some(true) {
        return Err(Ignored::because("a dry run deploys nothing"));
    }
    let start = operation.at("/startedAt").time();
    let finished = operation.at("/finishedAt").time();
    // Always that of the sync, never of the health: an application that is degraded weeks after it was healthy has
    // been deployed (of two outcomes at one moment that is the greater), and one that is healthy at last too.
    let at = finished.or(start).unwrap_or(event.received_at);
    let outcome = match (operation.at("/phase").text(), body.at("/health/status").text()) {
        (Some("Succeeded"), Some("Healthy")) => Some(Outcome::Deployed(at)),
        (Some("Succeeded"), Some("Degraded")) | (Some("Failed" | "Error"), _) => Some(Outcome::Failed(at)),
        (Some("Succeeded" | "Running" | "Terminating"), _) => None,
        (other, _) => return Err(Ignored(format!("{other:?} is no phase of a sync that is known here"))),
    };
    let what = match operation.at("/phase").text() {
        Some("Succeeded") if outcome.is_some() => deployed(body),
        Some("Failed" | "Error") => synced(body),
        // what runs is what ran before
        _ => What::default(),
    };
    let label = |wanted: &str| body.at("/labels").field(wanted).name();
    let reason = operation.at("/message").prose().filter(|_| matches!(outcome, Some(Outcome::Failed(_))));
    Ok(vec![Happening::deployment(
        id("argocd", &[&uid, &started]).ok_or_else(|| Ignored::missing("uid"))?,
        body.at("/name").name(),
        deployment::Sighting {
            outcome,
            deploy_start_at: start,
            environment: label("environment").or(label("env")).or(body.at("/destination/namespace").name()),
            commit_sha: what.commit,
            repository: what.repository,
            version: what.version,
            username: operation.at("/operation/initiatedBy/username").name(),
            url: body.at("/url").prose(),
            reason,
            ..deployment::Sighting::new(at)
        },
    )])
}

#[derive(Default)]
struct What {
    commit: Option<Name>,
    repository: Option<Name>,
    version: Option<Name>,
}

/// An only image whose tag is a commit tells the one of the application; what Argo CD synced is the manifests'.
fn deployed(body: Body<'_>) -> What {
    let mut images = body.at("/summary/images").items();
    let image = images.next().filter(|_| images.next().is_none()).and_then(Body::text);
    let image = image.map(|image| image.split_once('@').map_or(image, |(image, _)| image));
    let tag = image.and_then(|image| image.rsplit_once(':')).map(|(_, tag)| tag).filter(|tag| !tag.contains('/'));
    match tag {
        Some(commit) if is_commit(commit) => What { commit: name(commit), ..What::default() },
        _ => {
            let synced = synced(body);
            What { version: tag.and_then(name).or(synced.version), ..synced }
        }
    }
}

/// A revision is a commit of the repository of manifests, or the version of a chart.
fn synced(body: Body<'_>) -> What {
    let result = body.at("/operation/syncResult");
    let revision = result.at("/revision").text().or(result.at("/revisions/0").text());
    let Some(commit) = revision.filter(|revision| is_commit(revision)) else {
        return What { version: revision.and_then(name), ..What::default() };
    };
    let address = body.at("/source/repoURL").text().or(body.at("/sources/0/repoURL").text());
    What { commit: name(commit), repository: address.and_then(forges::repository), version: None }
}

fn is_commit(text: &str) -> bool {
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    // short ones with digits only are dates and builds
    let is_mixed = text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic());
    is_hex && (matches!(text.len(), 40 | 64) || ((7..40).contains(&text.len()) && is_mixed))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Timestamp;
    use crate::webhooks::Settings;

    fn sample(name: &str) -> Value {
        serde_json::from_str(VENDOR.samples.iter().find(|sample| sample.name == name).unwrap().body).unwrap()
    }

    fn told(body: &Value) -> Result<deployment::Sighting, Ignored> {
        let headers = Headers::default();
        let settings = Settings::default();
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let event = Event { event: "", headers: &headers, body: Body(body), received_at, settings: &settings };
        read(&event).map(|mut told| match told.remove(0) {
            Happening::Deployment(fact) => fact.sighting,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_sync_is_deployed_when_it_succeeded_and_is_healthy() {
        let at = Timestamp::parse("2026-06-15T10:04:31Z").unwrap();
        let mut body = sample("deployed");
        for (phase, health, outcome) in [
            ("Succeeded", "Healthy", Some(Outcome::Deployed(at))),
            ("Succeeded", "Degraded", Some(Outcome::Failed(at))),
            ("Succeeded", "Progressing", None),
            ("Succeeded", "Suspended", None),
            ("Failed", "Healthy", Some(Outcome::Failed(at))),
            ("Error", "Missing", Some(Outcome::Failed(at))),
            ("Terminating", "Healthy", None),
        ] {
            (body["operation"]["phase"], body["health"]["status"]) = (json!(phase), json!(health));
            let said = told(&body).unwrap();
            assert_eq!((said.at, said.outcome), (at, outcome), "{phase} {health}");
        }
        body["operation"]["phase"] = json!("Meditating");
        told(&body).unwrap_err();
        body["operation"] =
            json!({"phase": "Succeeded", "startedAt": "2026-06-15T10:00:00Z", "operation": {"sync": {"dryRun": true}}});
        told(&body).unwrap_err();
    }

    #[test]
    fn an_only_image_tells_the_commit_or_the_version() {
        let mut body = sample("deployed");
        let mut with = |images: Value| {
            body["summary"]["images"] = images;
            let said = told(&body).unwrap();
            [said.commit_sha, said.repository, said.version].map(|name| name.map(|name| name.to_string()))
        };
        let (commit, manifests) = ("9c8b7a6d0e4a5973c1b2a3948576d0e1f2a3b4c5", "github:acme/manifests");
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(with(json!(["r.example:5000/acme/shop:2f8c6b1"])), [some("2f8c6b1"), None, None]);
        assert_eq!(with(json!(["acme/shop:v1.4@sha256:00"])), [some(commit), some(manifests), some("v1.4")]);
        assert_eq!(with(json!(["acme/shop:20260615"])), [some(commit), some(manifests), some("20260615")]);
        for images in [json!(["a:1", "b:2"]), json!(["r.example:5000/acme/shop"]), json!([]), json!(null)] {
            assert_eq!(with(images), [some(commit), some(manifests), None]);
        }
    }
}
