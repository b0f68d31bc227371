//! Jenkins with its Notification plugin: <https://plugins.jenkins.io/notification/>.

use super::body::id;
use super::forges;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor};
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "jenkins",
    title: "Jenkins",
    // the plugin signs nothing
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/jenkins.md"),
    samples: &[
        sample!("jenkins", "completed", []),
        sample!("jenkins", "started", []),
        sample!("jenkins", "failed_without_scm", []),
    ],
};

fn about(_: &Headers, body: Body<'_>) -> About {
    let phase = body.at("/build/phase").text().unwrap_or_default();
    About { event: format!("build.{phase}"), delivery: None }
}

fn read(event: &Event<'_>) -> Reading {
    let (body, build) = (event.body, event.body.at("/build"));
    let names = [body.at("/name"), body.at("/display_name")];
    if !names.iter().filter_map(|name| name.text()).any(|name| event.settings.deploys(name)) {
        return Err(Ignored(format!(
            "the job {:?} is not listed in deploy_workflows",
            names[0].text().unwrap_or_default()
        )));
    }
    let at = build.at("/timestamp").time().unwrap_or(event.received_at);
    let (start, outcome) = match build.at("/phase").text() {
        Some("STARTED") => (Some(at), None),
        // both say how it ended; the earlier holds
        Some("COMPLETED" | "FINALIZED") => (None, Some(outcome(build, at)?)),
        Some("QUEUED") => return Err(Ignored::because("a build in the queue has not begun")),
        other => return Err(Ignored(format!("{other:?} is no phase of a build that is known here"))),
    };
    // the address is there when Jenkins has been told its own
    let address = build.at("/full_url").word().or_else(|| {
        let (name, number) = names[0].word().zip(build.at("/number").word())?;
        Some(format!("{name}:{number}"))
    });
    let address = address.ok_or_else(|| Ignored::missing("build.full_url"))?;
    let parameter = |wanted: &str| {
        let parameters = build.at("/parameters").0.as_object()?;
        parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, value)| Body(value).name())
    };
    Ok(vec![Happening::deployment(
        id("jenkins", &[&address]).ok_or_else(|| Ignored::missing("build.full_url"))?,
        names[0].name(),
        deployment::Sighting {
            outcome,
            deploy_start_at: start,
            environment: parameter("environment"),
            commit_sha: build.at("/scm/commit").sha(),
            repository: build.at("/scm/url").text().and_then(forges::repository),
            version: parameter("version"),
            url: build.at("/full_url").prose(),
            ..deployment::Sighting::new(at)
        },
    )])
}

fn outcome(build: Body<'_>, at: crate::domain::Timestamp) -> Result<Outcome, Ignored> {
    match build.at("/status").text() {
        Some("SUCCESS") => Ok(Outcome::Deployed(at)),
        Some("FAILURE" | "UNSTABLE") => Ok(Outcome::Failed(at)),
        Some(status @ ("ABORTED" | "NOT_BUILT")) => {
            Err(Ignored(format!("a build that is {status} neither deployed nor failed")))
        }
        other => Err(Ignored(format!("{other:?} is no status of a build that is known here"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::{Name, Timestamp};
    use crate::webhooks::Settings;

    fn told(body: &Value) -> Result<(Name, deployment::Sighting), Ignored> {
        let headers = Headers::default();
        let settings = Settings { deploy_workflows: vec!["shop-deploy".to_owned()], ..Settings::default() };
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let event = Event { event: "", headers: &headers, body: Body(body), received_at, settings: &settings };
        read(&event).map(|mut told| match told.remove(0) {
            Happening::Deployment(fact) => (fact.id, fact.sighting),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn each_phase_and_status_of_a_build() {
        let body = json!({"name": "Shop-Deploy", "build": {"full_url": "https://ci/job/a/1/", "timestamp": 1_781_517_871_500_i64}});
        let with = |phase: &str, status: Value| {
            let mut body = body.clone();
            (body["build"]["phase"], body["build"]["status"]) = (json!(phase), status);
            told(&body).map(|(_, said)| (said.deploy_start_at, said.outcome))
        };
        let at = Timestamp::parse("2026-06-15T10:04:31.500Z").unwrap();
        assert_eq!(with("STARTED", json!(null)), Ok((Some(at), None)));
        for phase in ["COMPLETED", "FINALIZED"] {
            assert_eq!(with(phase, json!("SUCCESS")), Ok((None, Some(Outcome::Deployed(at)))));
            assert_eq!(with(phase, json!("FAILURE")), Ok((None, Some(Outcome::Failed(at)))));
            assert_eq!(with(phase, json!("UNSTABLE")), Ok((None, Some(Outcome::Failed(at)))));
            for status in [json!("ABORTED"), json!("NOT_BUILT"), json!("GREAT"), json!(null)] {
                with(phase, status).unwrap_err();
            }
        }
        for phase in ["QUEUED", "RESTING", ""] {
            with(phase, json!("SUCCESS")).unwrap_err();
        }
    }

    #[test]
    fn a_build_without_an_address_has_a_number_and_one_without_both_is_none() {
        let mut body = json!({"name": "shop-deploy", "build": {"number": 18, "phase": "STARTED"}});
        assert_eq!(told(&body).unwrap().0.as_str(), "jenkins:shop-deploy:18");
        body["build"]["number"] = json!(null);
        told(&body).unwrap_err();
        body["name"] = json!("shop-test");
        assert!(told(&body).unwrap_err().0.contains("deploy_workflows"));
    }
}
