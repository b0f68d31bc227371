//! Cycles against a scripted collector in this process.

use std::collections::{BTreeMap, VecDeque};
use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::StatusCode;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use prost::Message;
use tokio::net::TcpListener;

use super::*;
use crate::config::{Protocol, Target};
use crate::export::fixtures::{Bench, at, otel};

/// What the collector has got: the last value of `deployment_frequency` by project, and the requests.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    got: Arc<Mutex<Vec<ExportMetricsServiceRequest>>>,
    /// Answers to the next requests; then 200.
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
}

impl Collector {
    /// On the test's own runtime, which ends with the test.
    pub async fn start(&self) -> Target {
        let (got, answers) = (Arc::clone(&self.got), Arc::clone(&self.answers));
        let handler = async move |body: Bytes| {
            let answer = answers.lock().unwrap().pop_front().unwrap_or(StatusCode::OK);
            if answer.is_success() {
                got.lock().unwrap().push(ExportMetricsServiceRequest::decode(body).unwrap());
            }
            (answer, "whatever")
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/metrics", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/v1/metrics", axum::routing::post(handler));
        tokio::spawn(axum::serve(listener, router).into_future());
        Target { url, protocol: Protocol::HttpProtobuf, headers: vec![], timeout: Duration::from_secs(5), gzip: false }
    }

    pub fn answer(&self, statuses: &[u16]) {
        let statuses = statuses.iter().map(|status| StatusCode::from_u16(*status).unwrap());
        self.answers.lock().unwrap().extend(statuses);
    }

    /// (time, project -> value), one for each request that carries totals.
    pub fn totals(&self) -> Vec<(u64, BTreeMap<String, i64>)> {
        self.got.lock().unwrap().iter().filter_map(frequencies).collect()
    }

    pub fn requests(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    pub fn last(&self) -> BTreeMap<String, i64> {
        self.totals().pop().unwrap().1
    }
}

fn frequencies(request: &ExportMetricsServiceRequest) -> Option<(u64, BTreeMap<String, i64>)> {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metric = scopes.flat_map(|scope| &scope.metrics).find(|metric| metric.name == "deployment_frequency")?;
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    let value = |key: &str, attributes: &[opentelemetry_proto::tonic::common::v1::KeyValue]| {
        let found = attributes.iter().find(|attribute| attribute.key == key).unwrap();
        format!("{:?}", found.value.as_ref().unwrap().value.as_ref().unwrap())
    };
    let points = sum.data_points.iter().map(|point| {
        let Some(Value::AsInt(count)) = point.value else { panic!("{point:?}") };
        (value("project_id", &point.attributes).replace("StringValue(\"", "").replace("\")", ""), count)
    });
    Some((sum.data_points[0].time_unix_nano, points.collect()))
}

pub fn push(bench: &Bench, target: &Target) -> Push {
    let otel = otel(Some(target.clone()));
    Push::new(bench.store.clone(), bench.own.clone(), &otel, bench.clock.clone()).unwrap().unwrap()
}

pub fn map(values: &[(&str, i64)]) -> BTreeMap<String, i64> {
    values.iter().map(|(project, value)| ((*project).to_owned(), *value)).collect()
}

/// The cycles counted with this outcome.
fn counted(own: &OwnMetrics, outcome: &str) -> i64 {
    let own = ExportMetricsServiceRequest::from(&own.collect());
    let mut metrics = own.resource_metrics.iter().flat_map(|r| &r.scope_metrics).flat_map(|scope| &scope.metrics);
    let metric = metrics.find(|metric| metric.name == "em_metrics.export.cycles").unwrap();
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    let point = sum.data_points.iter().find(|point| format!("{:?}", point.attributes).contains(outcome));
    point.map_or(0, |point| if let Some(Value::AsInt(count)) = point.value { count } else { 0 })
}

#[tokio::test]
async fn a_new_series_goes_out_as_0_and_then_with_its_value_every_cycle() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let mut push = push(&bench, &collector.start().await);
    push.cycle().await;
    assert!(collector.totals().is_empty());
    bench.deploy("shop").await;
    push.cycle().await;
    assert_eq!(collector.last(), map(&[("shop", 0)]));
    push.cycle().await;
    push.cycle().await;
    bench.deploy("bank").await;
    push.cycle().await;
    assert_eq!(collector.last(), map(&[("bank", 0), ("shop", 1)]));
    let (times, values): (Vec<_>, Vec<_>) = collector.totals().into_iter().unzip();
    assert_eq!(values[1..3], [map(&[("shop", 1)]), map(&[("shop", 1)])]);
    assert!(times.is_sorted_by(|a, b| a < b), "the clock stands still, the times do not: {times:?}");
    assert_eq!(counted(&bench.own, "success"), 5);
}

