//! Problem documents (RFC 9457). The only place that knows the status codes of errors.

use std::borrow::Cow;
use std::sync::LazyLock;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::domain::{FieldProblem, Refusal};
use crate::storage::Cause;
use crate::telemetry::{Complaint, Crowd};
use crate::{ingest, storage};

pub const MEDIA_TYPE: &str = "application/problem+json";

/// Every request finds out for itself.
static OUTAGE: LazyLock<Crowd> = LazyLock::new(Crowd::default);

/// One kind of problem: its stable name under `/problems/`, status and title.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    /// What it means and what to do; shown at `/problems/{name}`.
    pub advice: &'static str,
}

macro_rules! kinds {
    ($($constant:ident = $status:ident $name:literal $title:literal : $advice:literal;)*) => {
        $(pub static $constant: Kind =
            Kind { name: $name, status: StatusCode::$status, title: $title, advice: $advice };)*
        /// Every kind there is.
        pub static KINDS: &[&Kind] = &[$(&$constant),*];
    };
}

kinds! {
    NOT_JSON = BAD_REQUEST "not-json" "the body is not JSON":
        "Send one JSON object. The detail says where reading stopped.";
    INVALID = BAD_REQUEST "invalid" "a field is missing or malformed":
        "Each entry of `errors` points at a field (for a query parameter, at its name) and says what was expected.";
    UNAUTHENTICATED = UNAUTHORIZED "unauthenticated" "credentials are missing or wrong":
        "Send `Authorization: Bearer <token>`, `Token <token>` or `Basic`.";
    FORBIDDEN = FORBIDDEN "forbidden" "these credentials may not do this":
        "Use a token with a role that may.";
    NOT_FOUND = NOT_FOUND "not-found" "there is no such thing":
        "Check the id and, with several projects, `?project_id=`. For an unknown path see `/openapi.json`.";
    METHOD_NOT_ALLOWED = METHOD_NOT_ALLOWED "method-not-allowed" "this path does not answer to this method":
        "The `Allow` header lists the methods that it answers to.";
    TIMEOUT = REQUEST_TIMEOUT "timeout" "the request took too long to arrive":
        "Nothing was recorded. Send it again, faster.";
    CONFLICT = CONFLICT "conflict" "this contradicts what is stored":
        "Each entry of `errors` names a field whose stored value is another. A repeat that says the same is fine.";
    AMBIGUOUS_ID = CONFLICT "ambiguous-id" "several projects have this id":
        "Add `?project_id=` to say which one is meant.";
    TOO_LARGE = PAYLOAD_TOO_LARGE "too-large" "the body is too large":
        "Send less; the limit is in the detail.";
    MEDIA_TYPE_UNSUPPORTED = UNSUPPORTED_MEDIA_TYPE "unsupported-media-type" "the body is not announced as JSON":
        "Send `Content-Type: application/json`; with curl use `--json`, or `-H 'Content-Type: application/json'`.";
    ENCODING_UNSUPPORTED = UNSUPPORTED_MEDIA_TYPE "unsupported-encoding" "the body is compressed or otherwise encoded":
        "Send it as it is, without `Content-Encoding`.";
    IMPOSSIBLE = UNPROCESSABLE_ENTITY "impossible" "this cannot have happened":
        "Each entry of `errors` says what is impossible: an order of times, a time too far in the future, a link to nothing.";
    IMPORT_REFUSED = UNPROCESSABLE_ENTITY "import-refused" "lines of the import are refused":
        "Each entry of `errors` points at a line and a field of it. `?dry_run=true` tells the same without recording anything.";
    TOO_MANY = TOO_MANY_REQUESTS "too-many-requests" "too many requests":
        "Wait as long as `Retry-After` says.";
    INTERNAL = INTERNAL_SERVER_ERROR "internal" "something went wrong here":
        "It is in the log of the service under the same `request_id`.";
    UNAVAILABLE = SERVICE_UNAVAILABLE "unavailable" "the service cannot do this now":
        "Send it again after `Retry-After` seconds. A repeat never counts twice.";
}

/// An answer that says why not.
#[derive(Debug, Clone)]
pub struct Problem {
    pub kind: &'static Kind,
    pub detail: Cow<'static, str>,
    pub errors: Vec<FieldProblem>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    pub fn new(kind: &'static Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), headers: Vec::new() }
    }

