//! What must hold for anything we put on the wire.

use proptest::prelude::*;

use super::*;
use crate::export::fixtures::{at, counter, histogram};

fn identity() -> Identity {
    Identity { service_name: "em_metrics".into(), instance_id: "one".into(), deployment_environment: "test".into() }
}

fn encode(series: &[SeriesTotal], max_bytes: usize) -> Vec<ExportMetricsServiceRequest> {
    super::encode(series.to_vec(), identity(), 5, max_bytes).collect()
}

fn metrics(requests: &[ExportMetricsServiceRequest]) -> impl Iterator<Item = &Metric> {
    requests.iter().flat_map(|r| &r.resource_metrics).flat_map(|r| &r.scope_metrics).flat_map(|s| &s.metrics)
}

/// All points as (metric, text of the point).
fn points(requests: &[ExportMetricsServiceRequest]) -> Vec<(String, String)> {
    metrics(requests)
        .flat_map(|metric| {
            let texts: Vec<String> = match metric.data.as_ref().unwrap() {
                Data::Sum(sum) => sum.data_points.iter().map(|point| format!("{point:?}")).collect(),
                Data::Histogram(histogram) => histogram.data_points.iter().map(|point| format!("{point:?}")).collect(),
                other => panic!("{other:?}"),
            };
            assert!(!texts.is_empty(), "an empty metric was sent");
            texts.into_iter().map(|text| (metric.name.clone(), text))
        })
        .collect()
}

#[test]
fn a_counter_is_a_cumulative_monotonic_sum_with_a_constant_start() {
    let requests = encode(&[counter(1, 7)], MAX_REQUEST_BYTES);
    let metric = metrics(&requests).next().unwrap();
    assert_eq!((metric.name.as_str(), metric.unit.as_str()), ("deployment_frequency", "{deployment}"));
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
    let point = &sum.data_points[0];
    assert_eq!((point.start_time_unix_nano, point.time_unix_nano), (1_000_000_000_000, 5));
    assert_eq!(point.value, Some(Value::AsInt(7)));
    let keys: Vec<&str> = point.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["environment", "project_id", "team_id"]);
}

#[test]
fn a_histogram_is_in_seconds_and_its_buckets_sum_to_its_count() {
    let requests = encode(&[histogram(1, &[60_000_000, 61_500_000, i64::from(u32::MAX) * 1_000_000])], 1);
    let metric = metrics(&requests).next().unwrap();
    let Some(Data::Histogram(histogram)) = &metric.data else { panic!("{metric:?}") };
    let point = &histogram.data_points[0];
    assert_eq!(point.count, 3);
    assert_eq!(point.bucket_counts.iter().sum::<u64>(), 3);
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    assert_eq!(point.explicit_bounds[..3], [60.0, 120.0, 240.0]);
    assert_eq!(point.sum, Some(f64::from(u32::MAX) + 121.5));
    assert_eq!((point.bucket_counts[0], point.bucket_counts[1], point.bucket_counts[19]), (1, 1, 1));
}

#[test]
fn no_resource_attribute_changes_from_release_to_release() {
    let requests = encode(&[counter(1, 1)], MAX_REQUEST_BYTES);
    let resource = requests[0].resource_metrics[0].resource.as_ref().unwrap();
    let keys: Vec<&str> = resource.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert_eq!(keys, ["deployment.environment.name", "service.instance.id", "service.name"]);
    assert!(requests[0].resource_metrics[0].scope_metrics[0].scope.as_ref().unwrap().version.is_empty());
}

#[test]
fn times_only_go_forward_whatever_the_clock_does() {
    assert_eq!(stamp(at(10), 0, &[]), 10_000_000_000);
    assert_eq!(stamp(at(10), 20_000_000_000, &[]), 20_000_000_001);
    assert_eq!(stamp(at(10), 5, &[counter(1, 1)]), 1_000_000_000_000);
}

#[test]
fn nothing_to_say_is_no_request() {
    assert!(encode(&[], MAX_REQUEST_BYTES).is_empty());
}

#[test]
fn a_great_many_series_go_out_in_requests_that_receivers_accept() {
    let values: Vec<i64> = (0..19).map(|i| 59_000_000 << i).collect();
    let series: Vec<_> =
        (1..=20_000).map(|id| if id % 2 == 0 { counter(id, id) } else { histogram(id, &values) }).collect();
    let requests = encode(&series, MAX_REQUEST_BYTES);
    assert!(requests.len() > 1);
    let sizes: Vec<usize> = requests.iter().map(Message::encoded_len).collect();
    assert!(sizes.iter().all(|size| *size <= MAX_REQUEST_BYTES), "{sizes:?}");
    // Full to the brim, but for the last one.
    assert!(sizes.iter().rev().skip(1).all(|size| *size > MAX_REQUEST_BYTES * 9 / 10), "{sizes:?}");
    assert_eq!(points(&requests).len(), series.len());
}

proptest! {
    #[test]
    fn splitting_loses_nothing_and_doubles_nothing(
        kinds in prop::collection::vec(any::<Option<u32>>(), 0..60),
        max_bytes in 200_usize..20_000,
    ) {
        let series: Vec<_> = kinds.iter().zip(1..).map(|(kind, id)| match kind {
            None => counter(id, id * 3),
            Some(seconds) => histogram(id, &[i64::from(*seconds) * 1_000_000]),
        }).collect();
        let whole = encode(&series, usize::MAX);
        prop_assert!(whole.len() <= 1);
        let split = encode(&series, max_bytes);
        prop_assert_eq!(points(&whole), points(&split));
        for request in &split {
            let request = request.clone();
            prop_assert!(request.encoded_len() <= max_bytes || points(&[request]).len() == 1);
        }
    }
}
