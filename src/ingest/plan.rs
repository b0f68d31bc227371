//! What a batch of commands does to the facts, worked out in memory, one command after the other.
//! Pure: the facts it needs were loaded before, what it changes is written after.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{Accepted, Action, Command, Effect, Outcome};
use crate::domain::{Context, Deployment, Incident, Name, Refusal, Timestamp, deployment, incident, teams::Teams};
use crate::metrics;
use crate::storage::{Entry, Fact, LinkedIds, Totals, Writes};

/// The settings that the rules depend on.
#[derive(Debug, Clone)]
pub struct Rules {
    pub production: Name,
    pub teams: Teams,
}

/// Project, then id.
pub type FactKey = (Name, Name);

/// The facts of one kind that a batch touches, by project and id.
#[derive(Debug)]
struct Table<T> {
    slots: BTreeMap<FactKey, Slot<T>>,
    /// The projects that have a fact of an id.
    projects: HashMap<Name, Vec<Name>>,
}

/// A fact in memory and how it got there.
#[derive(Debug)]
struct Slot<T> {
    fact: T,
    stored: bool,
    changed: bool,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: BTreeMap::new(), projects: HashMap::new() }
    }
}

impl<T> Table<T> {
    fn get(&self, key: &FactKey) -> Option<&T> {
        self.slots.get(key).map(|slot| &slot.fact)
    }

    fn facts(&self) -> impl Iterator<Item = &T> {
        self.slots.values().map(|slot| &slot.fact)
    }

    /// A fact as the store has it.
    fn load(&mut self, key: FactKey, fact: T) {
        if !self.slots.contains_key(&key) {
            self.insert(key, Slot { fact, stored: true, changed: false });
        }
    }

    /// A fact as a command leaves it.
    fn put(&mut self, key: FactKey, fact: T) {
        if let Some(slot) = self.slots.get_mut(&key) {
            (slot.fact, slot.changed) = (fact, true);
        } else {
            self.insert(key, Slot { fact, stored: false, changed: true });
        }
    }

    fn insert(&mut self, key: FactKey, slot: Slot<T>) {
        self.projects.entry(key.1.clone()).or_default().push(key.0.clone());
        self.slots.insert(key, slot);
    }

    /// What has to be written: the new ones, and those that were stored before.
    fn changed(&self) -> (Vec<&T>, Vec<&T>) {
        let changed = self.slots.values().filter(|slot| slot.changed);
        let (stored, new): (Vec<_>, Vec<_>) = changed.partition(|slot| slot.stored);
        (new.into_iter().map(|slot| &slot.fact).collect(), stored.into_iter().map(|slot| &slot.fact).collect())
    }

    /// The project meant by a path that may carry the id alone; `None` when no project has the id.
    /// A fact that is `meant` stands back for none that is not: a deleted one is no second meaning of an id.
    fn resolve(
        &self,
        kind: &'static str,
        id: &Name,
        sent: Option<&Name>,
        meant: impl Fn(&T) -> bool,
    ) -> Result<Option<Name>, Refusal> {
        if sent.is_some() {
            return Ok(sent.cloned());
        }
        let all = self.projects.get(id).map(Vec::as_slice).unwrap_or_default();
        let is_meant = |project: &&Name| self.get(&((*project).clone(), id.clone())).is_some_and(&meant);
        let mut several: Vec<_> = all.iter().filter(is_meant).collect();
        if several.is_empty() {
            several.extend(all);
        }
        if let [] | [_] = several.as_slice() {
            return Ok(several.pop().cloned());
        }
        let mut projects: Vec<_> = several.into_iter().take(20).map(ToString::to_string).collect();
        projects.sort();
        Err(Refusal::Ambiguous { kind, id: id.clone(), projects })
    }
}

/// The facts that a batch touches, and what it does to them.
#[derive(Debug, Default)]
pub struct Working {
    deployments: Table<Deployment>,
    incidents: Table<Incident>,
    /// The incidents linked to each deployment.
    pub(super) links: LinkedIds,
    /// Free incident ids of projects whose senders bring none.
    pub(super) numbers: HashMap<Name, VecDeque<Name>>,
    journal: Vec<Entry>,
    totals: Totals,
}

