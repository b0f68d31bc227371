//! The totals as they were at each step of a span of time, by event time: OpenMetrics 1.0 with timestamps, for
//! `promtool tsdb create-blocks-from openmetrics`. Pure; bounded in what it keeps and in what it writes.
//!
//! A sample counts what happened before its time, so that `increase` over a window counts what the same half-open
//! window of `/dora` does. All series of the same labels begin with 0 on the step before their first event.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;

use super::names::{self, Kind};
use super::{escape, number};
use crate::domain::Timestamp;
use crate::metrics::past::Event;
use crate::metrics::{self, CATALOGUE, Instrument, Labels, Metric};

/// Events kept at once.
pub const MOST_EVENTS: usize = 5_000_000;
/// Lines of samples in one answer.
pub const MOST_SAMPLES: u64 = 10_000_000;
/// Written at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// `None`: as early as there is anything.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Timestamp,
    /// Microseconds.
    pub step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMuch {
    #[error("there are more than {MOST_EVENTS} events: ask for fewer projects at once")]
    Events,
    #[error(
        "there would be {0} samples, and {MOST_SAMPLES} is the most: a larger step, a shorter time or fewer projects"
    )]
    Samples(u64),
}

/// What happened, in any order.
#[derive(Debug)]
pub struct Past {
    span: Span,
    /// Of each instrument the steps in which it moved, and by what.
    groups: BTreeMap<Labels, [Vec<(i64, i64)>; CATALOGUE.len()]>,
    kept: usize,
}

/// A running total.
#[derive(Debug, Default)]
struct Total {
    count: u64,
    sum_micros: i128,
    /// One for each bound and one above all; empty for a counter.
    buckets: Vec<u64>,
}

impl Past {
    pub fn new(span: Span) -> Self {
        Self { span, groups: BTreeMap::new(), kept: 0 }
    }

    pub fn add(&mut self, (at, observation): Event) -> Result<(), TooMuch> {
        if at >= self.span.to {
            return Ok(());
        }
        self.kept += 1;
        if self.kept > MOST_EVENTS {
            return Err(TooMuch::Events);
        }
        let moves = self.groups.entry(observation.labels).or_default();
        moves[observation.metric as usize].push((at.micros() / self.span.step, observation.micros));
        Ok(())
    }

    /// To be called when all is there, and before it is written.
    pub fn sort(&mut self) -> Result<(), TooMuch> {
        self.groups.values_mut().flatten().for_each(|moves| moves.sort_unstable());
        let lines_at_once: u64 = CATALOGUE.iter().map(|instrument| lines(instrument.metric)).sum();
        let steps = |range: Range<i64>| u64::try_from(range.end - range.start).unwrap_or(0) + 1;
        let times: u64 = self.groups.values().map(|moves| steps(self.steps(moves))).sum();
        let samples = times.saturating_mul(lines_at_once);
        if samples > MOST_SAMPLES { Err(TooMuch::Samples(samples)) } else { Ok(()) }
    }

    /// Family by family, series by series, in order of time; `out` may end it.
    pub fn write<E>(&self, mut out: impl FnMut(String) -> Result<(), E>) -> Result<(), E> {
        let mut text = String::new();
        for instrument in &CATALOGUE {
            head(&mut text, instrument);
            for (labels, moves) in &self.groups {
                let series = Series::new(instrument, labels);
                let (mut total, mut moves_left) =
                    (Total::of(instrument.metric), moves[instrument.metric as usize].iter().peekable());
                for time in self.times(moves) {
                    // the step that ends here, or is cut here by the end of the span
                    while let Some((_, micros)) = moves_left.next_if(|(step, _)| self.end_of(*step) <= time) {
                        total.add(instrument.metric, *micros);
                    }
                    series.sample(&mut text, &total, time);
                    if text.len() >= CHUNK {
                        out(std::mem::take(&mut text))?;
                    }
                }
            }
        }
        text.push_str("# EOF\n");
        out(text)
    }

    /// The whole steps at which these labels have a sample; one more is at the end.
    fn steps(&self, moves: &[Vec<(i64, i64)>]) -> Range<i64> {
        let Span { from, to, step } = self.span;
        let first = moves.iter().filter_map(|moves| moves.first()).map(|(step, _)| *step).min().unwrap_or(0);
        let start = from.map_or(first, |from| first.max(from.micros() / step));
        start..(to.micros() + step - 1) / step
    }

