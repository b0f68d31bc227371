//! Worlds of facts, often on the very edge of a window, a day or each other.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{name, time};
use crate::domain::deployment::Status;
use crate::domain::{self, Marks};
use crate::dora::{Interval, Zone};

const QUARTER: i64 = 15 * 60 * 1_000_000;
pub const DAY: i64 = 96 * QUARTER;

/// A window whose ends lie on quarters of an hour, where clocks change.
fn windows() -> impl Strategy<Value = (i64, i64, &'static str)> {
    let around = select(vec![
        ("2026-03-29", "UTC"),
        ("2026-03-29", "Europe/Berlin"),
        ("2026-10-25", "Europe/Berlin"),
        ("2026-11-01", "America/New_York"),
        ("2026-11-01", "America/Havana"),
        ("2026-03-29", "Asia/Beirut"),
        ("2026-03-01", "Asia/Kathmandu"),
        ("2018-02-18", "America/Sao_Paulo"),
        ("2018-11-04", "America/Sao_Paulo"),
        ("2011-12-30", "Pacific/Apia"),
    ]);
    (around, 0..30 * 96_i64, 0..30 * 96_i64).prop_map(|((date, zone), before, after)| {
        let middle = Zone::UTC.midnight(date).unwrap().micros();
        (middle - before * QUARTER, middle + after * QUARTER, zone)
    })
}

#[derive(Debug, Clone)]
pub struct World {
    pub from: i64,
    pub to: i64,
    pub zone: &'static str,
    pub interval: Interval,
    pub deployments: Vec<domain::Deployment>,
    pub incidents: Vec<domain::Incident>,
}

type Sketch = (i64, i64, u8, u8, Option<i64>);

pub fn worlds() -> impl Strategy<Value = World> {
    // often on the very edge of something
    let at = prop_oneof![(-40 * 96..40 * 96_i64).prop_map(|n| n * QUARTER), -40 * DAY..40 * DAY];
    let sketch = (at, 0..20 * DAY, any::<u8>(), any::<u8>(), proptest::option::of(0..3 * DAY));
    let interval = select(vec![Interval::Day, Interval::Week, Interval::Month]);
    (windows(), interval, vec(sketch.clone(), 0..25), vec(sketch, 0..15)).prop_map(
        |((from, to, zone), interval, deployments, incidents)| {
            let ends = Ends(from, to);
            let deployments: Vec<_> =
                deployments.into_iter().enumerate().map(|(n, sketch)| deployment(n, ends, sketch)).collect();
            let incidents =
                incidents.into_iter().enumerate().map(|(n, sketch)| incident(n, ends, sketch, &deployments)).collect();
            World { from, to, zone, interval, deployments, incidents }
        },
    )
}

/// The ends of the window, which facts should often hit.
#[derive(Debug, Clone, Copy)]
struct Ends(i64, i64);

impl Ends {
    /// So far from the middle of the window, or, by the dice, on one of the ends or just before it.
    fn at(self, offset: i64, dice: u8) -> i64 {
        self.or_end(i64::midpoint(self.0, self.1) / QUARTER * QUARTER + offset, dice)
    }

    fn or_end(self, at: i64, dice: u8) -> i64 {
        let Self(from, to) = self;
        [from, to, from - 1, to - 1].get(usize::from(dice / 16)).copied().unwrap_or(at)
    }
}

fn deployment(n: usize, ends: Ends, (at, before, kind, other, back): Sketch) -> domain::Deployment {
    let at = ends.at(at, other);
    let (deployed, failed) = (kind % 8 > 1, kind % 8 == 1);
    let rolled_back_at = back.filter(|_| deployed && kind % 5 == 0).map(|after| time(at + after));
    domain::Deployment {
        first_commit_from: None,
        id: name(&n.to_string()),
        project_id: name(["a", "b", "c"][usize::from(other % 3)]),
        team_id: None,
        environment: name(if other % 7 == 0 { "staging" } else { "production" }),
        status: match (deployed, failed, rolled_back_at) {
            (_, _, Some(_)) => Status::RolledBack,
            (true, ..) => Status::Deployed,
            (_, true, _) => Status::Failed,
            _ => Status::Started,
        },
        first_commit_at: (other % 4 > 0).then(|| time(at - before)),
        deploy_start_at: Some(time(at)),
        deployed_at: deployed.then(|| time(at)),
        failed_at: failed.then(|| time(at)),
        rolled_back_at,
        reason: None,
        username: None,
        commit_sha: None,
        version: None,
        url: None,
        unplanned: [None, Some(false), Some(true)][usize::from(kind % 3)],
        incident_count: 0,
        counted: Marks::default(),
        created_at: time(at),
        updated_at: time(at),
        deleted_at: None,
        seen: None,
    }
}

fn incident(
    n: usize,
    ends: Ends,
    (at, long, kind, other, finish): Sketch,
    all: &[domain::Deployment],
) -> domain::Incident {
    let linked = all.get(usize::from(kind)).or(all.get(usize::from(kind % 32)));
    let started = match linked {
        Some(linked) if other % 3 > 0 => linked.happened_at().micros() + long / 8,
        _ => ends.at(at, other),
    };
    let restored = (other % 4 > 0).then(|| ends.or_end(started + long, kind).max(started));
    domain::Incident {
        id: name(&format!("i{n}")),
        project_id: linked.map_or(name("a"), |linked| linked.project_id.clone()),
        team_id: None,
        environment: name(if other % 5 == 0 { "staging" } else { "production" }),
        deployment_id: linked.map(|linked| linked.id.clone()),
        deployment_deployed_at: linked.and_then(|linked| linked.deployed_at),
        link_method: None,
        suggested_deployment_id: None,
        severity: None,
        title: None,
        url: None,
        started_at: time(started),
        restored_at: restored.map(time),
        finished_at: restored
            .zip(finish)
            .map(|(restored, more)| time(ends.or_end(restored + more, other ^ kind).max(restored))),
        counted: Marks::default(),
        created_at: time(started),
        updated_at: time(started),
        deleted_at: None,
        // nobody knows when it began
        seen: (kind % 6 == 1).then(|| serde_json::from_value(serde_json::json!({"first": started})).unwrap()),
    }
}
