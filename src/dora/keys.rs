//! The answers: one block for each metric, with its definition. A *deployment of the window* is one that
//! reached users (taken back or not) at a time in the window. Nothing here is ever NaN: what cannot be
//! known is `None`.

/// All blocks, for a window or one part of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Keys {
    pub deployment_frequency: DeploymentFrequency,
    /// `deployed_at - first_commit_at`, over the deployments of the window whose first commit is known.
    pub lead_time_for_changes: Durations,
    pub change_failure_rate: ChangeFailureRate,
    pub failed_deployment_recovery_time: RecoveryTime,
    pub deployment_rework_rate: ReworkRate,
    /// `restored_at - started_at`, over the incidents started in the window that are restored.
    pub time_to_restore: Durations,
    /// `started_at` - the linked deployment's `deployed_at`, over the incidents started in the window.
    pub time_to_detect: Durations,
    pub incidents: Incidents,
    pub pipelines: Pipelines,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DeploymentFrequency {
    pub deployments: u64,
    /// By the length of the window in days of the time zone: a day of 23 or 25 hours is one day, and of a day
    /// that is only partly in the window, that part. `None` for a window without length.
    pub per_day: Option<f64>,
    /// Days of the time zone with at least one deployment.
    pub deployment_days: u32,
    /// Over the weeks (from Monday) that lie wholly in the window; `None` when there is none.
    pub median_deployment_days_per_week: Option<f64>,
}

/// Seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Durations {
    pub n: u64,
    pub median_seconds: Option<f64>,
    pub p75_seconds: Option<f64>,
    pub p90_seconds: Option<f64>,
    pub mean_seconds: Option<f64>,
}

/// Deployments of the window that failed in use (an incident is linked to them, or they were rolled back),
/// of all deployments of the window: never above 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ChangeFailureRate {
    pub failed: u64,
    pub deployments: u64,
    pub share: Share,
}

/// From failure to recovery, over the deployments of the window that failed in use; see `Recovery`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RecoveryTime {
    /// Of those that have recovered.
    pub recovered: Durations,
    pub open: u64,
}

/// Deployments of the window that were not planned, of all deployments of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ReworkRate {
    pub unplanned: u64,
    pub deployments: u64,
    pub share: Share,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Incidents {
    /// Started, restored, finished in the window, each by its own time.
    pub started: u64,
    pub restored: u64,
    pub finished: u64,
    /// Started before the end of the window, and not restored before it.
    pub open: u64,
}

/// Deployments that failed, in the window, before they reached users, of those and the deployments of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pipelines {
    pub failed: u64,
    pub deployed: u64,
    pub share: Share,
}

/// A part of a whole, 0 to 1, and how sure that is; `None` when the whole is empty.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Share {
    pub ratio: Option<f64>,
    /// The 95 % Wilson score interval.
    pub interval95: Option<[f64; 2]>,
}
