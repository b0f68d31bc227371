//! The whole body before the first line of it is looked at: an import that breaks off has left no trace.

use std::io::{self, Read as _};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use flate2::bufread::MultiGzDecoder;

use super::super::AppState;
use super::super::error::{self, Problem};
use super::super::extract;

/// How many times larger a compressed body may become.
const INFLATION: u64 = 16;

/// A body as it came, known to be whole.
#[derive(Debug)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub compressed: bool,
}

pub async fn read(request: Request, state: &AppState) -> Result<Body, Problem> {
    let headers = request.headers();
    if !is_ndjson(headers.get(header::CONTENT_TYPE)) {
        let detail = "send NDJSON, one JSON object a line, as Content-Type: application/x-ndjson; \
                      em-metrics import also reads CSV";
        return Err(Problem::new(&error::MEDIA_TYPE_UNSUPPORTED, detail));
    }
    let compressed = is_compressed(headers)?;
    let limit = state.import_limit;
    let bytes = extract::read(request, extract::Bounds { bytes: limit, each_frame: true }, state).await?;
    let body = Body { bytes, compressed };
    if compressed {
        check(&body, INFLATION * limit as u64)?;
    }
    Ok(body)
}

/// Reads it to its end once: its checksum stands there.
fn check(body: &Body, limit: u64) -> Result<(), Problem> {
    let mut decoder = MultiGzDecoder::new(body.bytes.as_slice()).take(limit + 1);
    match io::copy(&mut decoder, &mut io::sink()) {
        Ok(bytes) if bytes > limit => {
            Err(Problem::new(&error::TOO_LARGE, format!("the body is larger than {limit} bytes when inflated")))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(Problem::field("", format!("the body is no whole gzip stream: {error}"))),
    }
}

fn is_ndjson(content_type: Option<&HeaderValue>) -> bool {
    let essence = content_type.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json"]
        .contains(&essence.as_str())
}

fn is_compressed(headers: &HeaderMap) -> Result<bool, Problem> {
    match extract::encoding(headers) {
        None => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") => Ok(true),
        Some(encoding) => {
            let detail = format!("the body is encoded ({encoding}), and only gzip and identity are read");
            Err(Problem::new(&error::ENCODING_UNSUPPORTED, detail)
                .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity")))
        }
    }
}
