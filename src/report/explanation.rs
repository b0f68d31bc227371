//! The facts behind a number: as they are in the store, or as the journal says they once were.

use std::collections::{HashMap, HashSet};

use super::{Answers, Error, Question, seen};
use crate::domain::{self, Name};
use crate::dora::explain::{self, After, Line, LinkedIncident, Metric, Page, Pages, Subject};
use crate::dora::{Calendar, Deployment, Keys, Tally};
use crate::storage::{self, Entity, Fact, Snapshot};

/// Which of the facts behind a number.
#[derive(Debug)]
pub struct Selection {
    /// The counted ones, or those left out.
    pub only: Option<bool>,
    pub limit: u16,
    pub after: Option<After>,
}

#[derive(Debug)]
pub struct Explanation {
    /// Of these, the block of the metric is right; blocks made of other facts are empty.
    pub keys: Keys,
    pub page: Page,
    pub deleted: Deleted,
}

/// Those of the facts that stand on the page, or that it refers to, which are deleted now: they cannot be read.
#[derive(Debug, Default)]
pub struct Deleted {
    deployments: HashSet<(Name, Name)>,
    incidents: HashSet<(Name, Name)>,
}

impl Deleted {
    async fn among(lines: &[Line], snapshot: &mut Snapshot) -> Result<Self, Error> {
        let (mut deployments, mut incidents) = (Vec::new(), Vec::new());
        for line in lines {
            let (own, others) = match line.subject {
                Subject::Deployment => (&mut deployments, &mut incidents),
                Subject::Incident => (&mut incidents, &mut deployments),
            };
            own.push(line.id.clone());
            others.extend_from_slice(&line.related);
        }
        Ok(Self {
            deployments: snapshot.deleted(Entity::Deployment, &deployments).await?,
            incidents: snapshot.deleted(Entity::Incident, &incidents).await?,
        })
    }

    pub fn has(&self, subject: Subject, project_id: &Name, id: &Name) -> bool {
        let facts = match subject {
            Subject::Deployment => &self.deployments,
            Subject::Incident => &self.incidents,
        };
        facts.contains(&(project_id.clone(), id.clone()))
    }
}

impl Answers {
    /// The facts behind a number, for a window as a whole.
    pub async fn explain(
        &self,
        question: &Question,
        metric: Metric,
        selection: Selection,
    ) -> Result<Explanation, Error> {
        let calendar = Calendar::new(question.span, None)?;
        let mut explainer = Explainer::new(&calendar, question, metric, selection);
        let _alone = match question.as_of {
            // it is never closed
            Some(_) => self.past.acquire().await.ok(),
            None => None,
        };
        let mut snapshot = self.store.snapshot().await?;
        match (question.as_of, metric.is_of_deployments()) {
            (None, true) => explainer.deployments(&mut snapshot).await?,
            (None, false) => explainer.incidents(&mut snapshot).await?,
            (Some(moment), true) => explainer.past_deployments(&mut snapshot, moment).await?,
            (Some(moment), false) => explainer.past_incidents(&mut snapshot, moment).await?,
        }
        let (keys, mut page) = explainer.finish()?;
        let deleted = Deleted::among(&page.lines, &mut snapshot).await?;
        // what was deleted then already, and what only later, its incidents did not keep apart
        if question.as_of.is_none() {
            for line in &mut page.lines {
                line.tell_deleted(|deployment, project_id| deleted.has(Subject::Deployment, project_id, deployment));
            }
        }
        Ok(Explanation { keys, page, deleted })
    }
}

fn whole(incident: &storage::LinkedIncident) -> LinkedIncident {
    LinkedIncident { id: incident.id.clone(), seen: seen(incident), method: incident.method }
}

struct Explainer<'a> {
    question: &'a Question,
    metric: Metric,
    seen_by: explain::Scope,
    tally: Tally<'a, ()>,
    pages: Pages,
}

/// The incidents linked to deployments, by project and deployment, with what they are sorted by.
type Links = HashMap<Name, HashMap<Name, Vec<(domain::Timestamp, LinkedIncident)>>>;

