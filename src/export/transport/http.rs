//! OTLP over HTTP with protobuf bodies.

use std::io::Write;

use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use prost::Message;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret;

use super::{Accepted, Failure, accepted, chain, words};
use crate::config::Target;

const PROTOBUF: &str = "application/x-protobuf";
/// No honest answer is longer.
const MAX_ANSWER: usize = 64 * 1024;

#[derive(Debug)]
pub struct Http {
    client: Client,
    url: Url,
    gzip: bool,
}

/// `google.rpc.Status`, how OTLP receivers explain a refusal.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

impl Http {
    pub(super) fn new(target: &Target) -> Result<Self, String> {
        let url = Url::parse(&target.url).map_err(|error| error.to_string())?;
        // A redirected POST becomes a GET, and would take our headers elsewhere.
        let mut builder = Client::builder()
            .default_headers(headers(target)?)
            .timeout(target.timeout)
            .redirect(redirect::Policy::none());
        if url.scheme() != "https" {
            // A container without CA certificates can still talk to the collector beside it.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| chain(&error))?;
        Ok(Self { client, url, gzip: target.gzip })
    }

    pub(super) async fn send(&self, request: ExportMetricsServiceRequest) -> Result<Accepted, Failure> {
        let gzip = self.gzip;
        let body = tokio::task::spawn_blocking(move || body(&request, gzip)).await;
        let body = body.map_err(|error| Failure::Unavailable(chain(&error)))?;
        let mut post = self.client.post(self.url.clone()).header(CONTENT_TYPE, PROTOBUF).body(body);
        if gzip {
            post = post.header(CONTENT_ENCODING, "gzip");
        }
        let response = post.send().await.map_err(|error| Failure::Unavailable(chain(&error.without_url())))?;
        let status = response.status();
        let protobuf = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PROTOBUF);
        let answer = answer(response).await;
        if status.is_success() {
            // An answer in another form (plain "ok") is a yes all the same.
            let response = protobuf.then(|| ExportMetricsServiceResponse::decode(&*answer).ok()).flatten();
            return Ok(accepted(response.unwrap_or_default()));
        }
        let said = protobuf.then(|| Status::decode(&*answer).ok()).flatten().map(|status| status.message);
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(&answer).into_owned());
        let message = words(&format!("{status}: {said}"));
        Err(if passes(status) { Failure::Unavailable(message) } else { Failure::Rejected(message) })
    }
}

/// As OTLP says: only these are worth another try.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 502 | 503 | 504)
}

fn headers(target: &Target) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("em-metrics/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &target.headers {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("bad header name {name:?}"))?;
        let mut value = HeaderValue::from_str(value.expose_secret())
            .map_err(|_| format!("the value of the header {name:?} cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn body(request: &ExportMetricsServiceRequest, gzip: bool) -> Vec<u8> {
    let plain = request.encode_to_vec();
    if !gzip {
        return plain;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&plain).and_then(|()| encoder.finish()).unwrap_or_default()
}

/// What has come of the answer, up to the limit; a broken answer still has its status.
async fn answer(mut response: Response) -> Vec<u8> {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = MAX_ANSWER - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.len() == MAX_ANSWER {
            break;
        }
    }
    answer
}
