//! What comes in, typed, or a problem document: the one JSON extractor, ids in paths, query parameters, forms.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header;
use axum::http::request::Parts;
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::Segment;
use tokio::time::Instant;

use super::AppState;
use super::error::{self, Problem};
use crate::domain::{FieldProblem, Name, Timestamp, abridged};

/// A JSON object. No body at all is `{}`; unknown fields are ignored, because senders grow.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<AppState> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let announced_as_json = is_json(request.headers().get(header::CONTENT_TYPE));
        if let Some(encoding) = encoding(request.headers()) {
            let detail = format!("the body is encoded ({encoding}), and only identity, which is no encoding, is read");
            // as RFC 9110 asks, to tell it from a body of the wrong type
            return Err(Problem::new(&error::ENCODING_UNSUPPORTED, detail)
                .with_header(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity")));
        }
        let body = read(request, Bounds { bytes: state.body_limit, each_frame: false }, state).await?;
        if body.iter().all(u8::is_ascii_whitespace) {
            return parse(b"{}").map(Self);
        }
        if !announced_as_json {
            return Err(Problem::new(&error::MEDIA_TYPE_UNSUPPORTED, error::MEDIA_TYPE_UNSUPPORTED.advice));
        }
        parse(&body).map(Self)
    }
}

/// What is read of a body.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub bytes: usize,
    /// A large body may take long, as long as it keeps coming.
    pub each_frame: bool,
}

pub async fn read(request: Request, bounds: Bounds, state: &AppState) -> Result<Vec<u8>, Problem> {
    let mut frames = Frames::new(request, bounds, state)?;
    let mut kept = Vec::new();
    while let Some(frame) = frames.next().await? {
        kept.extend_from_slice(&frame);
    }
    Ok(kept)
}

/// A body piece by piece, up to its end.
pub struct Frames {
    body: Body,
    bounds: Bounds,
    patience: Duration,
    deadline: Instant,
    length: usize,
}

impl Frames {
    pub fn new(request: Request, bounds: Bounds, state: &AppState) -> Result<Self, Problem> {
        let patience = state.request_timeout;
        let frames =
            Self { body: request.into_body(), bounds, patience, deadline: Instant::now() + patience, length: 0 };
        // what is announced as too large need not be sent
        if frames.body.size_hint().lower() > bounds.bytes as u64 {
            return Err(frames.too_large());
        }
        Ok(frames)
    }

    fn too_large(&self) -> Problem {
        Problem::new(&error::TOO_LARGE, format!("the body is larger than {} bytes", self.bounds.bytes))
    }

    /// `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if self.bounds.each_frame {
            self.deadline = Instant::now() + self.patience;
        }
        let frame = match tokio::time::timeout_at(self.deadline, self.body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            Ok(Some(Err(_))) => return Err(Problem::new(&error::NOT_JSON, "the body broke off")),
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", self.patience.as_secs());
                return Err(Problem::new(&error::TIMEOUT, detail));
            }
        };
        self.length += frame.len();
        if self.length > self.bounds.bytes {
            return Err(self.too_large());
        }
        Ok(Some(frame))
    }
}

/// An encoding other than none.
pub fn encoding(headers: &header::HeaderMap) -> Option<String> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut encodings = encodings.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned());
    encodings
        .find(|encoding| !encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity"))
        .map(|encoding| abridged(&encoding).into_owned())
}

/// The fields of a form that a browser sends.
#[derive(Debug)]
pub struct Form(Vec<(String, String)>);

impl FromRequest<AppState> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let body = read(request, Bounds { bytes: state.body_limit, each_frame: false }, state).await?;
        Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect()))
    }
}

impl Form {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn is_json(content_type: Option<&header::HeaderValue>) -> bool {
    let Some(essence) = content_type.and_then(|v| v.to_str().ok()).and_then(|v| v.split(';').next()) else {
        return false;
    };
    let essence = essence.trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// A body that is a JSON object.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    parse_part(Part::Body, body)
}

/// A line that is a JSON object, without its end.
pub fn parse_line<T: DeserializeOwned>(line: &[u8]) -> Result<T, Problem> {
    parse_part(Part::Line, line)
}

/// What a text is of what was sent, for the words about it.
#[derive(Debug, Clone, Copy)]
enum Part {
    Body,
    /// Which one is said beside the words: in it only columns tell a place.
    Line,
}

impl Part {
    fn not_json(self, failure: &serde_json::Error) -> Problem {
        let words = self.words(failure);
        Problem::new(&error::NOT_JSON, if matches!(self, Self::Line) { format!("not JSON: {words}") } else { words })
    }

    fn no_object(self) -> Problem {
        let what = if matches!(self, Self::Line) { "line" } else { "body" };
        Problem::field("", format!("the {what} must be a JSON object"))
    }