impl<'a> Explainer<'a> {
    fn new(calendar: &'a Calendar, question: &'a Question, metric: Metric, selection: Selection) -> Self {
        let (from, to) = (question.span.from, question.span.to);
        let seen_by = explain::Scope { from, to, environments: question.environments.clone() };
        let pages = Pages::new(selection.after, selection.limit, selection.only);
        Self { question, metric, seen_by, tally: Tally::new(calendar), pages }
    }

    /// What of the facts the store need not hand over. Those of other environments are shown as left out.
    fn scope(&self) -> crate::storage::Scope {
        crate::storage::Scope { environments: Vec::new(), ..self.question.scope() }
    }

    async fn deployments(&mut self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let scope = self.scope();
        let linked = snapshot.linked_incidents(&scope).await?;
        let take = |fact: domain::Deployment| {
            let linked = linked.of(fact.project_id.as_str(), fact.id.as_str());
            let linked: Vec<_> = linked.iter().map(whole).collect();
            self.deployment(&fact, &linked);
        };
        Ok(snapshot.whole_deployments(&scope, take).await?)
    }

    async fn incidents(&mut self, snapshot: &mut Snapshot) -> Result<(), Error> {
        let scope = self.scope();
        Ok(snapshot.whole_incidents(&scope, |fact| self.incident(&fact)).await?)
    }

    /// The journal twice, so that only the incidents have to be kept in mind.
    async fn past_deployments(&mut self, snapshot: &mut Snapshot, moment: domain::Timestamp) -> Result<(), Error> {
        let (question, mut linked) = (self.question, Links::new());
        let take = |fact: Fact| {
            if let Fact::Incident(fact) = fact
                && fact.is_live()
                && fact.deployment_deployed_at.is_some_and(|at| self.seen_by.covers(at))
                && let Some(deployment) = &fact.deployment_id
            {
                let of_project = linked.entry(fact.project_id.clone()).or_default();
                let linked = of_project.entry(deployment.clone()).or_default();
                let (seen, method) = ((&fact).into(), fact.link_method);
                linked.push((fact.started_at, LinkedIncident { id: fact.id, seen, method }));
            }
            Ok::<_, Error>(())
        };
        snapshot.facts_as_of(moment, Some(Entity::Incident), &question.projects, take).await?;
        let take = |fact: Fact| {
            if let Fact::Deployment(fact) = fact
                && fact.is_live()
                && question.has_team(fact.team_id.as_ref())
            {
                let of_project = linked.get_mut(&fact.project_id);
                let mut linked = of_project.and_then(|project| project.remove(&fact.id)).unwrap_or_default();
                linked.sort_by(|(at, a), (other, b)| (at, &a.id).cmp(&(other, &b.id)));
                let linked: Vec<_> = linked.into_iter().map(|(_, linked)| linked).collect();
                self.deployment(&fact, &linked);
            }
            Ok::<_, Error>(())
        };
        snapshot.facts_as_of(moment, Some(Entity::Deployment), &question.projects, take).await
    }

    async fn past_incidents(&mut self, snapshot: &mut Snapshot, moment: domain::Timestamp) -> Result<(), Error> {
        let question = self.question;
        let take = |fact: Fact| {
            if let Fact::Incident(fact) = fact
                && fact.is_live()
                && question.has_team(fact.team_id.as_ref())
            {
                self.incident(&fact);
            }
            Ok::<_, Error>(())
        };
        snapshot.facts_as_of(moment, Some(Entity::Incident), &question.projects, take).await
    }

    fn deployment(&mut self, fact: &domain::Deployment, linked: &[LinkedIncident]) {
        if self.seen_by.has_environment(&fact.environment)
            && let Some(small) = Deployment::of(fact, linked.iter().map(|incident| incident.seen))
        {
            self.tally.deployment((), &small);
        }
        if let Some(line) = explain::deployment(self.metric, fact, linked, &self.seen_by) {
            self.pages.add(line);
        }
    }

    fn incident(&mut self, fact: &domain::Incident) {
        if self.seen_by.has_environment(&fact.environment) {
            self.tally.incident((), &fact.into());
        }
        if let Some(line) = explain::incident(self.metric, fact, &self.seen_by) {
            self.pages.add(line);
        }
    }

    fn finish(self) -> Result<(Keys, Page), Error> {
        let (all, _) = self.tally.finish()?;
        Ok((all.total, self.pages.finish()))
    }
}
