//! The five keys beside DORA's published figures, each as a score of its quick check, and the mean of them.

use super::enough;
use super::explain::Metric;
use super::keys::Keys;
use super::measure::{Measure, Measured};
use super::quick_check::{self, SIX_MONTHS};
use crate::benchmarks::{Group, Peers, Score};

pub const METRICS: [Metric; 5] = [
    Metric::DeploymentFrequency,
    Metric::LeadTimeForChanges,
    Metric::ChangeFailureRate,
    Metric::FailedDeploymentRecoveryTime,
    Metric::DeploymentReworkRate,
];

/// A count of six is off by some 40 % (1 / the root of 6); the answers of the survey lie a factor of four and more apart.
const MIN_DEPLOYMENTS: u64 = 6;

#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    pub keys: Vec<Key>,
    /// The mean of the scores there are; `None`: there are none.
    pub score: Option<f64>,
    /// The mean of the same metrics in the industry, and in organisations of the size.
    pub published_by_industry: Option<f64>,
    pub published_by_size: Option<f64>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub metric: Metric,
    pub measure: Measure,
    /// The answer of the survey that the number is; shares have none.
    pub band: Option<&'static str>,
    /// 0 to 10, and 10 is best.
    pub score: Option<f64>,
    /// Why there is no score.
    pub reason: Option<String>,
    /// `None`: not asked that year.
    pub by_industry: Option<Beside>,
    pub by_size: Option<Beside>,
}

/// What is published, and where the score stands to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Beside {
    pub published: Score,
    pub standing: Option<Standing>,
}

/// More than a standard deviation from the mean, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Better,
    Usual,
    Worse,
}

/// `days`: how long the window is.
pub fn benchmark(keys: &Keys, days: f64, peers: &Peers) -> Benchmark {
    let keys: Vec<_> = METRICS.into_iter().map(|metric| key(metric, keys, days, peers)).collect();
    let mean_of =
        |value: fn(&Key) -> Option<f64>| mean(keys.iter().filter(|key| key.score.is_some()).filter_map(value));
    let score = mean_of(|key| key.score);
    let published_by_industry = mean_of(|key| Some(key.by_industry?.published.mean));
    let published_by_size = mean_of(|key| Some(key.by_size?.published.mean));
    Benchmark { keys, score, published_by_industry, published_by_size }
}

fn key(metric: Metric, keys: &Keys, days: f64, peers: &Peers) -> Key {
    let mut measure = metric.measure(keys, days);
    if metric == Metric::DeploymentFrequency {
        // exact as a count, but how often somebody deploys shows only in several deployments, or in a long time
        measure.enough = measure.value.is_some() && (measure.n >= MIN_DEPLOYMENTS || days >= SIX_MONTHS);
    }
    let (by_industry, by_size) = (figure(metric, peers.industry), figure(metric, peers.organisation_size));
    let reason = if by_industry.is_none() {
        Some(format!("the survey of {} did not ask for it", peers.edition.year))
    } else if measure.enough {
        None
    } else {
        Some(too_little(metric, measure.n))
    };
    let value = measure.value.filter(|_| reason.is_none());
    let (band, score) = value.map(|value| quick_check::rate(metric, value)).unzip();
    let band = band.flatten();
    let beside = |published: Option<Score>| published.map(|published| Beside::of(published, score));
    Key { metric, measure, band, score, reason, by_industry: beside(by_industry), by_size: beside(by_size) }
}

fn too_little(metric: Metric, n: u64) -> String {
    let takes = match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => {
            format!("a frequency takes {MIN_DEPLOYMENTS} deployments, or a window of six months")
        }
        Measured::Median if enough::for_median(n) => "as many or more are still open, and take longer".to_owned(),
        Measured::Median => format!("a median takes {}", enough::MIN_FOR_MEDIAN),
        Measured::Ratio => format!("a share takes {} deployments", enough::MIN_FOR_SHARE),
    };
    format!("not enough data: n = {n}; {takes}")
}

fn figure(metric: Metric, group: &Group) -> Option<Score> {
    match metric {
        Metric::DeploymentFrequency => Some(group.deployment_frequency),
        Metric::LeadTimeForChanges => Some(group.lead_time),
        Metric::ChangeFailureRate => Some(group.change_failure_rate),
        Metric::FailedDeploymentRecoveryTime => Some(group.recovery_time),
        Metric::DeploymentReworkRate => group.rework_rate,
        Metric::TimeToRestore | Metric::TimeToDetect | Metric::Incidents | Metric::Pipelines => None,
    }
}

