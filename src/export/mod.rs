//! The series totals as others read them: pushed by OTLP, scraped as Prometheus text.
//! Pure parts: [`snapshot`] (what a consumer is shown), [`otlp`] (the wire form), [`prometheus`] (the text form).

pub mod otlp;
pub mod prometheus;
pub mod snapshot;

#[cfg(test)]
mod fixtures;
pub use prometheus::Format;
#[derive(Debug)]
pub struct Totals {
    pub store: crate::storage::Store,
}
impl Totals {
    pub async fn text(
        &self,
        _s: Option<&str>,
        format: Format,
        _now: crate::domain::Timestamp,
    ) -> Result<String, crate::storage::Error> {
        let s = self.store.series().await?;
        let id =
            otlp::Identity { service_name: "x".into(), instance_id: "y".into(), deployment_environment: "z".into() };
        Ok(prometheus::render(&otlp::encode(&s, &id, 1, otlp::MAX_REQUEST_BYTES), format))
    }
}
pub async fn run(
    _s: crate::storage::Store,
    _o: crate::telemetry::OwnMetrics,
    _c: crate::config::Otel,
    _k: crate::domain::Clock,
    t: tokio_util::sync::CancellationToken,
) {
    t.cancelled().await
}
impl Totals {
    pub async fn new(
        store: crate::storage::Store,
        _o: crate::telemetry::OwnMetrics,
        _c: &crate::config::Otel,
    ) -> anyhow::Result<Self> {
        Ok(Self { store })
    }
}
