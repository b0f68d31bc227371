//! How a request reaches the collector: http/protobuf or gRPC. No retries: the next cycle carries everything anyway.

mod grpc;
mod http;

use std::error::Error as StdError;

use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};

use crate::config::{Protocol, Target, masked_url};

/// How much of a collector's words we repeat.
const MAX_WORDS: usize = 1024;

#[derive(Debug)]
pub enum Transport {
    Http(http::Http),
    Grpc(Box<grpc::Grpc>),
}

/// The target as configured cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot export to {url}: {reason}")]
pub struct BuildError {
    pub url: String,
    pub reason: String,
}

/// The collector has taken the request, perhaps with a remark.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accepted {
    pub rejected_points: i64,
    pub remark: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It will pass: nobody answers, or too busy.
    Unavailable(String),
    /// The same again would be refused again.
    Rejected(String),
}

impl Transport {
    /// Does not connect yet. Call it inside a runtime.
    pub fn new(target: &Target) -> Result<Self, BuildError> {
        // An error only says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let built = match target.protocol {
            Protocol::HttpProtobuf => http::Http::new(target).map(Self::Http),
            Protocol::Grpc => grpc::Grpc::new(target).map(|grpc| Self::Grpc(Box::new(grpc))),
        };
        built.map_err(|reason| BuildError { url: masked_url(&target.url), reason })
    }

    pub async fn send(&mut self, request: ExportMetricsServiceRequest) -> Result<Accepted, Failure> {
        match self {
            Self::Http(http) => http.send(request).await,
            Self::Grpc(grpc) => grpc.send(request).await,
        }
    }
}

fn accepted(response: ExportMetricsServiceResponse) -> Accepted {
    let partial = response.partial_success.unwrap_or_default();
    Accepted { rejected_points: partial.rejected_data_points, remark: words(&partial.error_message) }
}

/// Somebody else's words as one bounded line.
fn words(text: &str) -> String {
    let mut line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).fold(
        String::new(),
        |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
            line
        },
    );
    line.truncate(line.floor_char_boundary(MAX_WORDS));
    line
}

/// An error with its causes: the outermost alone seldom says what is wrong.
pub(super) fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many errors repeat their cause.
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    words(&text)
}

#[cfg(test)]
mod tests;
