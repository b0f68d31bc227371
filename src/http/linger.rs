//! What is left of a body that nobody wanted to read. To close the connection on a client that is still
//! writing may cost it the answer, and the next request it sends there; so the rest is read and dropped,
//! as long as it keeps coming and within bounds.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, Incoming, SizeHint};

const BYTES: u64 = 32 * 1024 * 1024;
/// Without a byte.
const SILENCE: Duration = Duration::from_millis(500);
/// In all.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the request answered, then reads what the answer did not need.
pub async fn answer<E>(
    request: Request<Incoming>,
    respond: impl AsyncFnOnce(Request) -> Result<Response, E>,
) -> Result<Response, E> {
    let asks_first = request.headers().contains_key(header::EXPECT);
    let (parts, body) = request.into_parts();
    if body.is_end_stream() {
        return respond(Request::from_parts(parts, Body::empty())).await;
    }
    let mut shared = Shared(Arc::new(Mutex::new(Reading { body, begun: false })));
    let mut response = respond(Request::from_parts(parts, Body::new(shared.clone()))).await?;
    // whoever asks first and was not told to go on will send nothing
    let silent = asks_first && !shared.lock().begun;
    if silent || !shared.drain().await {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The one body, with whoever reads it first and with whoever reads the rest.
#[derive(Clone)]
struct Shared(Arc<Mutex<Reading>>);

struct Reading {
    body: Incoming,
    begun: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is left.
    async fn drain(&mut self) -> bool {
        let until = tokio::time::Instant::now() + PATIENCE;
        let mut left = BYTES;
        while !self.is_end_stream() {
            if self.size_hint().lower() > left {
                return false;
            }
            let silence = until.min(tokio::time::Instant::now() + SILENCE);
            match tokio::time::timeout_at(silence, self.frame()).await {
                Ok(None) => return true,
                Ok(Some(Ok(frame))) => {
                    let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                    let Some(rest) = left.checked_sub(bytes) else { return false };
                    left = rest;
                }
                Ok(Some(Err(_))) | Err(_) => return false,
            }
        }
        true
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut reading = self.lock();
        reading.begun = true;
        Pin::new(&mut reading.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.lock().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.lock().body.size_hint()
    }
}
