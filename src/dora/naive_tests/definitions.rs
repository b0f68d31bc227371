//! The definitions once more: slow, without indexes, in floating point. Buckets come from asking the clock on
//! the wall every quarter of an hour.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]

use chrono::{DateTime, Datelike as _, Days, NaiveDate, NaiveDateTime, TimeZone as _, Weekday};
use chrono_tz::Tz;

use super::worlds::World;
use crate::domain::Timestamp;
use crate::domain::deployment::Status;
use crate::dora::Interval;
use crate::dora::keys::{Durations, Keys};

const QUARTER: i64 = 15 * 60 * 1_000_000;

/// What the clock on the wall shows.
fn wall(zone: &str, micros: i64) -> NaiveDateTime {
    let zone: Tz = zone.parse().unwrap();
    zone.from_utc_datetime(&DateTime::from_timestamp_micros(micros).unwrap().naive_utc()).naive_local()
}

fn part_of(interval: Interval, date: NaiveDate) -> (i32, u32) {
    match interval {
        Interval::Day => (date.year(), date.ordinal()),
        Interval::Week => (date.iso_week().year(), date.iso_week().week()),
        Interval::Month => (date.year(), date.month()),
    }
}

/// Where the wall calendar turns a page.
pub fn naive_buckets(world: &World) -> Vec<(i64, i64)> {
    let page = |at| part_of(world.interval, wall(world.zone, at).date());
    let mut cuts = vec![world.from];
    let mut at = world.from + QUARTER;
    while at < world.to {
        if page(at) != page(at - QUARTER) {
            cuts.push(at);
        }
        at += QUARTER;
    }
    cuts.push(world.to.max(world.from));
    cuts.windows(2).map(|pair| (pair[0], pair[1])).collect()
}

pub fn naive(world: &World, project: Option<&str>, (from, to): (i64, i64)) -> Keys {
    let inside = |at: Timestamp| from <= at.micros() && at.micros() < to;
    let mut keys = Keys::default();
    let (mut leads, mut recoveries, mut restore, mut detect) = (vec![], vec![], vec![], vec![]);
    let mut dates: Vec<NaiveDate> = vec![];
    for deployment in &world.deployments {
        if project.is_some_and(|project| deployment.project_id.as_str() != project)
            || deployment.environment.as_str() != "production"
        {
            continue;
        }
        if deployment.status == Status::Failed && inside(deployment.failed_at.unwrap()) {
            keys.pipelines.failed += 1;
        }
        if !matches!(deployment.status, Status::Deployed | Status::RolledBack) {
            continue;
        }
        let deployed_at = deployment.deployed_at.unwrap();
        if !inside(deployed_at) {
            continue;
        }
        keys.deployment_frequency.deployments += 1;
        dates.push(wall(world.zone, deployed_at.micros()).date());
        if deployment.unplanned == Some(true) {
            keys.deployment_rework_rate.unplanned += 1;
        }
        if let Some(first) = deployment.first_commit_at {
            leads.push((deployed_at.micros() - first.micros()) as f64 / 1e6);
        }
        let linked: Vec<_> = world
            .incidents
            .iter()
            .filter(|i| i.project_id == deployment.project_id && i.deployment_id.as_ref() == Some(&deployment.id))
            .collect();
        if linked.is_empty() && deployment.rolled_back_at.is_none() {
            continue;
        }
        keys.change_failure_rate.failed += 1;
        let start = linked.iter().map(|i| i.started_at).min().unwrap_or(deployed_at);
        let mut ends: Vec<_> = deployment.rolled_back_at.into_iter().collect();
        if !linked.is_empty() && linked.iter().all(|i| i.restored_at.is_some()) {
            ends.push(linked.iter().filter_map(|i| i.restored_at).max().unwrap());
        }
        match ends.into_iter().min() {
            None => keys.failed_deployment_recovery_time.open += 1,
            Some(_) if linked.iter().any(|i| i.seen.is_some()) => {}
            Some(end) => recoveries.push(((end.micros() - start.micros()) as f64 / 1e6).max(0.0)),
        }
    }
    for incident in &world.incidents {
        if project.is_some_and(|project| incident.project_id.as_str() != project)
            || incident.environment.as_str() != "production"
        {
            continue;
        }
        let (started, restored) = (incident.started_at, incident.restored_at);
        keys.incidents.started += u64::from(inside(started));
        keys.incidents.restored += u64::from(restored.is_some_and(inside));
        keys.incidents.finished += u64::from(incident.finished_at.is_some_and(inside));
        let over = restored.is_some_and(|at| at.micros() < to);
        keys.incidents.open += u64::from(started.micros() < to && !over);
        if inside(started) && incident.seen.is_none() {
            restore.extend(restored.map(|at| (at.micros() - started.micros()) as f64 / 1e6));
            let deployed = incident.deployment_deployed_at.map(|at| (started.micros() - at.micros()) as f64 / 1e6);
            detect.extend(deployed.filter(|seconds| *seconds >= 0.0));
        }
    }
    dates.sort();
    dates.dedup();
    let n = keys.deployment_frequency.deployments;
    keys.deployment_frequency.deployment_days = u32::try_from(dates.len()).unwrap();
    keys.deployment_frequency.median_deployment_days_per_week = weeks(world, from, to, &dates);
    (keys.change_failure_rate.deployments, keys.deployment_rework_rate.deployments) = (n, n);
    keys.pipelines.deployed = n;
    keys.lead_time_for_changes = durations(leads);
    keys.failed_deployment_recovery_time.recovered = durations(recoveries);
    keys.time_to_restore = durations(restore);
    keys.time_to_detect = durations(detect);
    keys
}

