//! `CDEvents`, alone or in a `CloudEvent`: <https://cdevents.dev/docs/>. A type is `dev.cdevents.<subject>.<predicate>`
//! and a version, which is different for each; what is read here has been the same in all versions.

use super::body::{id, name};
use super::{About, Body, Event, Happening, Headers, Ignored, Reading, Vendor};
use crate::domain::deployment::{self, Outcome};
use crate::domain::incident::{self, Cause, State};
use crate::domain::{Name, PullRequest, Ticket, TicketStatus, Timestamp};
use percent_encoding::percent_decode_str;

pub static VENDOR: Vendor = Vendor {
    name: "cdevents",
    title: "CDEvents",
    schemes: &[],
    headers: &[],
    about,
    read,
    guide: include_str!("guides/cdevents.md"),
    samples: &[
        sample!("cdevents", "service_deployed", [("content-type", "application/cloudevents+json")]),
        sample!("cdevents", "service_rolledback", [("content-type", "application/cloudevents+json")]),
        sample!("cdevents", "pipelinerun_finished", []),
        sample!("cdevents", "incident_detected", []),
        sample!("cdevents", "incident_resolved", []),
        sample!("cdevents", "change_reviewed", []),
        sample!("cdevents", "change_merged", []),
        sample!("cdevents", "ticket_closed", []),
    ],
};

const PREFIX: &str = "dev.cdevents.";

/// The event itself, in an envelope or without one.
fn inner(body: Body<'_>) -> Body<'_> {
    if body.at("/context").is_null() { body.at("/data") } else { body }
}

/// What the envelope says, else what the event says of itself.
fn said<'a>(body: Body<'a>, in_envelope: &str, in_context: &str) -> Option<&'a str> {
    body.at(in_envelope).text().or_else(|| inner(body).at("/context").at(in_context).text())
}

fn about(_: &Headers, body: Body<'_>) -> About {
    let full = said(body, "/type", "/type").unwrap_or_default();
    let event = match full.strip_prefix(PREFIX).map(|rest| rest.splitn(3, '.').take(2).collect::<Vec<_>>()) {
        Some(words) => format!("{PREFIX}{}", words.join(".")),
        None => full.to_owned(),
    };
    let delivery = said(body, "/id", "/id").map(|own| match said(body, "/source", "/source") {
        Some(source) => format!("{source} {own}"),
        None => own.to_owned(),
    });
    About { event, delivery }
}

fn read(event: &Event<'_>) -> Reading {
    let Some(kind) = event.event.strip_prefix(PREFIX) else { return Err(Ignored::event(event.event)) };
    let told = Told::of(event)?;
    let happening = match kind.split_once('.').unwrap_or_default() {
        ("service", "deployed" | "upgraded") => told.service(),
        ("service", "rolledback") => told.rollback()?,
        ("service", "published") => {
            return Err(Ignored::because(
                "service.published says that a service can be reached; service.deployed and service.upgraded deploy",
            ));
        }
        ("pipelinerun", step) => told.pipeline_run(step, event)?,
        ("incident", step @ ("detected" | "reported" | "resolved")) => told.incident(step),
        ("change", step @ ("created" | "updated" | "reviewed" | "merged" | "abandoned")) => told.change(step)?,
        ("ticket", step @ ("created" | "updated" | "closed")) => told.ticket(step)?,
        _ => return Err(Ignored::event(event.event)),
    };
    Ok(vec![happening])
}

fn missing(field: &str) -> Ignored {
    Ignored(format!("it has no {field}"))
}

/// What every event says.
struct Told<'a> {
    /// Of the event, unique within its source.
    own_id: Name,
    source: &'a str,
    /// Of what the event is about, unique within `subject_source`.
    subject: &'a str,
    subject_source: &'a str,
    content: Body<'a>,
    links: Body<'a>,
    at: Timestamp,
}

