//! Why a number is what it is: for each fact whether it was counted, as what, and why not.

mod lines;
mod page;

pub use lines::{Line, LinkedIncident, Scope, Subject, deployment, incident};
pub use page::{After, Page, Pages};

use crate::domain::abridged;

/// A number that can be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    DeploymentFrequency,
    LeadTimeForChanges,
    ChangeFailureRate,
    FailedDeploymentRecoveryTime,
    DeploymentReworkRate,
    TimeToRestore,
    TimeToDetect,
    Incidents,
    Pipelines,
}

impl Metric {
    pub const ALL: [Self; 9] = [
        Self::DeploymentFrequency,
        Self::LeadTimeForChanges,
        Self::ChangeFailureRate,
        Self::FailedDeploymentRecoveryTime,
        Self::DeploymentReworkRate,
        Self::TimeToRestore,
        Self::TimeToDetect,
        Self::Incidents,
        Self::Pipelines,
    ];

    /// The name of its block in the answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::DeploymentFrequency => "deployment_frequency",
            Self::LeadTimeForChanges => "lead_time_for_changes",
            Self::ChangeFailureRate => "change_failure_rate",
            Self::FailedDeploymentRecoveryTime => "failed_deployment_recovery_time",
            Self::DeploymentReworkRate => "deployment_rework_rate",
            Self::TimeToRestore => "time_to_restore",
            Self::TimeToDetect => "time_to_detect",
            Self::Incidents => "incidents",
            Self::Pipelines => "pipelines",
        }
    }

    pub fn parse(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|metric| metric.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|metric| metric.name()).collect();
            format!("expected one of {}, got {:?}", names.join(", "), abridged(text))
        })
    }

    /// Whether it is made of deployments; otherwise of incidents.
    pub fn is_of_deployments(self) -> bool {
        !matches!(self, Self::TimeToRestore | Self::TimeToDetect | Self::Incidents)
    }

    /// How it is computed, in words.
    pub fn formula(self) -> &'static str {
        match self {
            Self::DeploymentFrequency => {
                "deployments = the deployments that reached users in the window, taken back later or not; \
                 per_day = deployments / length of the window in days"
            }
            Self::LeadTimeForChanges => {
                "deployed_at - first_commit_at, over the deployments that reached users in the window and whose \
                 first commit is known; quantiles by linear interpolation between closest ranks (type 7)"
            }
            Self::ChangeFailureRate => {
                "failed / deployments. deployments = those that reached users in the window; failed = those of them \
                 that failed in use, at whatever time: at least one incident is linked to it, or it was rolled back. \
                 Each counts once, so the rate is never above 1"
            }
            Self::FailedDeploymentRecoveryTime => {
                "from failure to recovery, over the deployments that reached users in the window and failed in use. \
                 Failure: the first linked incident started (where the beginning of all of them is known); without an \
                 incident, the deployment reached users. \
                 Recovery: rolled back, or all linked incidents restored, whichever was first; neither yet = open"
            }
            Self::DeploymentReworkRate => {
                "unplanned / deployments, over the deployments that reached users in the window; unplanned = marked so \
                 (hotfix, roll-back, roll-forward)"
            }
            Self::TimeToRestore => {
                "restored_at - started_at, over the incidents that started in the window and are restored, linked to a \
                 deployment or not; where their beginning is known"
            }
            Self::TimeToDetect => {
                "started_at - deployed_at of the linked deployment, over the incidents that started in the window and \
                 are linked to a deployment that had reached users by then; where their beginning is known"
            }
            Self::Incidents => {
                "started, restored, finished = the incidents to which that happened in the window; open = those that \
                 started before the end of the window and were not restored before it"
            }
            Self::Pipelines => {
                "failed / (failed + deployed). failed = the deployments that failed in the window before they reached \
                 users; deployed = those that reached users in the window"
            }
        }
    }
}
