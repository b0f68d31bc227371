//! Where telemetry goes, ready for the exporters. How it follows from the variables: `otel_settings`.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::{secret, words};

#[derive(Debug, Clone)]
pub struct Otel {
    /// The resource attribute `service.name`.
    pub service_name: String,
    /// The resource attribute `deployment.environment.name`.
    pub deployment_environment: String,
    /// Where the series are pushed; none: `/metrics` serves all the same.
    pub metrics: Option<Target>,
    /// Where the service's own spans go.
    pub traces: Option<Target>,
    /// From one push of the metrics to the next, at least one second.
    pub export_interval: Duration,
}

#[derive(Clone)]
pub struct Target {
    /// Final: the path is already in it (with [`Protocol::Grpc`] there is none to add).
    pub url: String,
    pub protocol: Protocol,
    pub headers: Vec<(String, SecretString)>,
    /// For one request.
    pub timeout: Duration,
    pub gzip: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Protocol {
    #[default]
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    #[serde(rename = "grpc")]
    Grpc,
}

impl<'de> Deserialize<'de> for Protocol {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        words::one_of(deserializer, &["http/protobuf", "grpc"], &[Self::HttpProtobuf, Self::Grpc])
    }
}

impl Otel {
    pub(super) fn shown(&self) -> Value {
        json!({
            "service_name": self.service_name,
            "deployment_environment": self.deployment_environment,
            "metrics": self.metrics.as_ref().map(Target::shown),
            "traces": self.traces.as_ref().map(Target::shown),
            "export_interval_ms": u64::try_from(self.export_interval.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Target {
    fn shown(&self) -> Value {
        let headers: Map<String, Value> =
            self.headers.iter().map(|(name, _)| (name.clone(), secret::MASK.into())).collect();
        json!({
            "url": secret::masked_url(&self.url),
            "protocol": self.protocol,
            "headers": headers,
            "timeout_ms": u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX),
            "gzip": self.gzip,
        })
    }
}

impl fmt::Debug for Target {
    /// The address may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({})", self.shown())
    }
}
