//! What an incident moves.

use super::{Labels, Metric, Observation, deployments};
use crate::domain::{Deployment, Incident};

/// The observations that the fact is due and that were not made yet; marks them as made.
/// `linked` is its deployment: how long detection took is told under the deployment's labels.
pub fn observe(fact: &mut Incident, linked: Option<&Deployment>) -> Vec<Observation> {
    let own = labels(fact);
    let detected = linked.map(deployments::labels).zip(fact.time_to_detect_micros());
    let due = [
        Some((Metric::IncidentCount, own.clone(), 0)),
        detected.map(|(labels, micros)| (Metric::TimeToDetect, labels, micros)),
        fact.restored_at.map(|_| (Metric::IncidentRestored, own.clone(), 0)),
        fact.time_to_restore_micros().map(|micros| (Metric::TimeToRestore, own.clone(), micros)),
        fact.finished_at.map(|_| (Metric::IncidentFinished, own.clone(), 0)),
    ];
    due.into_iter()
        .flatten()
        .filter_map(|(metric, labels, micros)| {
            fact.counted.set(metric.bit()).then_some(Observation { metric, labels, micros })
        })
        .collect()
}

pub fn labels(fact: &Incident) -> Labels {
    Labels { project_id: fact.project_id.clone(), team_id: fact.team_id.clone(), environment: fact.environment.clone() }
}
