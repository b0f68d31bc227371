//! The five keys as cards: the number, what it is made of, and what became of it.

use super::filters::Filters;
use super::text::{Figure, count, percent, short};
use super::trend::{Better, Measured, Trend, compare};
use crate::dora::Keys;
use crate::dora::explain::Metric;
use crate::dora::keys::{Durations, Share};

/// One of the five, wherever it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Frequency,
    LeadTime,
    FailureRate,
    RecoveryTime,
    ReworkRate,
}

#[derive(Debug)]
pub struct Card {
    pub name: &'static str,
    pub metric: &'static str,
    pub about: &'static str,
    pub formula: &'static str,
    pub measured: Measured,
    pub detail: String,
    pub trend: Option<Trend>,
    /// The facts behind it.
    pub facts: String,
}

impl Key {
    pub const ALL: [Self; 5] =
        [Self::Frequency, Self::LeadTime, Self::FailureRate, Self::RecoveryTime, Self::ReworkRate];

    pub fn name(self) -> &'static str {
        match self {
            Self::Frequency => "Deployment frequency",
            Self::LeadTime => "Lead time for changes",
            Self::FailureRate => "Change fail rate",
            Self::RecoveryTime => "Failed deployment recovery time",
            Self::ReworkRate => "Deployment rework rate",
        }
    }

    pub fn metric(self) -> Metric {
        match self {
            Self::Frequency => Metric::DeploymentFrequency,
            Self::LeadTime => Metric::LeadTimeForChanges,
            Self::FailureRate => Metric::ChangeFailureRate,
            Self::RecoveryTime => Metric::FailedDeploymentRecoveryTime,
            Self::ReworkRate => Metric::DeploymentReworkRate,
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Frequency => "How often changes reach users",
            Self::LeadTime => "Median, from the first commit to users",
            Self::FailureRate => "Deployments that failed in use",
            Self::RecoveryTime => "Median, from failure to recovery",
            Self::ReworkRate => "Deployments that nobody had planned",
        }
    }

    fn better(self) -> Better {
        if self == Self::Frequency { Better::More } else { Better::Less }
    }

    pub fn measured(self, keys: &Keys) -> Measured {
        let duration = |durations: Durations| Measured {
            value: durations.median_seconds.map(|seconds| (seconds, Figure::seconds(seconds))),
            n: durations.n,
            interval: None,
            exact: false,
        };
        let share = |share: Share, n| Measured {
            value: share.ratio.map(|ratio| (ratio, Figure::share(ratio))),
            n,
            interval: share.interval95,
            exact: false,
        };
        match self {
            Self::Frequency => {
                let frequency = keys.deployment_frequency;
                let value = frequency.per_day.map(|per_day| (per_day, Figure::per_day(per_day)));
                Measured { value, n: frequency.deployments, interval: None, exact: true }
            }
            Self::LeadTime => duration(keys.lead_time_for_changes),
            Self::FailureRate => share(keys.change_failure_rate.share, keys.change_failure_rate.deployments),
            Self::RecoveryTime => duration(keys.failed_deployment_recovery_time.recovered),
            Self::ReworkRate => share(keys.deployment_rework_rate.share, keys.deployment_rework_rate.deployments),
        }
    }

    fn detail(self, keys: &Keys) -> String {
        let interval = |share: Share| match share.interval95 {
            Some([low, high]) => format!("; 95 % sure of {} to {} %", percent(low), percent(high)),
            None => String::new(),
        };
        let spread = |durations: Durations| match durations.p90_seconds {
            Some(p90) => format!("9 of 10 within {}", super::text::duration(p90)),
            None => String::new(),
        };
        match self {
            Self::Frequency => {
                let frequency = keys.deployment_frequency;
                let week = frequency.median_deployment_days_per_week;
                let week = week.map(|days| format!("; on {} days of a median week", short(days))).unwrap_or_default();
                format!("{} deployments on {} days{week}", count(frequency.deployments), frequency.deployment_days)
            }
            Self::LeadTime => spread(keys.lead_time_for_changes),
            Self::FailureRate => {
                let rate = keys.change_failure_rate;
                let (failed, deployments) = (count(rate.failed), count(rate.deployments));
                format!("{failed} of {deployments} failed{}", interval(rate.share))
            }
            Self::RecoveryTime => {
                let recovery = keys.failed_deployment_recovery_time;
                let open = format!("{} not recovered yet", count(recovery.open));
                match spread(recovery.recovered) {
                    spread if spread.is_empty() => open,
                    spread => format!("{spread}; {open}"),
                }
            }
            Self::ReworkRate => {
                let rate = keys.deployment_rework_rate;
                let (unplanned, deployments) = (count(rate.unplanned), count(rate.deployments));
                format!("{unplanned} of {deployments} unplanned{}", interval(rate.share))
            }
        }
    }
}

pub fn cards(filters: &Filters, keys: &Keys, before: &Keys) -> Vec<Card> {
    let card = |key: Key| {
        let measured = key.measured(keys);
        let trend = compare(&measured, &key.measured(before), key.better());
        let metric = key.metric().name();
        Card {
            name: key.name(),
            metric,
            about: key.about(),
            formula: key.metric().formula(),
            detail: key.detail(keys),
            trend,
            facts: filters.link("facts", &[("metric", metric)]),
            measured,
        }
    };
    Key::ALL.into_iter().map(card).collect()
}
