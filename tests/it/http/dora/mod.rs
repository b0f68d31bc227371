//! `/dora`: the answers.

mod as_of;
mod benchmark;
mod csv;
mod explain;
mod groups;
mod numbers;
mod parameters;
mod roads;
mod trend;
mod zones;

use serde_json::{Value, json};

use crate::app::App;
use crate::http::with;

/// A deployment that reached users, its first commit an hour before.
pub fn deployed(id: &str, at: &str, changes: Value) -> (String, Value) {
    let first_commit_at = at.parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::Duration::hours(1);
    let body = json!({"id": id, "project_id": "shop", "first_commit_at": first_commit_at, "deployed_at": at});
    ("/deployments".to_owned(), with(body, changes))
}

pub fn incident(id: &str, at: &str, changes: Value) -> (String, Value) {
    ("/incidents".to_owned(), with(json!({"id": id, "project_id": "shop", "started_at": at}), changes))
}

pub fn step(path: &str, body: Value) -> (String, Value) {
    (path.to_owned(), body)
}

pub async fn tell(app: &App, facts: impl IntoIterator<Item = (String, Value)>) {
    for (path, body) in facts {
        let answer = app.post(&path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
}

/// The answer to this query.
pub async fn dora(app: &App, query: &str) -> Value {
    app.get(&format!("/dora?{query}")).await.expect(200)
}
