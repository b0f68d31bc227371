//! Pipelines and jobs that deploy, by their names: for those who have no environments in GitLab.

use std::collections::BTreeSet;

use super::{project, repository};
use crate::domain::Timestamp;
use crate::domain::deployment::{self, Outcome};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

pub(super) fn pipeline(event: &Event<'_>) -> Reading {
    let pipeline = event.body.at("/object_attributes");
    let name = pipeline.at("/name").text().unwrap_or_default();
    if event.settings.deploys(name) {
        return Ok(vec![whole(event)?]);
    }
    let jobs = event.body.at("/builds").items();
    let deploying: Vec<_> =
        jobs.filter(|job| job.at("/name").text().is_some_and(|n| event.settings.deploys(n))).collect();
    if deploying.is_empty() {
        return Err(Ignored(format!(
            "neither the pipeline {name:?} nor any of its jobs is listed in deploy_workflows"
        )));
    }
    let told: Vec<_> = deploying.into_iter().filter_map(|job| one(event, job)).collect();
    if told.is_empty() {
        return Err(Ignored::because("its jobs that deploy have not begun, or were left out"));
    }
    Ok(told)
}

/// The pipeline as one deployment.
fn whole(event: &Event<'_>) -> Result<Happening, Ignored> {
    let pipeline = event.body.at("/object_attributes");
    let own_id = pipeline.at("/id").word().ok_or_else(|| Ignored::missing("object_attributes.id"))?;
    let at = latest(event);
    let outcome = match pipeline.at("/status").text() {
        Some("success") => Some(Outcome::Deployed(pipeline.at("/finished_at").time().unwrap_or(at))),
        Some("failed") => Some(Outcome::Failed(pipeline.at("/finished_at").time().unwrap_or(at))),
        Some(status @ ("canceled" | "skipped")) => {
            return Err(Ignored(format!("a pipeline that is {status} neither deployed nor failed")));
        }
        _ => None,
    };
    // where its jobs deploy to; not where they stop or check something
    let places: BTreeSet<_> = event.body.at("/builds").items().filter_map(place).filter_map(Body::name).collect();
    Ok(Happening::deployment(
        id("gitlab", &["pipeline", &own_id]).ok_or_else(|| Ignored::missing("object_attributes.id"))?,
        project(event.body),
        deployment::Sighting {
            outcome,
            deploy_start_at: pipeline.at("/created_at").time(),
            environment: places.first().filter(|_| places.len() == 1).cloned(),
            url: pipeline.at("/url").prose(),
            ..said(event, at)
        },
    ))
}

/// A job as a deployment; `None` while it has not begun.
fn one(event: &Event<'_>, job: Body<'_>) -> Option<Happening> {
    let (started, finished) = (job.at("/started_at").time(), job.at("/finished_at").time());
    let at = finished.or(started).unwrap_or_else(|| latest(event));
    let outcome = match job.at("/status").text()? {
        "success" => Some(Outcome::Deployed(at)),
        "failed" => Some(Outcome::Failed(at)),
        "running" => None,
        _ => return None,
    };
    Some(Happening::deployment(
        id("gitlab", &["job", &job.at("/id").word()?])?,
        project(event.body),
        deployment::Sighting {
            outcome,
            deploy_start_at: started,
            environment: place(job).and_then(Body::name),
            reason: job.at("/failure_reason").prose().filter(|_| matches!(outcome, Some(Outcome::Failed(_)))),
            ..said(event, at)
        },
    ))
}

fn place(job: Body<'_>) -> Option<Body<'_>> {
    let environment = job.at("/environment");
    let starts = environment.at("/action").text().is_none_or(|action| action == "start");
    Some(environment.at("/name")).filter(|_| starts)
}

fn said(event: &Event<'_>, at: Timestamp) -> deployment::Sighting {
    let body = event.body;
    deployment::Sighting {
        head_commit_at: body.at("/commit/timestamp").time(),
        commit_sha: body.at("/object_attributes/sha").sha(),
        repository: repository(body),
        username: body.at("/user/username").name(),
        ..deployment::Sighting::new(at)
    }
}

/// GitLab does not say when a pipeline's event was: it was no earlier than anything in it.
fn latest(event: &Event<'_>) -> Timestamp {
    let pipeline = event.body.at("/object_attributes");
    let all = event.body.at("/builds").items().chain([pipeline]);
    let times = all.flat_map(|one| ["/created_at", "/started_at", "/finished_at"].map(|field| one.at(field).time()));
    times.flatten().max().unwrap_or(event.received_at)
}
