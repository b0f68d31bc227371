use serde_json::{Value, json};

use super::*;
use crate::webhooks::Settings;

fn told(kind: &str, subject: &Value, context: &Value) -> Result<Happening, String> {
    let mut body = json!({
        "context": {"id": "e-1", "source": "/ci", "type": format!("dev.cdevents.{kind}"), "timestamp": "2026-06-15T12:00:00Z"},
        "subject": subject,
    });
    for (field, value) in context.as_object().into_iter().flatten() {
        body["context"][field] = value.clone();
    }
    let headers = Headers::default();
    let about = about(&headers, Body(&body));
    let settings = Settings { deploy_workflows: vec!["Deploy".to_owned()], ..Settings::default() };
    let received_at = Timestamp::parse("2026-06-20T00:00:00Z").unwrap();
    let event = Event { event: &about.event, headers: &headers, body: Body(&body), received_at, settings: &settings };
    read(&event).map(|mut happenings| happenings.remove(0)).map_err(|ignored| ignored.0)
}

fn sighting(happening: Result<Happening, String>) -> deployment::Sighting {
    match happening {
        Ok(Happening::Deployment(fact)) => fact.sighting,
        other => panic!("no deployment: {other:?}"),
    }
}

#[test]
fn the_version_of_a_type_does_not_matter() {
    for version in ["", ".0.1.0", ".0.3.0-draft", ".2.0.0"] {
        let told = told(&format!("service.upgraded{version}"), &json!({"id": "shop"}), &Value::Null);
        assert!(sighting(told).outcome.is_some(), "{version}");
    }
    let more = told("serviced.upgraded.0.1.0", &json!({"id": "shop"}), &Value::Null);
    assert_eq!(more.unwrap_err(), "\"dev.cdevents.serviced.upgraded\" is no event that anything is read from");
}

#[test]
fn a_delivery_is_known_by_its_source_and_its_id() {
    let body = json!({"id": "1", "source": "/ci", "type": "dev.cdevents.service.deployed.0.3.0", "data": {"context": {"id": "2"}}});
    let about = about(&Headers::default(), Body(&body));
    assert_eq!(about.delivery.as_deref(), Some("/ci 1"));
    assert_eq!(about.event, "dev.cdevents.service.deployed");
}

#[test]
fn a_rollback_is_of_the_deployment_that_it_is_linked_to_and_else_of_none() {
    let shop = json!({"id": "shop", "content": {"environment": {"id": "production"}}});
    let deployed = told("service.deployed.0.3.0", &shop, &json!({"id": "e-0"})).unwrap();
    let links = json!({"links": [{"linkType": "RELATION", "linkKind": "TRIGGER", "target": {"contextId": "e-9"}},
        {"linkType": "RELATION", "linkKind": "rollback", "target": {"contextId": "e-0"}}]});
    let undone = told("service.rolledback.0.3.0", &shop, &links).unwrap();
    let (Happening::Deployment(deployed), Happening::Deployment(undone)) = (deployed, undone) else {
        panic!("two deployments");
    };
    assert_eq!(deployed.id, undone.id);
    assert!(matches!(undone.sighting.outcome, Some(Outcome::RolledBack(_))));
    let reason = told("service.rolledback.0.3.0", &shop, &Value::Null).unwrap_err();
    assert!(reason.contains("which deployment was rolled back"), "{reason}");
}

#[test]
fn runs_of_pipelines_that_deploy_are_deployments() {
    let run = |step: &str, content: Value| {
        told(&format!("pipelinerun.{step}.0.3.0"), &json!({"id": "run-1", "content": content}), &Value::Null)
    };
    let finished =
        |outcome: &str| run("finished", json!({"pipelineName": "Deploy", "outcome": outcome, "errors": "no disk"}));
    assert!(matches!(sighting(finished("success")).outcome, Some(Outcome::Deployed(_))));
    assert_eq!(sighting(finished("success")).reason, None);
    assert_eq!(sighting(finished("error")).reason.unwrap().as_str(), "no disk");
    assert_eq!(finished("cancel").unwrap_err(), "a run that ended as Some(\"cancel\") neither deployed nor failed");
    let started = sighting(run("started", json!({"pipelineName": "deploy"})));
    assert_eq!((started.outcome, started.deploy_start_at.is_some()), (None, true));
    assert_eq!(sighting(run("queued", json!({"pipelineName": "Deploy"}))).deploy_start_at, None);
    assert_eq!(
        run("finished", json!({"outcome": "success"})).unwrap_err(),
        "the pipeline \"\" is not listed in deploy_workflows"
    );
}

