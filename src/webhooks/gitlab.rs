//! GitLab: <https://docs.gitlab.com/user/project/integrations/webhook_events/>.

mod changes;
mod issues;
mod pipelines;

#[cfg(test)]
mod tests;

use super::body::{id, name};
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Scheme, Vendor};
use crate::domain::Name;
use crate::domain::deployment::{self, Outcome};

pub static VENDOR: Vendor = Vendor {
    name: "gitlab",
    title: "GitLab",
    schemes: &[Scheme::Secret { header: "x-gitlab-token" }, Scheme::Standard],
    headers: &["x-gitlab-event", "idempotency-key", "webhook-id"],
    about,
    read,
    guide: include_str!("guides/gitlab.md"),
    samples: &[
        sample!("gitlab", "deployment", [("x-gitlab-event", "Deployment Hook")]),
        sample!("gitlab", "deployment_failed", [("x-gitlab-event", "Deployment Hook")]),
        sample!("gitlab", "pipeline", [("x-gitlab-event", "Pipeline Hook")]),
        sample!("gitlab", "release", [("x-gitlab-event", "Release Hook")]),
        sample!("gitlab", "push", [("x-gitlab-event", "Push Hook")]),
        sample!("gitlab", "merge_request", [("x-gitlab-event", "Merge Request Hook")]),
        sample!("gitlab", "note", [("x-gitlab-event", "Note Hook")]),
        sample!("gitlab", "incident", [("x-gitlab-event", "Issue Hook")]),
        sample!("gitlab", "issue", [("x-gitlab-event", "Issue Hook")]),
    ],
};

/// `X-Gitlab-Event-UUID` names no delivery: events that one event led to share it.
fn about(headers: &Headers, body: Body<'_>) -> About {
    let kind = body.at("/object_kind").text().or(body.at("/event_name").text());
    let kind = kind.or(headers.get("x-gitlab-event")).unwrap_or_default();
    let fields = ["/object_attributes/action", "/object_attributes/status", "/status", "/action"];
    let event = match fields.iter().find_map(|field| body.at(field).text()) {
        Some(action) => format!("{kind}.{action}"),
        None => kind.to_owned(),
    };
    let delivery = headers.get("idempotency-key").or(headers.get("webhook-id"));
    About { event, delivery: delivery.map(str::to_owned) }
}

fn read(event: &Event<'_>) -> Reading {
    match event.event.split_once('.').map_or(event.event, |(event, _)| event) {
        "deployment" => deployment(event),
        "pipeline" => pipelines::pipeline(event),
        "release" => release(event),
        "push" => changes::push(event),
        "merge_request" => changes::merge_request(event),
        "note" => changes::note(event),
        "issue" | "work_item" => issues::issue(event),
        "build" => Err(Ignored::because("jobs are read from pipelines: tick \"Pipeline events\" for this webhook")),
        "tag_push" => Err(Ignored::because("only pushes to branches have commits that are new")),
        _ => Err(Ignored::event(event.event)),
    }
}

/// The project as GitLab names it.
fn project(body: Body<'_>) -> Option<Name> {
    body.at("/project/path_with_namespace").name()
}

/// The repository as pushes and deployments name it.
fn repository(body: Body<'_>) -> Option<Name> {
    id("gitlab", &[project(body)?.as_str()])
}

fn deployment(event: &Event<'_>) -> Reading {
    let body = event.body;
    let own_id = body.at("/deployment_id").word().ok_or_else(|| Ignored::missing("deployment_id"))?;
    let at = body.at("/status_changed_at").time().unwrap_or(event.received_at);
    let (start, outcome) = match body.at("/status").text() {
        Some("created" | "blocked") => (None, None),
        Some("running") => (Some(at), None),
        Some("success") => (None, Some(Outcome::Deployed(at))),
        Some("failed") => (None, Some(Outcome::Failed(at))),
        Some(status @ ("canceled" | "skipped")) => {
            return Err(Ignored(format!("a deployment that is {status} neither deployed nor failed")));
        }
        other => return Err(Ignored(format!("{other:?} is no status of a deployment that is known here"))),
    };
    Ok(vec![Happening::deployment(
        id("gitlab", &[&own_id]).ok_or_else(|| Ignored::missing("deployment_id"))?,
        project(body),
        deployment::Sighting {
            outcome,
            deploy_start_at: start,
            environment: body.at("/environment").name(),
            commit_sha: commit(body),
            repository: repository(body),
            username: body.at("/user/username").name(),
            url: body.at("/deployable_url").prose(),
            ..deployment::Sighting::new(at)
        },
    )])
}

/// GitLab says the beginning of the commit, and the whole of it only as the end of an address.
fn commit(body: Body<'_>) -> Option<Name> {
    let short = body.at("/short_sha").sha();
    let whole = body.at("/commit_url").text().and_then(|url| url.trim_end_matches('/').rsplit('/').next());
    let whole = whole.filter(|sha| matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit()));
    let whole = whole.filter(|sha| short.as_ref().is_none_or(|short| sha.starts_with(short.as_str())));
    whole.and_then(name).or(short)
}

fn release(event: &Event<'_>) -> Reading {
    let body = event.body;
    if !event.settings.releases {
        return Err(Ignored::because("releases are no deployments here; the setting `releases` makes them some"));
    }
    if body.at("/action").text().is_some_and(|action| action != "create") {
        return Err(Ignored::because("only the making of a release is a deployment"));
    }
    let created = body.at("/created_at").time();
    let released = body.at("/released_at").time().or(created).unwrap_or(event.received_at);
    if released > event.received_at {
        return Err(Ignored(format!("the release is announced for {released}: replay it then")));
    }
    // a project has one release of a tag; its own number is nowhere else but in webhooks
    let project_id = body.at("/project/id").word().ok_or_else(|| Ignored::missing("project.id"))?;
    let tag = body.at("/tag").word().ok_or_else(|| Ignored::missing("tag"))?;
    Ok(vec![Happening::deployment(
        id("gitlab", &["release", &project_id, &tag]).ok_or_else(|| Ignored::missing("tag"))?,
        project(body),
        deployment::Sighting {
            outcome: Some(Outcome::Deployed(released)),
            head_commit_at: body.at("/commit/timestamp").time(),
            commit_sha: body.at("/commit/id").sha(),
            repository: repository(body),
            version: body.at("/tag").name(),
            url: body.at("/url").prose(),
            ..deployment::Sighting::new(created.unwrap_or(released))
        },
    )])
}
