//! The index against the tally, which looks at each fact: both must give the same answers, to the last bit.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::domain::Timestamp;
use crate::dora::naive_tests::worlds::{World, worlds};
use crate::dora::{Answer, Calendar, Span, Tally, Zone};

type Answers = (Answer, std::collections::BTreeMap<Name, Answer>);

fn calendar(world: &World) -> Calendar {
    let time = |micros| Timestamp::from_micros(micros).unwrap();
    let span = Span { from: time(world.from), to: time(world.to), zone: Zone::parse(world.zone).unwrap() };
    Calendar::new(span, Some(world.interval)).unwrap()
}

fn is_production(environment: &Name) -> bool {
    environment.as_str() == "production"
}

fn linked_to<'w>(world: &'w World, fact: &domain::Deployment) -> impl Iterator<Item = &'w domain::Incident> {
    let (project, id) = (fact.project_id.clone(), fact.id.clone());
    world.incidents.iter().filter(move |i| i.project_id == project && i.deployment_id.as_ref() == Some(&id))
}

fn one_by_one(world: &World, calendar: &Calendar) -> Answers {
    let mut tally = Tally::new(calendar);
    for fact in world.deployments.iter().filter(|fact| is_production(&fact.environment)) {
        if let Some(small) = Deployment::of(fact, linked_to(world, fact).map(Linked::from)) {
            tally.deployment(fact.project_id.clone(), &small);
        }
    }
    for fact in world.incidents.iter().filter(|fact| is_production(&fact.environment)) {
        tally.incident(fact.project_id.clone(), &fact.into());
    }
    tally.finish().unwrap()
}

fn by_index(index: &Index, calendar: &Calendar) -> Answers {
    let mut tally = Tally::new(calendar);
    index.count(&mut tally, |labels| is_production(&labels.environment), |labels| labels.project.clone());
    tally.finish().unwrap()
}

/// The world as the store would say it: deployments know how many incidents they have.
fn counted(mut world: World) -> World {
    let counts: Vec<_> = world.deployments.iter().map(|fact| linked_to(&world, fact).count()).collect();
    for (fact, count) in world.deployments.iter_mut().zip(counts) {
        fact.incident_count = i64::try_from(count).unwrap();
    }
    world
}

fn loaded(world: &World) -> Index {
    let mut index = Index::default();
    for fact in &world.incidents {
        let shelf = index.shelf_of(&fact.project_id, fact.team_id.as_ref(), &fact.environment).unwrap();
        let link = fact.deployment_id.as_ref().map(|id| (&fact.project_id, id));
        index.put_incident(shelf, &fact.into(), link).unwrap();
    }
    for fact in &world.deployments {
        let shelf = index.shelf_of(&fact.project_id, fact.team_id.as_ref(), &fact.environment).unwrap();
        if fact.incident_count > 0 {
            index.put_linked_deployment(shelf, (&fact.project_id, &fact.id), fact.into()).unwrap();
        } else {
            index.put_deployment(shelf, &fact.into()).unwrap();
        }
    }
    assert!(index.is_whole());
    index
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loaded_facts_give_the_same_answers(world in worlds()) {
        let world = counted(world);
        let calendar = calendar(&world);
        let index = loaded(&world);
        prop_assert_eq!(by_index(&index, &calendar), one_by_one(&world, &calendar));
        prop_assert_eq!(index.facts(), world.deployments.len() + world.incidents.len());
    }

    /// From one world to another, as far as the same facts go: whatever may be corrected is.
    #[test]
    fn followed_changes_give_the_same_answers(from in worlds(), to in worlds(), later in any::<u8>()) {
        let from = counted(from);
        let mut index = loaded(&from);
        let mut world = from.clone();
        let mut told = 0;
        // incidents move first or last: either way the index is whole when both have been told
        let mut steps: Vec<_> = (0..to.incidents.len().min(from.incidents.len())).map(|n| (true, n)).collect();
        steps.extend((0..to.deployments.len().min(from.deployments.len())).map(|n| (false, n)));
        let turn = usize::from(later) % steps.len().max(1);
        steps.rotate_left(turn);
        for (is_incident, n) in steps {
            if is_incident {
                let before = world.incidents[n].clone();
                let mut after = to.incidents[n].clone();
                (after.id, after.project_id) = (before.id.clone(), before.project_id.clone());
                (after.deployment_id, after.deployment_deployed_at) =
                    (before.deployment_id.clone(), before.deployment_deployed_at);
                index.follow_incident(Some(&before), &after).unwrap();
                world.incidents[n] = after;
            } else {
                let before = world.deployments[n].clone();
                let mut after = to.deployments[n].clone();
                (after.id, after.project_id) = (before.id.clone(), before.project_id.clone());
                after.incident_count = before.incident_count;
                index.follow_deployment(Some(&before), &after).unwrap();
                world.deployments[n] = after;
            }
            told += 1;
            prop_assert!(index.is_whole());
        }
        let calendar = calendar(&from);
        prop_assert_eq!(by_index(&index, &calendar), one_by_one(&world, &calendar), "after {} changes", told);
    }

    /// Everything happens: facts appear one by one, each incident before its deployment hears of it.
    #[test]
    fn what_happens_is_followed_from_nothing(world in worlds()) {
        let world = counted(world);
        let mut index = Index::default();
        let mut deployments = world.deployments.clone();
        for fact in &mut deployments {
            fact.incident_count = 0;
            index.follow_deployment(None, fact).unwrap();
        }
        for incident in &world.incidents {
            index.follow_incident(None, incident).unwrap();
            let linked = |d: &&mut domain::Deployment| {
                d.project_id == incident.project_id && Some(&d.id) == incident.deployment_id.as_ref()
            };
            if let Some(deployment) = deployments.iter_mut().find(linked) {
                let before = deployment.clone();
                deployment.incident_count += 1;
                index.follow_deployment(Some(&before), deployment).unwrap();
            }
            prop_assert!(index.is_whole());
        }
        let calendar = calendar(&world);
        prop_assert_eq!(by_index(&index, &calendar), one_by_one(&world, &calendar));
    }
}

#[test]
fn what_was_never_there_cannot_change() {
    let world = {
        let mut runner = proptest::test_runner::TestRunner::deterministic();
        let mut world = worlds().new_tree(&mut runner).unwrap().current();
        while world.deployments.iter().all(|fact| fact.deployed_at.is_none()) || world.incidents.is_empty() {
            world = worlds().new_tree(&mut runner).unwrap().current();
        }
        counted(world)
    };
    let deployed = world.deployments.iter().find(|fact| fact.deployed_at.is_some()).unwrap();
    assert_eq!(Index::default().follow_deployment(Some(deployed), deployed), Err(Astray));
    let incident = &world.incidents[0];
    assert_eq!(Index::default().follow_incident(Some(incident), incident), Err(Astray));
}
