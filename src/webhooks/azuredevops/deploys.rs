//! Deployments of classic releases, and runs and stages of pipelines.

use super::numbered;
use crate::domain::deployment::{self, Outcome};
use crate::domain::{Name, Timestamp};
use crate::webhooks::body::id;
use crate::webhooks::{Body, Event, Happening, Ignored, Reading};

pub(super) fn release(event: &Event<'_>) -> Reading {
    let (resource, environment) = (event.body.at("/resource"), event.body.at("/resource/environment"));
    let at = event.body.at("/createdDate").time().unwrap_or(event.received_at);
    let outcome = match environment.at("/status").text() {
        _ if event.event.ends_with("started-event") => None,
        Some("succeeded") => Some(Outcome::Deployed(at)),
        Some("partiallySucceeded" | "rejected" | "failed") => Some(Outcome::Failed(at)),
        Some("canceled") => return Err(ended("deployment", "canceled")),
        Some("queued" | "inProgress" | "scheduled" | "notStarted") => None,
        other => return Err(Ignored(format!("{other:?} is no status of a deployment that is known here"))),
    };
    // releaseId is 0 in some versions
    let release = environment.at("/release/id").word().or(environment.at("/releaseId").word());
    let (release, own) = release.zip(environment.at("/id").word()).ok_or_else(|| missing("environment with ids"))?;
    let steps = environment.at("/deploySteps").items().filter_map(|step| step.at("/attempt").int());
    let attempt = resource.at("/attemptId").int().or(steps.max()).filter(|attempt| *attempt > 1);
    let attempt = attempt.map(|attempt| attempt.to_string());
    let parts: Vec<_> = ["release", &release, &own].into_iter().chain(attempt.as_deref()).collect();
    Ok(vec![Happening::deployment(
        numbered(event, &parts).ok_or_else(|| missing("environment with ids"))?,
        resource.at("/project/name").name(),
        deployment::Sighting {
            outcome,
            deploy_start_at: event.event.ends_with("started-event").then_some(at),
            environment: environment.at("/name").name(),
            version: environment.at("/release/name").name(),
            ..deployment::Sighting::new(at)
        },
    )])
}

/// A run of a pipeline that deploys, by the pipeline's name.
pub(super) fn run(event: &Event<'_>) -> Reading {
    let run = event.body.at("/resource/run");
    let pipeline = pipeline(event).text().unwrap_or_default();
    if !event.settings.deploys(pipeline) {
        return Err(Ignored(format!("the pipeline {pipeline:?} is not listed in deploy_workflows")));
    }
    let run_id = run.at("/id").word().ok_or_else(|| missing("run.id"))?;
    let at = event.body.at("/createdDate").time().unwrap_or(event.received_at);
    let outcome = outcome(run, run.at("/finishedDate").time().unwrap_or(at))?;
    Ok(vec![Happening::deployment(
        numbered(event, &["run", &run_id]).ok_or_else(|| missing("run.id"))?,
        pipeline_name(event),
        deployment::Sighting {
            outcome,
            deploy_start_at: run.at("/createdDate").time(),
            url: run.at("/_links/web/href").prose(),
            ..said(event, at)
        },
    )])
}

/// A stage that deploys, by its name.
pub(super) fn stage(event: &Event<'_>) -> Reading {
    let stage = event.body.at("/resource/stage");
    let names = [stage.at("/name"), stage.at("/displayName")];
    let name = names[0].text().ok_or_else(|| missing("stage.name"))?;
    if !names.iter().filter_map(|name| name.text()).any(|name| event.settings.deploys(name)) {
        return Err(Ignored(format!("the stage {name:?} is not listed in deploy_workflows")));
    }
    let run_id = event.body.at("/resource/run/id").word().or(event.body.at("/resource/runId").word());
    let run_id = run_id.ok_or_else(|| missing("run.id"))?;
    let attempt = stage.at("/attempt").word().unwrap_or_else(|| "1".to_owned());
    let at = event.body.at("/createdDate").time().unwrap_or(event.received_at);
    let outcome = outcome(stage, stage.at("/finishTime").time().unwrap_or(at))?;
    Ok(vec![Happening::deployment(
        numbered(event, &["run", &run_id, name, &attempt]).ok_or_else(|| missing("run.id"))?,
        pipeline_name(event),
        deployment::Sighting {
            outcome,
            deploy_start_at: stage.at("/startTime").time(),
            environment: names[0].name(),
            url: stage.at("/_links/web/href").prose(),
            ..said(event, at)
        },
    )])
}

fn pipeline<'a>(event: &Event<'a>) -> Body<'a> {
    event.body.at("/resource/pipeline/name")
}

/// What is deployed: Azure DevOps gives the project's number only.
fn pipeline_name(event: &Event<'_>) -> Option<Name> {
    pipeline(event).name()
}

fn outcome(part: Body<'_>, at: Timestamp) -> Result<Option<Outcome>, Ignored> {
    match (part.at("/state").text(), part.at("/result").text()) {
        (Some("completed"), Some("succeeded" | "succeededWithIssues")) => Ok(Some(Outcome::Deployed(at))),
        (Some("completed"), Some("failed" | "partiallySucceeded")) => Ok(Some(Outcome::Failed(at))),
        (Some("completed"), other) => Err(ended("run", other.unwrap_or("nothing"))),
        // the one that waits has not begun
        (Some("inProgress" | "running" | "canceling"), _) => Ok(None),
        (other, _) => Err(Ignored(format!("a run in the state {other:?} has not begun"))),
    }
}

fn ended(what: &str, how: &str) -> Ignored {
    Ignored(format!("a {what} that ended as {how} neither deployed nor failed"))
}

fn missing(field: &str) -> Ignored {
    Ignored::missing(&format!("resource.{field}"))
}

/// What runs and stages say alike: of the repository that the pipeline is in.
fn said(event: &Event<'_>, at: Timestamp) -> deployment::Sighting {
    let resource = event.body.at("/resource");
    let own = resource.at("/repositories").items().find(|repository| repository.at("/alias").text() == Some("self"));
    let own = own.unwrap_or(Body(&serde_json::Value::Null));
    let version = resource.at("/run/resources/repositories/self");
    let repository = own.at("/id").text().or(version.at("/repository/id").text());
    deployment::Sighting {
        head_commit_at: own.at("/change/committer/date").time(),
        commit_sha: own.at("/change/version").sha().or(version.at("/version").sha()),
        repository: repository.and_then(|repository| id("azuredevops", &[repository])),
        ..deployment::Sighting::new(at)
    }
}
