//! Bitbucket Cloud: <https://developer.atlassian.com/cloud/bitbucket/rest/>. It is asked for first commits only.

use serde_json::Value;
use url::Url;

use super::{Base, Forge, Place};
use crate::domain::Timestamp;
use crate::webhooks::Body;

pub static BITBUCKET: Forge = Forge {
    name: "bitbucket",
    title: "Bitbucket",
    api: "https://api.bitbucket.org/2.0",
    headers: &[("accept", "application/json")],
    about,
    place,
    next,
    lists: &[],
    by_change: &[],
    list: |_, _, _| None,
    items: |_, _| Vec::new(),
    details: |_, _, _, _| Vec::new(),
    is_open: |_, _| false,
    deliveries: |_, _, _, _| Vec::new(),
    compare,
    oldest_first: false,
    compared,
    commit,
    commit_at,
};

/// `workspace/name` as two segments.
fn repository(base: &Base, path: &str, rest: &[&str], query: &[(&str, &str)]) -> Option<Url> {
    let (workspace, name) = path.split_once('/')?;
    base.join(&[&["repositories", workspace, name], rest].concat(), query)
}

fn about(base: &Base, path: &str) -> Option<Url> {
    repository(base, path, &[], &[])
}

fn place(answer: &Value) -> Option<Place> {
    Some(Place { path: Body(answer).at("/full_name").text()?.to_owned(), id: None })
}

fn next(answer: &Value) -> Option<&str> {
    answer.get("next")?.as_str()
}

fn compare(base: &Base, path: &str, from: &str, to: &str) -> Option<Url> {
    repository(base, path, &["commits"], &[("include", to), ("exclude", from), ("pagelen", "100")])
}

fn compared(answer: &Value) -> Vec<Timestamp> {
    Body(answer).at("/values").items().filter_map(|commit| commit_at(commit.0)).collect()
}

fn commit(base: &Base, path: &str, sha: &str) -> Option<Url> {
    repository(base, path, &["commit", sha], &[])
}

fn commit_at(answer: &Value) -> Option<Timestamp> {
    Body(answer).at("/date").time()
}
