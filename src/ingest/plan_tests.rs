//! Properties of the transitions: whatever is sent, in whatever order and however often, the totals equal a
//! recount of the facts from the definitions.

mod senders;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::plan::{Rules, Working};
use super::{Action, Command};
use crate::domain::correction::{self, Edit};
use crate::domain::deployment::{self, Details, Status};
use crate::domain::incident::{self, Opening};
use crate::domain::teams::Teams;
use crate::domain::{Deployment, Incident, Name, Prose, Timestamp};
use crate::metrics::{CATALOGUE, Metric};
use senders::*;

const DAY: i64 = 24 * 3600;
/// When everything in these tests happens, in seconds.
const BASE: i64 = 1_700_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((BASE + seconds) * 1_000_000).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn rules() -> Rules {
    let mut teams = Teams::default();
    teams.add_project(&name("red"), name("shop"));
    teams.add_user(&name("blue"), name("ann"));
    Rules { production: name("production"), teams }
}

/// Metric and project, without the team: a team that becomes known later leaves what was counted where it was.
type Counts = BTreeMap<(Metric, String), (i64, i128)>;

/// A working set that is never written anywhere: a store in memory.
#[derive(Default)]
struct World {
    working: Working,
    counts: Counts,
    accepted: Vec<Command>,
}

impl World {
    /// Whether it was accepted.
    fn apply(&mut self, command: &Command) -> bool {
        if let Action::Incident(incident::Command { id: None, project_id: Some(project), .. }) = &command.action {
            let n = i64::try_from(self.accepted.len()).unwrap() + 1;
            let free = incident::numbered(project, n).unwrap();
            self.working.numbers.entry(project.clone()).or_default().push_back(free);
        }
        let accepted = self.working.apply(command, &rules()).is_ok();
        if let Some(writes) = self.working.writes() {
            for (labels, metric, count, sum) in writes.totals.steps() {
                let total = self.counts.entry((metric, labels.project_id.to_string())).or_default();
                *total = (total.0 + count, total.1 + sum);
            }
        }
        if accepted {
            self.accepted.push(command.clone());
        }
        accepted
    }
}

