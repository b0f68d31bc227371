//! When what a fact is due happened: its observations by event time, for a past that nobody has recorded.
//! Totals by event time are computed from the facts anew each time; the store's totals, which say what was
//! recorded when, have no part in it.

use super::{Metric, Observation, deployments, incidents};
use crate::domain::{Deployment, Incident, Marks, Timestamp};

/// An observation and the time that it is of.
pub type Event = (Timestamp, Observation);

/// All that a deployment is due. `first_incident`: when the first incident that is linked to it started.
pub fn deployment(fact: &Deployment, first_incident: Option<Timestamp>) -> Vec<Event> {
    let began = fact.deploy_start_at.or(fact.deployed_at).or(fact.failed_at).unwrap_or(fact.created_at);
    let deployed = fact.deployed_at.unwrap_or(began);
    let failed_in_use = [first_incident, fact.rolled_back_at].into_iter().flatten().min();
    let mut fresh = Deployment { counted: Marks::default(), ..fact.clone() };
    let at = |observation: Observation| {
        let at = match observation.metric {
            Metric::DeploymentStarted => began,
            Metric::DeploymentFailed => fact.failed_at.unwrap_or(began),
            // an incident may have begun while it was still rolling out
            Metric::ChangeFailureCount => failed_in_use.map_or(deployed, |failed| failed.max(deployed)),
            _ => deployed,
        };
        (at, observation)
    };
    deployments::observe(&mut fresh).into_iter().map(at).collect()
}

/// All that an incident is due; `linked` is its deployment.
pub fn incident(fact: &Incident, linked: Option<&Deployment>) -> Vec<Event> {
    let started = fact.started_at;
    let mut fresh = Incident { counted: Marks::default(), ..fact.clone() };
    let at = |observation: Observation| {
        let at = match observation.metric {
            Metric::IncidentRestored | Metric::TimeToRestore => fact.restored_at.unwrap_or(started),
            Metric::IncidentFinished => fact.finished_at.unwrap_or(started),
            _ => started,
        };
        (at, observation)
    };
    incidents::observe(&mut fresh, linked).into_iter().map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Name;
    use crate::domain::deployment::Status;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    fn bare() -> Deployment {
        let name = |text| Name::parse(text).unwrap();
        Deployment {
            first_commit_from: None,
            id: name("1"),
            project_id: name("shop"),
            team_id: None,
            environment: name("production"),
            status: Status::Started,
            first_commit_at: Some(at(100)),
            deploy_start_at: None,
            deployed_at: None,
            failed_at: None,
            rolled_back_at: None,
            reason: None,
            username: None,
            commit_sha: None,
            version: None,
            url: None,
            unplanned: None,
            incident_count: 0,
            // whatever was recorded
            counted: Marks(-1),
            created_at: at(9000),
            updated_at: at(9000),
            deleted_at: None,
            seen: None,
        }
    }

    fn opened() -> Incident {
        let Deployment { id, project_id, environment, counted, created_at, .. } = bare();
        Incident {
            deployment_id: Some(id.clone()),
            id,
            project_id,
            team_id: None,
            environment,
            deployment_deployed_at: Some(at(300)),
            link_method: None,
            suggested_deployment_id: None,
            severity: None,
            title: None,
            url: None,
            started_at: at(400),
            restored_at: Some(at(460)),
            finished_at: Some(at(700)),
            counted,
            created_at,
            updated_at: created_at,
            deleted_at: None,
            seen: None,
        }
    }

    fn told(events: Vec<Event>) -> Vec<(&'static str, i64, i64)> {
        let told = |(at, o): Event| (o.metric.name(), at.micros() / 1_000_000, o.micros / 1_000_000);
        events.into_iter().map(told).collect()
    }

    #[test]
    fn each_observation_is_of_when_it_happened() {
        let whole = Deployment {
            deploy_start_at: Some(at(200)),
            deployed_at: Some(at(300)),
            rolled_back_at: Some(at(500)),
            incident_count: 1,
            ..bare()
        };
        let expected = [
            ("deployment_started", 200, 0),
            ("deployment_frequency", 300, 0),
            ("deployment_duration", 300, 100),
            ("lead_time_for_changes", 300, 200),
            ("change_failure_count", 400, 0),
        ];
        assert_eq!(told(deployment(&whole, Some(at(400)))), expected);
        assert_eq!(told(deployment(&whole, None))[4].1, 500, "rolled back first");
        assert_eq!(told(deployment(&whole, Some(at(250))))[4].1, 300, "it cannot fail in use before it is in use");
        let expected = [
            ("incident_count", 400, 0),
            ("time_to_detect", 400, 100),
            ("incident_restored", 460, 0),
            ("time_to_restore", 460, 60),
            ("incident_finished", 700, 0),
        ];
        assert_eq!(told(incident(&opened(), Some(&whole))), expected);
        assert_eq!(told(incident(&opened(), None)).len(), 4);
    }

    #[test]
    fn a_start_that_is_not_known_is_not_later_than_what_came_of_it() {
        assert_eq!(told(deployment(&bare(), None)), [("deployment_started", 9000, 0)]);
        let failed = Deployment { failed_at: Some(at(600)), ..bare() };
        assert_eq!(told(deployment(&failed, None)), [("deployment_started", 600, 0), ("deployment_failed", 600, 0)]);
    }
}