fn weeks(world: &World, from: i64, to: i64, dates: &[NaiveDate]) -> Option<f64> {
    let (first, end) = (wall(world.zone, from), wall(world.zone, to));
    let mut counts = vec![];
    let mut monday = first.date() - Days::new(7);
    while monday < end.date() {
        let next = monday + Days::new(7);
        // where midnight is skipped, the wall shows a later time when the day begins
        let begins =
            |at: i64, day: NaiveDate| wall(world.zone, at).date() == day && wall(world.zone, at - 1).date() < day;
        let from_the_start = first <= monday.into() || begins(from, monday);
        if monday.weekday() == Weekday::Mon && from_the_start && end >= next.into() {
            counts.push(dates.iter().filter(|date| monday <= **date && **date < next).count() as f64);
        }
        monday = monday + Days::new(1);
    }
    quantile(counts, 0.5)
}

pub fn durations(values: Vec<f64>) -> Durations {
    Durations {
        n: values.len() as u64,
        mean_seconds: (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64),
        median_seconds: quantile(values.clone(), 0.5),
        p75_seconds: quantile(values.clone(), 0.75),
        p90_seconds: quantile(values, 0.9),
    }
}

fn quantile(mut values: Vec<f64>, p: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let rank = (values.len().checked_sub(1)? as f64) * p;
    let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    Some(low + (high - low) * (rank - rank.floor()))
}

/// The shares p for which the observed share lies on the edge of what is likely, found by halving.
pub fn wilson(part: u64, whole: u64) -> Option<[f64; 2]> {
    let (n, observed) = (whole as f64, part as f64 / whole as f64);
    let edge = |mut inner: f64, mut outer: f64| {
        for _ in 0..200 {
            let p = f64::midpoint(inner, outer);
            let likely = (observed - p).abs() <= 1.959_963_984_540_054 * (p * (1.0 - p) / n).sqrt();
            *(if likely { &mut inner } else { &mut outer }) = p;
        }
        inner
    };
    (whole > 0).then(|| [edge(observed, 0.0), edge(observed, 1.0)])
}
