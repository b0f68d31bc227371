//! Both transports against real servers in this process.

use std::future::{Future, IntoFuture};
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsPartialSuccess;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use prost::Message;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;

use super::*;
use crate::export::fixtures::counter;
use crate::export::otlp::{Identity, encode};

fn request() -> ExportMetricsServiceRequest {
    let identity =
        Identity { service_name: "em_metrics".into(), instance_id: "one".into(), deployment_environment: "t".into() };
    encode(vec![counter(1, 3)], identity, 1, usize::MAX).next().unwrap()
}

fn target(url: String, protocol: Protocol, gzip: bool) -> Target {
    let headers = vec![("X-Key".into(), SecretString::from("hush"))];
    Target { url, protocol, headers, timeout: Duration::from_secs(5), gzip }
}

/// Answers everything alike on a free port, for as long as the test lasts.
async fn server(status: StatusCode, content_type: &'static str, answer: Vec<u8>) -> (String, Seen) {
    let seen = Seen::default();
    let inbox = seen.clone();
    let handler = async move |headers: HeaderMap, body: Bytes| {
        inbox.lock().unwrap().push((headers, body));
        (status, [("content-type", content_type), ("location", "/elsewhere")], answer.clone())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/in?token=s3cret", listener.local_addr().unwrap());
    run(axum::serve(listener, Router::new().route("/in", post(handler))).into_future());
    (url, seen)
}

type Seen = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// On the test's own runtime, which ends with the test.
fn run<T: Send + 'static>(server: impl Future<Output = T> + Send + 'static) {
    tokio::spawn(server);
}

#[tokio::test]
async fn http_sends_protobuf_gzipped_with_the_configured_headers() {
    for gzip in [true, false] {
        let (url, seen) = server(StatusCode::OK, "text/plain", b"ok".to_vec()).await;
        let mut transport = Transport::new(&target(url, Protocol::HttpProtobuf, gzip)).unwrap();
        assert_eq!(transport.send(request()).await, Ok(Accepted::default()));
        let (headers, body) = seen.lock().unwrap().remove(0);
        assert_eq!(
            (&headers["content-type"], &headers["x-key"]),
            (&"application/x-protobuf".parse().unwrap(), &"hush".parse().unwrap())
        );
        let mut plain = body.to_vec();
        if gzip {
            assert_eq!(headers["content-encoding"], "gzip");
            plain.clear();
            flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        }
        assert_eq!(ExportMetricsServiceRequest::decode(&*plain).unwrap(), request());
    }
}

