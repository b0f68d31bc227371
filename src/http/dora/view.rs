//! Answers as they go over the wire.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::{Name, Timestamp};
use crate::dora::explain::Metric;
use crate::dora::{Answer, Calendar, Keys, enough, keys};
use crate::report::{GroupBy, Question, Report};

/// The answers for a window.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Dora)]
pub struct DoraView {
    #[serde(flatten)]
    asked: Asked,
    #[serde(flatten)]
    blocks: Blocks,
    /// One for each part of the window; there when `interval` is not `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Part>>,
    /// What `group_by` asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    group_by: Option<&'static str>,
    /// One for each group in which anything happened or that was asked for by name; there with `group_by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<Group>>,
}

/// What was asked, with the defaults filled in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Asked {
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    tz: String,
    /// `null` for all or several: see `environments`.
    #[schema(value_type = Option<String>)]
    environment: Option<Name>,
    /// `null`: all.
    #[schema(value_type = Option<Vec<String>>)]
    environments: Option<Vec<Name>>,
    /// `null`: all.
    #[schema(value_type = Option<Vec<String>>)]
    projects: Option<Vec<Name>>,
    /// `null`: all, and what has no team.
    #[schema(value_type = Option<Vec<String>>)]
    teams: Option<Vec<Name>>,
    /// Only when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    as_of: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraPart)]
struct Part {
    #[schema(value_type = String, format = DateTime)]
    start: Timestamp,
    /// Exclusive.
    #[schema(value_type = String, format = DateTime)]
    end: Timestamp,
    #[serde(flatten)]
    blocks: Blocks,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraGroup)]
struct Group {
    /// `null`: what has no team.
    #[schema(value_type = Option<String>)]
    name: Option<Name>,
    #[serde(flatten)]
    blocks: Blocks,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<Vec<Part>>,
}

/// A *deployment of the window* reached users (taken back or not) at a time in the window.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DoraBlocks)]
struct Blocks {
    deployment_frequency: DeploymentFrequency,
    /// `deployed_at - first_commit_at`, over the deployments of the window whose first commit is known.
    lead_time_for_changes: Durations,
    change_failure_rate: ChangeFailureRate,
    failed_deployment_recovery_time: RecoveryTime,
    deployment_rework_rate: ReworkRate,
    /// `restored_at - started_at`, over the incidents started in the window that are restored.
    time_to_restore: Durations,
    /// `started_at` - the linked deployment's `deployed_at`, over the incidents started in the window.
    time_to_detect: Durations,
    incidents: Incidents,
    pipelines: Pipelines,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeploymentFrequency {
    deployments: u64,
    /// `deployments` / length of the window in days of the time zone.
    per_day: Option<f64>,
    /// Days of the time zone with at least one deployment.
    deployment_days: u32,
    /// Over the weeks (from Monday) that lie wholly in the window; `null` when there is none.
    median_deployment_days_per_week: Option<f64>,
}

/// Quantiles by linear interpolation between closest ranks (type 7).
#[derive(Debug, Serialize, ToSchema)]
pub struct Durations {
    n: u64,
    /// Whether `n` is at least 6. With fewer, a median says little: show it as "not enough data".
    enough: bool,
    median_seconds: Option<f64>,
    p75_seconds: Option<f64>,
    p90_seconds: Option<f64>,
    mean_seconds: Option<f64>,
}

/// Deployments of the window that failed in use (an incident is linked, or rolled back) / deployments of the window.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangeFailureRate {
    failed: u64,
    deployments: u64,
    /// Whether `deployments` is at least 20. With fewer, a ratio says little: show it as "not enough data".
    enough: bool,
    ratio: Option<f64>,
    /// The 95 % Wilson score interval: low, high.
    interval95: Option<[f64; 2]>,
}

/// From failure (its first incident started; without one, deployed) to recovery (rolled back, or all its incidents
/// restored, whichever was first), over the deployments of the window that failed in use.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecoveryTime {
    /// Recovered.
    n: u64,
    /// Not yet recovered.
    open: u64,
    /// Whether `n` is at least 6 and above `open`, whose times are longer: else show it as "not enough data".
    enough: bool,
    median_seconds: Option<f64>,
    p75_seconds: Option<f64>,
    p90_seconds: Option<f64>,
    mean_seconds: Option<f64>,
}

/// Unplanned deployments of the window / deployments of the window.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReworkRate {
    unplanned: u64,
    deployments: u64,
    /// Whether `deployments` is at least 20. With fewer, a ratio says little: show it as "not enough data".
    enough: bool,
    ratio: Option<f64>,
    interval95: Option<[f64; 2]>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Incidents {
    started: u64,
    restored: u64,
    finished: u64,
    /// Not restored at the end of the window.
    open: u64,
}

/// Deployments that failed in the window before they reached users / those and the deployments of the window.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pipelines {
    failed: u64,
    deployed: u64,
    /// Whether `failed` + `deployed` is at least 20. With fewer, a ratio says little: show it as "not enough data".
    enough: bool,
    ratio: Option<f64>,
    interval95: Option<[f64; 2]>,
}

/// One of the blocks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = DoraBlock)]
pub enum Block {
    DeploymentFrequency(DeploymentFrequency),
    Durations(Durations),
    ChangeFailureRate(ChangeFailureRate),
    RecoveryTime(RecoveryTime),
    ReworkRate(ReworkRate),
    Incidents(Incidents),
    Pipelines(Pipelines),
}

