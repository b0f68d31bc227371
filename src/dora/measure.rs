//! The one number of each block by which windows are compared.

use super::enough;
use super::explain::Metric;
use super::keys::{Durations, Keys, RecoveryTime, Share};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    /// The facts behind it.
    pub n: u64,
    /// `None`: there is nothing to compute it from.
    pub value: Option<f64>,
    /// Whether these are enough facts; counts are exact however small they are.
    pub enough: bool,
}

/// The kinds of such numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    PerDay,
    /// Seconds.
    Median,
    Ratio,
    StartedPerDay,
}

impl Measured {
    /// The name of its field; of incidents the answers have the count.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerDay => "per_day",
            Self::Median => "median_seconds",
            Self::Ratio => "ratio",
            Self::StartedPerDay => "started_per_day",
        }
    }
}

impl Metric {
    /// `days`: how long the part of the window is that the block is about.
    #[expect(clippy::cast_precision_loss, reason = "counts of facts are far below 2^53")]
    pub fn measure(self, keys: &Keys, days: f64) -> Measure {
        let median = |durations: &Durations| Measure {
            n: durations.n,
            value: durations.median_seconds,
            enough: enough::for_median(durations.n),
        };
        let share = |share: Share, whole| Measure { n: whole, value: share.ratio, enough: enough::for_share(whole) };
        let count = |n, value| Measure { n, value, enough: true };
        match self {
            Self::DeploymentFrequency => {
                count(keys.deployment_frequency.deployments, keys.deployment_frequency.per_day)
            }
            Self::LeadTimeForChanges => median(&keys.lead_time_for_changes),
            Self::ChangeFailureRate => share(keys.change_failure_rate.share, keys.change_failure_rate.deployments),
            Self::FailedDeploymentRecoveryTime => {
                let RecoveryTime { recovered, open } = keys.failed_deployment_recovery_time;
                Measure { enough: enough::for_recovery(recovered.n, open), ..median(&recovered) }
            }
            Self::DeploymentReworkRate => {
                share(keys.deployment_rework_rate.share, keys.deployment_rework_rate.deployments)
            }
            Self::TimeToRestore => median(&keys.time_to_restore),
            Self::TimeToDetect => median(&keys.time_to_detect),
            Self::Incidents => {
                let started = keys.incidents.started;
                count(started, (days > 0.0).then(|| started as f64 / days))
            }
            Self::Pipelines => share(keys.pipelines.share, keys.pipelines.failed + keys.pipelines.deployed),
        }
    }

    /// Which number of the block it is.
    pub fn measured(self) -> Measured {
        match self {
            Self::DeploymentFrequency => Measured::PerDay,
            Self::LeadTimeForChanges
            | Self::FailedDeploymentRecoveryTime
            | Self::TimeToRestore
            | Self::TimeToDetect => Measured::Median,
            Self::ChangeFailureRate | Self::DeploymentReworkRate | Self::Pipelines => Measured::Ratio,
            Self::Incidents => Measured::StartedPerDay,
        }
    }

    /// The greatest value there can be; the least is 0 for all.
    pub fn greatest(self) -> f64 {
        if self.measured() == Measured::Ratio { 1.0 } else { f64::INFINITY }
    }

    /// Of all others, less is better.
    pub fn more_is_better(self) -> bool {
        self == Self::DeploymentFrequency
    }
}
