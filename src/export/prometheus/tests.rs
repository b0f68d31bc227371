//! The text, by example.

use opentelemetry_proto::tonic::metrics::v1::{Gauge, ResourceMetrics, ScopeMetrics, Sum};

use super::*;
use crate::domain::Name;
use crate::export::fixtures::{self, counter, histogram};
use crate::export::otlp::{Identity, encode};
use crate::metrics::{Labels, SeriesTotal};

/// At once and one after the other, which is the same.
fn render(requests: &[ExportMetricsServiceRequest], format: Format) -> String {
    let (mut at_once, mut in_turn) = (Renderer::new(format), Renderer::new(format));
    let text = at_once.add(requests) + at_once.end();
    let pieces: String = requests.iter().map(|request| in_turn.add(std::slice::from_ref(request))).collect();
    assert_eq!(pieces + in_turn.end(), text);
    text
}

fn ours(series: &[SeriesTotal], max_bytes: usize) -> Vec<ExportMetricsServiceRequest> {
    let identity = Identity {
        service_name: "em_metrics".into(),
        instance_id: "one".into(),
        deployment_environment: "test".into(),
    };
    encode(series.to_vec(), identity, 1, max_bytes).collect()
}

fn other(metric: Metric) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics { scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    let value = Some(opentelemetry_proto::tonic::common::v1::AnyValue { value: Some(value) });
    KeyValue { key: key.into(), value, ..KeyValue::default() }
}

const COUNTERS: &str = r#"# HELP deployment_frequency_total Deployments that reached users.
# TYPE deployment_frequency_total counter
deployment_frequency_total{environment="production",project_id="shop-1",team_id="crew"} 3
deployment_frequency_total{environment="production",project_id="shop-2",team_id="crew"} 4
"#;

#[test]
fn a_family_spread_over_requests_has_one_head() {
    let requests = ours(&[counter(1, 3), counter(2, 4)], 1);
    assert_eq!(requests.len(), 2);
    assert_eq!(render(&requests, Format::Text), COUNTERS);
}

#[test]
fn openmetrics_names_the_family_without_total_and_ends() {
    let expected = COUNTERS.replace("frequency_total Dep", "frequency Dep").replace("_total counter", " counter");
    assert_eq!(render(&ours(&[counter(1, 3), counter(2, 4)], 1), Format::OpenMetrics), expected + "# EOF\n");
    assert_eq!(render(&[], Format::OpenMetrics), "# EOF\n");
    assert_eq!(render(&[], Format::Text), "");
}

#[test]
fn buckets_are_cumulative_and_end_with_infinity() {
    let requests = ours(&[histogram(1, &[60_000_000, 90_500_000, 1 << 60])], usize::MAX);
    let text = render(&requests, Format::Text);
    let labels = r#"environment="production",project_id="shop-1",team_id="crew""#;
    let buckets: Vec<&str> = text.lines().filter(|line| line.contains("_bucket")).collect();
    assert_eq!(buckets.len(), 20);
    assert_eq!(buckets[0], format!("lead_time_for_changes_seconds_bucket{{{labels},le=\"60\"}} 1"));
    assert_eq!(buckets[18], format!("lead_time_for_changes_seconds_bucket{{{labels},le=\"15728640\"}} 2"));
    assert_eq!(buckets[19], format!("lead_time_for_changes_seconds_bucket{{{labels},le=\"+Inf\"}} 3"));
    assert!(text.contains(&format!("lead_time_for_changes_seconds_count{{{labels}}} 3\n")));
    let open_metrics = render(&requests, Format::OpenMetrics);
    assert!(open_metrics.contains("# TYPE lead_time_for_changes_seconds histogram\n"));
    assert!(open_metrics.contains("# UNIT lead_time_for_changes_seconds seconds\n"));
    assert!(open_metrics.contains(r#",le="60.0"} 1"#));
}

#[test]
fn label_values_are_escaped() {
    let mut series = counter(1, 1);
    let project_id = Name::parse(r#"a\b"c/ü"#).unwrap();
    series.labels = Labels { project_id, team_id: None, ..fixtures::labels("shop") }.into();
    let text = render(&ours(&[series], usize::MAX), Format::Text);
    assert!(text.contains(r#"{environment="production",project_id="a\\b\"c/ü",team_id=""} 1"#), "{text}");
}

#[test]
fn gauges_of_others_keep_their_fractions_and_odd_labels_are_made_valid() {
    let attributes = vec![
        attribute("http.method", any_value::Value::StringValue("GET\n".into())),
        attribute("http_method", any_value::Value::IntValue(7)),
        attribute("ok", any_value::Value::BoolValue(true)),
    ];
    let point = |value| NumberDataPoint { value: Some(value), ..NumberDataPoint::default() };
    let data_points = vec![
        NumberDataPoint { attributes, ..point(Value::AsDouble(0.25)) },
        point(Value::AsDouble(f64::NEG_INFINITY)),
        point(Value::AsInt(-2)),
    ];
    let metric = Metric {
        name: "cache.hit".into(),
        unit: "1".into(),
        data: Some(Data::Gauge(Gauge { data_points })),
        ..Metric::default()
    };
    let expected = "# TYPE cache_hit_ratio gauge\ncache_hit_ratio{http_method=\"GET\\n;7\",ok=\"true\"} 0.25\n\
        cache_hit_ratio -Inf\ncache_hit_ratio -2\n";
    assert_eq!(render(&[other(metric)], Format::Text), expected);
}

#[test]
fn a_name_has_one_kind() {
    let point = NumberDataPoint { value: Some(Value::AsInt(1)), ..NumberDataPoint::default() };
    let named = |data| other(Metric { name: "x".into(), data: Some(data), ..Metric::default() });
    let gauge = named(Data::Gauge(Gauge { data_points: vec![point.clone()] }));
    let sum = named(Data::Sum(Sum { data_points: vec![point], ..Sum::default() }));
    assert_eq!(render(&[gauge, sum], Format::Text), "# TYPE x gauge\nx 1\n");
}
