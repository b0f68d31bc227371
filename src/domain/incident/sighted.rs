//! What tools say about an incident through their webhooks: in any order, again and again, in parts.
//! A fact that tools tell follows from the set of what they said. What a person corrected stays,
//! until a tool says something new of that very field.

use serde::{Deserialize, Serialize};

use super::Incident;
use super::create::empty;
use crate::domain::correction::{self, Edit};
use crate::domain::refusal::{FieldProblem, Refusal};
use crate::domain::seen::{Said, Steps, earliest, hear, known};
use crate::domain::{Context, Deployment, Name, Prose, Timestamp, time};

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// When it was so, by the sender's clock. Later sayings win over earlier ones, whichever arrives first.
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// When it began; `at` where nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Name>,
    /// Of an incident whose project tells no team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Name>,
    /// What the sender says has caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Prose>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Prose>,
}

/// How it stands, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It began, or began again.
    Open,
    Restored(#[serde(with = "time::micros")] Timestamp),
    Finished(#[serde(with = "time::micros")] Timestamp),
    /// It was none: declined, merged into another, cancelled, a drill.
    Void,
}

/// A deployment as far as a sender knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// By its id, with or without the vendor before the colon.
    Deployment(Name),
    /// By the commit, or its beginning.
    Commit(Name),
    /// By the version or release.
    Version(Name),
}

/// Everything that was said so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    #[serde(skip_serializing_if = "Steps::is_empty")]
    steps: Steps<State>,
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    /// The earliest message: the start, while nobody has named one.
    #[serde(with = "time::micros::option", skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Said<Cause>>,
    /// Its deployment was found once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_linked: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Said<Name>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Said<Prose>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Said<Prose>>,
}

/// What follows from what was said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    started_at: Option<Timestamp>,
    restored_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    is_void: bool,
    environment: Option<Name>,
    severity: Option<Name>,
    title: Option<Prose>,
    url: Option<Prose>,
}

impl Sighting {
    pub fn new(at: Timestamp) -> Self {
        Self {
            at,
            state: None,
            started_at: None,
            environment: None,
            team_id: None,
            cause: None,
            severity: None,
            title: None,
            url: None,
        }
    }
}

impl Seen {
    fn hear(&mut self, sighting: &Sighting) {
        let at = sighting.at;
        if let Some(state) = sighting.state {
            self.steps.add(at, state);
        }
        self.start = earliest(self.start, sighting.started_at);
        self.first = earliest(self.first, Some(at));
        hear(&mut self.environment, at, sighting.environment.clone());
        hear(&mut self.cause, at, sighting.cause.clone());
        hear(&mut self.severity, at, sighting.severity.clone());
        hear(&mut self.title, at, sighting.title.clone());
        hear(&mut self.url, at, sighting.url.clone());
    }

    /// What the senders say has caused it.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref().map(|said| &said.value)
    }

    /// `true`: now its deployment is found, and was not before.
    pub fn link(&mut self) -> bool {
        !std::mem::replace(&mut self.is_linked, true)
    }

    /// Whether its deployment may still be looked for.
    pub fn may_be_linked(&self) -> bool {
        !self.is_linked
    }

    /// Whether this start is only when it was first heard of, and nobody said that it began then.
    pub fn is_guessing_start(&self, start: Timestamp) -> bool {
        let has_begun = self.steps.iter().any(|said| said.value == State::Open);
        self.start.is_none() && !has_begun && self.first == Some(start)
    }

    /// Whether the senders say that it was none.
    pub fn is_void(&self) -> bool {
        self.told().is_void
    }

    fn told(&self) -> Told {
        let mut told = Told {
            started_at: self.start.or(self.first),
            environment: known(self.environment.as_ref()),
            severity: known(self.severity.as_ref()),
            title: known(self.title.as_ref()),
            url: known(self.url.as_ref()),
            ..Told::default()
        };
        for Said { value, .. } in self.steps.iter() {
            match *value {
                State::Open => (told.restored_at, told.finished_at, told.is_void) = (None, None, false),
                State::Restored(at) => told.restored_at = told.restored_at.or(Some(at)),
                State::Finished(at) => {
                    told.restored_at = told.restored_at.or(Some(at));
                    told.finished_at = told.finished_at.or(Some(at));
                }
                State::Void => told.is_void = true,
            }
        }
        // Two machines' clocks: it never ends before it begins, nor is it over before it is restored.
        let start = told.started_at;
        told.restored_at = told.restored_at.map(|at| start.map_or(at, |start| start.max(at)));
        told.finished_at = told.finished_at.map(|at| told.restored_at.map_or(at, |restored| restored.max(at)));
        told
    }
}

/// How it begins to be known.
pub fn first_sighted(
    id: &Name,
    project_id: Option<&Name>,
    sighting: &Sighting,
    linked: Option<&Deployment>,
    context: &Context<'_>,
) -> Result<Incident, Refusal> {
    let Some(project_id) = project_id else {
        return Err(Refusal::Invalid(vec![FieldProblem::new("/project_id", "required")]));
    };
    let empty = empty(id, project_id, linked, sighting.started_at.unwrap_or(sighting.at), context);
    Ok(Incident { team_id: empty.team_id.clone().or_else(|| sighting.team_id.clone()), ..empty })
}

/// Takes in what was said; changes only what follows differently from it than before.
pub fn sight(fact: &mut Incident, sighting: &Sighting, context: &Context<'_>) -> Result<(), Refusal> {
    let mut seen = fact.seen.clone().unwrap_or_default();
    let was = seen.told();
    seen.hear(sighting);
    let is = seen.told();
    fact.seen = Some(seen);
    if was.is_void != is.is_void {
        fact.deleted_at = is.is_void.then_some(context.now);
    }
    correction::Incident {
        team_id: Edit::Keep,
        environment: Edit::replacing(was.environment.as_ref(), is.environment.as_ref()),
        deployment_id: Edit::Keep,
        link_method: Edit::Keep,
        severity: Edit::between(was.severity.as_ref(), is.severity.as_ref()),
        title: Edit::between(was.title.as_ref(), is.title.as_ref()),
        url: Edit::between(was.url.as_ref(), is.url.as_ref()),
        started_at: Edit::replacing(was.started_at.as_ref(), is.started_at.as_ref()),
        restored_at: Edit::between(was.restored_at.as_ref(), is.restored_at.as_ref()),
        finished_at: Edit::between(was.finished_at.as_ref(), is.finished_at.as_ref()),
    }
    .apply(fact)
}

/// The fact as it was before what is said now, where that is not how it is: a recovery that was overtaken, before or
/// after it arrived, happened all the same, and is counted; so is the beginning of what turned out to be none.
/// Made from all that was said, so that the order in which it was does not matter.
pub fn overtaken(fact: &Incident) -> Option<Incident> {
    let (mut restored_at, mut finished_at) = (fact.restored_at, fact.finished_at);
    for said in fact.seen.as_ref()?.steps.iter() {
        match said.value {
            State::Restored(at) => restored_at = restored_at.or(Some(at.max(fact.started_at))),
            State::Finished(at) => {
                restored_at = restored_at.or(Some(at.max(fact.started_at)));
                finished_at = finished_at.or(Some(at.max(fact.started_at)));
            }
            State::Open | State::Void => {}
        }
    }
    if (restored_at, finished_at) == (fact.restored_at, fact.finished_at) && fact.is_live() {
        return None;
    }
    Some(Incident { restored_at, finished_at, deleted_at: None, ..fact.clone() })
}
