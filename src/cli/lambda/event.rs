//! From an event to a request, and from a response to what the runtime sends back.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{LambdaEvent, RequestExt as _};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::http::Peer;

/// What may not stand in an address as it is. API Gateway decodes paths; what is still encoded stays so.
const UNFIT: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// An event of which a request can be made: a query comes as it was sent, and what no address may hold would end the
/// invocation without an answer.
pub fn fit(mut event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    if let LambdaRequest::ApiGatewayV2(request) = &mut event.payload {
        request.raw_query_string =
            request.raw_query_string.take().map(|query| utf8_percent_encode(&query, UNFIT).to_string());
    }
    event
}

/// As it would have come over a connection: the path without the stage, the body's bytes as they were sent.
pub fn request(event: lambda_http::Request) -> Request {
    let (stage, address, is_rest) = match event.request_context_ref() {
        // it tells the path without the stage
        Some(RequestContext::ApiGatewayV1(context)) => (None, context.identity.source_ip.clone(), true),
        Some(RequestContext::ApiGatewayV2(context)) => {
            (context.stage.as_deref(), context.http.source_ip.clone(), false)
        }
        _ => (None, None, false),
    };
    let path = path(event.raw_http_path(), stage);
    let (mut parts, body) = event.into_parts();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = Uri::try_from(path + &query) {
        parts.uri = uri;
    }
    if is_rest {
        // a REST API hands on what is not text as the base64 it got, unless it was told otherwise
        parts.headers.remove(header::ACCEPT_ENCODING);
    }
    let address = address.and_then(|address| address.parse::<IpAddr>().ok());
    parts.extensions.insert(Peer(address.map(|address| SocketAddr::new(address, 0))));
    let body = match body {
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    };
    Request::from_parts(parts, body)
}

/// `raw` without the stage at its beginning, fit for a request line.
fn path(raw: &str, stage: Option<&str>) -> String {
    let inside = stage.and_then(|stage| raw.strip_prefix('/')?.strip_prefix(stage));
    let path = inside.filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(raw);
    let path = utf8_percent_encode(path, UNFIT).to_string();
    if path.starts_with('/') { path } else { format!("/{path}") }
}

/// A response with all of its body.
#[derive(Debug)]
pub struct Answer(lambda_http::Response<lambda_http::Body>);

impl Answer {
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }
}

/// Reads the body to its end: nothing of it may be left to a time when the process is frozen.
pub async fn answer(response: Response) -> Answer {
    let (mut parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "the answer broke off in the middle");
            parts.status = StatusCode::SERVICE_UNAVAILABLE;
            parts.headers.clear();
            parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(1));
            axum::body::Bytes::new()
        }
    };
    // what is text goes as text, whatever it is called: metrics, lists by the line
    let is_encoded = parts.headers.contains_key(header::CONTENT_ENCODING);
    let body = match String::from_utf8(body.into()) {
        Ok(text) if text.is_empty() => lambda_http::Body::Empty,
        Ok(text) if !is_encoded => lambda_http::Body::Text(text),
        Ok(text) => lambda_http::Body::Binary(text.into_bytes()),
        Err(bytes) => lambda_http::Body::Binary(bytes.into_bytes()),
    };
    Answer(lambda_http::Response::from_parts(parts, body))
}