#[tokio::test]
async fn an_outage_loses_nothing_and_a_0_that_nobody_got_is_sent_again() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let target = collector.start().await;
    let mut push = push(&bench, &target);
    bench.deploy("shop").await;
    collector.answer(&[503, 429, 504]);
    for _ in 0..3 {
        push.cycle().await;
        bench.deploy("shop").await;
        bench.clock.set(at(1_000 + 7 * 3_600));
    }
    assert!(push.collector.works(Instant::now()).is_some(), "the outage is known");
    push.cycle().await;
    assert_eq!(collector.last(), map(&[("shop", 0)]), "young when it was first seen, however long ago");
    push.cycle().await;
    assert_eq!(collector.last(), map(&[("shop", 4)]));
    assert_eq!(counted(&bench.own, "failure"), 3);
}

#[tokio::test]
async fn a_restart_goes_on_where_the_store_stands_with_the_same_identity() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let target = collector.start().await;
    bench.deploy("shop").await;
    push(&bench, &target).cycle().await;
    bench.deploy("shop").await;
    push(&bench, &target).cycle().await;
    assert_eq!(collector.last(), map(&[("shop", 2)]));
    let got = collector.got.lock().unwrap();
    let resources: Vec<_> =
        got.iter().filter(|request| frequencies(request).is_some()).map(|r| &r.resource_metrics[0].resource).collect();
    assert_eq!(resources.len(), 2);
    assert_eq!(resources[0], resources[1]);
}

#[tokio::test]
async fn a_refusal_moves_no_mark_and_is_no_outage() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let mut push = push(&bench, &collector.start().await);
    bench.deploy("shop").await;
    // The totals and our own metrics, each cycle.
    collector.answer(&[401, 401, 401, 401]);
    push.cycle().await;
    push.cycle().await;
    assert!(push.collector.works(Instant::now()).is_none());
    assert!(!push.remarks.is_new("401 Unauthorized: whatever"), "it has been told");
    push.cycle().await;
    assert_eq!(collector.last(), map(&[("shop", 0)]));
    assert_eq!(counted(&bench.own, "failure"), 2);
}

#[tokio::test]
async fn our_own_metrics_travel_beside_the_totals_under_another_identity() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let mut push = push(&bench, &collector.start().await);
    bench.deploy("shop").await;
    push.cycle().await;
    push.cycle().await;
    let got = collector.got.lock().unwrap();
    let ids: Vec<String> = got
        .iter()
        .map(|request| {
            let attributes = &request.resource_metrics[0].resource.as_ref().unwrap().attributes;
            format!("{:?}", attributes.iter().find(|attribute| attribute.key == "service.instance.id").unwrap().value)
        })
        .collect();
    assert_eq!(ids.len(), 4);
    assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[3]));
    assert_ne!(ids[0], ids[1]);
    let own = &got[3].resource_metrics[0].scope_metrics[0].metrics;
    assert!(own.iter().any(|metric| metric.name == "em_metrics.export.duration"));
}

#[tokio::test]
async fn told_to_stop_it_exports_once_more_and_ends() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let push = push(&bench, &collector.start().await);
    bench.deploy("shop").await;
    let stop = CancellationToken::new();
    stop.cancel();
    push.run(stop).await;
    assert_eq!(collector.last(), map(&[("shop", 0)]));
}

#[tokio::test]
async fn a_store_that_fails_is_a_failed_cycle_and_no_more() {
    let (bench, collector) = (Bench::new().await, Collector::default());
    let mut push = push(&bench, &collector.start().await);
    bench.store.close().await;
    push.cycle().await;
    assert_eq!(counted(&bench.own, "failure"), 1);
    assert_eq!(collector.got.lock().unwrap().len(), 1, "our own metrics still go out");
}

#[tokio::test]
async fn without_a_collector_nothing_is_pushed() {
    let bench = Bench::new().await;
    assert!(Push::new(bench.store.clone(), bench.own.clone(), &otel(None), bench.clock.clone()).unwrap().is_none());
}
