//! `CircleCI`: <https://circleci.com/docs/reference/outbound-webhooks-reference/>.

use super::body::{id, name};
use super::forges;
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::Name;
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "circleci",
    title: "CircleCI",
    schemes: &[Scheme::Hex { header: "circleci-signature", prefix: "v1=", hash: Hash::Sha256 }],
    headers: &["circleci-event-type"],
    about,
    read,
    guide: include_str!("guides/circleci.md"),
    samples: &[
        sample!("circleci", "workflow", [("circleci-event-type", "workflow-completed")]),
        sample!("circleci", "workflow_of_app", [("circleci-event-type", "workflow-completed")]),
        sample!("circleci", "job", [("circleci-event-type", "job-completed")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    let event = body.at("/type").text().or(headers.get("circleci-event-type")).unwrap_or_default();
    About { event: event.to_owned(), delivery: body.at("/id").word() }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event {
        "workflow-completed" => completed(event, "workflow", "/created_at"),
        "job-completed" => completed(event, "job", "/started_at"),
        "ping" => Err(Ignored::because("CircleCI asks whether anybody is here: all is well")),
        other => Err(Ignored::event(other)),
    }
}

/// A workflow or a job that deploys, by its name.
fn completed(event: &Event<'_>, kind: &str, start: &str) -> Reading {
    let part = event.body.field(kind);
    let own_name = part.at("/name").text().unwrap_or_default();
    if !event.settings.deploys(own_name) {
        return Err(Ignored(format!("the {kind} {own_name:?} is not listed in deploy_workflows")));
    }
    let at = event.body.at("/happened_at").time();
    let stopped = part.at("/stopped_at").time().or(at).unwrap_or(event.received_at);
    let outcome = match part.at("/status").text() {
        Some("success") => Outcome::Deployed(stopped),
        Some("failed" | "error") => Outcome::Failed(stopped),
        Some(status @ ("canceled" | "unauthorized")) => {
            return Err(Ignored(format!("a {kind} that is {status} neither deployed nor failed")));
        }
        other => return Err(Ignored(format!("{other:?} is no status of a {kind} that is known here"))),
    };
    let pipeline = event.body.at("/pipeline");
    // with GitLab and GitHub's app there is no vcs
    let given = pipeline.at("/trigger_parameters");
    let hosts = ["/gitlab", "/github_app"].map(|host| given.at(host));
    let first = |field: &str| hosts.iter().map(|host| host.at(field)).find(|value| value.text().is_some());
    let git = given.at("/git");
    let commit = pipeline.at("/vcs/revision").sha().or(git.at("/checkout_sha").sha());
    let committed = pipeline.at("/vcs/commit/committed_at").time();
    let addresses = [pipeline.at("/vcs/target_repository_url"), git.at("/checkout_url")];
    let missing = || Ignored::missing(&format!("{kind}.id"));
    let own_id = part.at("/id").word().ok_or_else(missing)?;
    let own_id = if kind == "job" { id("circleci", &["job", &own_id]) } else { id("circleci", &[&own_id]) };
    Ok(vec![Happening::deployment(
        own_id.ok_or_else(missing)?,
        project(event.body),
        deployment::Sighting {
            outcome: Some(outcome),
            deploy_start_at: part.at(start).time(),
            head_commit_at: committed.or_else(|| first("/commit_timestamp")?.time()),
            commit_sha: commit.or_else(|| first("/commit_sha")?.sha()),
            repository: addresses.iter().find_map(|address| forges::repository(address.text()?)),
            username: first("/user_username").and_then(Body::name),
            url: event.body.at("/workflow/url").prose(),
            ..deployment::Sighting::new(at.unwrap_or(stopped))
        },
    )])
}

/// The slug, such as `github/acme/shop`; where it is made of ids only, the names that it stands for.
fn project(body: Body<'_>) -> Option<Name> {
    let slug = body.at("/project/slug");
    if !slug.text()?.starts_with("circleci/") {
        return slug.name();
    }
    let (organisation, project) = (body.at("/organization/name").text(), body.at("/project/name").text());
    let both = organisation.zip(project).and_then(|(organisation, project)| name(&format!("{organisation}/{project}")));
    both.or(slug.name())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::Timestamp;
    use crate::webhooks::Settings;

    #[test]
    fn each_status_of_a_workflow() {
        let mut body: Value = serde_json::from_str(VENDOR.samples[0].body).unwrap();
        let headers = Headers::default();
        let settings = Settings { deploy_workflows: vec!["deploy".to_owned()], ..Settings::default() };
        let received_at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let mut told = |status: Value| {
            body["workflow"]["status"] = status;
            let about = about(&headers, Body(&body));
            read(&Event { event: &about.event, headers: &headers, body: Body(&body), received_at, settings: &settings })
                .map(|told| match &told[0] {
                    Happening::Deployment(fact) => fact.sighting.outcome,
                    other => panic!("{other:?}"),
                })
        };
        let at = Timestamp::parse("2026-06-15T10:04:31.500Z").unwrap();
        assert_eq!(told(json!("success")), Ok(Some(Outcome::Deployed(at))));
        assert_eq!(told(json!("failed")), Ok(Some(Outcome::Failed(at))));
        assert_eq!(told(json!("error")), Ok(Some(Outcome::Failed(at))));
        for status in [json!("canceled"), json!("unauthorized"), json!("on_hold"), json!(null)] {
            told(status).unwrap_err();
        }
    }
}