#[tokio::test]
async fn http_tells_what_passes_from_what_does_not() {
    for (status, passes) in
        [(408, true), (429, true), (502, true), (503, true), (504, true), (302, false), (400, false), (500, false)]
    {
        let (url, seen) =
            server(StatusCode::from_u16(status).unwrap(), "text/plain", b"because\nof\x07 it".to_vec()).await;
        let mut transport = Transport::new(&target(url, Protocol::HttpProtobuf, true)).unwrap();
        let failure = transport.send(request()).await.unwrap_err();
        let (Failure::Unavailable(message) | Failure::Rejected(message)) = &failure;
        assert!(message.starts_with(&status.to_string()) && message.ends_with(": because of it"), "{message}");
        assert_eq!(matches!(failure, Failure::Unavailable(_)), passes, "{status}");
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn http_passes_on_partial_success_and_the_receivers_own_words() {
    let partial = ExportMetricsPartialSuccess { rejected_data_points: 2, error_message: "too old".into() };
    let answer = ExportMetricsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let (url, _) = server(StatusCode::OK, "application/x-protobuf", answer).await;
    let mut transport = Transport::new(&target(url, Protocol::HttpProtobuf, true)).unwrap();
    assert_eq!(transport.send(request()).await, Ok(Accepted { rejected_points: 2, remark: "too old".into() }));

    // google.rpc.Status { code: 3, message: "no such tenant" }
    let answer = [&[8, 3, 18, 14], &b"no such tenant"[..]].concat();
    let (url, _) = server(StatusCode::BAD_REQUEST, "application/x-protobuf", answer).await;
    let mut transport = Transport::new(&target(url, Protocol::HttpProtobuf, true)).unwrap();
    let failure = transport.send(request()).await.unwrap_err();
    assert_eq!(failure, Failure::Rejected("400 Bad Request: no such tenant".into()));
}

#[tokio::test]
async fn a_flood_of_words_is_cut() {
    let (url, _) = server(StatusCode::FORBIDDEN, "text/plain", "ö".repeat(100_000).into_bytes()).await;
    let mut transport = Transport::new(&target(url, Protocol::HttpProtobuf, true)).unwrap();
    let Err(Failure::Rejected(message)) = transport.send(request()).await else { panic!() };
    assert!(message.len() <= MAX_WORDS && message.len() > MAX_WORDS - 4);
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_no_credential_is_told() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let url = format!("http://{free}/in?token=s3cret");
        let mut transport = Transport::new(&target(url, protocol, true)).unwrap();
        let Err(Failure::Unavailable(message)) = transport.send(request()).await else { panic!() };
        assert!(message.to_lowercase().contains("connection refused"), "{message}");
        assert!(!message.contains("s3cret") && !message.contains("hush"), "{message}");
        assert!(!format!("{transport:?}").contains("hush"));
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_named_without_its_value() {
    for protocol in [Protocol::HttpProtobuf, Protocol::Grpc] {
        let mut target = target("http://localhost:4318".into(), protocol, true);
        target.headers = vec![("x-key".into(), SecretString::from("hu\nsh"))];
        let error = Transport::new(&target).unwrap_err().to_string();
        assert!(error.contains("localhost:4318") && error.contains("x-key") && !error.contains("hu"), "{error}");
    }
}

/// Answers with a fixed status, or takes the request.
struct Collector {
    refuse: Option<tonic::Code>,
    seen: Arc<Mutex<Vec<tonic::Request<ExportMetricsServiceRequest>>>>,
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, tonic::Status> {
        self.seen.lock().unwrap().push(request);
        if let Some(code) = self.refuse {
            return Err(tonic::Status::new(code, "not\nnow"));
        }
        let partial = ExportMetricsPartialSuccess { rejected_data_points: 0, error_message: "old client".into() };
        Ok(tonic::Response::new(ExportMetricsServiceResponse { partial_success: Some(partial) }))
    }
}

async fn collector(
    refuse: Option<tonic::Code>,
) -> (String, Arc<Mutex<Vec<tonic::Request<ExportMetricsServiceRequest>>>>) {
    let seen = Arc::default();
    let service = MetricsServiceServer::new(Collector { refuse, seen: Arc::clone(&seen) })
        .accept_compressed(CompressionEncoding::Gzip);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder();
    run(server.serve_with_incoming(service, TcpListenerStream::new(listener)));
    (url, seen)
}

#[tokio::test]
async fn grpc_sends_the_request_with_the_configured_headers() {
    for gzip in [true, false] {
        let (url, seen) = collector(None).await;
        let mut transport = Transport::new(&target(url, Protocol::Grpc, gzip)).unwrap();
        let accepted = transport.send(request()).await;
        assert_eq!(accepted, Ok(Accepted { rejected_points: 0, remark: "old client".into() }));
        let seen = seen.lock().unwrap().remove(0);
        assert_eq!(seen.metadata().get("x-key").unwrap(), "hush");
        assert_eq!(seen.metadata().get("grpc-encoding").is_some(), gzip);
        assert_eq!(seen.into_inner(), request());
    }
}

#[tokio::test]
async fn grpc_tells_what_passes_from_what_does_not() {
    use tonic::Code;
    for (code, passes) in [
        (Code::Unavailable, true),
        (Code::ResourceExhausted, true),
        (Code::DeadlineExceeded, true),
        (Code::InvalidArgument, false),
        (Code::Unauthenticated, false),
        (Code::Unimplemented, false),
    ] {
        let (url, _) = collector(Some(code)).await;
        let mut transport = Transport::new(&target(url, Protocol::Grpc, true)).unwrap();
        let failure = transport.send(request()).await.unwrap_err();
        let message = format!("{code:?}: not now");
        assert_eq!(failure, if passes { Failure::Unavailable(message) } else { Failure::Rejected(message) });
    }
}