impl<'a> Told<'a> {
    fn of(event: &Event<'a>) -> Result<Self, Ignored> {
        let (body, inner) = (event.body, inner(event.body));
        let source = said(body, "/source", "/source").unwrap_or_default();
        let own = said(body, "/id", "/id").ok_or_else(|| missing("id"))?;
        let time = inner.at("/context/timestamp").time().or(body.at("/time").time());
        Ok(Self {
            own_id: id("cdevents", &[source, own]).ok_or_else(|| missing("id"))?,
            source,
            subject: inner
                .at("/subject/id")
                .text()
                .or(body.at("/subject").text())
                .ok_or_else(|| missing("subject.id"))?,
            subject_source: inner.at("/subject/source").text().unwrap_or(source),
            content: inner.at("/subject/content"),
            links: inner.at("/context/links"),
            at: time.unwrap_or(event.received_at),
        })
    }

    fn subject_id(&self, kind: &str) -> Result<Name, Ignored> {
        id("cdevents", &[kind, self.subject_source, self.subject]).ok_or_else(|| missing("subject.id"))
    }

    fn service(&self) -> Happening {
        let artifact = Artifact::of(self.content.at("/artifactId"));
        Happening::deployment(
            self.own_id.clone(),
            name(self.subject),
            deployment::Sighting {
                outcome: Some(Outcome::Deployed(self.at)),
                environment: self.content.at("/environment/id").name(),
                repository: artifact.repository,
                commit_sha: artifact.commit,
                version: artifact.version,
                ..deployment::Sighting::new(self.at)
            },
        )
    }

    /// It happens to a deployment that is there already, and only a link says to which.
    fn rollback(&self) -> Result<Happening, Ignored> {
        let undone = self.links.items().find_map(|link| {
            let kind = link.at("/linkKind").text().unwrap_or_default();
            link.at("/target/contextId").text().filter(|_| kind.eq_ignore_ascii_case("rollback"))
        });
        let undone = undone.and_then(|undone| id("cdevents", &[self.source, undone])).ok_or_else(|| {
            Ignored::because(
                "it does not say which deployment was rolled back: give it a link of the kind ROLLBACK whose \
                 target.contextId is the id of the event that deployed",
            )
        })?;
        let outcome = Some(Outcome::RolledBack(self.at));
        Ok(Happening::deployment(
            undone,
            name(self.subject),
            deployment::Sighting {
                outcome,
                environment: self.content.at("/environment/id").name(),
                ..deployment::Sighting::new(self.at)
            },
        ))
    }

    /// A run of a pipeline that deploys, by its name: for those who send nothing about services.
    fn pipeline_run(&self, step: &str, event: &Event<'_>) -> Result<Happening, Ignored> {
        let pipeline = self.content.at("/pipelineName").text().unwrap_or_default();
        if !event.settings.deploys(pipeline) {
            return Err(Ignored(format!("the pipeline {pipeline:?} is not listed in deploy_workflows")));
        }
        let outcome = match (step, self.content.at("/outcome").text()) {
            ("queued" | "started", _) => None,
            ("finished", Some("success")) => Some(Outcome::Deployed(self.at)),
            ("finished", Some("failure" | "error")) => Some(Outcome::Failed(self.at)),
            ("finished", other) => {
                return Err(Ignored(format!("a run that ended as {other:?} neither deployed nor failed")));
            }
            _ => return Err(Ignored::event(event.event)),
        };
        Ok(Happening::deployment(
            self.subject_id("pipelinerun")?,
            name(pipeline),
            deployment::Sighting {
                outcome,
                deploy_start_at: (step == "started").then_some(self.at),
                reason: self.content.at("/errors").prose().filter(|_| matches!(outcome, Some(Outcome::Failed(_)))),
                url: self.content.at("/uri").prose().or(self.content.at("/url").prose()),
                ..deployment::Sighting::new(self.at)
            },
        ))
    }

