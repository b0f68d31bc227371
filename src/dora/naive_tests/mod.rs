//! The answers against an independent implementation, written from the definitions.

#![expect(clippy::cast_precision_loss, reason = "small numbers")]

mod definitions;
pub mod worlds;

use proptest::prelude::*;

use super::explain::{self, Metric};
use super::keys::{Durations, Keys};
use super::{Calendar, Deployment, Incident, Span, Tally, Zone};
use crate::domain::{self, Name, Timestamp};
use definitions::{durations, naive, naive_buckets, wilson};
use worlds::{DAY, World, worlds};

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn close(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (a, b) => a == b,
    }
}

fn same(found: &Keys, expected: &Keys) {
    let spread = |d: &Durations| [d.median_seconds, d.p75_seconds, d.p90_seconds, d.mean_seconds];
    for (found, expected) in [
        (&found.lead_time_for_changes, &expected.lead_time_for_changes),
        (&found.time_to_restore, &expected.time_to_restore),
        (&found.time_to_detect, &expected.time_to_detect),
        (&found.failed_deployment_recovery_time.recovered, &expected.failed_deployment_recovery_time.recovered),
    ] {
        assert_eq!(found.n, expected.n);
        assert!(spread(found).into_iter().zip(spread(expected)).all(|(a, b)| close(a, b)), "{found:?} {expected:?}");
    }
    for (share, part, whole) in [
        (
            found.change_failure_rate.share,
            expected.change_failure_rate.failed,
            expected.change_failure_rate.deployments,
        ),
        (found.deployment_rework_rate.share, expected.deployment_rework_rate.unplanned, expected.pipelines.deployed),
        (found.pipelines.share, expected.pipelines.failed, expected.pipelines.failed + expected.pipelines.deployed),
    ] {
        assert!(close(share.ratio, (whole > 0).then(|| part as f64 / whole as f64)));
        assert!(share.ratio.is_none_or(|ratio| (0.0..=1.0).contains(&ratio)));
        let [found, expected] = [share.interval95, wilson(part, whole)];
        assert_eq!(found.is_some(), expected.is_some());
        for (found, expected) in found.into_iter().flatten().zip(expected.into_iter().flatten()) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
    assert_eq!(found.failed_deployment_recovery_time.open, expected.failed_deployment_recovery_time.open);
    assert_eq!(found.incidents, expected.incidents);
    let (found, expected) = (found.deployment_frequency, expected.deployment_frequency);
    assert_eq!((found.deployments, found.deployment_days), (expected.deployments, expected.deployment_days));
    assert_eq!(found.median_deployment_days_per_week, expected.median_deployment_days_per_week);
}

fn linked_to(world: &World, deployment: &domain::Deployment) -> Vec<explain::LinkedIncident> {
    let linked = |i: &&domain::Incident| {
        i.project_id == deployment.project_id && i.deployment_id.as_ref() == Some(&deployment.id)
    };
    let of = |i: &domain::Incident| explain::LinkedIncident { id: i.id.clone(), seen: i.into(), method: i.link_method };
    world.incidents.iter().filter(linked).map(of).collect()
}

fn span(world: &World) -> Span {
    Span { from: time(world.from), to: time(world.to), zone: Zone::parse(world.zone).unwrap() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_answer_is_what_the_definitions_say(world in worlds()) {
        let calendar = Calendar::new(span(&world), Some(world.interval)).unwrap();
        let mut tally = Tally::new(&calendar);
        for fact in world.deployments.iter().filter(|fact| fact.environment.as_str() == "production") {
            let linked = linked_to(&world, fact).into_iter().map(|linked| linked.seen);
            if let Some(small) = Deployment::of(fact, linked) {
                tally.deployment(fact.project_id.clone(), &small);
            }
        }
        for fact in world.incidents.iter().filter(|fact| fact.environment.as_str() == "production") {
            tally.incident(fact.project_id.clone(), &Incident::from(fact));
        }
        let (all, groups) = tally.finish().unwrap();
        let buckets = naive_buckets(&world);
        let cut: Vec<_> = calendar.buckets.iter().map(|b| (b.start.micros(), b.end.micros())).collect();
        assert_eq!(&cut, &buckets);
        same(&all.total, &naive(&world, None, (world.from, world.to)));
        for (found, bucket) in all.series.iter().zip(&buckets) {
            same(found, &naive(&world, None, *bucket));
        }
        for (project, answer) in &groups {
            same(&answer.total, &naive(&world, Some(project.as_str()), (world.from, world.to)));
        }
        if world.zone == "UTC" && world.to > world.from {
            let days = (world.to - world.from) as f64 / DAY as f64;
            let per_day = all.total.deployment_frequency.deployments as f64 / days;
            assert!(close(all.total.deployment_frequency.per_day, Some(per_day)));
        }
    }

    #[test]
    fn the_explained_facts_add_up_to_the_answer(world in worlds()) {
        let keys = naive(&world, None, (world.from, world.to));
        let scope =
            explain::Scope { from: time(world.from), to: time(world.to), environments: vec![name("production")] };
        for metric in Metric::ALL {
            let lines: Vec<_> = if metric.is_of_deployments() {
                let line = |fact| explain::deployment(metric, fact, &linked_to(&world, fact), &scope);
                world.deployments.iter().filter_map(line).collect()
            } else {
                world.incidents.iter().filter_map(|fact| explain::incident(metric, fact, &scope)).collect()
            };
            let count = |word| lines.iter().filter(|line| line.counts_as.contains(&word)).count() as u64;
            let mean = |expected: &Durations| {
                let seconds: Vec<_> = lines.iter().filter_map(|line| line.value).map(|v| v as f64 / 1e6).collect();
                assert_eq!((seconds.len() as u64, count("n")), (expected.n, expected.n));
                assert!(close(durations(seconds).mean_seconds, expected.mean_seconds));
            };
            match metric {
                Metric::DeploymentFrequency => assert_eq!(count("deployments"), keys.deployment_frequency.deployments),
                Metric::LeadTimeForChanges => mean(&keys.lead_time_for_changes),
                Metric::ChangeFailureRate => {
                    assert_eq!(count("deployments"), keys.change_failure_rate.deployments);
                    assert_eq!(count("failed"), keys.change_failure_rate.failed);
                }
                Metric::FailedDeploymentRecoveryTime => {
                    mean(&keys.failed_deployment_recovery_time.recovered);
                    assert_eq!(count("open"), keys.failed_deployment_recovery_time.open);
                }
                Metric::DeploymentReworkRate => {
                    assert_eq!(count("deployments"), keys.deployment_rework_rate.deployments);
                    assert_eq!(count("unplanned"), keys.deployment_rework_rate.unplanned);
                }
                Metric::TimeToRestore => mean(&keys.time_to_restore),
                Metric::TimeToDetect => mean(&keys.time_to_detect),
                Metric::Incidents => {
                    let found = ["started", "restored", "finished", "open"].map(count);
                    let expected = keys.incidents;
                    assert_eq!(found, [expected.started, expected.restored, expected.finished, expected.open]);
                }
                Metric::Pipelines => {
                    assert_eq!((count("failed"), count("deployed")), (keys.pipelines.failed, keys.pipelines.deployed));
                }
            }
            for line in &lines {
                assert!(!line.reason.is_empty() && !line.detail.is_empty());
                assert!(line.value.is_none_or(|value| value >= 0 && line.counts_as.contains(&"n")));
            }
        }
    }
}
