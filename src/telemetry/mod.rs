//! The service's own logs, traces and metrics. The numbers we are asked for are not here: they come from the store.
//! Instruments are made where they are used, from their line in [`instruments`].

mod complaints;
pub mod instruments;
mod logs;
mod own;
mod resource;
mod traces;

use std::time::Duration;

use opentelemetry::global;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Log, Otel};

pub use complaints::{Complaint, Crowd, Once, Outage};
pub use logs::check_filter;
pub use own::OwnMetrics;
pub use traces::continue_trace;

/// How long the end of the process may wait for the last spans.
const SHUTDOWN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the log filter {filter:?} is not valid: {reason}; an example: info,em_metrics=debug")]
    Filter { filter: String, reason: String },
    #[error("the trace exporter to {url} cannot be made: {reason}")]
    Traces { url: String, reason: String },
    #[error("logging was set up twice in one process")]
    Twice,
}

/// What lives as long as the process. Shut it down before it goes.
#[derive(Debug)]
pub struct Telemetry {
    own: OwnMetrics,
    traces: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Takes over the process' logging and its global meter and tracer.
    /// Call it inside a runtime's context ([`tokio::runtime::Runtime::enter`]), which gRPC needs.
    pub fn init(log: &Log, otel: &Otel) -> Result<Self, Error> {
        let resource = resource::own(otel);
        let traces = otel.traces.as_ref().map(|target| traces::provider(target, resource.clone())).transpose()?;
        tracing_subscriber::registry()
            .with(traces.as_ref().map(traces::layer))
            .with(logs::layer(log)?)
            .try_init()
            .map_err(|_| Error::Twice)?;
        global::set_text_map_propagator(TraceContextPropagator::new());
        let own = OwnMetrics::new(resource);
        own.install();
        Ok(Self { own, traces })
    }

    pub fn own_metrics(&self) -> OwnMetrics {
        self.own.clone()
    }

    /// Sends the last spans; at most 5 s. It blocks, so call it outside async code, while the runtime still runs.
    pub fn shutdown(self) {
        if let Some(Err(error)) = self.traces.map(|traces| traces.shutdown_with_timeout(SHUTDOWN)) {
            tracing::warn!(%error, "the last spans may be lost");
        }
    }
}
