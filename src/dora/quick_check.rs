//! The scale of DORA's quick check: a number as the answer to the question of the survey, 0 to 10, and 10 is best.
//! After `data-service.ts` of dora.dev: six answers lie at 0, 2, 4, 6, 8, 10; a share of 0 % at 10, of 100 % at 0.

use super::explain::Metric;
use super::measure::Measured;

const HOUR: f64 = 3600.0;
const DAY: f64 = 24.0 * HOUR;
/// A twelfth of 365.25 days, in days.
const MONTH: f64 = 30.4375;
pub const SIX_MONTHS: f64 = 6.0 * MONTH;

/// The answers about times, best first, each with the seconds that a time must be below.
const TIMES: [(&str, f64); 6] = [
    ("less than one hour", HOUR),
    ("less than one day", DAY),
    ("one day to one week", 7.0 * DAY),
    ("one week to one month", MONTH * DAY),
    ("one month to six months", SIX_MONTHS * DAY),
    ("more than six months", f64::INFINITY),
];

/// Those about deployments, each with the least there must be a day. That one could deploy on demand cannot be
/// counted: one an hour is what shows it.
const FREQUENCIES: [(&str, f64); 6] = [
    ("on demand", 24.0),
    ("once an hour to once a day", 1.0),
    ("once a day to once a week", 1.0 / 7.0),
    ("once a week to once a month", 1.0 / MONTH),
    ("once a month to once in six months", 1.0 / SIX_MONTHS),
    ("fewer than once in six months", 0.0),
];

/// The answer that the value of a metric is (shares have none), and its score.
pub fn rate(metric: Metric, value: f64) -> (Option<&'static str>, f64) {
    let answer = match metric.measured() {
        Measured::PerDay | Measured::StartedPerDay => {
            FREQUENCIES.into_iter().zip(0_u8..).find(|((_, least), _)| value >= *least)
        }
        Measured::Median => TIMES.into_iter().zip(0_u8..).find(|((_, bound), _)| value < *bound),
        Measured::Ratio => return (None, 10.0 * (1.0 - value)),
    };
    answer.map_or((None, 0.0), |((answer, _), from_best)| (Some(answer), 10.0 - 2.0 * f64::from(from_best)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_answers_of_the_survey() {
        for (seconds, answer, score) in [
            (0.0, "less than one hour", 10.0),
            (3599.9, "less than one hour", 10.0),
            (3600.0, "less than one day", 8.0),
            (86_399.0, "less than one day", 8.0),
            (86_400.0, "one day to one week", 6.0),
            (7.0 * 86_400.0, "one week to one month", 4.0),
            (30.5 * 86_400.0, "one month to six months", 2.0),
            (182.6 * 86_400.0, "one month to six months", 2.0),
            (183.0 * 86_400.0, "more than six months", 0.0),
        ] {
            for metric in [Metric::LeadTimeForChanges, Metric::FailedDeploymentRecoveryTime] {
                assert_eq!(rate(metric, seconds), (Some(answer), score), "{seconds}");
            }
        }
    }

    #[test]
    fn frequencies_are_the_answers_of_the_survey() {
        for (per_day, answer, score) in [
            (24.0, "on demand", 10.0),
            (23.9, "once an hour to once a day", 8.0),
            (1.0, "once an hour to once a day", 8.0),
            (5.0 / 7.0, "once a day to once a week", 6.0),
            (2.0 / 14.0, "once a day to once a week", 6.0),
            (4.0 / 30.0, "once a week to once a month", 4.0),
            (1.0 / 30.0, "once a week to once a month", 4.0),
            (1.0 / 31.0, "once a month to once in six months", 2.0),
            (1.0 / 182.0, "once a month to once in six months", 2.0),
            (1.0 / 183.0, "fewer than once in six months", 0.0),
            (0.0, "fewer than once in six months", 0.0),
        ] {
            assert_eq!(rate(Metric::DeploymentFrequency, per_day), (Some(answer), score), "{per_day}");
        }
    }

    #[test]
    fn a_share_has_no_steps() {
        for (ratio, score) in [(0.0, 10.0), (0.25, 7.5), (1.0, 0.0)] {
            assert_eq!(rate(Metric::ChangeFailureRate, ratio), (None, score));
            assert_eq!(rate(Metric::DeploymentReworkRate, ratio), (None, score));
        }
    }
}
