//! `/deployments`

mod create;
mod deployed;
mod failed;
mod identity;
mod list;
mod rolled_back;

use serde_json::{Value, json};

/// The least that starts a deployment; its first commit is two hours old.
fn start(id: &str) -> Value {
    json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"})
}
