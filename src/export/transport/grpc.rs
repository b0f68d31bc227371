//! OTLP over gRPC.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use secrecy::ExposeSecret;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use super::{Accepted, Failure, accepted, chain, words};
use crate::config::Target;

#[derive(Debug)]
pub struct Grpc {
    endpoint: Endpoint,
    client: MetricsServiceClient<Channel>,
    metadata: MetadataMap,
    gzip: bool,
}

impl Grpc {
    pub(super) fn new(target: &Target) -> Result<Self, String> {
        let mut endpoint = Endpoint::from_shared(target.url.clone())
            .and_then(|endpoint| endpoint.user_agent(concat!("em-metrics/", env!("CARGO_PKG_VERSION"))))
            .map_err(|error| chain(&error))?
            .timeout(target.timeout)
            .connect_timeout(target.timeout);
        if endpoint.uri().scheme_str() == Some("https") {
            let tls = ClientTlsConfig::new().with_enabled_roots();
            endpoint = endpoint.tls_config(tls).map_err(|error| chain(&error))?;
        }
        let client = connect(&endpoint, target.gzip);
        Ok(Self { endpoint, client, metadata: metadata(target)?, gzip: target.gzip })
    }

    pub(super) async fn send(&mut self, request: ExportMetricsServiceRequest) -> Result<Accepted, Failure> {
        let mut request = Request::new(request);
        *request.metadata_mut() = self.metadata.clone();
        match self.client.export(request).await {
            Ok(response) => Ok(accepted(response.into_inner())),
            Err(status) => {
                let message = said(&status);
                if !passes(&status) {
                    return Err(Failure::Rejected(message));
                }
                // A connection that has died without a word would time out for ever.
                self.client = connect(&self.endpoint, self.gzip);
                Err(Failure::Unavailable(message))
            }
        }
    }
}

fn connect(endpoint: &Endpoint, gzip: bool) -> MetricsServiceClient<Channel> {
    let client = MetricsServiceClient::new(endpoint.connect_lazy()).accept_compressed(CompressionEncoding::Gzip);
    if gzip { client.send_compressed(CompressionEncoding::Gzip) } else { client }
}

fn metadata(target: &Target) -> Result<MetadataMap, String> {
    let mut metadata = MetadataMap::new();
    for (name, value) in &target.headers {
        let key = name.to_ascii_lowercase();
        let key = AsciiMetadataKey::from_bytes(key.as_bytes()).map_err(|_| format!("bad header name {name:?}"))?;
        let mut value = AsciiMetadataValue::try_from(value.expose_secret())
            .map_err(|_| format!("the value of the header {name:?} cannot be sent"))?;
        value.set_sensitive(true);
        metadata.insert(key, value);
    }
    Ok(metadata)
}

/// OTLP's list of what is worth another try, and whatever broke on the way before anyone answered.
fn passes(status: &Status) -> bool {
    let broke = std::error::Error::source(status).is_some();
    broke
        || matches!(
            status.code(),
            Code::Cancelled
                | Code::DeadlineExceeded
                | Code::Aborted
                | Code::OutOfRange
                | Code::Unavailable
                | Code::DataLoss
                | Code::ResourceExhausted
        )
}

fn said(status: &Status) -> String {
    let mut text = format!("{:?}: {}", status.code(), status.message());
    if let Some(source) = std::error::Error::source(status) {
        text = format!("{text}: {}", chain(source));
    }
    words(&text)
}
