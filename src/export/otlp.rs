//! The totals in the wire form of OTLP. Pure; the SDK cannot do this: it accepts no ready-made aggregates.
//! Cumulative, start times constant for ever, one time per export, no attribute that changes with a release.

use std::vec;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum,
    metric::Data,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use crate::domain::Timestamp;
use crate::metrics::{CATALOGUE, Instrument, Kind, Labels, SeriesTotal};

pub const SCOPE: &str = "em-metrics";

/// Receivers commonly refuse messages over 4 MiB.
pub const MAX_REQUEST_BYTES: usize = 3 * 1024 * 1024;

/// Of a nested message: its tag and its length.
const FRAME: usize = 6;

/// Who says so. The same for ever, over restarts and releases: any change starts all series anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub service_name: String,
    /// From the store, so that every process on it is one and the same writer.
    pub instance_id: String,
    pub deployment_environment: String,
}

/// The time of the next export: now, but after the last one and not before any start, whatever the clock does.
pub fn stamp(now: Timestamp, last: u64, series: &[SeriesTotal]) -> u64 {
    let start = series.iter().map(|series| nanos(series.started_at)).max().unwrap_or(0);
    nanos(now).max(start).max(last + 1)
}

/// All series in as few requests as fit into `max_bytes` each (a single point larger than that gets one of its own).
pub fn encode(mut series: Vec<SeriesTotal>, identity: Identity, time_unix_nano: u64, max_bytes: usize) -> Requests {
    // metrics as in the catalogue, each with the oldest series first
    series.sort_unstable_by_key(|series| (series.metric as usize, series.id));
    let base = request(&identity, vec![]).encoded_len() + 2 * FRAME;
    Requests { series: series.into_iter(), waiting: None, bounds: vec![], identity, time_unix_nano, base, max_bytes }
}

/// Each is made when it is asked for: all of them take many times the room of the totals.
#[derive(Debug)]
pub struct Requests {
    series: vec::IntoIter<SeriesTotal>,
    /// What the last request had no room for.
    waiting: Option<(&'static Instrument, Point)>,
    /// Of the metric of the last point.
    bounds: Vec<f64>,
    identity: Identity,
    time_unix_nano: u64,
    /// The size of a request without metrics.
    base: usize,
    max_bytes: usize,
}

impl Iterator for Requests {
    type Item = ExportMetricsServiceRequest;

    fn next(&mut self) -> Option<Self::Item> {
        let mut metrics: Vec<Metric> = Vec::new();
        // never too low
        let mut size = self.base;
        while let Some((instrument, point)) = self.waiting.take().or_else(|| self.point()) {
            let begins = metrics.last().is_none_or(|metric| metric.name != instrument.name);
            let head = begins.then(|| empty(instrument));
            size += FRAME + point.encoded_len() + head.as_ref().map_or(0, |head| head.encoded_len() + 2 * FRAME);
            if !metrics.is_empty() && size > self.max_bytes {
                self.waiting = Some((instrument, point));
                break;
            }
            metrics.extend(head);
            match (metrics.last_mut().and_then(|metric| metric.data.as_mut()), point) {
                (Some(Data::Sum(sum)), Point::Number(point)) => sum.data_points.push(point),
                (Some(Data::Histogram(histogram)), Point::Histogram(point)) => histogram.data_points.push(point),
                _ => unreachable!("a point is made from its instrument's kind"),
            }
        }
        (!metrics.is_empty()).then(|| request(&self.identity, metrics))
    }
}

impl Requests {
    fn point(&mut self) -> Option<(&'static Instrument, Point)> {
        let series = self.series.next()?;
        let instrument = &CATALOGUE[series.metric as usize];
        self.bounds.clear();
        if let Kind::Histogram(bounds) = instrument.kind {
            self.bounds.extend(bounds.seconds().map(|seconds| float(seconds.into())));
        }
        Some((instrument, point(&series, instrument.kind, &self.bounds, self.time_unix_nano)))
    }
}

#[derive(Debug)]
enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
}

impl Point {
    fn encoded_len(&self) -> usize {
        match self {
            Self::Number(point) => point.encoded_len(),
            Self::Histogram(point) => point.encoded_len(),
        }
    }
}

fn point(series: &SeriesTotal, kind: Kind, bounds: &[f64], time_unix_nano: u64) -> Point {
    let attributes = attributes(&series.labels);
    let start_time_unix_nano = nanos(series.started_at);
    match kind {
        Kind::Counter => Point::Number(NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            value: Some(Value::AsInt(series.count)),
            ..NumberDataPoint::default()
        }),
        Kind::Histogram(_) => Point::Histogram(HistogramDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            count: natural(series.count),
            sum: Some(float(series.sum_micros) / 1e6),
            bucket_counts: series.buckets.iter().copied().map(natural).collect(),
            explicit_bounds: bounds.to_vec(),
            ..HistogramDataPoint::default()
        }),
    }
}

/// In the order of the keys: some receivers take another order for another series.
fn attributes(labels: &Labels) -> Vec<KeyValue> {
    vec![
        attribute("environment", labels.environment.as_str()),
        attribute("project_id", labels.project_id.as_str()),
        attribute("team_id", labels.team()),
    ]
}

fn attribute(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn empty(instrument: &Instrument) -> Metric {
    let aggregation_temporality = AggregationTemporality::Cumulative.into();
    Metric {
        name: instrument.name.to_owned(),
        description: instrument.help.to_owned(),
        unit: instrument.unit.to_owned(),
        metadata: vec![],
        data: Some(match instrument.kind {
            Kind::Counter => Data::Sum(Sum { data_points: vec![], aggregation_temporality, is_monotonic: true }),
            Kind::Histogram(_) => Data::Histogram(Histogram { data_points: vec![], aggregation_temporality }),
        }),
    }
}

fn request(identity: &Identity, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let attributes = vec![
        attribute("deployment.environment.name", &identity.deployment_environment),
        attribute("service.instance.id", &identity.instance_id),
        attribute("service.name", &identity.service_name),
    ];
    let scope = InstrumentationScope { name: SCOPE.to_owned(), ..InstrumentationScope::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(Resource { attributes, ..Resource::default() }),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }],
            schema_url: String::new(),
        }],
    }
}

fn nanos(time: Timestamp) -> u64 {
    natural(time.micros()).saturating_mul(1_000)
}

/// Totals and times are never negative.
fn natural(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact below 2^53: sums of up to 285 years; above, the nearest there is"
)]
fn float(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
#[path = "otlp_tests.rs"]
mod tests;
