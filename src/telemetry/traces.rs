//! Traces by OTLP, if a target is configured: the spans of this crate, whatever the log filter says.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Context, global};
use opentelemetry_otlp::{Compression, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData};
use secrecy::ExposeSecret;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::ClientTlsConfig;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use super::{Error, instruments};
use crate::config::{Protocol, Target, masked_url};

/// Makes the span a child of the caller's, if the request's headers name one (W3C trace context).
/// Do it before the span is entered.
pub fn continue_trace<'a>(span: &tracing::Span, header: impl Fn(&str) -> Option<&'a str>) {
    let sent =
        ["traceparent", "tracestate"].into_iter().filter_map(|name| Some((name.to_owned(), header(name)?.to_owned())));
    let sent: HashMap<String, String> = sent.collect();
    let parent = global::get_text_map_propagator(|propagator| propagator.extract_with_context(&Context::new(), &sent));
    // Without traces there is no layer to tell, which is no failure.
    let _ = span.set_parent(parent);
}

pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // The spans of the HTTP clients that carry our spans away would make more of them, without end.
    let ours = |metadata: &Metadata| {
        metadata.target().starts_with(env!("CARGO_CRATE_NAME")) && *metadata.level() <= LevelFilter::INFO
    };
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(instruments::SCOPE))
        .with_location(false)
        .with_threads(false)
        .with_filter(filter_fn(ours))
}

pub(super) fn provider(target: &Target, resource: Resource) -> Result<SdkTracerProvider, Error> {
    let exporter = match target.protocol {
        Protocol::HttpProtobuf => http(target),
        Protocol::Grpc => grpc(target),
    };
    let exporter = exporter.map_err(|reason| Error::Traces { url: masked_url(&target.url), reason })?;
    let exporter = Watched { exporter, failing: AtomicBool::new(false) };
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

fn http(target: &Target) -> Result<SpanExporter, String> {
    let headers = target.headers.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned()));
    let mut builder = SpanExporter::builder()
        .with_http()
        .with_http_client(client(target)?)
        .with_endpoint(&target.url)
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_timeout(target.timeout)
        .with_headers(headers.collect());
    if target.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    builder.build().map_err(|error| error.to_string())
}

/// The SDK exports from a thread of its own, so the client is a blocking one. It must be made off the async threads.
fn client(target: &Target) -> Result<reqwest::blocking::Client, String> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder =
        reqwest::blocking::Client::builder().timeout(target.timeout).redirect(reqwest::redirect::Policy::none());
    if !target.url.starts_with("https:") {
        // A container without CA certificates can still talk to the collector beside it.
        builder = builder.tls_certs_only([]);
    }
    let built = std::thread::spawn(move || builder.build()).join();
    built.map_err(|_| "the HTTP client's thread panicked".to_owned())?.map_err(|error| error.to_string())
}

fn grpc(target: &Target) -> Result<SpanExporter, String> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &target.headers {
        let key = AsciiMetadataKey::from_bytes(name.as_bytes()).map_err(|_| format!("bad header name {name:?}"))?;
        let mut value = AsciiMetadataValue::try_from(value.expose_secret())
            .map_err(|_| format!("the value of the header {name:?} is not ASCII"))?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    let mut builder = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&target.url)
        .with_timeout(target.timeout)
        .with_metadata(metadata);
    if target.gzip {
        builder = builder.with_compression(Compression::Gzip);
    }
    if target.url.starts_with("https:") {
        builder = builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots());
    }
    builder.build().map_err(|error| error.to_string())
}

/// An exporter that says once when it begins to fail and once when it works again.
#[derive(Debug)]
struct Watched<E> {
    exporter: E,
    failing: AtomicBool,
}

impl<E: opentelemetry_sdk::trace::SpanExporter> opentelemetry_sdk::trace::SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let failed_before = self.failing.swap(result.is_err(), Ordering::Relaxed);
        match &result {
            Err(error) if !failed_before => tracing::warn!(%error, "spans cannot be exported; they are dropped"),
            Ok(()) if failed_before => tracing::info!("spans are exported again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use axum::body::Bytes;
    use axum::http::HeaderMap;
    use opentelemetry::trace::Tracer;
    use secrecy::SecretString;
    use tokio::runtime::Runtime;

    use super::*;

    fn target(url: String, protocol: Protocol) -> Target {
        Target {
            url,
            protocol,
            headers: vec![("x-key".into(), SecretString::from("hush"))],
            timeout: Duration::from_secs(5),
            gzip: true,
        }
    }

    #[test]
    fn a_span_reaches_the_collector_at_the_latest_at_shutdown() {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let (sender, received) = mpsc::channel();
        let traces = axum::routing::post(async move |headers: HeaderMap, body: Bytes| {
            let _ = sender.send((headers, body));
        });
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/some/traces", listener.local_addr().unwrap());
        let router = axum::Router::new().route("/some/traces", traces);
        let server = runtime.spawn(std::future::IntoFuture::into_future(axum::serve(listener, router)));

        let provider = provider(&target(url, Protocol::HttpProtobuf), Resource::builder_empty().build()).unwrap();
        provider.tracer("test").in_span("work", |_| {});
        provider.shutdown().unwrap();
        let (headers, body) = received.try_recv().unwrap();
        assert_eq!(headers["x-key"], "hush");
        assert_eq!(headers["content-encoding"], "gzip");
        assert!(!body.is_empty());
        server.abort();
    }

    #[test]
    fn grpc_is_made_without_a_connection_and_bad_headers_are_named_without_their_value() {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let mut target = target("https://127.0.0.1:1".into(), Protocol::Grpc);
        assert!(grpc(&target).is_ok());
        target.headers = vec![("x-key".into(), SecretString::from("h\nush"))];
        let error = grpc(&target).unwrap_err();
        assert!(error.contains("x-key") && !error.contains("ush\""), "{error}");
    }
}