    /// When that is, in microseconds.
    fn times(&self, moves: &[Vec<(i64, i64)>]) -> impl Iterator<Item = i64> + use<> {
        let Span { to, step, .. } = self.span;
        self.steps(moves).map(move |n| n * step).chain([to.micros()])
    }

    /// From when on what happened in a step is counted.
    fn end_of(&self, step: i64) -> i64 {
        ((step + 1) * self.span.step).min(self.span.to.micros())
    }
}

impl Total {
    fn of(metric: Metric) -> Self {
        let buckets = metric.bounds().map_or(0, |bounds| usize::from(bounds.count) + 1);
        Self { buckets: vec![0; buckets], ..Self::default() }
    }

    fn add(&mut self, metric: Metric, micros: i64) {
        self.count += 1;
        self.sum_micros += i128::from(micros);
        if let Some(bucket) = metric.bounds().and_then(|b| self.buckets.get_mut(usize::from(b.bucket(micros)))) {
            *bucket += 1;
        }
    }
}

/// One series with its labels written out.
struct Series {
    name: String,
    labels: String,
    bounds: Vec<String>,
    is_histogram: bool,
}

impl Series {
    fn new(instrument: &Instrument, labels: &Labels) -> Self {
        let Labels { project_id, environment, .. } = labels;
        let text = |value: &str| escape(value, true);
        let bounds = instrument.metric.bounds();
        Self {
            name: name(instrument),
            labels: format!(
                "environment=\"{}\",project_id=\"{}\",team_id=\"{}\"",
                text(environment.as_str()),
                text(project_id.as_str()),
                text(labels.team())
            ),
            is_histogram: bounds.is_some(),
            bounds: bounds.into_iter().flat_map(metrics::Bounds::seconds).map(|bound| format!("{bound}.0")).collect(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds are what Prometheus keeps, as floats")]
    fn sample(&self, text: &mut String, total: &Total, micros: i64) {
        let Self { name, labels, .. } = self;
        // what Prometheus keeps
        let time = format!("{}.{:03}", micros / 1_000_000, micros / 1000 % 1000);
        // writing to a string cannot fail
        if !self.is_histogram {
            let _ = writeln!(text, "{name}{{{labels}}} {} {time}", total.count);
            return;
        }
        let mut below = 0;
        for (bound, count) in self.bounds.iter().zip(&total.buckets) {
            below += count;
            let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {below} {time}");
        }
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {} {time}", total.count);
        let _ = writeln!(text, "{name}_sum{{{labels}}} {} {time}", number(total.sum_micros as f64 / 1e6));
        let _ = writeln!(text, "{name}_count{{{labels}}} {} {time}", total.count);
    }
}

/// As it is called everywhere else.
fn name(instrument: &Instrument) -> String {
    let kind = match instrument.kind {
        metrics::Kind::Counter => Kind::Counter,
        metrics::Kind::Histogram(_) => Kind::Histogram,
    };
    names::metric(instrument.name, instrument.unit, kind)
}

fn head(text: &mut String, instrument: &Instrument) {
    let name = name(instrument);
    let (family, kind) = match name.strip_suffix("_total") {
        Some(family) => (family, Kind::Counter),
        None => (name.as_str(), Kind::Histogram),
    };
    let _ = writeln!(text, "# HELP {family} {}", escape(instrument.help, true));
    let _ = writeln!(text, "# TYPE {family} {}", kind.as_str());
    if let Some(unit) = names::unit(instrument.unit).filter(|_| kind == Kind::Histogram) {
        let _ = writeln!(text, "# UNIT {family} {unit}");
    }
}

/// Of one series at one time.
fn lines(metric: Metric) -> u64 {
    metric.bounds().map_or(1, |bounds| u64::from(bounds.count) + 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixtures::{at, labels};
    use crate::metrics::Observation;

    const HOUR: i64 = 3600;

    fn past(span: Span, events: &[(i64, &str, Metric, i64)]) -> Past {
        let mut past = Past::new(span);
        for (seconds, project, metric, value) in events {
            let observation = Observation { metric: *metric, labels: labels(project), micros: value * 1_000_000 };
            past.add((at(*seconds), observation)).unwrap();
        }
        past.sort().unwrap();
        past
    }

    fn span(from: Option<i64>, to: i64) -> Span {
        Span { from: from.map(at), to: at(to), step: HOUR * 1_000_000 }
    }

    /// The lines that begin so: value and time.
    fn samples(past: &Past, begin: &str) -> Vec<(String, f64)> {
        let mut text = String::new();
        past.write(|chunk| {
            text.push_str(&chunk);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert!(text.ends_with("# EOF\n"));
        let lines = text.lines().filter(|line| line.starts_with(begin));
        lines
            .map(|line| {
                let (rest, time) = line.rsplit_once(' ').unwrap();
                (rest.rsplit_once(' ').unwrap().1.to_owned(), time.parse().unwrap())
            })
            .collect()
    }

    fn pairs(expected: &[(u32, i64)]) -> Vec<(String, f64)> {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        expected.iter().map(|(value, time)| (value.to_string(), *time as f64)).collect()
    }

    #[test]
    fn a_series_begins_with_0_and_counts_what_was_before_each_sample() {
        let deployed = Metric::DeploymentFrequency;
        let events = [(2 * HOUR + 5, "a", deployed, 0), (HOUR, "a", deployed, 0), (2 * HOUR, "a", deployed, 0)];
        let past = past(span(None, 3 * HOUR + 60), &events);
        let expected = [(0, HOUR), (1, 2 * HOUR), (3, 3 * HOUR), (3, 3 * HOUR + 60)];
        assert_eq!(samples(&past, "deployment_frequency_total{"), pairs(&expected));
        let never = [(0, HOUR), (0, 2 * HOUR), (0, 3 * HOUR), (0, 3 * HOUR + 60)];
        assert_eq!(samples(&past, "incident_count_total{"), pairs(&never), "all series of a project are there");
    }

    #[test]
    fn a_window_starts_from_what_was_before_it_and_its_end_is_not_in_it() {
        let deployed = Metric::DeploymentFrequency;
        let events = [(HOUR, "a", deployed, 0), (5 * HOUR - 1, "a", deployed, 0), (5 * HOUR, "a", deployed, 0)];
        let past = past(span(Some(3 * HOUR + 7), 5 * HOUR), &events);
        assert_eq!(
            samples(&past, "deployment_frequency_total{"),
            pairs(&[(1, 3 * HOUR), (1, 4 * HOUR), (2, 5 * HOUR)])
        );
    }

    #[test]
    fn a_histogram_has_its_buckets_sum_and_count_at_each_time() {
        let metric = Metric::TimeToRestore;
        let past = past(span(None, 2 * HOUR), &[(HOUR, "a", metric, 60), (HOUR, "a", metric, 61)]);
        let of = |what: &str| samples(&past, &format!("time_to_restore_seconds_{what}"));
        assert_eq!(of("count"), pairs(&[(0, HOUR), (2, 2 * HOUR)]));
        assert_eq!(of("sum"), pairs(&[(0, HOUR), (121, 2 * HOUR)]));
        let buckets: Vec<_> = of("bucket").into_iter().map(|(value, _)| value).collect();
        assert_eq!(buckets.len(), 32);
        assert_eq!((&*buckets[15], &*buckets[16], &*buckets[17], &*buckets[31]), ("0", "1", "2", "2"));
    }

    #[test]
    fn families_are_whole_and_labels_are_escaped() {
        let past =
            past(span(None, HOUR), &[(5, "b", Metric::IncidentCount, 0), (5, "a\"\\", Metric::IncidentCount, 0)]);
        let mut text = String::new();
        past.write(|chunk| {
            text.push_str(&chunk);
            Ok::<_, ()>(())
        })
        .unwrap();
        let heads = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(heads, CATALOGUE.len());
        let family: Vec<_> = text.lines().skip_while(|line| *line != "# TYPE incident_count counter").take(5).collect();
        assert_eq!(
            family,
            [
                "# TYPE incident_count counter",
                r#"incident_count_total{environment="production",project_id="a\"\\",team_id="crew"} 0 0.000"#,
                r#"incident_count_total{environment="production",project_id="a\"\\",team_id="crew"} 1 3600.000"#,
                r#"incident_count_total{environment="production",project_id="b",team_id="crew"} 0 0.000"#,
                r#"incident_count_total{environment="production",project_id="b",team_id="crew"} 1 3600.000"#,
            ]
        );
    }

    #[test]
    fn too_much_is_refused_before_it_is_written() {
        let mut past = Past::new(Span { step: 60 * 1_000_000, ..span(None, 20 * 365 * 24 * HOUR) });
        let observation = Observation { metric: Metric::IncidentCount, labels: labels("a"), micros: 0 };
        past.add((at(0), observation)).unwrap();
        assert!(matches!(past.sort(), Err(TooMuch::Samples(samples)) if samples > MOST_SAMPLES));
    }
}
