//! All facts in memory, in the form that answers take them: what is counted lies sorted by time, and what is
//! measured beside it. So a window is cut out by looking for its ends, and facts outside of it cost nothing.
//!
//! Facts have no names here: one that changes is taken out as it was and put in as it is, and what cannot be
//! taken out says that the index has gone [`Astray`]. Only deployments with incidents are known by name, because
//! what they come to depends on facts that change by themselves.

mod count;
mod runs;
mod shelf;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use super::facts::{Bare, Deployment, Incident, Linked};
use crate::domain::{self, Name};
use shelf::{Change, Shelf};

/// What groups and filters go by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Labels {
    pub project: Name,
    pub team: Option<Name>,
    pub environment: Name,
}

/// Which shelf the facts of some labels are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShelfNumber(usize);

/// The index does not hold what it should: it has to be made anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the index in memory does not hold what the journal says it does")]
pub struct Astray;

#[derive(Debug, Default)]
pub struct Index {
    shelves: Vec<Shelf>,
    numbers: HashMap<Name, Vec<ShelfNumber>>,
    /// Deployments with incidents, by project and id.
    linked: HashMap<Name, HashMap<Name, Links>>,
    /// How many of them are known by their incidents only.
    unknown: usize,
    facts: usize,
    links: usize,
}

#[derive(Debug, Default)]
struct Links {
    deployment: Option<Placed>,
    incidents: Vec<Linked>,
}

/// A deployment that is on a shelf as it and its incidents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Placed {
    number: ShelfNumber,
    bare: Bare,
}

impl Links {
    /// What is on the shelf because of it.
    fn counted(&self) -> Option<(ShelfNumber, Deployment)> {
        let placed = self.deployment?;
        Some((placed.number, placed.bare.with(self.incidents.iter().copied())?))
    }
}

impl Index {
    /// The shelf of some labels, made when it is missing.
    pub fn shelf(&mut self, project: &str, team: Option<&str>, environment: &str) -> Result<ShelfNumber, String> {
        let of_project = self.numbers.get(project).map(Vec::as_slice).unwrap_or_default();
        let known = of_project.iter().find(|number| {
            let labels = &self.shelves[number.0].labels;
            labels.team.as_ref().map(Name::as_str) == team && labels.environment == *environment
        });
        if let Some(known) = known {
            return Ok(*known);
        }
        let labels = Labels {
            project: Name::parse(project)?,
            team: team.map(Name::parse).transpose()?,
            environment: Name::parse(environment)?,
        };
        let number = ShelfNumber(self.shelves.len());
        self.numbers.entry(labels.project.clone()).or_default().push(number);
        self.shelves.push(Shelf::new(labels));
        Ok(number)
    }

    fn shelf_of(&mut self, project: &Name, team: Option<&Name>, environment: &Name) -> Result<ShelfNumber, Astray> {
        self.shelf(project.as_str(), team.map(Name::as_str), environment.as_str()).map_err(|_| Astray)
    }

    /// How many facts it was told of and holds.
    pub fn facts(&self) -> usize {
        self.facts
    }

    /// Memory in use, nearly: names are left aside, maps are guessed at.
    pub fn bytes(&self) -> usize {
        let shelves: usize = self.shelves.iter().map(Shelf::bytes).sum();
        shelves + self.links * (size_of::<(Name, Links)>() + size_of::<Linked>() + 64)
    }

    /// Whether it holds the state of one moment: each incident's deployment is known.
    pub fn is_whole(&self) -> bool {
        self.unknown == 0
    }

    /// A deployment without incidents.
    pub fn put_deployment(&mut self, number: ShelfNumber, fact: &Bare) -> Result<(), Astray> {
        self.facts += 1;
        self.shelve(Change::Put, number, fact.with([]))
    }

    /// A deployment with incidents, before or after they are known.
    pub fn put_linked_deployment(&mut self, number: ShelfNumber, id: (&Name, &Name), fact: Bare) -> Result<(), Astray> {
        self.facts += 1;
        self.relink(id, |links| links.deployment = Some(Placed { number, bare: fact }))
    }

