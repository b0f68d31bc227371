//! Who our own telemetry is from.

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::config::Otel;

/// Unlike the totals of the store, this is about one process: a new id each start, and the version may be named.
pub fn own(otel: &Otel) -> Resource {
    Resource::builder()
        .with_service_name(otel.service_name.clone())
        .with_attributes([
            KeyValue::new("deployment.environment.name", otel.deployment_environment.clone()),
            KeyValue::new("service.instance.id", uuid::Uuid::new_v4().to_string()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build()
}
