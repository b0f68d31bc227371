//! `/incidents`

mod create;
mod finished;
mod identity;
mod links;
mod list;
mod numbers;
mod restored;

use serde_json::{Value, json};

/// An incident of the project `shop` that begins now.
fn open(id: &str) -> Value {
    json!({"id": id, "project_id": "shop"})
}
