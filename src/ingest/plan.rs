//! What a batch of commands does to the facts, worked out in memory, one command after the other.
//! Pure: the facts it needs were loaded before, what it changes is written after.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Accepted, Action, Command, Outcome};
use crate::domain::{Context, Deployment, Incident, Name, Refusal, Timestamp, deployment, incident, teams::Teams};
use crate::metrics;
use crate::storage::{Entry, Fact, Totals, Writes};

/// The settings that the rules depend on.
#[derive(Debug, Clone)]
pub struct Rules {
    pub production: Name,
    pub teams: Teams,
}

/// A fact in memory and how it got there.
#[derive(Debug)]
struct Slot<T> {
    fact: T,
    stored: bool,
    changed: bool,
}

/// Project, then id.
pub type FactKey = (Name, Name);

/// The facts that a batch touches.
#[derive(Debug, Default)]
pub struct Working {
    deployments: BTreeMap<FactKey, Slot<Deployment>>,
    incidents: BTreeMap<FactKey, Slot<Incident>>,
    /// The projects that have a deployment (incident) of an id.
    deployment_projects: HashMap<Name, Vec<Name>>,
    incident_projects: HashMap<Name, Vec<Name>>,
    /// Free incident ids of projects whose senders bring none.
    pub(super) numbers: HashMap<Name, VecDeque<Name>>,
    journal: Vec<Entry>,
    totals: Totals,
}

impl Working {
    pub fn load_deployment(&mut self, fact: Deployment) {
        let key = (fact.project_id.clone(), fact.id.clone());
        if !self.deployments.contains_key(&key) {
            self.deployment_projects.entry(key.1.clone()).or_default().push(key.0.clone());
            self.deployments.insert(key, Slot { fact, stored: true, changed: false });
        }
    }

    pub fn load_incident(&mut self, fact: Incident) {
        let key = (fact.project_id.clone(), fact.id.clone());
        if !self.incidents.contains_key(&key) {
            self.incident_projects.entry(key.1.clone()).or_default().push(key.0.clone());
            self.incidents.insert(key, Slot { fact, stored: true, changed: false });
        }
    }

    /// Deployments whose incidents must be known before they can be deployed.
    pub fn undeployed_with_incidents(&self) -> Vec<&Deployment> {
        self.deployments.values().map(|slot| &slot.fact).filter(|d| d.incident_count > 0 && !d.is_deployed()).collect()
    }

    /// Does one command; a refusal changes nothing.
    pub(super) fn apply(&mut self, command: &Command, rules: &Rules) -> Result<Outcome, Refusal> {
        let context = Context { now: command.received_at, production: &rules.production, teams: &rules.teams };
        match &command.action {
            Action::Deployment(action) => self.deployment(command, action, &context).map(Outcome::Deployment),
            Action::Incident(action) => self.incident(command, action, &context).map(Outcome::Incident),
        }
    }

    fn deployment(
        &mut self,
        command: &Command,
        action: &deployment::Command,
        context: &Context<'_>,
    ) -> Result<Accepted<Deployment>, Refusal> {
        let project =
            resolve(&self.deployment_projects, deployment::KIND, &action.id, action.project_id.as_ref())?.cloned();
        let before = project
            .and_then(|project| self.deployments.get(&(project, action.id.clone())))
            .map(|slot| slot.fact.clone());
        let mut after = deployment::apply(before.as_ref(), action, context)?;
        if before.as_ref() != Some(&after) {
            self.count(metrics::deployments::observe(&mut after), context.now);
            let newly_deployed = after.is_deployed() && before.as_ref().is_none_or(|before| !before.is_deployed());
            self.record(command, action.kind(), before.clone().map(Fact::Deployment), Fact::Deployment(after.clone()));
            self.store_deployment(after.clone());
            if newly_deployed && after.incident_count > 0 {
                self.tell_incidents(command, &after);
            }
        }
        Ok(Accepted { fact: after, created: before.is_none() })
    }

    fn incident(
        &mut self,
        command: &Command,
        action: &incident::Command,
        context: &Context<'_>,
    ) -> Result<Accepted<Incident>, Refusal> {
        let id = match (&action.id, &action.project_id) {
            (Some(id), _) => id.clone(),
            (None, Some(project)) => self.next_number(project)?,
            (None, None) => {
                let problem = crate::domain::FieldProblem::new("/project_id", "required");
                return Err(Refusal::Invalid(vec![problem]));
            }
        };
        let project = resolve(&self.incident_projects, incident::KIND, &id, action.project_id.as_ref())?.cloned();
        let before =
            project.and_then(|project| self.incidents.get(&(project, id.clone()))).map(|slot| slot.fact.clone());
        let linked = action
            .project_id
            .clone()
            .zip(action.deployment_id().cloned())
            .and_then(|key| self.deployments.get(&key))
            .map(|slot| slot.fact.clone());
        let mut after = incident::apply(before.as_ref(), &id, action, linked.as_ref(), context)?;
        if before.as_ref() != Some(&after) {
            self.count(metrics::incidents::observe(&mut after, linked.as_ref()), context.now);
            self.record(command, action.kind(), before.clone().map(Fact::Incident), Fact::Incident(after.clone()));
            let newly_linked = before.as_ref().is_none_or(|before| before.deployment_id.is_none());
            if newly_linked && let Some(linked) = linked {
                self.link(command, linked, context.now);
            }
            self.store_incident(after.clone());
        }
        Ok(Accepted { fact: after, created: before.is_none() })
    }

