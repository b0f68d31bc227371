//! What a deployment moves.

use super::{Labels, Metric, Observation};
use crate::domain::Deployment;

/// The observations that the fact is due and that were not made yet; marks them as made.
/// Made from the fact as it stands, so whatever order things become known in, each counts once.
pub fn observe(fact: &mut Deployment) -> Vec<Observation> {
    let due = [
        (Metric::DeploymentStarted, Some(0)),
        (Metric::DeploymentFrequency, fact.deployed_at.map(|_| 0)),
        (Metric::DeploymentFailed, fact.failed_at.map(|_| 0)),
        (Metric::DeploymentDuration, fact.duration_micros()),
        (Metric::LeadTimeForChanges, fact.lead_time_micros()),
        (Metric::ChangeFailureCount, fact.failed_in_use().then_some(0)),
        (Metric::DeploymentUnplanned, fact.deployed_at.filter(|_| fact.unplanned == Some(true)).map(|_| 0)),
    ];
    let labels = labels(fact);
    due.into_iter()
        .filter_map(|(metric, micros)| {
            let micros = micros?;
            fact.counted.set(metric.bit()).then(|| Observation { metric, labels: labels.clone(), micros })
        })
        .collect()
}

pub fn labels(fact: &Deployment) -> Labels {
    Labels { project_id: fact.project_id.clone(), team_id: fact.team_id.clone(), environment: fact.environment.clone() }
}