/// From the definitions of the instruments and from nothing else.
fn recount(deployments: &[Deployment], incidents: &[Incident]) -> Counts {
    let mut counts = Counts::new();
    let mut add = |metric, project: &Name, micros: i64| {
        let total = counts.entry((metric, project.to_string())).or_default();
        *total = (total.0 + 1, total.1 + i128::from(micros));
    };
    for d in deployments {
        add(Metric::DeploymentStarted, &d.project_id, 0);
        if let Some(failed_at) = d.failed_at {
            assert!(d.deployed_at.is_none() && d.deploy_start_at.is_none_or(|start| start <= failed_at));
            add(Metric::DeploymentFailed, &d.project_id, 0);
        }
        let linked =
            incidents.iter().filter(|i| i.project_id == d.project_id && i.deployment_id.as_ref() == Some(&d.id));
        assert_eq!(d.incident_count, i64::try_from(linked.clone().count()).unwrap());
        let Some(deployed_at) = d.deployed_at else { continue };
        add(Metric::DeploymentFrequency, &d.project_id, 0);
        if d.unplanned == Some(true) {
            add(Metric::DeploymentUnplanned, &d.project_id, 0);
        }
        if let Some(start) = d.deploy_start_at {
            add(Metric::DeploymentDuration, &d.project_id, deployed_at.micros() - start.micros());
        }
        if let Some(commit) = d.first_commit_at {
            add(Metric::LeadTimeForChanges, &d.project_id, deployed_at.micros() - commit.micros());
        }
        if d.rolled_back_at.is_some() || linked.clone().next().is_some() {
            add(Metric::ChangeFailureCount, &d.project_id, 0);
        }
        for i in linked.filter(|i| i.started_at >= deployed_at) {
            add(Metric::TimeToDetect, &d.project_id, i.started_at.micros() - deployed_at.micros());
        }
    }
    for i in incidents {
        add(Metric::IncidentCount, &i.project_id, 0);
        if let Some(restored_at) = i.restored_at {
            assert!(restored_at >= i.started_at, "a negative duration was stored");
            add(Metric::IncidentRestored, &i.project_id, 0);
            add(Metric::TimeToRestore, &i.project_id, restored_at.micros() - i.started_at.micros());
        }
        if let Some(finished_at) = i.finished_at {
            assert!(i.restored_at.is_some_and(|restored_at| restored_at <= finished_at), "finished implies restored");
            add(Metric::IncidentFinished, &i.project_id, 0);
        }
    }
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn totals_equal_a_recount_of_the_facts_whatever_is_sent(commands in proptest::collection::vec(command(), 1..60)) {
        let mut world = World::default();
        for command in &commands {
            world.apply(command);
        }
        prop_assert_eq!(&world.counts, &recount(&world.working.all_deployments(), &world.working.all_incidents()));
    }

    /// A correction may turn everything upside down: what is kept in two places stays in step, every total is what the
    /// facts have counted by their marks, and nothing impossible is stored.
    #[test]
    fn corrections_leave_facts_and_totals_in_step(
        commands in proptest::collection::vec(prop_oneof![2 => command(), 1 => sent(correction())], 1..60),
    ) {
        let mut world = World::default();
        for command in &commands {
            let before = world.counts.clone();
            world.apply(command);
            for (total, (count, _)) in before {
                prop_assert!(world.counts[&total].0 >= count, "{:?} fell", total);
            }
        }
        let (deployments, incidents) = (world.working.all_deployments(), world.working.all_incidents());
        let mut marked = BTreeMap::<Metric, i64>::new();
        for metric in CATALOGUE.iter().map(|instrument| instrument.metric) {
            let marks = deployments.iter().map(|d| d.counted).chain(incidents.iter().map(|i| i.counted));
            let count = marks.filter(|marks| marks.has(metric.bit())).count();
            if count > 0 {
                marked.insert(metric, i64::try_from(count).unwrap());
            }
        }
        let mut counted = BTreeMap::<Metric, i64>::new();
        for ((metric, _), (count, _)) in &world.counts {
            *counted.entry(*metric).or_default() += count;
        }
        counted.retain(|_, count| *count > 0);
        prop_assert_eq!(counted, marked);
        for d in &deployments {
            let ends = (d.rolled_back_at.is_some(), d.deployed_at.is_some(), d.failed_at.is_some());
            let status = match ends {
                (true, true, false) => Status::RolledBack,
                (false, true, false) => Status::Deployed,
                (false, false, true) => Status::Failed,
                (false, false, false) => Status::Started,
                _ => return Err(TestCaseError::fail(format!("{d:?}"))),
            };
            prop_assert_eq!(d.status, status);
            prop_assert!(d.lead_time_micros().is_none_or(|micros| micros >= 0));
            prop_assert!(d.duration_micros().is_none_or(|micros| micros >= 0));
            let linked: Vec<_> = incidents
                .iter()
                .filter(|i| i.project_id == d.project_id && i.deployment_id.as_ref() == Some(&d.id) && i.is_live())
                .collect();
            prop_assert_eq!(d.incident_count, i64::try_from(linked.len()).unwrap());
            for incident in linked {
                prop_assert_eq!(incident.deployment_deployed_at, d.deployed_at.filter(|_| d.is_live()));
            }
        }
        for i in &incidents {
            prop_assert!(i.time_to_restore_micros().is_none_or(|micros| micros >= 0));
            prop_assert!(i.finished_at.is_none() || i.restored_at.is_some());
            if i.deployment_id.is_none() {
                prop_assert_eq!(i.deployment_deployed_at, None);
            }
        }
    }

    #[test]
    fn a_deletion_taken_back_leaves_everything_as_it_was(
        commands in proptest::collection::vec(command(), 1..40),
        deleted in proptest::collection::vec((any::<bool>(), any::<proptest::sample::Index>()), 1..6),
    ) {
        let mut world = World::default();
        for command in &commands {
            world.apply(command);
        }
        let (before, incidents) = (world.working.all_deployments(), world.working.all_incidents());
        let counts = world.counts.clone();
        let touch = |deployment: Option<&Deployment>, incident: Option<&Incident>, delete: bool| {
            let action = match (deployment, incident) {
                (Some(d), _) => Action::Deployment(deployment::Command {
                    id: d.id.clone(),
                    project_id: Some(d.project_id.clone()),
                    details: Details::default(),
                    change: if delete { deployment::Change::Deleted } else { deployment::Change::Undeleted },
                }),
                (None, Some(i)) => Action::Incident(incident::Command {
                    id: Some(i.id.clone()),
                    project_id: Some(i.project_id.clone()),
                    change: if delete { incident::Change::Deleted } else { incident::Change::Undeleted },
                }),
                (None, None) => return None,
            };
            Some(Command { actor: name("test"), received_at: at(2 * DAY), action })
        };
        let chosen: Vec<_> = deleted.iter().map(|(of_deployments, index)| {
            let deployment = (*of_deployments && !before.is_empty()).then(|| &before[index.index(before.len())]);
            let incident = (!of_deployments && !incidents.is_empty()).then(|| &incidents[index.index(incidents.len())]);
            (deployment, incident)
        }).collect();
        for (deployment, incident) in &chosen {
            if let Some(command) = touch(*deployment, *incident, true) {
                prop_assert!(world.apply(&command));
            }
        }
        for (deployment, incident) in chosen.iter().rev() {
            if let Some(command) = touch(*deployment, *incident, false) {
                prop_assert!(world.apply(&command));
            }
        }
        let untimed = |incidents: Vec<Incident>| -> Vec<_> {
            incidents.into_iter().map(|i| Incident { updated_at: at(0), ..i }).collect()
        };
        prop_assert_eq!(timeless(world.working.all_deployments()), timeless(before.clone()));
        prop_assert_eq!(untimed(world.working.all_incidents()), untimed(incidents.clone()));
        prop_assert_eq!(&world.counts, &counts);
    }

    #[test]
    fn what_was_accepted_may_be_repeated_in_any_order_and_changes_nothing(
        commands in proptest::collection::vec(command(), 1..40),
        seed in any::<u64>(),
    ) {
        let mut world = World::default();
        for command in &commands {
            world.apply(command);
        }
        let (deployments, incidents) = (world.working.all_deployments(), world.working.all_incidents());
        let counts = world.counts.clone();
        // an incident without an id is a new one each time, by definition; and a path with the id alone
        // means another fact, or none, once a second project has the id
        let mut repeats: Vec<_> = std::mem::take(&mut world.accepted).into_iter().filter(names_its_fact).collect();
        shuffle(&mut repeats, seed);
        for mut repeat in repeats {
            repeat.received_at = at(2 * DAY);
            prop_assert!(world.apply(&repeat), "a repeat was refused: {:?}", repeat);
        }
        prop_assert_eq!(&world.counts, &counts);
        prop_assert_eq!(world.working.all_deployments(), deployments);
        prop_assert_eq!(world.working.all_incidents(), incidents);
    }

    #[test]
    fn one_story_told_in_any_order_gives_the_same_facts_and_totals(
        stories in proptest::collection::vec(story(), 1..4),
        seed in any::<u64>(),
        repeats in 1..3_usize,
    ) {
        let told: Vec<Command> = stories.iter().enumerate().flat_map(|(i, story)| story.commands(i)).collect();
        let mut in_order = World::default();
        for command in &told {
            prop_assert!(in_order.apply(command), "{:?}", command);
        }
        let mut shuffled: Vec<_> = std::iter::repeat_n(told, repeats).flatten().collect();
        shuffle(&mut shuffled, seed);
        let mut world = World::default();
        // a sender that is refused because something is not known yet sends again
        let mut waiting = shuffled;
        while !waiting.is_empty() {
            let before = waiting.len();
            waiting.retain(|command| !world.apply(command));
            prop_assert!(waiting.len() < before, "stuck with {:?}", waiting);
        }
        prop_assert_eq!(&world.counts, &in_order.counts);
        prop_assert_eq!(timeless(world.working.all_deployments()), timeless(in_order.working.all_deployments()));
        let incidents = |world: &World| world.working.all_incidents().into_iter().map(|i| Incident {
            created_at: at(0), updated_at: at(0), ..i
        }).collect::<Vec<_>>();
        prop_assert_eq!(incidents(&world), incidents(&in_order));
    }
}

