//! The contract, path by path.

mod access;
mod body;
mod bulk;
mod corrections;
mod deployments;
mod dora;
mod error;
mod extract;
mod incidents;
mod journal;
mod metrics;
mod observe;
mod openapi;
mod own_metrics;
mod pages;
mod past;
mod public;
mod service;
mod teams;

use em_metrics::domain::Name;
use serde_json::Value;

/// The body with some fields changed or added.
pub fn with(mut body: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { panic!("not an object: {changes}") };
    body.as_object_mut().unwrap().extend(changes);
    body
}

pub fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}
