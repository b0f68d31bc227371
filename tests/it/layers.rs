//! Holds the table of rooms: arrows only go down, and some crates are known in one room only.

use std::path::{Path, PathBuf};

/// A room, the rooms it may use, and what is known only there.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    ("domain", &[], &[]),
    ("config", &["domain"], &["figment"]),
    ("metrics", &["domain"], &[]),
    ("dora", &["domain"], &["chrono_tz"]),
    ("telemetry", &["config"], &["tracing_subscriber", "opentelemetry_sdk", "opentelemetry_otlp"]),
    ("storage", &["domain", "metrics", "config"], &["sqlx"]),
    ("ingest", &["domain", "metrics", "storage", "config", "telemetry"], &[]),
    ("report", &["domain", "dora", "storage"], &[]),
    ("auth", &["domain", "storage", "config"], &[]),
    ("export", &["domain", "metrics", "storage", "config", "telemetry", "ingest"], &["opentelemetry_proto", "reqwest"]),
    (
        "http",
        &["domain", "metrics", "dora", "storage", "config", "telemetry", "ingest", "report", "auth", "export"],
        &["axum", "tower_http", "utoipa", "csv"],
    ),
    (
        "cli",
        &["domain", "metrics", "dora", "storage", "config", "telemetry", "ingest", "report", "auth", "export", "http"],
        &["clap"],
    ),
];

/// Known in a second room for a reason: cli is the client of the API and puts the rooms together, traces go out
/// over a client of their own, and the tests of the transports are real servers.
const EXCEPTIONS: &[(&str, &str)] =
    &[("cli", "reqwest"), ("cli", "axum"), ("export", "axum"), ("telemetry", "axum"), ("telemetry", "reqwest")];

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
                let used = text.contains(&format!("crate::{other}")) || uses_in_braces(&text, other);
                if used && other != room && !may_use.contains(other) {
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

/// Whether `use crate::{a, room::x}` names the room.
fn uses_in_braces(text: &str, room: &str) -> bool {
    text.split("crate::{").skip(1).any(|rest| {
        let inside = rest.split("};").next().unwrap_or_default();
        inside.split([',', '{', '}', '\n', ' ']).any(|word| word == room || word.starts_with(&format!("{room}::")))
    })
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
