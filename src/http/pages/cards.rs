//! The five keys as cards: the number, what it is made of, whether it has changed, and how others do.

use super::beside::Beside;
use super::filters::Filters;
use super::shown::Shown;
use super::trend::Change;
use crate::dora::Keys;
use crate::dora::benchmark::Benchmark;
use crate::dora::explain::Metric;
use crate::dora::keys::{Durations, Share};
use crate::dora::trend::Trend;
use crate::dora::words::{self, count, duration, percent, short};

#[derive(Debug)]
pub struct Card {
    pub name: &'static str,
    pub metric: &'static str,
    pub about: &'static str,
    pub formula: &'static str,
    pub shown: Shown,
    pub detail: String,
    pub change: Change,
    pub beside: Beside,
    /// The facts behind it.
    pub facts: String,
}

/// `trends`: of each of the metrics of the benchmark, in their order.
pub fn cards(filters: &Filters, keys: &Keys, trends: &[(Metric, Trend)], benchmark: &Benchmark) -> Vec<Card> {
    let card = |((metric, trend), beside): (&(Metric, Trend), _)| Card {
        name: words::title(*metric),
        metric: metric.name(),
        about: about(*metric),
        formula: metric.formula(),
        shown: Shown::new(*metric, trend.this),
        detail: detail(*metric, keys),
        change: Change::new(*metric, filters.interval(), trend),
        beside: Beside::new(beside),
        facts: filters.link("facts", &[("metric", metric.name())]),
    };
    trends.iter().zip(&benchmark.keys).map(card).collect()
}

fn about(metric: Metric) -> &'static str {
    match metric {
        Metric::DeploymentFrequency => "How often changes reach users",
        Metric::LeadTimeForChanges => "Median, from the first commit to users",
        Metric::ChangeFailureRate => "Deployments that failed in use",
        Metric::FailedDeploymentRecoveryTime => "Median, from failure to recovery",
        Metric::DeploymentReworkRate => "Deployments that nobody had planned",
        Metric::TimeToRestore | Metric::TimeToDetect | Metric::Incidents | Metric::Pipelines => "",
    }
}

fn detail(metric: Metric, keys: &Keys) -> String {
    let part = |part: u64, whole: u64, word: &str, share: Share| {
        let sure = |[low, high]: [f64; 2]| format!("; 95 % sure of {} to {} %", percent(low), percent(high));
        format!("{} of {} {word}{}", count(part), count(whole), share.interval95.map(sure).unwrap_or_default())
    };
    let spread = |durations: Durations| durations.p90_seconds.map(|p90| format!("9 of 10 within {}", duration(p90)));
    match metric {
        Metric::DeploymentFrequency => {
            let frequency = keys.deployment_frequency;
            let week = frequency.median_deployment_days_per_week;
            let week = week.map(|days| format!("; on {} days of a median week", short(days))).unwrap_or_default();
            format!("{} deployments on {} days{week}", count(frequency.deployments), frequency.deployment_days)
        }
        Metric::LeadTimeForChanges => spread(keys.lead_time_for_changes).unwrap_or_default(),
        Metric::ChangeFailureRate => {
            let rate = keys.change_failure_rate;
            part(rate.failed, rate.deployments, "failed", rate.share)
        }
        Metric::FailedDeploymentRecoveryTime => {
            let recovery = keys.failed_deployment_recovery_time;
            let open = format!("{} not recovered yet", count(recovery.open));
            spread(recovery.recovered).into_iter().chain([open]).collect::<Vec<_>>().join("; ")
        }
        Metric::DeploymentReworkRate => {
            let rate = keys.deployment_rework_rate;
            part(rate.unplanned, rate.deployments, "unplanned", rate.share)
        }
        Metric::TimeToRestore | Metric::TimeToDetect | Metric::Incidents | Metric::Pipelines => String::new(),
    }
}
