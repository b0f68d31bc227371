//! Counts a whole shelf into the parts of a window at once.

use super::runs::{Place, Runs};
use super::shelf::Shelf;
use super::{Index, Labels};
use crate::dora::tally::{Group, Part, Tally};
use crate::dora::window::Calendar;

impl Index {
    /// Counts the facts whose labels are wanted, in the groups they belong to.
    pub fn count<'a, G: Ord>(
        &'a self,
        tally: &mut Tally<'a, G>,
        wanted: impl Fn(&Labels) -> bool,
        group: impl Fn(&'a Labels) -> G,
    ) {
        let calendar = tally.calendar();
        // where the parts begin, and where the last ends
        let cuts: Vec<_> = calendar.buckets.iter().map(|bucket| bucket.start).chain([calendar.span.to]).collect();
        let cuts: Vec<_> = cuts.into_iter().map(crate::domain::Timestamp::micros).collect();
        for shelf in self.shelves.iter().filter(|shelf| wanted(&shelf.labels)) {
            if shelf.matters(&cuts)
                && let Some(group) = tally.group(group(&shelf.labels))
            {
                shelf.count(group, &cuts);
                mark_days(&shelf.lead_times, group, calendar);
                mark_days(&shelf.without_lead_time, group, calendar);
            }
        }
    }
}

impl Shelf {
    /// Whether anything of it belongs to a window.
    fn matters(&self, cuts: &[i64]) -> bool {
        let (Some(from), Some(to)) = (cuts.first(), cuts.last()) else { return false };
        self.lead_times.has_between(*from, *to)
            || [&self.without_lead_time, &self.pipelines_failed, &self.incidents_started, &self.incidents_finished]
                .into_iter()
                .any(|runs| runs.has_between(*from, *to))
            || self.incidents_open(*from) > 0
    }

    /// How many incidents have begun before a time and were not restored then.
    fn incidents_open(&self, at: i64) -> usize {
        self.incidents_started.count_before(at) - self.incidents_restored.count_before(at)
    }

    fn count<'a>(&'a self, group: &mut Group<'a>, cuts: &[i64]) {
        counts(&self.lead_times, cuts, group, |part, n| part.deployments += n);
        counts(&self.without_lead_time, cuts, group, |part, n| part.deployments += n);
        counts(&self.unplanned, cuts, group, |part, n| part.unplanned += n);
        counts(&self.pipelines_failed, cuts, group, |part, n| part.pipelines_failed += n);
        counts(&self.recoveries, cuts, group, |part, n| part.failed_in_use += n);
        counts(&self.recoveries_unknown, cuts, group, |part, n| part.failed_in_use += n);
        counts(&self.recoveries_open, cuts, group, |part, n| {
            part.failed_in_use += n;
            part.recoveries_open += n;
        });
        counts(&self.incidents_started, cuts, group, |part, n| {
            part.incidents.started += n;
            part.opened += n;
        });
        counts(&self.incidents_restored, cuts, group, |part, n| {
            part.incidents.restored += n;
            part.closed += n;
        });
        counts(&self.incidents_finished, cuts, group, |part, n| part.incidents.finished += n);
        group.parts[0].opened += self.incidents_open(cuts[0]) as u64;
        values(&self.lead_times, cuts, group, |part| &mut part.lead_times.lent);
        values(&self.recoveries, cuts, group, |part| &mut part.recoveries.lent);
        values(&self.times_to_restore, cuts, group, |part| &mut part.times_to_restore.lent);
        values(&self.times_to_detect, cuts, group, |part| &mut part.times_to_detect.lent);
    }
}

fn parts_of<V: Copy + Ord>(runs: &Runs<V>, cuts: &[i64]) -> Vec<[Place; 2]> {
    let places: Vec<_> = cuts.iter().map(|at| runs.place(*at)).collect();
    places.windows(2).map(|pair| [pair[0], pair[1]]).collect()
}

fn counts<V: Copy + Ord>(runs: &Runs<V>, cuts: &[i64], group: &mut Group<'_>, add: impl Fn(&mut Part<'_>, u64)) {
    if runs.is_empty() {
        return;
    }
    for (part, [from, to]) in group.parts.iter_mut().zip(parts_of(runs, cuts)) {
        add(part, runs.count(from, to) as u64);
    }
}

fn values<'a>(
    runs: &'a Runs<i64>,
    cuts: &[i64],
    group: &mut Group<'a>,
    to: impl for<'p> Fn(&'p mut Part<'a>) -> &'p mut Vec<&'a [i64]>,
) {
    if runs.is_empty() {
        return;
    }
    for (part, [start, end]) in group.parts.iter_mut().zip(parts_of(runs, cuts)) {
        to(part).extend(runs.values(start, end));
    }
}

/// From one day that is not marked yet to the next that has a deployment.
fn mark_days<V: Copy + Ord>(runs: &Runs<V>, group: &mut Group<'_>, calendar: &Calendar) {
    let (mut at, mut day) = (calendar.span.from.micros(), 0);
    while let Some(marked) = group.days.get(day) {
        if !marked {
            let Some(next) = runs.time(runs.place(at)).and_then(|at| calendar.day_within(at)) else { return };
            group.days[next] = true;
            day = next;
        }
        at = calendar.end_of_day(day);
        day += 1;
    }
}
