//! The `otel` section as it is written, and the rules that turn it into [`Otel`]:
//! our own `collector_url`, and the standard exporter variables in their general and per-signal forms.

use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use super::error::Problem;
use super::headers::Headers;
use super::otel::{Otel, Protocol, Target};
use super::{secret, words};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OtelSettings {
    pub(super) service_name: String,
    pub(super) deployment_environment: String,
    #[serde(serialize_with = "secret::optional_url")]
    pub(super) collector_url: Option<SecretString>,
    pub(super) metric_export_interval_ms: u64,
    /// Both signals; the two below win over it, key by key.
    pub(super) otlp: Exporter,
    pub(super) otlp_metrics: Exporter,
    pub(super) otlp_traces: Exporter,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Exporter {
    #[serde(serialize_with = "secret::optional_url")]
    pub(super) endpoint: Option<SecretString>,
    pub(super) protocol: Option<Protocol>,
    pub(super) headers: Option<Headers>,
    pub(super) timeout_ms: Option<u64>,
    pub(super) compression: Option<Compression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Compression {
    Gzip,
    None,
}

impl<'de> Deserialize<'de> for Compression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        words::one_of(deserializer, &["gzip", "none"], &[Self::Gzip, Self::None])
    }
}

impl Default for OtelSettings {
    fn default() -> Self {
        Self {
            service_name: "em_metrics".to_owned(),
            deployment_environment: "NO_ENV".to_owned(),
            collector_url: None,
            metric_export_interval_ms: 15_000,
            otlp: Exporter::default(),
            otlp_metrics: Exporter::default(),
            otlp_traces: Exporter::default(),
        }
    }
}

impl OtelSettings {
    pub(super) fn resolve(&self) -> Result<Otel, Problem> {
        let interval = self.metric_export_interval_ms;
        if interval < 1000 {
            // More often than once a second only costs: nothing behind it looks that closely.
            let problem = format!("expected at least 1000 (milliseconds), found {interval}");
            return Err(Problem::at("otel.metric_export_interval_ms", &problem));
        }
        Ok(Otel {
            service_name: self.service_name.clone(),
            deployment_environment: self.deployment_environment.clone(),
            metrics: self.target(
                "otel.otlp_metrics",
                &self.otlp_metrics,
                "/v1/metrics",
                self.collector_url.as_ref(),
            )?,
            traces: self.target("otel.otlp_traces", &self.otlp_traces, "/v1/traces", None)?,
            export_interval: Duration::from_millis(interval),
        })
    }

    fn target(
        &self,
        section: &str,
        signal: &Exporter,
        path: &str,
        collector: Option<&SecretString>,
    ) -> Result<Option<Target>, Problem> {
        let both = &self.otlp;
        let protocol = signal.protocol.or(both.protocol).unwrap_or_default();
        let url = if let Some(url) = collector {
            endpoint("otel.collector_url", url)?.with_path_if_none(path, protocol)
        } else if let Some(url) = &signal.endpoint {
            endpoint(&format!("{section}.endpoint"), url)?.verbatim()
        } else if let Some(url) = &both.endpoint {
            endpoint("otel.otlp.endpoint", url)?.with_path_appended(path, protocol)
        } else {
            return Ok(None);
        };
        let (timeout_key, timeout_ms) = match (signal.timeout_ms, both.timeout_ms) {
            (Some(own), _) => (section, own),
            (None, general) => ("otel.otlp", general.unwrap_or(10_000)),
        };
        if timeout_ms == 0 {
            return Err(Problem::at(
                &format!("{timeout_key}.timeout_ms"),
                "expected at least 1 (milliseconds), found 0",
            ));
        }
        let headers = signal.headers.as_ref().or(both.headers.as_ref());
        let compression = signal.compression.or(both.compression).unwrap_or(Compression::Gzip);
        Ok(Some(Target {
            url,
            protocol,
            headers: headers.map(|headers| headers.0.clone()).unwrap_or_default(),
            timeout: Duration::from_millis(timeout_ms),
            gzip: compression == Compression::Gzip,
        }))
    }
}

struct Endpoint<'a> {
    text: &'a str,
    url: Url,
}

fn endpoint<'a>(key: &str, url: &'a SecretString) -> Result<Endpoint<'a>, Problem> {
    let text = secrecy::ExposeSecret::expose_secret(url).trim();
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Endpoint { text, url }),
        _ => Err(Problem::at(key, "expected an http:// or https:// address, such as http://collector:4318")),
    }
}

impl Endpoint<'_> {
    fn verbatim(self) -> String {
        self.text.to_owned()
    }

    fn with_path_if_none(mut self, path: &str, protocol: Protocol) -> String {
        if protocol == Protocol::Grpc || !matches!(self.url.path(), "" | "/") {
            return self.verbatim();
        }
        self.url.set_path(path);
        self.url.into()
    }

    fn with_path_appended(mut self, path: &str, protocol: Protocol) -> String {
        if protocol == Protocol::Grpc {
            return self.verbatim();
        }
        let whole = format!("{}{path}", self.url.path().trim_end_matches('/'));
        self.url.set_path(&whole);
        self.url.into()
    }
}