impl Beside {
    fn of(published: Score, score: Option<f64>) -> Self {
        let standing = score.map(|score| match score - published.mean {
            by if by > published.std => Standing::Better,
            by if by < -published.std => Standing::Worse,
            _ => Standing::Usual,
        });
        Self { published, standing }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (n, sum) = values.fold((0_u32, 0.0), |(n, sum), value| (n + 1, sum + value));
    (n > 0).then(|| sum / f64::from(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmarks::Choice;
    use crate::dora::keys::{ChangeFailureRate, DeploymentFrequency, Durations, RecoveryTime, ReworkRate, Share};

    fn durations(n: u64, median_seconds: f64) -> Durations {
        Durations { n, median_seconds: Some(median_seconds), ..Durations::default() }
    }

    fn share(ratio: f64) -> Share {
        Share { ratio: Some(ratio), interval95: None }
    }

    /// Two deployments a day, lead time two days, a fifth fails, recovery in half an hour, a tenth is rework.
    fn keys() -> Keys {
        Keys {
            deployment_frequency: DeploymentFrequency {
                deployments: 60,
                per_day: Some(2.0),
                ..DeploymentFrequency::default()
            },
            lead_time_for_changes: durations(60, 172_800.0),
            change_failure_rate: ChangeFailureRate { failed: 12, deployments: 60, share: share(0.2) },
            failed_deployment_recovery_time: RecoveryTime { recovered: durations(12, 1800.0), open: 0 },
            deployment_rework_rate: ReworkRate { unplanned: 6, deployments: 60, share: share(0.1) },
            ..Keys::default()
        }
    }

    fn beside(keys: &Keys, days: f64, year: u16) -> Benchmark {
        let choice = Choice { year, ..Choice::default() };
        benchmark(keys, days, &choice.find().unwrap())
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-9), "{found:?} instead of {expected}");
    }

    #[test]
    fn the_score_is_the_mean_of_the_five() {
        let found = beside(&keys(), 30.0, 2025);
        let of = |value: fn(&Key) -> Option<f64>| found.keys.iter().map(|key| value(key).unwrap()).collect::<Vec<_>>();
        assert_eq!(of(|key| key.score), [8.0, 6.0, 8.0, 10.0, 9.0]);
        close(found.score, 41.0 / 5.0);
        // 4.8, 5.5, 10 - 1.9, 7.4, 10 - 2.2
        assert_eq!(of(|key| Some(key.by_industry?.published.mean)), [4.8, 5.5, 8.1, 7.4, 7.8]);
        close(found.published_by_industry, 33.6 / 5.0);
        close(found.published_by_size, 33.6 / 5.0);
        let bands: Vec<_> = found.keys.iter().map(|key| key.band).collect();
        assert_eq!(
            bands,
            [Some("once an hour to once a day"), Some("one day to one week"), None, Some("less than one hour"), None]
        );
        // 3.2 of 2.8 above, 0.5 of 2.4, -0.1, 2.6 of 2.1, 1.2 of 2.2
        let standings: Vec<_> = found.keys.iter().map(|key| key.by_industry.unwrap().standing.unwrap()).collect();
        assert_eq!(standings, [Standing::Better, Standing::Usual, Standing::Usual, Standing::Better, Standing::Usual]);
    }

    #[test]
    fn in_2024_there_were_four() {
        let found = beside(&keys(), 30.0, 2024);
        close(found.score, 32.0 / 4.0);
        close(found.published_by_industry, (5.1 + 5.3 + 8.3 + 7.5) / 4.0);
        let rework = &found.keys[4];
        assert_eq!((rework.score, rework.by_industry), (None, None));
        assert_eq!(rework.reason.as_deref(), Some("the survey of 2024 did not ask for it"));
    }

    #[test]
    fn too_little_has_no_band_and_is_left_out_of_both_means() {
        let mut few = keys();
        few.failed_deployment_recovery_time.recovered.n = 5;
        few.change_failure_rate.deployments = 19;
        let found = beside(&few, 30.0, 2025);
        let recovery = &found.keys[3];
        assert_eq!((recovery.band, recovery.score, recovery.by_size.unwrap().standing), (None, None, None));
        assert_eq!(recovery.measure.value, Some(1800.0), "the number is there");
        assert_eq!(recovery.reason.as_deref(), Some("not enough data: n = 5; a median takes 6"));
        assert_eq!(found.keys[2].reason.as_deref(), Some("not enough data: n = 19; a share takes 20 deployments"));
        close(found.score, (8.0 + 6.0 + 9.0) / 3.0);
        close(found.published_by_size, (4.8 + 5.5 + 7.8) / 3.0);
        few.failed_deployment_recovery_time = RecoveryTime { recovered: durations(7, 60.0), open: 7 };
        let recovery = &beside(&few, 30.0, 2025).keys[3];
        let reason = "not enough data: n = 7; as many or more are still open, and take longer";
        assert_eq!((recovery.band, recovery.reason.as_deref()), (None, Some(reason)));
        let nothing = beside(&Keys::default(), 30.0, 2025);
        assert_eq!((nothing.score, nothing.published_by_industry), (None, None));
    }

    #[test]
    fn seldom_shows_in_a_long_window_only() {
        let mut seldom = keys();
        seldom.deployment_frequency =
            DeploymentFrequency { deployments: 1, per_day: Some(1.0 / 183.0), ..DeploymentFrequency::default() };
        let frequency = |days| beside(&seldom, days, 2025).keys[0].clone();
        assert_eq!(
            frequency(182.0).reason.as_deref(),
            Some("not enough data: n = 1; a frequency takes 6 deployments, or a window of six months")
        );
        assert_eq!((frequency(183.0).band, frequency(183.0).score), (Some("fewer than once in six months"), Some(0.0)));
    }
}
