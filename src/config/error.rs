//! What is wrong with a configuration: where it was said, under which key, and what was expected.
//! Values of keys that may hold a secret are never repeated.

use std::fmt::Write as _;
use std::io;

use figment::error::{Actual, Kind};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{what} cannot be read: {cause}")]
    Unreadable { what: String, cause: io::Error },
    #[error("{file}: not valid JSON: {problem}")]
    Syntax { file: String, problem: String },
    #[error("{origin}: {key}: {problem}")]
    Invalid { origin: String, key: String, problem: String },
    #[error("{name} and {name}_FILE are both set: keep one of them")]
    SetTwice { name: &'static str },
    #[error(
        "two databases are configured: SQLite (storage.sqlite_db by {sqlite}) and PostgreSQL (storage.database_url by {postgres}): keep one of them"
    )]
    TwoDatabases { sqlite: String, postgres: String },
}

/// A value of the right type that makes no sense; who set it is looked up by its key.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) key: String,
    pub(super) problem: String,
}

impl Problem {
    pub(super) fn at(key: &str, problem: &str) -> Self {
        Self { key: key.to_owned(), problem: problem.to_owned() }
    }
}

/// Puts figment's error into words that need no knowledge of Rust.
pub(super) fn from_figment(error: figment::Error) -> ConfigError {
    let problem = problem(&error.kind, &error.path);
    let origin = error.metadata.map_or_else(|| "the configuration".to_owned(), |source| source.name.into_owned());
    ConfigError::Invalid { origin, key: key(&error.path), problem }
}

fn key(path: &[String]) -> String {
    let mut key = String::new();
    for part in path {
        // Only arrays have numbers for keys here, but for a team that is called by one.
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            let _ = write!(key, "[{part}]");
        } else {
            let _ = write!(key, "{}{part}", if key.is_empty() { "" } else { "." });
        }
    }
    key
}

fn problem(kind: &Kind, path: &[String]) -> String {
    match kind {
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("expected {}, found {}", in_words(expected), shown(found, path))
        }
        Kind::UnknownVariant(found, names) => {
            let found = shown(&Actual::Str(found.clone()), path);
            format!("expected {}, found {found}", names.join(" or "))
        }
        Kind::UnknownField(name, known) => {
            let near = nearest(name, known).map(|name| format!("did you mean `{name}`? ")).unwrap_or_default();
            format!("unknown key; {near}known here: {}", known.join(", "))
        }
        Kind::MissingField(name) => format!("the key `{name}` is missing"),
        Kind::Message(message) => message.clone(),
        other => other.to_string(),
    }
}

fn in_words(expected: &str) -> String {
    let integer = |max: &dyn std::fmt::Display| format!("a whole number from 0 to {max}");
    match expected {
        "u16" => integer(&u16::MAX),
        "u32" => integer(&u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "a map" => "an object".to_owned(),
        "path string" => "a string".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn shown(found: &Actual, path: &[String]) -> String {
    match found {
        Actual::Bool(value) => value.to_string(),
        // A number may be a password written without quotes.
        _ if !may_be_repeated(path) && !matches!(found, Actual::Seq | Actual::Map | Actual::Unit) => {
            let kind = if matches!(found, Actual::Str(_)) { "a string" } else { "a number" };
            format!("{kind} (not shown, it may be a secret)")
        }
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(text) if text.chars().count() <= 60 => format!("{text:?}"),
        Actual::Str(text) => format!("{:?}..", text.chars().take(60).collect::<String>()),
        Actual::Unit => "null".to_owned(),
        Actual::Seq => "an array".to_owned(),
        Actual::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// Only keys that cannot hold a secret, nor contain one that does.
fn may_be_repeated(path: &[String]) -> bool {
    let first = path.first().map_or("", String::as_str);
    let last = path.last().map_or("", String::as_str);
    matches!(first, "production_environment" | "server" | "log" | "benchmark" | "public" | "teams")
        || matches!(
            last,
            "role" | "no_auth" | "protocol" | "compression" | "group_commit" | "read_connections" | "index_memory_mb"
        )
        || last.ends_with("_ms")
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &&&str| strsim::damerau_levenshtein(name, candidate);
    known.iter().min_by_key(distance).filter(|candidate| distance(candidate) <= name.len().div_ceil(3)).copied()
}