impl Working {
    pub fn load_deployment(&mut self, fact: Deployment) {
        self.deployments.load((fact.project_id.clone(), fact.id.clone()), fact);
    }

    pub fn load_incident(&mut self, fact: Incident) {
        self.incidents.load((fact.project_id.clone(), fact.id.clone()), fact);
    }

    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.facts()
    }

    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.facts()
    }

    /// Does one command; a refusal changes nothing.
    pub(super) fn apply(&mut self, command: &Command, rules: &Rules) -> Result<Outcome, Refusal> {
        let context = Context { now: command.received_at, production: &rules.production, teams: &rules.teams };
        match &command.action {
            Action::Deployment(action) => {
                let accepted = self.deployment(command, action, &context)?;
                let key = (accepted.fact.project_id.clone(), accepted.fact.id.clone());
                Ok(Outcome::Deployment(accepted, self.links.get(&key).cloned().unwrap_or_default()))
            }
            Action::Incident(action) => self.incident(command, action, &context).map(Outcome::Incident),
        }
    }

    fn deployment(
        &mut self,
        command: &Command,
        action: &deployment::Command,
        context: &Context<'_>,
    ) -> Result<Accepted<Deployment>, Refusal> {
        let undeleting = matches!(action.change, deployment::Change::Undeleted);
        let meant = |fact: &Deployment| fact.is_live() != undeleting;
        let project = self.deployments.resolve(deployment::KIND, &action.id, action.project_id.as_ref(), meant)?;
        let before = project.and_then(|project| self.deployments.get(&(project, action.id.clone()))).cloned();
        let mut after = deployment::apply(before.as_ref(), action, context)?;
        if before.as_ref() != Some(&after) {
            self.count(metrics::deployments::observe(&mut after), context.now);
            if let deployment::Change::Sighted(sighting) = &action.change
                && let Some(mut overtaken) = deployment::overtaken(&after, sighting)
            {
                self.count(metrics::deployments::observe(&mut overtaken), context.now);
                after.counted = overtaken.counted;
            }
            let told = before.as_ref().and_then(seen_deployed_at);
            self.record(command, action.kind(), before.clone().map(Fact::Deployment), Fact::Deployment(after.clone()));
            self.store_deployment(after.clone());
            if seen_deployed_at(&after) != told {
                self.tell_incidents(command, &after);
            }
        }
        Ok(Accepted { effect: effect(before.as_ref(), &after), fact: after })
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
        let undeleting = matches!(action.change, incident::Change::Undeleted);
        let meant = |fact: &Incident| fact.is_live() != undeleting;
        let project = self.incidents.resolve(incident::KIND, &id, action.project_id.as_ref(), meant)?;
        let before = project.clone().and_then(|project| self.incidents.get(&(project, id.clone()))).cloned();
        let named = action.deployment_id().or(before.as_ref().and_then(|before| before.deployment_id.as_ref()));
        let linked = self.linked(project.as_ref(), named).filter(Deployment::is_live);
        let mut after = incident::apply(before.as_ref(), &id, action, linked.as_ref(), context)?;
        if before.as_ref() != Some(&after) {
            self.count(metrics::incidents::observe(&mut after, linked.as_ref()), context.now);
            if matches!(action.change, incident::Change::Sighted(_))
                && let Some(mut overtaken) = incident::overtaken(&after)
            {
                self.count(metrics::incidents::observe(&mut overtaken, linked.as_ref()), context.now);
                after.counted = overtaken.counted;
            }
            self.record(command, action.kind(), before.clone().map(Fact::Incident), Fact::Incident(after.clone()));
            let counted_for = |fact: &Incident| fact.counts_for().cloned();
            let (was, is) = (before.as_ref().and_then(counted_for), counted_for(&after));
            if was != is {
                // by what is stored: deleted deployments keep their count
                let of = Some(&after.project_id);
                if let Some(linked) = self.linked(of, was.as_ref()) {
                    self.unlink(command, linked, &id);
                }
                if let Some(linked) = self.linked(of, is.as_ref()) {
                    self.link(command, linked, id);
                }
            }
            self.store_incident(after.clone());
        }
        Ok(Accepted { effect: effect(before.as_ref(), &after), fact: after })
    }

    fn linked(&self, project: Option<&Name>, id: Option<&Name>) -> Option<Deployment> {
        self.deployments.get(&(project?.clone(), id?.clone())).cloned()
    }

    /// A deployment gets one more incident; the first may make it a failed change.
    fn link(&mut self, command: &Command, before: Deployment, incident: Name) {
        self.links.entry((before.project_id.clone(), before.id.clone())).or_default().push(incident);
        let mut after = before.clone();
        after.incident_count += 1;
        after.updated_at = command.received_at;
        self.count(metrics::deployments::observe(&mut after), command.received_at);
        let (before, after_fact) = (Fact::Deployment(before), Fact::Deployment(after.clone()));
        self.record(command, "deployment.incident_linked", Some(before), after_fact);
        self.store_deployment(after);
    }

    /// An incident is not a deployment's any more.
    fn unlink(&mut self, command: &Command, before: Deployment, incident: &Name) {
        let ids = self.links.entry((before.project_id.clone(), before.id.clone())).or_default();
        ids.retain(|id| id != incident);
        let mut after = before.clone();
        after.incident_count -= 1;
        after.updated_at = command.received_at;
        let (before, after_fact) = (Fact::Deployment(before), Fact::Deployment(after.clone()));
        self.record(command, "deployment.incident_unlinked", Some(before), after_fact);
        self.store_deployment(after);
    }

    /// Incidents that are linked to a deployment learn when it reached users.
    fn tell_incidents(&mut self, command: &Command, deployment: &Deployment) {
        let linked: Vec<Incident> = self
            .incidents
            .facts()
            .filter(|i| i.project_id == deployment.project_id && i.deployment_id.as_ref() == Some(&deployment.id))
            .cloned()
            .collect();
        for before in linked {
            let mut after = before.clone();
            after.deployment_deployed_at = seen_deployed_at(deployment);
            after.updated_at = command.received_at;
            if after.is_live() {
                self.count(metrics::incidents::observe(&mut after, Some(deployment)), command.received_at);
            }
            let (before, after_fact) = (Fact::Incident(before), Fact::Incident(after.clone()));
            self.record(command, "incident.deployment_deployed", Some(before), after_fact);
            self.store_incident(after);
        }
    }

    fn next_number(&mut self, project: &Name) -> Result<Name, Refusal> {
        // asked for only to hear why there is none
        incident::numbered(project, i64::MAX)?;
        while let Some(id) = self.numbers.get_mut(project).and_then(VecDeque::pop_front) {
            if self.incidents.get(&(project.clone(), id.clone())).is_none() {
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
        self.deployments.put((fact.project_id.clone(), fact.id.clone()), fact);
    }

    fn store_incident(&mut self, fact: Incident) {
        self.incidents.put((fact.project_id.clone(), fact.id.clone()), fact);
    }

    /// What has to be written; `None` when nothing changed.
    pub fn writes(&mut self) -> Option<Writes<'_>> {
        if self.journal.is_empty() {
            return None;
        }
        let (journal, totals) = (std::mem::take(&mut self.journal), std::mem::take(&mut self.totals));
        let (new_deployments, changed_deployments) = self.deployments.changed();
        let (new_incidents, changed_incidents) = self.incidents.changed();
        Some(Writes { new_deployments, changed_deployments, new_incidents, changed_incidents, journal, totals })
    }
}

fn effect<T: PartialEq>(before: Option<&T>, after: &T) -> Effect {
    match before {
        None => Effect::Created,
        Some(before) if before == after => Effect::Unchanged,
        Some(_) => Effect::Changed,
    }
}

/// What incidents are told of their deployment: of a deleted one nothing.
fn seen_deployed_at(deployment: &Deployment) -> Option<Timestamp> {
    deployment.deployed_at.filter(|_| deployment.is_live())
}

#[cfg(test)]
impl Working {
    pub fn all_deployments(&self) -> Vec<Deployment> {
        self.deployments().cloned().collect()
    }

    pub fn all_incidents(&self) -> Vec<Incident> {
        self.incidents.facts().cloned().collect()
    }
}
