//! `CloudEvents` 1.0 over HTTP: one event in headers and body, one in the body, or a list of them; and `CDEvents` that
//! come without an envelope. Each becomes an event in the structured JSON form, which `cdevents` reads.
//!
//! By hand, though there is the makers' own crate `cloudevents-sdk`: it takes batches only from a client's answers,
//! knows nothing of a missing envelope, refuses a whole event for an extension or a time that nobody reads here, and
//! does not say which event of a batch is broken; and it wants a second version of base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Body, Headers};

/// Why a request holds no events, in words for who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    #[error("the body is no JSON: {0}")]
    NoJson(String),
    #[error("events in the form of {0} are not read: send application/cloudevents+json")]
    Format(String),
    #[error(
        "{place} is no event: send a CloudEvent, as application/cloudevents+json or with ce- headers, or a CDEvent"
    )]
    NoEvent { place: Place },
    #[error("{place} has no {attribute}, which every event needs")]
    Missing { place: Place, attribute: &'static str },
    #[error("{place} has specversion {version:?}; 1.0 is understood")]
    Version { place: Place, version: String },
    #[error("a batch is a list of events, in brackets")]
    NoBatch,
}

/// Which event of a request is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Its attributes are headers, and have `ce-` before their names.
    Headers,
    Body,
    /// In a batch, counted from one.
    Nth(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Headers => f.write_str("the event in the ce- headers"),
            Self::Body => f.write_str("the body"),
            Self::Nth(n) => write!(f, "event {n} of the batch"),
        }
    }
}

/// The events of a request, each in the structured form. All of them or none: what is refused can be sent again as
/// it is, and an event that was sent twice counts once.
pub fn events(headers: &Headers, body: &[u8]) -> Result<Vec<Value>, Broken> {
    let media = media_type(headers.get("content-type").unwrap_or_default());
    match media.as_str() {
        "application/cloudevents-batch+json" => batch(parsed(body)?),
        "application/cloudevents+json" => Ok(vec![structured(parsed(body)?, Place::Body)?]),
        other if other.starts_with("application/cloudevents") => Err(Broken::Format(media)),
        _ if ATTRIBUTES.iter().any(|name| headers.get(&format!("ce-{name}")).is_some()) => {
            Ok(vec![binary(headers, &media, body)?])
        }
        // senders that do not know of media types
        _ => match parsed(body)? {
            Value::Array(events) => batch(Value::Array(events)),
            event => Ok(vec![structured(event, Place::Body)?]),
        },
    }
}

const ATTRIBUTES: &[&str] = &["specversion", "id", "source", "type"];
const MORE_ATTRIBUTES: &[&str] = &["subject", "time", "dataschema"];

fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_json(media: &str) -> bool {
    media.is_empty() || media == "application/json" || media == "text/json" || media.ends_with("+json")
}

fn parsed(body: &[u8]) -> Result<Value, Broken> {
    serde_json::from_slice(body).map_err(|error| Broken::NoJson(error.to_string()))
}

fn batch(body: Value) -> Result<Vec<Value>, Broken> {
    let Value::Array(events) = body else { return Err(Broken::NoBatch) };
    events.into_iter().enumerate().map(|(index, event)| structured(event, Place::Nth(index + 1))).collect()
}

/// The attributes are headers, the data is the body. Extensions are left out: nothing is read from them.
fn binary(headers: &Headers, media: &str, body: &[u8]) -> Result<Value, Broken> {
    let mut event = Map::new();
    for name in ATTRIBUTES.iter().chain(MORE_ATTRIBUTES) {
        if let Some(value) = headers.get(&format!("ce-{name}")) {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            event.insert((*name).to_owned(), Value::String(value));
        }
    }
    if !media.is_empty() {
        event.insert("datacontenttype".to_owned(), Value::String(media.to_owned()));
    }
    if is_json(media) && !body.is_empty() {
        event.insert("data".to_owned(), parsed(body)?);
    } else if !body.is_empty() {
        event.insert("data_base64".to_owned(), Value::String(STANDARD.encode(body)));
    }
    structured(Value::Object(event), Place::Headers)
}

fn structured(event: Value, place: Place) -> Result<Value, Broken> {
    let Value::Object(mut event) = event else { return Err(Broken::NoEvent { place }) };
    if event.contains_key("context") && !event.contains_key("specversion") {
        return structured(enveloped(Value::Object(event)), place);
    }
    if !ATTRIBUTES.iter().any(|attribute| event.contains_key(*attribute)) {
        return Err(Broken::NoEvent { place });
    }
    for attribute in ATTRIBUTES {
        let is_there = event.get(*attribute).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
        if !is_there {
            return Err(Broken::Missing { place, attribute });
        }
    }
    let version = event["specversion"].as_str().unwrap_or_default();
    if !version.starts_with("1.") {
        return Err(Broken::Version { place, version: version.to_owned() });
    }
    // JSON that was sent as bytes
    let media = media_type(event.get("datacontenttype").and_then(Value::as_str).unwrap_or_default());
    if let Some(Value::String(bytes)) = event.get("data_base64").filter(|_| is_json(&media))
        && let Some(data) = STANDARD.decode(bytes).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
    {
        event.insert("data".to_owned(), data);
        event.remove("data_base64");
    }
    Ok(Value::Object(event))
}

/// A `CDEvent` in the envelope that its own binding prescribes.
fn enveloped(event: Value) -> Value {
    let mut envelope = Map::new();
    envelope.insert("specversion".to_owned(), json!("1.0"));
    let body = Body(&event);
    for (attribute, pointer) in [
        ("id", "/context/id"),
        ("source", "/context/source"),
        ("type", "/context/type"),
        ("time", "/context/timestamp"),
        ("subject", "/subject/id"),
    ] {
        if let Some(value) = body.at(pointer).text() {
            envelope.insert(attribute.to_owned(), json!(value));
        }
    }
    envelope.insert("datacontenttype".to_owned(), json!("application/cdevents+json"));
    envelope.insert("data".to_owned(), event);
    Value::Object(envelope)
}

#[cfg(test)]
mod tests;
