//! Reads the facts that a batch of commands is about, with as few statements as the batch allows.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use super::plan::Working;
use super::{Action, Command};
use crate::domain::{Deployment, Name, deployment, incident};
use crate::storage::{Error, Key, Tx};

/// Everything that the commands may read or change, locked against other replicas.
pub async fn working_set<'a>(
    tx: &mut Tx<'_>,
    commands: impl Iterator<Item = &'a Command> + Clone,
) -> Result<Working, Error> {
    let mut working = Working::default();
    let (keyed, by_id) = split(commands.clone().filter_map(deployment_of));
    for fact in tx.deployments(&keyed).await?.into_iter().chain(tx.deployments_by_id(&by_id).await?) {
        working.load_deployment(fact);
    }
    working.links = tx.incident_ids(working.deployments()).await?;
    let (keyed, by_id) = split(commands.clone().filter_map(incident_of));
    for fact in tx.incidents(&keyed).await?.into_iter().chain(tx.incidents_by_id(&by_id).await?) {
        working.load_incident(fact);
    }
    load_neighbours(tx, commands.clone(), &mut working).await?;
    set_numbers_aside(tx, commands, &mut working).await?;
    Ok(working)
}

/// What a command changes beside the fact that it names: the deployment whose incidents become more or fewer,
/// and the incidents that are told when their deployment reached users.
async fn load_neighbours<'a>(
    tx: &mut Tx<'_>,
    commands: impl Iterator<Item = &'a Command> + Clone,
    working: &mut Working,
) -> Result<(), Error> {
    let changed: HashSet<&Name> = commands.clone().filter_map(changed_incident).collect();
    let linked: BTreeSet<_> = working
        .incidents()
        .filter(|incident| changed.contains(&incident.id))
        .filter_map(|incident| incident.deployment_id.clone().map(|id| (id, incident.project_id.clone())))
        .collect();
    let keys: Vec<_> = linked.iter().map(|(id, project)| Key { id: Some(id), project_id: Some(project) }).collect();
    let deployments = tx.deployments(&keys).await?;
    working.links.extend(tx.incident_ids(deployments.iter()).await?);
    for fact in deployments {
        working.load_deployment(fact);
    }

    let corrected: HashSet<&Name> = commands.filter_map(corrected_deployment).collect();
    let tells = |fact: &&Deployment| {
        // also its deleted incidents, which do not count, are told of a correction
        corrected.contains(&fact.id) || (fact.incident_count > 0 && !fact.is_deployed())
    };
    let telling: Vec<_> = working.deployments().filter(tells).collect();
    for fact in tx.incidents_linked_to(&telling).await? {
        working.load_incident(fact);
    }
    Ok(())
}

fn corrected_deployment(command: &Command) -> Option<&Name> {
    use deployment::Change::{Corrected, Deleted, Imported, Undeleted};
    match &command.action {
        Action::Deployment(deployment::Command {
            id,
            change: Corrected(_) | Imported(_) | Deleted | Undeleted,
            ..
        }) => Some(id),
        _ => None,
    }
}

/// One that may stop being its deployment's, or whose beginning may become known: then its detection is measured.
fn changed_incident(command: &Command) -> Option<&Name> {
    use incident::Change::{Corrected, Deleted, Imported, Sighted, Undeleted};
    match &command.action {
        Action::Incident(incident::Command {
            id,
            change: Corrected(_) | Imported(_) | Sighted(_) | Deleted | Undeleted,
            ..
        }) => id.as_ref(),
        _ => None,
    }
}

/// Numbers looked up at once at most.
const LARGEST_WINDOW: usize = 16_384;

type Lookup<'a> = (&'a Name, Option<&'a Name>);

/// Sorted and without repeats: replicas that lock facts take them in the same order.
fn split<'a>(lookups: impl Iterator<Item = Lookup<'a>>) -> (Vec<Key<'a>>, Vec<Key<'a>>) {
    let (mut keyed, mut by_id) = (BTreeSet::new(), BTreeSet::new());
    for (id, project_id) in lookups {
        let set = if project_id.is_some() { &mut keyed } else { &mut by_id };
        set.insert(Key { id: Some(id), project_id });
    }
    (keyed.into_iter().collect(), by_id.into_iter().collect())
}

fn deployment_of(command: &Command) -> Option<Lookup<'_>> {
    match &command.action {
        Action::Deployment(deployment::Command { id, project_id, .. }) => Some((id, project_id.as_ref())),
        Action::Incident(action) => action.deployment_id().map(|id| (id, action.project_id.as_ref())),
    }
}

fn incident_of(command: &Command) -> Option<Lookup<'_>> {
    match &command.action {
        Action::Deployment(_) => None,
        Action::Incident(incident::Command { id, project_id, .. }) => id.as_ref().map(|id| (id, project_id.as_ref())),
    }
}

/// Free incident numbers for the commands that bring no id: `1 + number of incidents of the project`,
/// and on from there past ids that somebody has chosen by hand.
async fn set_numbers_aside<'a>(
    tx: &mut Tx<'_>,
    commands: impl Iterator<Item = &'a Command>,
    working: &mut Working,
) -> Result<(), Error> {
    let mut wanted = HashMap::<&Name, usize>::new();
    let mut by_hand = HashMap::<&Name, usize>::new();
    for command in commands {
        if let Action::Incident(incident::Command { id, project_id: Some(project_id), .. }) = &command.action {
            let map = if id.is_none() { &mut wanted } else { &mut by_hand };
            *map.entry(project_id).or_default() += 1;
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let projects: Vec<_> = wanted.keys().map(|project| Key { id: None, project_id: Some(project) }).collect();
    let counts = tx.incident_counts(&projects).await?;
    for (project, count) in wanted {
        // as many more as this batch itself may take by hand
        let count = count + by_hand.get(project).copied().unwrap_or_default();
        let first = 1 + counts.get(project).copied().unwrap_or_default();
        let numbers = free_numbers(tx, project, first, count).await?;
        working.numbers.insert(project.clone(), numbers);
    }
    Ok(())
}

/// The first free numbers from `first` on; fewer when they are too long to be ids: then the command is refused
/// when its turn comes.
async fn free_numbers(tx: &mut Tx<'_>, project: &Name, first: i64, count: usize) -> Result<VecDeque<Name>, Error> {
    let mut numbers = (first..).map_while(|n| incident::numbered(project, n).ok());
    let mut free = VecDeque::new();
    // twice as many each time: somebody may have taken thousands in a row
    let mut window = count;
    while free.len() < count {
        let candidates: Vec<_> = numbers.by_ref().take(window).collect();
        if candidates.is_empty() {
            break;
        }
        let keys: Vec<_> = candidates.iter().map(|id| Key { id: Some(id), project_id: Some(project) }).collect();
        let taken = tx.taken_incident_ids(&keys).await?;
        let missing = count - free.len();
        free.extend(candidates.into_iter().filter(|id| !taken.contains(id)).take(missing));
        window = (2 * window).min(LARGEST_WINDOW);
    }
    Ok(free)
}
