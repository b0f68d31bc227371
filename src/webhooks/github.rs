//! GitHub: <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.

mod changes;

use super::body::{id, name};
use super::signature::Hash;
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::deployment::{self, Outcome};
use crate::domain::incident;
use crate::domain::{Name, Timestamp};

pub static VENDOR: Vendor = Vendor {
    name: "github",
    title: "GitHub",
    schemes: &[Scheme::Hex { header: "x-hub-signature-256", prefix: "sha256=", hash: Hash::Sha256 }],
    headers: &["x-github-event", "x-github-delivery"],
    about,
    read,
    guide: include_str!("guides/github.md"),
    samples: &[
        sample!("github", "deployment_status", [("x-github-event", "deployment_status")]),
        sample!("github", "workflow_run", [("x-github-event", "workflow_run")]),
        sample!("github", "push", [("x-github-event", "push")]),
        sample!("github", "pull_request_review", [("x-github-event", "pull_request_review")]),
        sample!("github", "issue", [("x-github-event", "issues")]),
    ],
};

fn about(headers: &Headers, body: Body<'_>) -> About {
    let event = headers.get("x-github-event").unwrap_or_default();
    let event = match body.at("/action").text() {
        Some(action) => format!("{event}.{action}"),
        None => event.to_owned(),
    };
    About { event, delivery: headers.get("x-github-delivery").map(str::to_owned) }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event.split_once('.').map_or(event.event, |(event, _)| event) {
        "deployment" => deployment(event),
        "deployment_status" => deployment_status(event),
        "workflow_run" => workflow_run(event),
        "release" => release(event),
        "issues" => issue(event),
        "push" => changes::push(event),
        "pull_request" | "pull_request_review" => changes::pull_request(event),
        "ping" => Err(Ignored::because("GitHub asks whether anybody is here: all is well")),
        _ => Err(Ignored::event(event.event)),
    }
}

/// The project as GitHub names it.
fn repository(body: Body<'_>) -> Option<Name> {
    body.at("/repository/full_name").name()
}

fn deployment(event: &Event<'_>) -> Reading {
    let deployment = event.body.at("/deployment");
    let at = deployment.at("/created_at").time().unwrap_or(event.received_at);
    Ok(vec![Happening::deployment(
        id("github", &[&deployment.at("/id").word().unwrap_or_default()])
            .ok_or_else(|| Ignored::missing("deployment.id"))?,
        repository(event.body),
        sighting(event.body, at),
    )])
}

/// What every event about a deployment says of it.
fn sighting(body: Body<'_>, at: Timestamp) -> deployment::Sighting {
    let deployment = body.at("/deployment");
    deployment::Sighting {
        deploy_start_at: deployment.at("/created_at").time(),
        environment: deployment.at("/environment").name(),
        commit_sha: deployment.at("/sha").name(),
        repository: repository(body).and_then(|full_name| id("github", &[full_name.as_str()])),
        username: deployment.at("/creator/login").name(),
        unplanned: is_unplanned(deployment),
        ..deployment::Sighting::new(at)
    }
}

/// What GitHub has no field for: by the `task`, which is anybody's own word, or by a `payload` that says so.
fn is_unplanned(deployment: Body<'_>) -> bool {
    let task = deployment.at("/task").text().unwrap_or_default().replace(['-', '_', ' '], "").to_ascii_lowercase();
    let names_it = matches!(task.as_str(), "hotfix" | "rollback" | "rollforward");
    names_it || deployment.at("/payload/unplanned").flag() == Some(true)
}

fn deployment_status(event: &Event<'_>) -> Reading {
    let (deployment, status) = (event.body.at("/deployment"), event.body.at("/deployment_status"));
    let at = status.at("/created_at").time().unwrap_or(event.received_at);
    let outcome = match status.at("/state").text() {
        Some("success") => Some(Outcome::Deployed(at)),
        Some("failure" | "error") => Some(Outcome::Failed(at)),
        Some("pending" | "queued" | "waiting" | "in_progress") => None,
        Some("inactive") => return Err(Ignored::because("inactive: a later deployment took its place")),
        other => return Err(Ignored(format!("{other:?} is no state of a deployment that is known here"))),
    };
    let said = sighting(event.body, at);
    let url = ["/target_url", "/environment_url", "/log_url"].iter().find_map(|field| status.at(field).prose());
    Ok(vec![Happening::deployment(
        id("github", &[&deployment.at("/id").word().unwrap_or_default()])
            .ok_or_else(|| Ignored::missing("deployment.id"))?,
        repository(event.body),
        deployment::Sighting {
            outcome,
            environment: status.at("/environment").name().or(said.environment.clone()),
            reason: outcome.filter(|o| matches!(o, Outcome::Failed(_))).and_then(|_| status.at("/description").prose()),
            url,
            ..said
        },
    )])
}