impl lambda_http::IntoResponse for Answer {
    fn into_response(self) -> Pin<Box<dyn Future<Output = lambda_http::Response<lambda_http::Body>> + Send>> {
        Box::pin(std::future::ready(self.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(event: &Value) -> Request {
        let payload: LambdaRequest = serde_json::from_str(&event.to_string()).unwrap();
        request(fit(LambdaEvent::new(payload, lambda_http::Context::default())).payload.into())
    }

    /// An HTTP API's, or a function URL's.
    fn http(stage: &str, path: &str) -> Value {
        json!({"version": "2.0", "rawPath": path, "rawQueryString": "a=1&b=%2F", "body": "aGk=", "isBase64Encoded": true,
            "headers": {"host": "id.example.com", "x-forwarded-proto": "https", "accept-encoding": "gzip"},
            "requestContext": {"stage": stage, "http": {"method": "POST", "path": path, "sourceIp": "192.0.2.7"}}})
    }

    fn rest(stage: &str, path: &str) -> Value {
        json!({"path": path, "httpMethod": "GET", "body": null, "isBase64Encoded": false,
            "headers": {"Host": "id.example.com", "X-Forwarded-Proto": "https", "Accept-Encoding": "gzip"},
            "multiValueQueryStringParameters": {"a": ["1", "2"]},
            "requestContext": {"stage": stage, "httpMethod": "GET", "identity": {"sourceIp": "2001:db8::7"}}})
    }

    #[tokio::test]
    async fn an_event_is_the_request_that_was_sent() {
        let request = of(&http("$default", "/deployments/1"));
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("POST", "/deployments/1?a=1&b=%2F")
        );
        assert_eq!(request.headers()[header::ACCEPT_ENCODING], "gzip");
        assert_eq!(request.extensions().get::<Peer>().unwrap().0.unwrap().to_string(), "192.0.2.7:0");
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "hi");

        let request = of(&rest("prod", "/deployments/1"));
        assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("GET", "/deployments/1?a=1&a=2"));
        assert!(!request.headers().contains_key(header::ACCEPT_ENCODING), "it could not be handed on");
        assert_eq!(request.extensions().get::<Peer>().unwrap().0.unwrap().to_string(), "[2001:db8::7]:0");
    }

    #[test]
    fn the_stage_is_no_part_of_the_path() {
        for (event, path) in [
            (http("prod", "/prod/deployments"), "/deployments"),
            (http("prod", "/prod"), "/"),
            (http("prod", "/production"), "/production"),
            (http("deployments", "/deployments/deployments/1"), "/deployments/1"),
            (http("$default", "/with space/%2F"), "/with%20space/%2F"),
            (http("$default", ""), "/"),
            // a stage that is called like a path
            (rest("deployments", "/deployments/1"), "/deployments/1"),
            (rest("prod", "/prod"), "/prod"),
        ] {
            assert_eq!(of(&event).uri().path(), path, "{event}");
        }
    }

    #[test]
    fn a_query_means_what_it_meant() {
        let mut event = rest("prod", "/deployments");
        event["multiValueQueryStringParameters"] = json!({"a": ["x y+z&=<é>\"#%2F"]});
        assert_eq!(of(&event).uri().query().unwrap(), "a=x+y%2Bz%26%3D%3C%C3%A9%3E%22%23%252F");
        let mut event = http("prod", "/deployments");
        for (raw, query) in [
            ("a=x+y%20z&b=%C3%A9", "a=x+y%20z&b=%C3%A9"),
            ("a=<b>&c=d e", "a=%3Cb%3E&c=d%20e"),
            ("a=é&b=\"|{}", "a=%C3%A9&b=%22|%7B%7D"),
        ] {
            event["rawQueryString"] = json!(raw);
            assert_eq!(of(&event).uri().query(), Some(query));
        }
    }

    #[tokio::test]
    async fn text_goes_as_text_and_the_rest_as_bytes() {
        let body = async |response: Response| answer(response).await.0.into_body();
        let open_metrics = Response::builder().header(header::CONTENT_TYPE, "application/openmetrics-text");
        assert!(matches!(body(open_metrics.body(Body::from("# EOF\n")).unwrap()).await, lambda_http::Body::Text(_)));
        let packed = Response::builder().header(header::CONTENT_ENCODING, "gzip");
        assert!(matches!(body(packed.body(Body::from("packed")).unwrap()).await, lambda_http::Body::Binary(_)));
        assert!(matches!(body(Response::new(Body::from(vec![0xff]))).await, lambda_http::Body::Binary(_)));
        assert!(matches!(body(Response::new(Body::empty())).await, lambda_http::Body::Empty));
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        let broken = futures_util::stream::iter([Ok("begun"), Err(std::io::Error::other("gone"))]);
        let answer = answer(Response::new(Body::from_stream(broken))).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.0.headers().contains_key(header::RETRY_AFTER));
    }
}