#[test]
fn what_solved_an_incident_has_not_caused_it() {
    let subject = json!({"id": "i-1", "content": {"service": {"id": "shop"}, "artifactId": "pkg:oci/shop@1.2", "description": "x"}});
    let read = |step: &str| match told(&format!("incident.{step}.0.3.0"), &subject, &Value::Null) {
        Ok(Happening::Incident(fact)) => fact.sighting,
        other => panic!("no incident: {other:?}"),
    };
    assert_eq!(read("detected").cause, Some(Cause::Version(name("1.2").unwrap())));
    assert_eq!(read("detected").state, Some(State::Open));
    // written down later, it does not begin again
    assert_eq!(read("reported").state, None);
    let resolved = read("resolved");
    assert_eq!((resolved.cause.clone(), resolved.title.clone()), (None, None));
    assert_eq!(resolved.state, Some(State::Finished(resolved.at)));
}

#[test]
fn a_ticket_is_done_only_when_it_says_so() {
    let closed = |resolution: Value| {
        let subject = json!({"id": "T-1", "content": {"resolution": resolution}});
        match told("ticket.closed.0.2.0", &subject, &Value::Null)? {
            Happening::Ticket(ticket) => Ok((ticket.status, ticket.finished_at.is_some())),
            other => Err(format!("{other:?}")),
        }
    };
    assert_eq!(closed(json!("completed")), Ok((Some(TicketStatus::Finished), true)));
    assert_eq!(closed(json!("withdrawn")), Ok((Some(TicketStatus::Dropped), false)));
    assert!(closed(json!("frozen")).unwrap_err().contains("frozen"));
    assert!(closed(Value::Null).unwrap_err().contains("None"));
}

#[test]
fn package_urls_tell_versions_and_commits() {
    let of = |purl: &str| Artifact::of(Body(&json!(purl)));
    let oci = of("pkg:oci/shop@sha256%3A0b31?repository_url=ghcr.io/acme%40x#bin");
    assert_eq!((oci.version.unwrap().as_str(), oci.commit, oci.repository), ("sha256:0b31", None, None));
    let sha = "2f8c6b1d0e4a5973c1b2a3948576d0e1f2a3b4c5";
    let commit = of(&format!("pkg:github/acme/shop@{sha}"));
    assert_eq!(commit.commit.unwrap().as_str(), sha);
    assert_eq!(commit.repository.unwrap().as_str(), "github:acme/shop");
    assert_eq!(of("pkg:github/acme/shop@v1").commit, None);
    assert_eq!(of("pkg:npm/%40acme/shop@1.2.3").version.unwrap().as_str(), "1.2.3");
    for text in ["", "shop.whl", "pkg:oci/shop", "@", "pkg:github@x"] {
        let artifact = of(text);
        assert!(artifact.repository.is_none() && artifact.commit.is_none(), "{text}");
    }
}

#[test]
fn changes_and_tickets_are_known_by_source_and_subject() {
    let subject =
        json!({"id": "17", "source": "git", "content": {"repository": {"id": "acme/shop", "source": "host"}}});
    let Ok(Happening::PullRequest(change)) = told("change.merged.0.3.0", &subject, &Value::Null) else {
        panic!("no change");
    };
    assert_eq!((change.id.as_str(), change.repository.as_str()), ("cdevents:change:git:17", "cdevents:host:acme/shop"));
    let Ok(Happening::Ticket(ticket)) = told("ticket.updated.0.2.0", &json!({"id": "T-1"}), &Value::Null) else {
        panic!("no ticket");
    };
    assert_eq!((ticket.id.as_str(), ticket.place.as_str()), ("cdevents:ticket:/ci:T-1", "cdevents:/ci"));
}
