//! A collector that takes everything and keeps nothing: how much an export cycle sends, how long that goes on, and
//! how long the service says that the whole cycle has taken.

use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use em_metrics::metrics::CATALOGUE;
use em_metrics::telemetry::instruments::EXPORT_DURATION;
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use prost::Message as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// How long the asked for cycles may take before the run has failed.
const PATIENCE: Duration = Duration::from_mins(10);
/// What is longer is totals, and not looked into: that would take the time of those who are measured.
const MOST_OF_OWN: usize = 32 * 1024;

#[derive(Debug)]
pub struct Sink {
    pub address: SocketAddr,
    seen: watch::Receiver<Seen>,
    _serving: AbortOnDropHandle<()>,
}

#[derive(Debug, Clone)]
pub struct Cycle {
    /// That carry totals; the service's own metrics are the one after them.
    pub requests: usize,
    /// As they were sent.
    pub bytes: usize,
    /// From the first request to the last one.
    pub sending: Duration,
    /// All cycles before this one, as the service counts them.
    seconds_before: f64,
}

#[derive(Debug, Default)]
struct Seen {
    cycles: Vec<Cycle>,
    /// Without totals: the service has not the right to export them, or has lost it.
    skipped: usize,
    began: Option<Instant>,
    requests: usize,
    bytes: usize,
}

impl Seen {
    /// `own`: it ends a cycle, and says how long those before have taken.
    fn add(&mut self, arrived: Instant, bytes: usize, own: Option<f64>) {
        let began = *self.began.get_or_insert(arrived);
        let Some(seconds_before) = own else {
            self.requests += 1;
            self.bytes += bytes;
            return;
        };
        let Seen { requests, bytes, .. } = *self;
        if requests > 0 {
            self.cycles.push(Cycle { requests, bytes, sending: arrived - began, seconds_before });
        } else {
            self.skipped += 1;
        }
        (self.began, self.requests, self.bytes) = (None, 0, 0);
    }
}

impl Sink {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, seen) = watch::channel(Seen::default());
        let app = Router::new().route("/v1/metrics", post(take)).layer(DefaultBodyLimit::disable()).with_state(sender);
        let serving = tokio::spawn(async move {
            // it ends with the value
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, seen, _serving: AbortOnDropHandle::new(serving) })
    }

    /// The first so many cycles, and how many seconds each has taken from its first statement to its last answer.
    pub async fn cycles(&mut self, count: usize) -> anyhow::Result<Vec<(Cycle, f64)>> {
        let enough = self.seen.wait_for(|seen| seen.cycles.len() > count);
        if tokio::time::timeout(PATIENCE, enough).await.is_err() {
            let seen = self.seen.borrow();
            anyhow::bail!("{} export cycles in {PATIENCE:?}, {} without totals", seen.cycles.len(), seen.skipped);
        }
        let seen = self.seen.borrow();
        let cycles = seen.cycles.windows(2).take(count);
        Ok(cycles.map(|pair| (pair[0].clone(), pair[1].seconds_before - pair[0].seconds_before)).collect())
    }
}

async fn take(State(seen): State<watch::Sender<Seen>>, body: Bytes) -> Result<(), (StatusCode, String)> {
    let arrived = Instant::now();
    let own = own(&body).map_err(|error| (StatusCode::BAD_REQUEST, error.to_string()))?;
    seen.send_modify(|seen| seen.add(arrived, body.len(), own));
    Ok(())
}

/// Seconds of all cycles that have succeeded so far, in a request with the service's own metrics.
fn own(body: &[u8]) -> anyhow::Result<Option<f64>> {
    if body.len() > MOST_OF_OWN {
        return Ok(None);
    }
    let mut inflated = Vec::new();
    GzDecoder::new(body).read_to_end(&mut inflated)?;
    let request = ExportMetricsServiceRequest::decode(&*inflated).map_err(|error| anyhow::anyhow!("{error}"))?;
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    let metrics: Vec<_> = scopes.flat_map(|scope| &scope.metrics).collect();
    if metrics.iter().any(|metric| CATALOGUE.iter().any(|instrument| instrument.name == metric.name)) {
        return Ok(None);
    }
    let durations = metrics.iter().filter(|metric| metric.name == EXPORT_DURATION.name);
    let points = durations.flat_map(|metric| match &metric.data {
        Some(Data::Histogram(histogram)) => histogram.data_points.as_slice(),
        _ => &[],
    });
    Ok(Some(points.filter(|point| succeeded(point)).filter_map(|point| point.sum).sum()))
}

fn succeeded(point: &HistogramDataPoint) -> bool {
    point.attributes.iter().any(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        attribute.key == "outcome" && matches!(value, Some(Value::StringValue(text)) if text == "success")
    })
}
