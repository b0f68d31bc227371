//! A metric and its number as people read them.

use super::text::{Figure, count};
use crate::dora::Measure;
use crate::dora::explain::Metric;
use crate::dora::measure::Measured;

/// A number, whether it is one to act on, and of how many facts it is made.
#[derive(Debug)]
pub struct Shown {
    /// `None`: there is nothing to compute it from.
    pub figure: Option<Figure>,
    pub n: u64,
    pub enough: bool,
}

impl Shown {
    pub fn new(metric: Metric, measure: Measure) -> Self {
        let Measure { n, value, enough } = measure;
        Self { figure: value.map(|value| figure(metric, value)), n, enough }
    }

    /// What may be shown as the answer.
    pub fn answer(&self) -> Option<&Figure> {
        self.figure.as_ref().filter(|_| self.enough)
    }

    pub fn n_text(&self) -> String {
        count(self.n)
    }
}

pub fn figure(metric: Metric, value: f64) -> Figure {
    match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => Figure::per_day(value),
        Measured::Median => Figure::seconds(value),
        Measured::Ratio => Figure::share(value),
    }
}

pub fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::DeploymentFrequency => "Deployment frequency",
        Metric::LeadTimeForChanges => "Lead time for changes",
        Metric::ChangeFailureRate => "Change fail rate",
        Metric::FailedDeploymentRecoveryTime => "Failed deployment recovery time",
        Metric::DeploymentReworkRate => "Deployment rework rate",
        Metric::TimeToRestore => "Time to restore",
        Metric::TimeToDetect => "Time to detect",
        Metric::Incidents => "Incidents",
        Metric::Pipelines => "Pipelines",
    }
}
