//! Holds the table of rooms: arrows only go down, and some crates are known in one room only.

use std::path::{Path, PathBuf};

/// A room, the rooms it may use, and what is known only there.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &[]),
    ("benchmarks", &[], &[]),
    ("metrics", &["domain"], &[]),
    ("webhooks", &["domain"], &["hmac", "sha1"]),
    ("forges", &["domain", "webhooks"], &[]),
    ("dora", &["domain", "benchmarks"], &["chrono_tz"]),
    ("config", &["domain", "benchmarks", "dora"], &["figment"]),
    ("telemetry", &["config"], &["tracing_subscriber", "opentelemetry_sdk", "opentelemetry_otlp"]),
    ("storage", &["domain", "metrics", "config"], &["sqlx"]),
    ("ingest", &["domain", "metrics", "webhooks", "storage", "config", "telemetry"], &[]),
    ("report", &["domain", "dora", "storage", "telemetry"], &[]),
    ("auth", &["domain", "storage", "config"], &[]),
    ("backfill", &["domain", "forges", "webhooks", "storage", "config", "telemetry", "ingest"], &[]),
    ("export", &["domain", "metrics", "storage", "config", "telemetry", "ingest"], &["opentelemetry_proto", "reqwest"]),
    (
        "http",
        &[
            "domain",
            "benchmarks",
            "metrics",
            "webhooks",
            "forges",
            "dora",
            "storage",
            "config",
            "telemetry",
            "ingest",
            "report",
            "auth",
            "export",
        ],
        &["axum", "tower_http", "utoipa", "csv", "askama"],
    ),
    (
        "cli",
        &[
            "domain",
            "benchmarks",
            "metrics",
            "webhooks",
            "forges",
            "dora",
            "storage",
            "config",
            "telemetry",
            "ingest",
            "report",
            "auth",
            "backfill",
            "export",
            "http",
        ],
        &["clap", "lambda_http"],
    ),
    // the roots: one only lists the rooms, the others only begin
    ("lib", &[], &[]),
    ("main", &["cli"], &[]),
    ("bin", &["cli"], &[]),
];

/// Known in a second room for a reason: cli is the client of the API, also with tables, and puts the rooms together, what webhooks
/// did not tell is asked for, traces go out over a client of their own, sessions are signed, and the tests of the transports are real servers.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("backfill", "reqwest"),
    ("cli", "reqwest"),
    ("cli", "csv"),
    ("cli", "axum"),
    ("auth", "hmac"),
    ("export", "axum"),
    ("telemetry", "axum"),
    ("telemetry", "reqwest"),
];

#[test]
fn arrows_only_go_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (room, may_use, _) in ROOMS {
        for file in files_of(&source, room) {
            seen += 1;
            let text = std::fs::read_to_string(&file).unwrap();
            let shown = file.strip_prefix(&source).unwrap().display().to_string();
            for (other, _, only_there) in ROOMS {
                if uses(&text, depth(&source, &file), other) && other != room && !may_use.contains(other) {
                    wrong.push(format!("{shown} uses {other}"));
                }
                for krate in *only_there {
                    let known = words(&text, krate);
                    if known && other != room && !EXCEPTIONS.contains(&(room, krate)) {
                        wrong.push(format!("{shown} knows {krate}, which is for {other} only"));
                    }
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} files were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_spelling_of_a_use_is_seen() {
    for (text, depth) in [
        ("use crate::storage::Store;", 2),
        ("fn f(s: &crate::storage::Store) {}", 2),
        ("use crate::{\n    auth, storage::{Store, Tx},\n};", 2),
        ("use em_metrics::storage::Store;", 0),
        ("use super::storage::Store;", 1),
        ("use super::super::storage::Store;", 2),
        ("use super::super::{auth, storage};", 2),
        ("use super::super::super::storage::Store;", 3),
        ("mod tests {\n    use super::super::super::storage::Store;\n}", 2),
    ] {
        assert!(uses(text, depth, "storage"), "{text}");
    }
    for (text, depth) in [
        ("use super::storage::Store;", 2),
        ("use super::super::storage::Store;", 3),
        ("use super::super::storage_like::Store;", 2),
        ("use crate::config::storage;", 2),
        ("the filter em_metrics::storage=debug", 2),
        ("use super::super::{auth, Storage};", 2),
    ] {
        assert!(!uses(text, depth, "storage"), "{text}");
    }
}

/// Whether a file, so many modules below the root, names the room.
fn uses(text: &str, depth: usize, room: &str) -> bool {
    // a program is a crate of its own, beside the library
    let library = if depth == 0 { "em_metrics::" } else { "crate::" };
    text.split(library).skip(1).chain(after_supers(text, depth)).any(|rest| {
        let Some(inside) = rest.strip_prefix('{') else { return is_name(rest, room) };
        let inside = inside.split("};").next().unwrap_or_default();
        inside.split([',', '{', '}', '\n', ' ']).any(|word| is_name(word, room))
    })
}

fn is_name(text: &str, room: &str) -> bool {
    text.strip_prefix(room).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// What follows each chain of `super::` that leads to the root; tests within the file are one module further down.
fn after_supers(text: &str, depth: usize) -> impl Iterator<Item = &str> {
    let ends = text.match_indices("super::").map(|(at, found)| &text[at + found.len()..]);
    let ends = ends.filter(|rest| !rest.starts_with("super::"));
    ends.filter(move |rest| {
        let chain = &text[..text.len() - rest.len()];
        let length = std::iter::successors(Some(chain), |chain| chain.strip_suffix("super::")).count() - 1;
        length >= depth
    })
}

/// How many modules are above what the file declares: 0 for a program, 1 for a room, 2 for a file in its folder.
fn depth(source: &Path, file: &Path) -> usize {
    let below = file.strip_prefix(source).unwrap();
    if below.starts_with("bin") {
        return 0;
    }
    let is_above = below.file_name().is_some_and(|name| name == "mod.rs" || name == "main.rs");
    below.components().count() - usize::from(is_above)
}

/// Whether code (not a comment) names the crate.
fn words(text: &str, krate: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| line.contains(&format!("{krate}::")) || line.contains(&format!("use {krate};")))
}

fn files_of(source: &Path, room: &str) -> Vec<PathBuf> {
    let file = source.join(format!("{room}.rs"));
    let mut found: Vec<_> = file.exists().then_some(file).into_iter().collect();
    let mut folders = vec![source.join(room)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "there is no room {room}: change the table in this file");
    found
}