fn names_its_fact(command: &Command) -> bool {
    match &command.action {
        Action::Deployment(action) => action.project_id.is_some(),
        Action::Incident(action) => action.id.is_some() && action.project_id.is_some(),
    }
}

fn timeless(deployments: Vec<Deployment>) -> Vec<Deployment> {
    deployments.into_iter().map(|d| Deployment { created_at: at(0), updated_at: at(0), ..d }).collect()
}

fn shuffle<T>(items: &mut [T], seed: u64) {
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;
    items.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
}

/// What happens to one deployment, in seconds after each other.
#[derive(Debug, Clone)]
struct Story {
    build: i64,
    deploy: i64,
    end: Status,
    /// From the deployment to the incident, and from there to the restoration.
    incidents: Vec<(i64, i64)>,
}

fn story() -> impl Strategy<Value = Story> {
    let end = select(vec![Status::Deployed, Status::Failed, Status::RolledBack]);
    let incidents = proptest::collection::vec((0..DAY, 0..DAY), 0..3);
    (1..DAY, 1..3600_i64, end, incidents).prop_map(|(build, deploy, end, incidents)| Story {
        build,
        deploy,
        end,
        incidents,
    })
}

impl Story {
    /// In the order in which they happened, each with all it knows.
    fn commands(&self, n: usize) -> Vec<Command> {
        let (id, project) = (name(&format!("run-{n}")), name("shop"));
        let (commit, start) = (at(-3 * DAY), at(-3 * DAY + self.build));
        let end = at(-3 * DAY + self.build + self.deploy);
        let deployment = |change| {
            let details = Details {
                first_commit_at: Some(commit),
                deploy_start_at: Some(start),
                username: Some(name("ann")),
                ..Details::default()
            };
            Action::Deployment(deployment::Command {
                id: id.clone(),
                project_id: Some(project.clone()),
                details,
                change,
            })
        };
        let mut actions = vec![deployment(deployment::Change::Start { deployed_at: None })];
        if self.end == Status::Failed {
            actions.push(deployment(deployment::Change::Failed { failed_at: Some(end), reason: None }));
        } else {
            let change = deployment::Change::Deployed { deployed_at: Some(end), create_if_not_exists: true };
            actions.push(deployment(change));
        }
        for (i, (detect, restore)) in self.incidents.iter().enumerate() {
            let started_at = Timestamp::from_micros(end.micros() + detect * 1_000_000).unwrap();
            let date = Timestamp::from_micros(started_at.micros() + restore * 1_000_000);
            let incident = |change| {
                let id = Some(name(&format!("{n}-{i}")));
                Action::Incident(incident::Command { id, project_id: Some(project.clone()), change })
            };
            let opening =
                Opening { deployment_id: Some(id.clone()), started_at: Some(started_at), ..Opening::default() };
            actions.push(incident(incident::Change::Open(Box::new(opening))));
            actions.push(incident(incident::Change::Restored { date }));
            actions.push(incident(incident::Change::Finished { date }));
        }
        if self.end == Status::RolledBack {
            let change = deployment::Change::RolledBack { rolled_back_at: Some(at(DAY)), reason: None };
            actions.push(deployment(change));
        }
        actions.into_iter().map(|action| Command { actor: name("test"), received_at: at(2 * DAY), action }).collect()
    }
}