impl Block {
    pub fn of(metric: Metric, keys: Keys) -> Self {
        let blocks = Blocks::from(keys);
        match metric {
            Metric::DeploymentFrequency => Self::DeploymentFrequency(blocks.deployment_frequency),
            Metric::LeadTimeForChanges => Self::Durations(blocks.lead_time_for_changes),
            Metric::ChangeFailureRate => Self::ChangeFailureRate(blocks.change_failure_rate),
            Metric::FailedDeploymentRecoveryTime => Self::RecoveryTime(blocks.failed_deployment_recovery_time),
            Metric::DeploymentReworkRate => Self::ReworkRate(blocks.deployment_rework_rate),
            Metric::TimeToRestore => Self::Durations(blocks.time_to_restore),
            Metric::TimeToDetect => Self::Durations(blocks.time_to_detect),
            Metric::Incidents => Self::Incidents(blocks.incidents),
            Metric::Pipelines => Self::Pipelines(blocks.pipelines),
        }
    }
}

impl DoraView {
    pub fn new(question: &Question, report: Report) -> Self {
        let calendar = &report.calendar;
        let cut = question.interval.is_some();
        let series = |answer: &Answer| cut.then(|| parts(calendar, answer));
        let groups = report.groups.iter().map(|(name, answer)| Group {
            name: name.clone(),
            blocks: answer.total.clone().into(),
            series: series(answer),
        });
        Self {
            asked: question.into(),
            series: series(&report.all),
            group_by: question.group_by.map(group_word),
            groups: question.group_by.map(|_| groups.collect()),
            blocks: report.all.total.into(),
        }
    }
}

pub fn group_word(group_by: GroupBy) -> &'static str {
    match group_by {
        GroupBy::Project => "project",
        GroupBy::Team => "team",
        GroupBy::Environment => "environment",
    }
}

fn parts(calendar: &Calendar, answer: &Answer) -> Vec<Part> {
    let parts = calendar.buckets.iter().zip(&answer.series);
    parts.map(|(bucket, keys)| Part { start: bucket.start, end: bucket.end, blocks: keys.clone().into() }).collect()
}

impl From<&Question> for Asked {
    fn from(question: &Question) -> Self {
        let some = |names: &[Name]| (!names.is_empty()).then(|| names.to_vec());
        Self {
            from: question.span.from,
            to: question.span.to,
            tz: question.span.zone.to_string(),
            environment: if let [only] = question.environments.as_slice() { Some(only.clone()) } else { None },
            environments: some(&question.environments),
            projects: some(&question.projects),
            teams: some(&question.teams),
            as_of: question.as_of,
        }
    }
}

impl From<Keys> for Blocks {
    fn from(keys: Keys) -> Self {
        let frequency = keys.deployment_frequency;
        let recovery: Durations = keys.failed_deployment_recovery_time.recovered.into();
        let (failure, rework, pipelines) = (keys.change_failure_rate, keys.deployment_rework_rate, keys.pipelines);
        Self {
            deployment_frequency: DeploymentFrequency {
                deployments: frequency.deployments,
                per_day: frequency.per_day,
                deployment_days: frequency.deployment_days,
                median_deployment_days_per_week: frequency.median_deployment_days_per_week,
            },
            lead_time_for_changes: keys.lead_time_for_changes.into(),
            change_failure_rate: ChangeFailureRate {
                failed: failure.failed,
                deployments: failure.deployments,
                enough: enough::for_share(failure.deployments),
                ratio: failure.share.ratio,
                interval95: failure.share.interval95,
            },
            failed_deployment_recovery_time: RecoveryTime {
                n: recovery.n,
                open: keys.failed_deployment_recovery_time.open,
                enough: enough::for_recovery(recovery.n, keys.failed_deployment_recovery_time.open),
                median_seconds: recovery.median_seconds,
                p75_seconds: recovery.p75_seconds,
                p90_seconds: recovery.p90_seconds,
                mean_seconds: recovery.mean_seconds,
            },
            deployment_rework_rate: ReworkRate {
                unplanned: rework.unplanned,
                deployments: rework.deployments,
                enough: enough::for_share(rework.deployments),
                ratio: rework.share.ratio,
                interval95: rework.share.interval95,
            },
            time_to_restore: keys.time_to_restore.into(),
            time_to_detect: keys.time_to_detect.into(),
            incidents: Incidents {
                started: keys.incidents.started,
                restored: keys.incidents.restored,
                finished: keys.incidents.finished,
                open: keys.incidents.open,
            },
            pipelines: Pipelines {
                failed: pipelines.failed,
                deployed: pipelines.deployed,
                enough: enough::for_share(pipelines.failed + pipelines.deployed),
                ratio: pipelines.share.ratio,
                interval95: pipelines.share.interval95,
            },
        }
    }
}

impl From<keys::Durations> for Durations {
    fn from(durations: keys::Durations) -> Self {
        let keys::Durations { n, median_seconds, p75_seconds, p90_seconds, mean_seconds } = durations;
        Self { n, enough: enough::for_median(n), median_seconds, p75_seconds, p90_seconds, mean_seconds }
    }
}
