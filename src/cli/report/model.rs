//! What a report says, made from the service's answers. Its serde form is what `--format json` prints: fields are only
//! ever added.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::dora::Measured;
use crate::dora::explain::Metric;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Report {
    pub(super) from: String,
    /// Exclusive.
    pub(super) to: String,
    pub(super) before_from: String,
    pub(super) tz: String,
    /// What it is about: `null` for all.
    pub(super) environments: Option<Vec<String>>,
    pub(super) projects: Option<Vec<String>>,
    pub(super) teams: Option<Vec<String>>,
    pub(super) counts: Vec<Count>,
    pub(super) numbers: Vec<Number>,
    /// Begun in the window, or not over yet; newest first.
    pub(super) incidents: Vec<Incident>,
}

/// How often something happened, now and in the window before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Count {
    pub(super) what: &'static str,
    pub(super) this: u64,
    pub(super) before: u64,
}

/// A metric, what has become of it, and the facts behind it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Number {
    #[serde(serialize_with = "by_name")]
    pub(super) metric: Metric,
    #[serde(flatten)]
    pub(super) trend: Trend,
    pub(super) formula: String,
    /// Facts that were counted.
    pub(super) counted: u64,
    pub(super) left_out: u64,
    /// Of the counted ones, the newest so many were looked at for those that say most.
    pub(super) looked_at: u64,
    pub(super) facts: Vec<Fact>,
}

/// Of `/dora/trend`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trend {
    /// Which number of the block it is.
    pub(super) measured: String,
    pub(super) this: Window,
    pub(super) before: Window,
    #[serde(default)]
    pub(super) difference: Option<f64>,
    pub(super) relative_difference: Option<f64>,
    /// `signal`, `noise` or `not_enough_data`
    pub(super) verdict: String,
    pub(super) better: Option<bool>,
    /// Services before this one do not say it.
    #[serde(default)]
    pub(super) stands_out: Option<StandsOut>,
    pub(super) reason: String,
}

/// How many parts of the window are more than noise, and on which side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StandsOut {
    pub(super) of: u64,
    pub(super) better: u64,
    pub(super) worse: u64,
    pub(super) jumps: u64,
    pub(super) lasting: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) n: u64,
    pub(super) value: Option<f64>,
    pub(super) enough: bool,
}

/// Of `/dora/explain`.
#[derive(Debug, Deserialize)]
pub(super) struct Explanation {
    pub(super) formula: String,
    pub(super) counted: u64,
    pub(super) left_out: u64,
    pub(super) facts: Vec<Fact>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Fact {
    pub(super) kind: String,
    pub(super) project_id: String,
    pub(super) id: String,
    pub(super) at: String,
    pub(super) counts_as: Vec<String>,
    pub(super) detail: String,
    pub(super) seconds: Option<f64>,
    pub(super) link: String,
}

/// Of `/incidents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    pub(super) project_id: String,
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) deployment_id: Option<String>,
    pub(super) started_at: String,
    pub(super) restored_at: Option<String>,
    pub(super) time_to_restore_seconds: Option<f64>,
}

/// What is counted, and where `/dora` says how often.
const COUNTS: [(&str, &str); 9] = [
    ("deployments", "/deployment_frequency/deployments"),
    ("days with a deployment", "/deployment_frequency/deployment_days"),
    ("deployments that failed in use", "/change_failure_rate/failed"),
    ("of them not recovered", "/failed_deployment_recovery_time/open"),
    ("unplanned deployments", "/deployment_rework_rate/unplanned"),
    ("pipelines that failed", "/pipelines/failed"),
    ("incidents begun", "/incidents/started"),
    ("incidents restored", "/incidents/restored"),
    ("incidents open at the end", "/incidents/open"),
];

/// From two answers of `/dora`.
pub(super) fn counts(this: &Value, before: &Value) -> Vec<Count> {
    let read = |answer: &Value, pointer| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    COUNTS.iter().map(|(what, at)| Count { what, this: read(this, at), before: read(before, at) }).collect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde hands over")]
fn by_name<S: Serializer>(metric: &Metric, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(metric.name())
}

impl Number {
    /// Of the facts, those that say most: what the numerator of a share counts, the longest durations, the newest.
    pub(super) fn new(metric: Metric, trend: Trend, explanation: Explanation, most: usize) -> Self {
        let Explanation { formula, counted, left_out, mut facts } = explanation;
        let looked_at = facts.len() as u64;
        match metric.measured() {
            Measured::Ratio => {
                facts.retain(|fact| fact.counts_as.iter().any(|word| word == "failed" || word == "unplanned"));
            }
            Measured::Median => {
                facts.retain(|fact| fact.seconds.is_some());
                facts.sort_by(|a, b| b.seconds.unwrap_or(0.0).total_cmp(&a.seconds.unwrap_or(0.0)));
            }
            Measured::PerDay | Measured::StartedPerDay => {}
        }
        facts.truncate(most);
        Self { metric, trend, formula, counted, left_out, looked_at, facts }
    }
}
