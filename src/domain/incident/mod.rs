//! An incident and what may happen to it. Identified by (project, id); may be linked to a deployment.

mod create;
mod link;
mod sighted;
mod steps;

use serde::{Deserialize, Serialize};

use super::correction::Edit;
use super::deployment::Deployment;
use super::refusal::{FieldProblem, Refusal};
use super::time;
use super::{Context, Marks, Name, Prose, Timestamp, correction};
use create::{imported, opened};
use link::Said;
use sighted::{first_sighted, sight};
use steps::{finish, possible, restore};

pub use link::{Link, Method, State as LinkState};
pub use sighted::{Cause, Seen, Sighting, State, overtaken};

pub const KIND: &str = "incident";

/// The fact as it is stored. The serde form is the store's and the journal's; the API has its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: Name,
    pub project_id: Name,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub team_id: Option<Name>,
    pub environment: Name,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deployment_id: Option<Name>,
    /// The `deployed_at` of the linked deployment, so that answers need no join.
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub deployment_deployed_at: Option<Timestamp>,
    /// How it was linked; without a deployment: who says that none has caused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub link_method: Option<Method>,
    /// What may have caused it, while nobody has said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suggested_deployment_id: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub severity: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<Prose>,
    #[serde(with = "time::micros")]
    pub started_at: Timestamp,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub restored_at: Option<Timestamp>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub finished_at: Option<Timestamp>,
    pub counted: Marks,
    #[serde(with = "time::micros")]
    pub created_at: Timestamp,
    #[serde(with = "time::micros")]
    pub updated_at: Timestamp,
    /// Set: no answer sees it, and only a restore may touch it.
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none", default)]
    pub deleted_at: Option<Timestamp>,
    /// What tools have said of it, when they are where it is from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub seen: Option<Seen>,
}

/// What opening an incident says. What is already known must agree; what is not is filled in.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    pub environment: Option<Name>,
    pub deployment_id: Option<Name>,
    pub severity: Option<Name>,
    pub title: Option<Prose>,
    pub url: Option<Prose>,
    pub started_at: Option<Timestamp>,
    pub restored_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub enum Change {
    Open(Box<Opening>),
    Restored {
        date: Option<Timestamp>,
    },
    /// Also restores it when it was not.
    Finished {
        date: Option<Timestamp>,
    },
    /// Somebody says what it should have been.
    Corrected(Box<correction::Incident>),
    /// The same, and it is made when it is not known.
    Imported(Box<correction::Incident>),
    /// A tool says something; made when it is not known.
    Sighted(Box<Sighting>),
    /// The deployment is found that a tool says has caused it.
    Linked {
        deployment_id: Name,
        method: Method,
    },
    /// What may have caused it is found, another than before, or none any more.
    Suggested {
        deployment_id: Option<Name>,
    },
    Deleted,
    /// Takes a deletion back.
    Undeleted,
}

#[derive(Debug, Clone)]
pub struct Command {
    /// `None` only when opening: the next free number of the project is taken.
    pub id: Option<Name>,
    /// `None`: the only project that has the id.
    pub project_id: Option<Name>,
    pub change: Change,
}

impl Command {
    /// The journal's word for it.
    pub fn kind(&self) -> &'static str {
        match self.change {
            Change::Open(_) => "incident.started",
            Change::Restored { .. } => "incident.restored",
            Change::Finished { .. } => "incident.finished",
            Change::Corrected(_) => "incident.corrected",
            Change::Imported(_) => "incident.imported",
            Change::Sighted(_) => "incident.sighted",
            Change::Linked { .. } => "incident.linked",
            Change::Suggested { .. } => "incident.suggested",
            Change::Deleted => "incident.deleted",
            Change::Undeleted => "incident.undeleted",
        }
    }

    /// The deployment that it wants to be linked to.
    pub fn deployment_id(&self) -> Option<&Name> {
        match &self.change {
            Change::Open(opening) => opening.deployment_id.as_ref(),
            Change::Corrected(correction) | Change::Imported(correction) => correction.deployment_id.value(),
            Change::Linked { deployment_id, .. } => Some(deployment_id),
            _ => None,
        }
    }
}

impl Incident {
    /// Whether answers see it.
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// The deployment whose incidents it is one of.
    pub fn counts_for(&self) -> Option<&Name> {
        self.deployment_id.as_ref().filter(|_| self.is_live())
    }

    /// Microseconds from the linked deployment to the incident's start. `None` without a link, before
    /// that deployment is deployed, while nobody knows when it began, and for an incident that began
    /// while it was still rolling out: a negative duration is never stored.
    pub fn time_to_detect_micros(&self) -> Option<i64> {
        let micros = self.started_at.micros_since(self.deployment_deployed_at?);
        Some(micros).filter(|micros| *micros >= 0 && self.has_known_start())
    }

    pub fn time_to_restore_micros(&self) -> Option<i64> {
        Some(self.restored_at?.micros_since(self.started_at)).filter(|_| self.has_known_start())
    }

    /// Of an end that is told before its beginning, the end stands in for it: that is no time to restore, and what is
    /// counted once would stay so when the beginning comes. The column `start_is_guessed` says the same.
    pub fn has_known_start(&self) -> bool {
        self.seen.as_ref().is_none_or(|seen| !seen.is_guessing_start(self.started_at))
    }
}

