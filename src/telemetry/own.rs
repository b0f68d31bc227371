//! The service's own metrics, read on demand by whoever exports them: no thread of the SDK's, no second exporter.

use std::sync::{Arc, Weak};
use std::time::Duration;

use opentelemetry::global;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{InstrumentKind, ManualReader, Pipeline, SdkMeterProvider, Temporality};

use crate::config::Otel;

/// A handle on everything our instruments have recorded.
#[derive(Debug, Clone)]
pub struct OwnMetrics {
    provider: SdkMeterProvider,
    reader: Shared,
}

impl OwnMetrics {
    pub(super) fn new(resource: Resource) -> Self {
        let reader = Shared(Arc::new(ManualReader::builder().with_temporality(Temporality::Cumulative).build()));
        let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader.clone()).build();
        Self { provider, reader }
    }

    /// Metrics of their own that are not the process' global ones, for tests.
    pub fn detached(otel: &Otel) -> Self {
        Self::new(super::resource::own(otel))
    }

    /// Makes every instrument that is created from now on record here.
    pub fn install(&self) {
        global::set_meter_provider(self.provider.clone());
    }

    pub fn meter(&self) -> opentelemetry::metrics::Meter {
        self.provider.meter(super::instruments::SCOPE)
    }

    /// Everything recorded so far, cumulative since the start.
    pub fn collect(&self) -> ResourceMetrics {
        let mut metrics = ResourceMetrics::default();
        if let Err(error) = self.reader.collect(&mut metrics) {
            tracing::debug!(%error, "own metrics cannot be read");
        }
        metrics
    }
}

/// The provider wants to own its reader, and so do we.
#[derive(Debug, Clone)]
struct Shared(Arc<ManualReader>);

impl MetricReader for Shared {
    fn register_pipeline(&self, pipeline: Weak<Pipeline>) {
        self.0.register_pipeline(pipeline);
    }

    fn collect(&self, metrics: &mut ResourceMetrics) -> OTelSdkResult {
        self.0.collect(metrics)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn temporality(&self, kind: InstrumentKind) -> Temporality {
        self.0.temporality(kind)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;
    use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData, ScopeMetrics};

    use super::*;
    use crate::telemetry::instruments::HTTP_SERVER_REQUEST_DURATION;

    #[test]
    fn what_an_instrument_records_can_be_read_at_once() {
        let own = OwnMetrics::new(Resource::builder_empty().with_attribute(KeyValue::new("a", "b")).build());
        let duration = HTTP_SERVER_REQUEST_DURATION.histogram_of(&own.meter());
        duration.record(0.02, &[KeyValue::new("http.route", "/deployments")]);
        duration.record(20.0, &[KeyValue::new("http.route", "/deployments")]);
        let read = own.collect();
        assert_eq!(read.resource().len(), 1);
        let metric = read.scope_metrics().flat_map(ScopeMetrics::metrics).next().unwrap();
        assert_eq!((metric.name(), metric.unit()), ("http.server.request.duration", "s"));
        let AggregatedMetrics::F64(MetricData::Histogram(histogram)) = metric.data() else { panic!("{metric:?}") };
        let point = histogram.data_points().next().unwrap();
        assert_eq!(point.count(), 2);
        assert_eq!(point.bounds().next(), Some(0.005));
        assert_eq!(point.bucket_counts().last(), Some(1));
    }
}
