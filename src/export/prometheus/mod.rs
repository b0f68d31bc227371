//! OTLP requests as Prometheus text 0.0.4 or OpenMetrics 1.0. Pure; knows nothing of our instruments.
//! No timestamps (the scraper's clock is the one that counts) and no `_created` lines: without a feature flag
//! Prometheus takes them for series of their own, doubling the counters.

mod format;
mod names;
pub mod past;

use std::collections::HashMap;
use std::fmt::Write;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint, metric::Data};

pub use format::{Format, asks_like_a_scraper};
use names::Kind;

/// The text of requests that come one after the other; a family that goes on in the next ones has its head once.
#[derive(Debug)]
pub struct Renderer {
    format: Format,
    /// The family that the last text ended with.
    open: Option<(String, Kind)>,
}

impl Renderer {
    pub fn new(format: Format) -> Self {
        Self { format, open: None }
    }

    /// Each family once, in the order of first appearance, however many of these requests it is spread over.
    pub fn add(&mut self, requests: &[ExportMetricsServiceRequest]) -> String {
        let mut families: Vec<Family> = vec![];
        let mut by_name: HashMap<String, usize> = HashMap::new();
        let scopes = requests.iter().flat_map(|request| &request.resource_metrics).flat_map(|r| &r.scope_metrics);
        for metric in scopes.flat_map(|scope| &scope.metrics) {
            let Some(kind) = kind(metric) else { continue };
            let name = names::metric(&metric.name, &metric.unit, kind);
            let known = *by_name.entry(name.clone()).or_insert(families.len());
            match families.get_mut(known) {
                None => families.push(Family { name, kind, metrics: vec![metric] }),
                Some(family) if family.kind == kind => family.metrics.push(metric),
                // Two kinds under one name cannot be told apart by a reader.
                Some(_) => {}
            }
        }
        let mut out = Out { text: String::new(), format: self.format };
        for family in families {
            match &self.open {
                Some((name, kind)) if *name == family.name && *kind != family.kind => continue,
                Some((name, _)) if *name == family.name => {}
                _ => out.head(&family),
            }
            out.points(&family);
            self.open = Some((family.name, family.kind));
        }
        out.text
    }

    /// What comes after the last request.
    pub fn end(&self) -> &'static str {
        match self.format {
            Format::OpenMetrics => "# EOF\n",
            Format::Text => "",
        }
    }
}

/// Metrics of one Prometheus name.
struct Family<'a> {
    name: String,
    kind: Kind,
    metrics: Vec<&'a Metric>,
}

/// `None` for what neither we nor the SDK's default aggregations make.
fn kind(metric: &Metric) -> Option<Kind> {
    match metric.data.as_ref()? {
        Data::Sum(sum) if sum.is_monotonic => Some(Kind::Counter),
        Data::Sum(_) => Some(Kind::UpDownCounter),
        Data::Gauge(_) => Some(Kind::Gauge),
        Data::Histogram(_) => Some(Kind::Histogram),
        Data::ExponentialHistogram(_) | Data::Summary(_) => None,
    }
}

struct Out {
    text: String,
    format: Format,
}

impl Out {
    fn points(&mut self, family: &Family) {
        for metric in &family.metrics {
            match &metric.data {
                Some(Data::Sum(sum)) => self.numbers(&family.name, &sum.data_points),
                Some(Data::Gauge(gauge)) => self.numbers(&family.name, &gauge.data_points),
                Some(Data::Histogram(histogram)) => {
                    histogram.data_points.iter().for_each(|point| self.histogram(&family.name, point));
                }
                _ => {}
            }
        }
    }

    fn head(&mut self, family: &Family) {
        let Some(first) = family.metrics.first() else { return };
        let mut name = family.name.as_str();
        if self.format == Format::OpenMetrics {
            // There the suffix belongs to the sample, not to the family.
            name = name.strip_suffix("_total").filter(|_| family.kind == Kind::Counter).unwrap_or(name);
        }
        if !first.description.is_empty() {
            let help = escape(&first.description, self.format == Format::OpenMetrics);
            self.line(format_args!("# HELP {name} {help}"));
        }
        self.line(format_args!("# TYPE {name} {}", family.kind.as_str()));
        let unit = names::unit(&first.unit).filter(|unit| name.ends_with(&format!("_{unit}")));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, unit) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
    }

    fn numbers(&mut self, name: &str, points: &[NumberDataPoint]) {
        for point in points {
            let labels = labels(&point.attributes);
            let braces = braces(&labels);
            match point.value {
                Some(Value::AsInt(value)) => self.line(format_args!("{name}{braces} {value}")),
                Some(Value::AsDouble(value)) => self.line(format_args!("{name}{braces} {}", number(value))),
                None => {}
            }
        }
    }

    fn histogram(&mut self, name: &str, point: &HistogramDataPoint) {
        let labels = labels(&point.attributes);
        let comma = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
            below += count;
            let le = self.bound(*bound);
            self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"{le}\"}} {below}"));
        }
        self.line(format_args!("{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", point.count));
        let braces = braces(&labels);
        if let Some(sum) = point.sum {
            self.line(format_args!("{name}_sum{braces} {}", number(sum)));
        }
        self.line(format_args!("{name}_count{braces} {}", point.count));
    }

    /// OpenMetrics wants `60.0`; the older format's customary form is `60`.
    fn bound(&self, bound: f64) -> String {
        match self.format {
            Format::OpenMetrics if bound.fract() == 0.0 && bound.is_finite() => format!("{bound:.1}"),
            _ => number(bound),
        }
    }

    fn line(&mut self, line: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

fn braces(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

/// `a="x",b="y"`; the values of keys that become one label are joined, as the translator does.
fn labels(attributes: &[KeyValue]) -> String {
    let mut labels: Vec<(String, String)> = vec![];
    for attribute in attributes {
        let (name, value) = (names::label(&attribute.key), value(attribute));
        match labels.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push(';');
                known.push_str(&value);
            }
            None => labels.push((name, value)),
        }
    }
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value, true))).collect();
    labels.join(",")
}

fn value(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(any_value::Value::StringValue(value)) => value.clone(),
        Some(any_value::Value::BoolValue(value)) => value.to_string(),
        Some(any_value::Value::IntValue(value)) => value.to_string(),
        Some(any_value::Value::DoubleValue(value)) => number(*value),
        _ => String::new(),
    }
}

fn escape(text: &str, quotes: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quotes { text.replace('"', "\\\"") } else { text }
}

fn number(value: f64) -> String {
    if value.is_infinite() { if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests;