/// The id of the `n`th incident of a project, for senders that have none.
pub fn numbered(project_id: &Name, n: i64) -> Result<Name, Refusal> {
    Name::parse(&format!("incident_{project_id}_{n}")).map_err(|_| {
        let detail = "too long to make an incident id from: send an id of your own";
        Refusal::Invalid(vec![FieldProblem::new("/project_id", detail)])
    })
}

/// The incident after the command, or why not. Equal to `before` when it says nothing new.
/// `id` is the command's, or the number given to it; `linked` the deployment that the command links it to, else
/// the one it is linked to, when that exists and is not deleted.
pub fn apply(
    before: Option<&Incident>,
    id: &Name,
    command: &Command,
    linked: Option<&Deployment>,
    context: &Context<'_>,
) -> Result<Incident, Refusal> {
    let mut after = match (&command.change, before) {
        (_, Some(before)) if before.deleted_at.is_some() => deleted(before, command)?,
        (Change::Sighted(sighting), None) => first_sighted(id, command.project_id.as_ref(), sighting, linked, context)?,
        (Change::Open(opening), before) => opened(before, id, command.project_id.as_ref(), opening, linked, context)?,
        (Change::Imported(correction), None) => imported(id, command.project_id.as_ref(), correction, linked, context)?,
        (_, Some(before)) => before.clone(),
        (_, None) => return Err(Refusal::NotFound { kind: KIND, id: id.clone(), hint: None }),
    };
    match &command.change {
        Change::Open(opening) => {
            if let Some(finished_at) = opening.finished_at {
                finish(&mut after, Some(finished_at), opening.restored_at, "/finished_at", context)?;
            } else if let Some(restored_at) = opening.restored_at {
                restore(&mut after, Some(restored_at), "/restored_at", context)?;
            }
        }
        Change::Restored { date } => restore(&mut after, *date, "/date", context)?,
        Change::Finished { date } => finish(&mut after, *date, None, "/date", context)?,
        Change::Corrected(correction) | Change::Imported(correction) => {
            // what it is linked to already may have been deleted since
            let stored = before.and_then(|before| before.deployment_id.as_ref());
            let sent = correction.deployment_id.value().filter(|sent| stored != Some(*sent));
            known_deployment(sent, linked, &after.project_id)?;
            correction.apply(&mut after)?;
            let said = match (&command.change, &correction.link_method) {
                (Change::Imported(_), Edit::Set(method)) => Some(Said::ByImport(Some(*method))),
                _ if correction.deployment_id == Edit::Keep => None,
                (Change::Imported(_), _) => Some(Said::ByImport(None)),
                _ => Some(Said::ByPerson),
            };
            if let Some(said) = said {
                after.linked_by_correction(stored, said);
            }
            if correction.restored_at != Edit::Clear {
                // finished implies restored
                after.restored_at = after.restored_at.or(after.finished_at);
            }
            after.deployment_deployed_at = linked_deployed_at(&after, linked);
        }
        Change::Sighted(sighting) => sight(&mut after, sighting, context)?,
        Change::Linked { deployment_id, method } => {
            known_deployment(Some(deployment_id), linked, &after.project_id)?;
            // once: who takes the link away knows better
            let is_open = after.deployment_id.is_none() && after.link_method.is_none();
            if is_open && after.seen.as_mut().is_some_and(Seen::link) {
                after.linked(deployment_id.clone(), *method);
                after.deployment_deployed_at = linked_deployed_at(&after, linked);
            }
        }
        Change::Suggested { deployment_id } => after.suggested_deployment_id.clone_from(deployment_id),
        Change::Deleted => after.deleted_at = after.deleted_at.or(Some(context.now)),
        Change::Undeleted => {
            after.deleted_at = None;
            // it may have been corrected meanwhile
            after.deployment_deployed_at = linked_deployed_at(&after, linked);
        }
    }
    if !after.may_be_suggested() {
        after.suggested_deployment_id = None;
    }
    if before == Some(&after) {
        return Ok(after);
    }
    if !matches!(command.change, Change::Deleted) {
        possible(&after, before, linked, command, context)?;
    }
    after.updated_at = context.now;
    Ok(after)
}

/// What is linked to has to be there.
fn known_deployment(sent: Option<&Name>, found: Option<&Deployment>, project_id: &Name) -> Result<(), Refusal> {
    let (Some(deployment_id), None) = (sent, found) else { return Ok(()) };
    let detail = format!("there is no deployment {deployment_id:?} in project {project_id:?}");
    Err(Refusal::Impossible(vec![FieldProblem::new("/deployment_id", detail)]))
}

fn linked_deployed_at(after: &Incident, linked: Option<&Deployment>) -> Option<Timestamp> {
    linked.filter(|linked| after.deployment_id.as_ref() == Some(&linked.id))?.deployed_at
}

/// What may still be said about a deleted one.
fn deleted(before: &Incident, command: &Command) -> Result<Incident, Refusal> {
    match command.change {
        Change::Deleted | Change::Undeleted => Ok(before.clone()),
        // its tool deleted it, and may take that back
        Change::Sighted(_) if before.seen.as_ref().is_some_and(Seen::is_void) => Ok(before.clone()),
        Change::Open(_) | Change::Imported(_) | Change::Sighted(_) => {
            Err(Refusal::Conflict(vec![FieldProblem::new("/id", correction::DELETED)]))
        }
        _ => Err(Refusal::NotFound { kind: KIND, id: before.id.clone(), hint: Some(correction::DELETED.into()) }),
    }
}