    /// An incident, and the deployment of its project that it is linked to.
    pub fn put_incident(
        &mut self,
        number: ShelfNumber,
        fact: &Incident,
        deployment: Option<(&Name, &Name)>,
    ) -> Result<(), Astray> {
        self.facts += 1;
        self.incident(Change::Put, number, fact, deployment)
    }

    /// A deployment has changed, or is new.
    pub fn follow_deployment(
        &mut self,
        before: Option<&domain::Deployment>,
        after: &domain::Deployment,
    ) -> Result<(), Astray> {
        let id = (&after.project_id, &after.id);
        let known = self.linked.get(id.0).and_then(|project| project.get(id.1));
        let placed = known.and_then(|links| links.deployment);
        let number = self.shelf_of(id.0, after.team_id.as_ref(), &after.environment)?;
        if let Some(before) = before {
            let bare = Bare::from(before);
            let number = self.shelf_of(id.0, before.team_id.as_ref(), &before.environment)?;
            match placed {
                Some(placed) if placed != (Placed { number, bare }) => return Err(Astray),
                Some(_) => {}
                None => self.shelve(Change::Take, number, bare.with([]))?,
            }
        } else if placed.is_some() {
            return Err(Astray);
        } else {
            self.facts += 1;
        }
        let bare = Bare::from(after);
        if after.incident_count > 0 || placed.is_some() {
            return self.relink(id, |links| links.deployment = Some(Placed { number, bare }));
        }
        self.shelve(Change::Put, number, bare.with([]))
    }

    /// An incident has changed, or is new.
    pub fn follow_incident(
        &mut self,
        before: Option<&domain::Incident>,
        after: &domain::Incident,
    ) -> Result<(), Astray> {
        let changes = before.map(|before| (Change::Take, before)).into_iter().chain([(Change::Put, after)]);
        // a deleted one is not held
        for (change, fact) in changes.filter(|(_, fact)| fact.is_live()) {
            let number = self.shelf_of(&fact.project_id, fact.team_id.as_ref(), &fact.environment)?;
            let deployment = fact.deployment_id.as_ref().map(|id| (&fact.project_id, id));
            self.incident(change, number, &fact.into(), deployment)?;
        }
        self.facts += usize::from(before.is_none());
        Ok(())
    }

    fn incident(
        &mut self,
        change: Change,
        number: ShelfNumber,
        fact: &Incident,
        deployment: Option<(&Name, &Name)>,
    ) -> Result<(), Astray> {
        if !self.shelves[number.0].incident(change, fact) {
            return Err(Astray);
        }
        let Some(id) = deployment else { return Ok(()) };
        let incident = Linked::from(*fact);
        let mut found = true;
        self.relink(id, |links| match change {
            Change::Put => links.incidents.push(incident),
            Change::Take => match links.incidents.iter().position(|other| *other == incident) {
                Some(position) => _ = links.incidents.swap_remove(position),
                None => found = false,
            },
        })?;
        found.then_some(()).ok_or(Astray)
    }

    /// Changes a deployment with incidents, or one of these, and what it counts as.
    fn relink(&mut self, (project, id): (&Name, &Name), change: impl FnOnce(&mut Links)) -> Result<(), Astray> {
        let of_project = self.linked.entry(project.clone()).or_default();
        let links = of_project.entry(id.clone()).or_insert_with(|| {
            self.links += 1;
            self.unknown += 1;
            Links::default()
        });
        let (before, was_known) = (links.counted(), links.deployment.is_some());
        change(links);
        let (after, is_known) = (links.counted(), links.deployment.is_some());
        self.unknown -= usize::from(is_known && !was_known);
        if before != after {
            for (change, counted) in [(Change::Take, before), (Change::Put, after)] {
                if let Some((number, fact)) = counted {
                    self.shelve(change, number, Some(fact))?;
                }
            }
        }
        Ok(())
    }

    /// `None`: a deployment that has not ended, which is not counted.
    fn shelve(&mut self, change: Change, number: ShelfNumber, fact: Option<Deployment>) -> Result<(), Astray> {
        fact.is_none_or(|fact| self.shelves[number.0].deployment(change, &fact)).then_some(()).ok_or(Astray)
    }
}