    fn incident(&self, step: &str) -> Happening {
        // what it says when it is over is about the solution, the artifact too
        let opening = if step == "resolved" { Body(&serde_json::Value::Null) } else { self.content };
        let state = match step {
            "detected" => Some(State::Open),
            "resolved" => Some(State::Finished(self.at)),
            // in a ticket, perhaps after all was over: it does not begin again by that
            _ => None,
        };
        Happening::incident(
            // with a source it is never empty
            id("cdevents", &[self.subject_source, self.subject]).unwrap_or_else(|| self.own_id.clone()),
            self.content.at("/service/id").name(),
            incident::Sighting {
                state,
                started_at: (step == "detected").then_some(self.at),
                environment: self.content.at("/environment/id").name(),
                cause: Artifact::of(opening.at("/artifactId")).version.map(Cause::Version),
                title: opening.at("/description").prose(),
                url: opening.at("/ticketURI").prose(),
                ..incident::Sighting::new(self.at)
            },
        )
    }

    fn change(&self, step: &str) -> Result<Happening, Ignored> {
        let repository = self.content.at("/repository");
        let repository = match repository.at("/id").text() {
            Some(own) => id("cdevents", &[repository.at("/source").text().unwrap_or(self.subject_source), own]),
            None => id("cdevents", &[self.subject_source]),
        };
        let repository = repository.ok_or_else(|| missing("subject.content.repository.id"))?;
        let when = |steps: &[&str]| steps.contains(&step).then_some(self.at);
        Ok(Happening::PullRequest(PullRequest {
            number: self.subject.parse().ok(),
            title: self.content.at("/description").prose(),
            opened_at: when(&["created"]),
            first_review_at: when(&["reviewed"]),
            merged_at: when(&["merged"]),
            is_closed: match step {
                "merged" | "abandoned" => Some(true),
                "created" => Some(false),
                _ => None,
            },
            closed_at: when(&["merged", "abandoned"]),
            ..PullRequest::new(repository, self.subject_id("change")?, self.at)
        }))
    }

    fn ticket(&self, step: &str) -> Result<Happening, Ignored> {
        let status = match (step, self.content.at("/resolution").text()) {
            ("created", _) => Some(TicketStatus::Waiting),
            ("closed", Some("completed")) => Some(TicketStatus::Finished),
            ("closed", Some("withdrawn" | "duplicate")) => Some(TicketStatus::Dropped),
            ("closed", other) => {
                let reason = format!(
                    "closed as {other:?}, it may be done or given up: completed, withdrawn and duplicate are known here"
                );
                return Err(Ignored(reason));
            }
            _ => None,
        };
        // not the group, which a ticket may be handed on from
        let place = id("cdevents", &[self.subject_source]).ok_or_else(|| missing("source"))?;
        Ok(Happening::Ticket(Ticket {
            kind: self.content.at("/ticketType").name(),
            title: self.content.at("/summary").prose(),
            url: self.content.at("/uri").prose(),
            status,
            created_at: (step == "created").then_some(self.at),
            finished_at: (status == Some(TicketStatus::Finished)).then_some(self.at),
            ..Ticket::new(place, self.subject_id("ticket")?, self.at)
        }))
    }
}

/// What a package URL tells: `pkg:<type>/<namespace>/<name>@<version>?<qualifiers>#<path>`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Artifact {
    version: Option<Name>,
    /// Of types that are repositories: there the version is a commit, or a tag.
    commit: Option<Name>,
    repository: Option<Name>,
}

impl Artifact {
    fn of(purl: Body<'_>) -> Self {
        let Some(text) = purl.text() else { return Self::default() };
        let whole = text.split(['?', '#']).next().unwrap_or_default();
        let Some((path, version)) = whole.rsplit_once('@') else { return Self::default() };
        let version = percent_decode_str(version).decode_utf8_lossy();
        let path = path.strip_prefix("pkg:").and_then(|path| path.trim_start_matches('/').split_once('/'));
        let repository = path.filter(|(kind, _)| matches!(*kind, "github" | "bitbucket" | "gitlab"));
        let is_sha = version.len() == 40 && version.chars().all(|c| c.is_ascii_hexdigit());
        Self {
            commit: repository.filter(|_| is_sha).and_then(|_| name(&version)),
            repository: repository.and_then(|(kind, full_name)| id(kind, &[full_name])),
            version: name(&version),
        }
    }
}

#[cfg(test)]
mod tests;