    fn words(self, failure: &serde_json::Error) -> String {
        let (words, column) = (failure.to_string(), failure.column());
        match words.strip_suffix(&format!(" at line {} column {column}", failure.line())) {
            Some(words) if matches!(self, Self::Line) => format!("{words} at column {column}"),
            _ => words,
        }
    }
}

fn parse_part<T: DeserializeOwned>(part: Part, text: &[u8]) -> Result<T, Problem> {
    let not_json = |failure: serde_json::Error| part.not_json(&failure);
    // by itself the derived code would also take a list, and its items for the fields in their order
    if text.trim_ascii_start().first() != Some(&b'{') {
        serde_json::from_slice::<IgnoredAny>(text).map_err(not_json)?;
        return Err(part.no_object());
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => json.end().map(|()| value).map_err(not_json),
        Err(failure) if failure.inner().classify() == serde_json::error::Category::Data => {
            Err(Problem::fields(&error::INVALID, bad_fields::<T>(part, text, failure).map_err(not_json)?))
        }
        Err(failure) => Err(not_json(failure.into_inner())),
    }
}

/// Everything that is wrong with an object, not only what was met first.
fn bad_fields<T: DeserializeOwned>(
    part: Part,
    text: &[u8],
    first: serde_path_to_error::Error<serde_json::Error>,
) -> Result<Vec<FieldProblem>, serde_json::Error> {
    let mut fields: serde_json::Map<_, _> = serde_json::from_slice(text)?;
    let mut found = Vec::new();
    // a field is wrong once: without it the others are looked at
    while let Err(failure) = serde_path_to_error::deserialize::<_, T>(Value::Object(fields.clone())) {
        let Some(Segment::Map { key }) = failure.path().iter().next() else { break };
        if fields.remove(key).is_none() {
            break;
        }
        found.push(FieldProblem::new(pointer(failure.path()), in_short(&failure.inner().to_string())));
    }
    if found.is_empty() {
        // that it is given twice cannot be seen in a map
        let words = part.words(&first.into_inner());
        let name = words.split('`').nth(1).filter(|_| words.starts_with("duplicate field"));
        found.push(FieldProblem::new(name.map(|name| format!("/{name}")).unwrap_or_default(), words.clone()));
    }
    Ok(found)
}

/// The message, with the beginning of what it quotes.
fn in_short(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(begin), Some(end)) if begin < end => {
            format!("{}\"{}{}", &message[..begin], abridged(&message[begin + 1..end]), &message[end..])
        }
        _ => message.to_owned(),
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Enum { variant } => Some(format!("/{variant}")),
            Segment::Unknown => None,
        })
        .collect()
}

/// The `{id}` of a path: percent-decoded, 1 to 200 characters, slashes and unicode welcome.
#[derive(Debug)]
pub struct PathId(pub Name);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::field("/id", "the id in the path is not UTF-8 when percent-decoded"))?;
        let id = params.iter().find(|(name, _)| *name == "id").map(|(_, id)| id).unwrap_or_default();
        let id = Name::parse(id).and_then(addressable);
        id.map(Self).map_err(|detail| Problem::field("/id", format!("the id in the path: {detail}")))
    }
}

/// An id that can stand in a path. Clients take these two out of it, also when they are percent-encoded.
pub fn addressable(id: Name) -> Result<Name, String> {
    if matches!(id.as_str(), "." | "..") {
        return Err("`.` and `..` cannot stand in an address: use another id".to_owned());
    }
    Ok(id)
}

/// The query parameters, taken out by name. What nobody took is a typing error, and an answer to another
/// question than the one asked would be worse than none.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        // the parser would put U+FFFD where it cannot decode: a name that nobody sent
        let garbled = |pair: &&str| percent_decode_str(pair).decode_utf8().is_err();
        if let Some(pair) = query.split('&').find(garbled) {
            let name = pair.split('=').next().unwrap_or_default();
            return Err(Problem::field(format!("/{}", abridged(name)), "not UTF-8 when percent-decoded"));
        }
        Ok(Self { pairs: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect(), known: Vec::new() })
    }
}

impl Query {
    /// All values of a parameter that may repeat; an empty value restricts nothing.
    pub fn all<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, Problem> {
        self.known.push(name);
        let (mine, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pairs).into_iter().partition(|(key, _)| key == name);
        self.pairs = rest;
        mine.iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(_, value)| read(value).map_err(|detail| Problem::field(format!("/{name}"), detail)))
            .collect()
    }

    /// Whether a parameter is there and says something.
    pub fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, value)| key == name && !value.is_empty())
    }

    /// The value of a parameter that may stand once.
    pub fn one<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.all(name, read)?;
        if values.len() > 1 {
            return Err(Problem::field(format!("/{name}"), "may be given only once"));
        }
        Ok(values.pop())
    }

    /// To be called last.
    pub fn done(self) -> Result<(), Problem> {
        match self.pairs.first() {
            None => Ok(()),
            Some((unknown, _)) => {
                let known = self.known.join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let unknown = abridged(unknown);
                Err(Problem::field(format!("/{unknown}"), format!("unknown query parameter; known here: {known}")))
            }
        }
    }
}

/// An RFC 3339 time, or a date, which is its midnight in UTC.
pub fn time_or_date(text: &str) -> Result<Timestamp, String> {
    if text.len() == 10 {
        return Timestamp::parse(&format!("{text}T00:00:00Z"))
            .map_err(|_| format!("expected a date such as 2026-01-31, got {:?}", abridged(text)));
    }
    time(text)
}

/// An RFC 3339 time.
pub fn time(text: &str) -> Result<Timestamp, String> {
    // an unescaped + of an offset arrives as a space
    Timestamp::parse(&text.replace(' ', "+"))
}