/// A run of a workflow that deploys, by its name: for those who do not use GitHub's deployments.
fn workflow_run(event: &Event<'_>) -> Reading {
    let run = event.body.at("/workflow_run");
    let workflow = run.at("/name").text().or(event.body.at("/workflow/name").text()).unwrap_or_default();
    if !event.settings.deploys(workflow) {
        return Err(Ignored(format!("the workflow {workflow:?} is not listed in deploy_workflows")));
    }
    let updated = run.at("/updated_at").time().unwrap_or(event.received_at);
    let outcome = match (run.at("/status").text(), run.at("/conclusion").text()) {
        (Some("completed"), Some("success")) => Some(Outcome::Deployed(updated)),
        (Some("completed"), Some("failure" | "timed_out" | "startup_failure")) => Some(Outcome::Failed(updated)),
        (Some("completed"), other) => {
            return Err(Ignored(format!("a run that ended as {other:?} neither deployed nor failed")));
        }
        _ => None,
    };
    let attempt = run.at("/run_attempt").word().unwrap_or_else(|| "1".to_owned());
    let run_id = run.at("/id").word().unwrap_or_default();
    Ok(vec![Happening::deployment(
        id("github", &["run", &run_id, &attempt])
            .filter(|_| !run_id.is_empty())
            .ok_or_else(|| Ignored::missing("workflow_run.id"))?,
        repository(event.body),
        deployment::Sighting {
            outcome,
            deploy_start_at: run.at("/run_started_at").time().or(run.at("/created_at").time()),
            head_commit_at: run.at("/head_commit/timestamp").time(),
            commit_sha: run.at("/head_sha").name(),
            repository: repository(event.body).and_then(|full_name| id("github", &[full_name.as_str()])),
            username: run.at("/actor/login").name(),
            url: run.at("/html_url").prose(),
            ..deployment::Sighting::new(updated)
        },
    )])
}

fn release(event: &Event<'_>) -> Reading {
    let release = event.body.at("/release");
    if !event.settings.releases {
        return Err(Ignored::because("releases are no deployments here; the setting `releases` makes them some"));
    }
    if event.event != "release.published" || release.at("/prerelease").flag() == Some(true) {
        return Err(Ignored::because("only a release that is published, and no pre-release, is a deployment"));
    }
    let published = release.at("/published_at").time().unwrap_or(event.received_at);
    let release_id = release.at("/id").word().ok_or_else(|| Ignored::missing("release.id"))?;
    Ok(vec![Happening::deployment(
        id("github", &["release", &release_id]).ok_or_else(|| Ignored::missing("release.id"))?,
        repository(event.body),
        deployment::Sighting {
            outcome: Some(Outcome::Deployed(published)),
            // created_at is the date of the commit that the tag is on
            head_commit_at: release.at("/created_at").time(),
            repository: repository(event.body).and_then(|full_name| id("github", &[full_name.as_str()])),
            version: release.at("/tag_name").name(),
            username: release.at("/author/login").name(),
            url: release.at("/html_url").prose(),
            ..deployment::Sighting::new(published)
        },
    )])
}

/// An issue with one of the configured labels is an incident.
fn issue(event: &Event<'_>) -> Reading {
    let issue = event.body.at("/issue");
    let labels = || issue.at("/labels").items().chain([event.body.at("/label")]).filter_map(|l| l.at("/name").text());
    let unlabelled = event.event == "issues.unlabeled";
    let is_incident = labels().any(|label| event.settings.is_incident(label));
    if !is_incident {
        return Err(Ignored::because("the issue has none of the labels of incident_labels"));
    }
    let updated = issue.at("/updated_at").time().unwrap_or(event.received_at);
    let still = issue.at("/labels").items().filter_map(|l| l.at("/name").text()).any(|l| event.settings.is_incident(l));
    let state = match issue.at("/closed_at").time() {
        _ if unlabelled && !still => incident::State::Void,
        _ if event.event == "issues.deleted" => incident::State::Void,
        Some(closed) if issue.at("/state").text() == Some("closed") => incident::State::Finished(closed),
        _ => incident::State::Open,
    };
    let issue_id = issue.at("/id").word().ok_or_else(|| Ignored::missing("issue.id"))?;
    let severity =
        labels().find_map(|label| label.to_lowercase().strip_prefix("severity:").and_then(|s| name(s.trim())));
    Ok(vec![Happening::incident(
        id("github", &["issue", &issue_id]).ok_or_else(|| Ignored::missing("issue.id"))?,
        repository(event.body),
        incident::Sighting {
            state: Some(state),
            started_at: issue.at("/created_at").time(),
            cause: super::causes::find(labels(), issue.at("/body").text()),
            severity,
            title: issue.at("/title").prose(),
            url: issue.at("/html_url").prose(),
            ..incident::Sighting::new(updated)
        },
    )])
}
