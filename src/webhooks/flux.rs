//! Flux: <https://fluxcd.io/flux/components/notification/events/>.

use super::body::{id, name};
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::Name;
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "flux",
    title: "Flux",
    schemes: &[Scheme::NamedHex { header: "x-signature" }],
    headers: &["gotk-component"],
    about,
    read,
    guide: include_str!("guides/flux.md"),
    samples: &[
        sample!("flux", "kustomization", [("gotk-component", "kustomize-controller")]),
        sample!("flux", "kustomization_failed", [("gotk-component", "kustomize-controller")]),
        sample!("flux", "helm_release", [("gotk-component", "helm-controller")]),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let [kind, reason] = ["/involvedObject/kind", "/reason"].map(|field| body.at(field).text().unwrap_or_default());
    About { event: format!("{kind}.{reason}"), delivery: None }
}

/// A revision of an object that deploys is a deployment.
fn read(event: &Event<'_>) -> Reading {
    let (body, object) = (event.body, event.body.at("/involvedObject"));
    if !matches!(object.at("/kind").text(), Some("Kustomization" | "HelmRelease")) {
        return Err(Ignored::because("only a Kustomization and a HelmRelease deploy"));
    }
    let at = body.at("/timestamp").time().unwrap_or(event.received_at);
    let outcome = match (body.at("/severity").text(), body.at("/reason").text()) {
        // it waits for another, and tries again
        (_, Some("DependencyNotReady")) => return Err(Ignored::because("it waits for what it depends on")),
        (Some("error"), _) => Some(Outcome::Failed(at)),
        (_, Some("ReconciliationSucceeded" | "InstallSucceeded" | "UpgradeSucceeded")) => Some(Outcome::Deployed(at)),
        (_, Some("Progressing")) => None,
        (_, other) => return Err(Ignored(format!("the reason {other:?} says nothing about a deployment"))),
    };
    let revision = revision(body).ok_or_else(|| Ignored::missing("revision in its metadata"))?;
    let uid = object.at("/uid").word().ok_or_else(|| Ignored::missing("involvedObject.uid"))?;
    let commit = commit(&revision);
    let environment = ["environment", "env"].iter().find_map(|key| body.at("/metadata").field(key).name());
    Ok(vec![Happening::deployment(
        id("flux", &[&uid, &revision]).ok_or_else(|| Ignored::missing("involvedObject.uid"))?,
        object.at("/name").name(),
        deployment::Sighting {
            outcome,
            environment: environment.or(object.at("/namespace").name()),
            version: if commit.is_none() { name(&revision) } else { None },
            commit_sha: commit,
            reason: body.at("/message").prose().filter(|_| matches!(outcome, Some(Outcome::Failed(_)))),
            ..deployment::Sighting::new(at)
        },
    )])
}

/// Each controller puts its own group before it.
fn revision(body: Body<'_>) -> Option<String> {
    let metadata = body.at("/metadata").0.as_object()?;
    let is_revision = |key: &str| key == "revision" || key.ends_with("/revision");
    metadata.iter().find(|(key, _)| is_revision(key)).and_then(|(_, value)| Body(value).word())
}

/// `main@sha1:<sha>`, before that `main/<sha>`. Of a chart or an image there is none.
fn commit(revision: &str) -> Option<Name> {
    let sha = revision.rsplit(['/', ':']).next()?;
    let is_sha = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    (is_sha && !revision.contains("sha256:")).then(|| name(sha)).flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Timestamp;
    use crate::webhooks::Settings;

    fn told(kind: &str, severity: &str, reason: &str, metadata: &Value) -> Result<deployment::Sighting, Ignored> {
        let body = json!({
            "involvedObject": {"kind": kind, "name": "shop", "namespace": "apps", "uid": "7d0cdc51"},
            "metadata": metadata, "severity": severity, "reason": reason, "timestamp": "2026-06-15T10:04:31Z",
        });
        let headers = Headers::default();
        let settings = Settings::default();
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let event = Event { event: "", headers: &headers, body: Body(&body), received_at, settings: &settings };
        read(&event).map(|mut told| match told.remove(0) {
            Happening::Deployment(fact) => fact.sighting,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn each_reason() {
        let at = Timestamp::parse("2026-06-15T10:04:31Z").unwrap();
        let metadata =
            json!({"kustomize.toolkit.fluxcd.io/revision": "main@sha1:2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5"});
        let outcome = |kind, severity, reason| told(kind, severity, reason, &metadata).map(|said| said.outcome);
        assert_eq!(outcome("Kustomization", "info", "ReconciliationSucceeded"), Ok(Some(Outcome::Deployed(at))));
        assert_eq!(outcome("HelmRelease", "info", "UpgradeSucceeded"), Ok(Some(Outcome::Deployed(at))));
        assert_eq!(outcome("Kustomization", "error", "HealthCheckFailed"), Ok(Some(Outcome::Failed(at))));
        assert_eq!(outcome("Kustomization", "info", "Progressing"), Ok(None));
        for (kind, severity, reason) in [
            ("GitRepository", "info", "NewArtifact"),
            ("Kustomization", "error", "DependencyNotReady"),
            ("HelmRelease", "info", "UninstallSucceeded"),
            ("HelmRelease", "info", ""),
        ] {
            outcome(kind, severity, reason).unwrap_err();
        }
        told("Kustomization", "info", "ReconciliationSucceeded", &json!({})).unwrap_err();
    }

    #[test]
    fn a_revision_is_a_commit_or_a_version() {
        let sha = "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5";
        for (revision, commit, version) in [
            (format!("main@sha1:{sha}"), Some(sha), None),
            (format!("main/{sha}"), Some(sha), None),
            (format!("sha1:{sha}"), Some(sha), None),
            ("6.5.0".to_owned(), None, Some("6.5.0")),
            (format!("latest@sha256:{}", "0".repeat(64)), None, Some("latest@sha256:")),
        ] {
            let said = told("HelmRelease", "info", "InstallSucceeded", &json!({"revision": revision})).unwrap();
            assert_eq!(said.commit_sha.as_ref().map(Name::as_str), commit, "{revision}");
            assert_eq!(said.version.is_some(), version.is_some(), "{revision}");
            assert!(version.is_none_or(|version| said.version.unwrap().as_str().starts_with(version)), "{revision}");
        }
    }
}