    /// A deployment gets one more incident; the first may make it a failed change.
    fn link(&mut self, command: &Command, before: Deployment, now: Timestamp) {
        let mut after = before.clone();
        after.incident_count += 1;
        after.updated_at = now;
        self.count(metrics::deployments::observe(&mut after), now);
        let (before, after_fact) = (Fact::Deployment(before), Fact::Deployment(after.clone()));
        self.record(command, "deployment.incident_linked", Some(before), after_fact);
        self.store_deployment(after);
    }

    /// Incidents that were linked before their deployment had reached users learn when it did.
    fn tell_incidents(&mut self, command: &Command, deployment: &Deployment) {
        let linked: Vec<Incident> = self
            .incidents
            .values()
            .map(|slot| &slot.fact)
            .filter(|i| i.project_id == deployment.project_id && i.deployment_id.as_ref() == Some(&deployment.id))
            .cloned()
            .collect();
        for before in linked {
            let mut after = before.clone();
            after.deployment_deployed_at = deployment.deployed_at;
            after.updated_at = command.received_at;
            self.count(metrics::incidents::observe(&mut after, Some(deployment)), command.received_at);
            let (before, after_fact) = (Fact::Incident(before), Fact::Incident(after.clone()));
            self.record(command, "incident.deployment_deployed", Some(before), after_fact);
            self.store_incident(after);
        }
    }

    fn next_number(&mut self, project: &Name) -> Result<Name, Refusal> {
        // asked for only to hear why there is none
        incident::numbered(project, i64::MAX)?;
        while let Some(id) = self.numbers.get_mut(project).and_then(VecDeque::pop_front) {
            if !self.incidents.contains_key(&(project.clone(), id.clone())) {
                return Ok(id);
            }
        }
        unreachable!("a number was set aside for each command that needs one")
    }

    fn count(&mut self, observations: Vec<metrics::Observation>, now: Timestamp) {
        for observation in observations {
            self.totals.add(observation, now);
        }
    }

    fn record(&mut self, command: &Command, kind: &'static str, before: Option<Fact>, after: Fact) {
        let (actor, recorded_at) = (command.actor.clone(), command.received_at);
        self.journal.push(Entry { recorded_at, actor, kind, before, after });
    }

    fn store_deployment(&mut self, fact: Deployment) {
        let key = (fact.project_id.clone(), fact.id.clone());
        match self.deployments.get_mut(&key) {
            Some(slot) => (slot.fact, slot.changed) = (fact, true),
            None => {
                self.deployment_projects.entry(key.1.clone()).or_default().push(key.0.clone());
                self.deployments.insert(key, Slot { fact, stored: false, changed: true });
            }
        }
    }

    fn store_incident(&mut self, fact: Incident) {
        let key = (fact.project_id.clone(), fact.id.clone());
        match self.incidents.get_mut(&key) {
            Some(slot) => (slot.fact, slot.changed) = (fact, true),
            None => {
                self.incident_projects.entry(key.1.clone()).or_default().push(key.0.clone());
                self.incidents.insert(key, Slot { fact, stored: false, changed: true });
            }
        }
    }

    /// What has to be written; `None` when nothing changed.
    pub fn writes(&mut self) -> Option<Writes<'_>> {
        if self.journal.is_empty() {
            return None;
        }
        let mut writes = Writes {
            journal: std::mem::take(&mut self.journal),
            totals: std::mem::take(&mut self.totals),
            ..Writes::default()
        };
        for slot in self.deployments.values().filter(|slot| slot.changed) {
            let list = if slot.stored { &mut writes.changed_deployments } else { &mut writes.new_deployments };
            list.push(&slot.fact);
        }
        for slot in self.incidents.values().filter(|slot| slot.changed) {
            let list = if slot.stored { &mut writes.changed_incidents } else { &mut writes.new_incidents };
            list.push(&slot.fact);
        }
        Some(writes)
    }
}

#[cfg(test)]
impl Working {
    pub fn all_deployments(&self) -> Vec<Deployment> {
        self.deployments.values().map(|slot| slot.fact.clone()).collect()
    }

    pub fn all_incidents(&self) -> Vec<Incident> {
        self.incidents.values().map(|slot| slot.fact.clone()).collect()
    }
}

/// The project meant by a path that may carry the id alone; `None` when no project has the id.
fn resolve<'a>(
    projects: &'a HashMap<Name, Vec<Name>>,
    kind: &'static str,
    id: &Name,
    sent: Option<&'a Name>,
) -> Result<Option<&'a Name>, Refusal> {
    if sent.is_some() {
        return Ok(sent);
    }
    match projects.get(id).map(Vec::as_slice).unwrap_or_default() {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => {
            let mut projects: Vec<_> = several.iter().take(20).map(ToString::to_string).collect();
            projects.sort();
            Err(Refusal::Ambiguous { kind, id: id.clone(), projects })
        }
    }
}