    pub fn fields(kind: &'static Kind, errors: Vec<FieldProblem>) -> Self {
        let words: Vec<_> = errors
            .iter()
            .map(|e| match e.pointer.trim_start_matches('/') {
                "" => e.detail.clone(),
                field => format!("{field}: {}", e.detail),
            })
            .collect();
        Self { kind, detail: words.join("; ").into(), errors, headers: Vec::new() }
    }

    /// One bad field of the body, or one bad query parameter.
    pub fn field(pointer: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::fields(&INVALID, vec![FieldProblem::new(pointer, detail)])
    }

    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn retry_after(self, seconds: u16) -> Self {
        self.with_header(header::RETRY_AFTER, seconds.into())
    }

    pub fn unavailable(detail: &'static str) -> Self {
        Self::new(&UNAVAILABLE, detail).retry_after(1)
    }

    /// For a status that some layer below has answered with in words of its own.
    pub fn of_status(status: StatusCode) -> Self {
        let kind = KINDS.iter().find(|kind| kind.status == status);
        let fallback = if status.is_server_error() { &INTERNAL } else { &INVALID };
        let kind = kind.copied().unwrap_or(fallback);
        Self::new(kind, kind.advice)
    }

    /// The document as it is sent.
    pub fn document<'a>(&'a self, request_id: &'a str) -> Document<'a> {
        Document {
            r#type: format!("/problems/{}", self.kind.name),
            title: self.kind.title,
            status: self.kind.status.as_u16(),
            detail: &self.detail,
            request_id,
            errors: self.errors.iter().map(|e| DocumentError { pointer: &e.pointer, detail: &e.detail }).collect(),
        }
    }
}

/// RFC 9457, with the request's id and, for 400, 409 and 422, one entry for each bad field.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document<'a> {
    /// A stable name, relative to this service.
    #[schema(example = "/problems/conflict")]
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// The same as the `x-request-id` header and the log's.
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<DocumentError<'a>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FieldProblem)]
struct DocumentError<'a> {
    /// A JSON pointer into the body, or `/` and the name of a query parameter.
    pointer: &'a str,
    detail: &'a str,
}

/// Only the status and the headers: `observe` writes the body, because it knows the request's id.
impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let mut response = self.kind.status.into_response();
        for (name, value) in std::mem::take(&mut self.headers) {
            response.headers_mut().append(name, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Invalid(errors) => Self::fields(&INVALID, errors),
            Refusal::Conflict(errors) => Self::fields(&CONFLICT, errors),
            Refusal::Impossible(errors) => Self::fields(&IMPOSSIBLE, errors),
            refusal @ Refusal::NotFound { .. } => Self::new(&NOT_FOUND, refusal.to_string()),
            refusal @ Refusal::Ambiguous { .. } => Self::new(&AMBIGUOUS_ID, refusal.to_string()),
        }
    }
}

impl From<ingest::Error> for Problem {
    fn from(error: ingest::Error) -> Self {
        match error {
            ingest::Error::Refused(refusal) => refusal.into(),
            ingest::Error::Overloaded => {
                Self::unavailable("more is coming in than the disk can take; nothing was recorded")
            }
            ingest::Error::Failed => Self::new(&INTERNAL, "the database refused to store this; nothing was recorded"),
            ingest::Error::Unavailable(cause) => Self::unavailable(why(cause)),
        }
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        let reason = error.reason();
        if matches!(error, storage::Error::Unreadable(_) | storage::Error::Refused(_)) {
            tracing::error!(%error, reason, "stored data cannot be read");
            return Self::new(&INTERNAL, "the stored data could not be read");
        }
        let cause = error.cause();
        match OUTAGE.fails(Instant::now()) {
            Complaint::Begins => tracing::error!(%error, reason, "the database failed"),
            Complaint::GoesOn { failures } => tracing::error!(%error, reason, failures, "the database still fails"),
            Complaint::Nothing => tracing::debug!(%error, reason, "the database failed"),
        }
        Self::unavailable(why(cause))
    }
}

/// Why the database does not do it, for callers: who runs the service finds more in its log.
pub fn why(cause: Cause) -> &'static str {
    match cause {
        Cause::Silent => "the database does not answer; send it again, a repeat never counts twice",
        Cause::ReadOnly => "the database can only be read for now; send it again later, a repeat never counts twice",
        Cause::Full => {
            "the disk of the database is full, and somebody has to make space there; send it again then, a repeat \
             never counts twice"
        }
        Cause::Crowded => "the database has no connection left; send it again, a repeat never counts twice",
        Cause::Forbidden => {
            "the database does not allow this to the service, whose log says what to grant; send it again then, a \
             repeat never counts twice"
        }
    }
}
