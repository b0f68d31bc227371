//! The environment variables: ONE table, which loading, help and the README's table all read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use figment::value::{Dict, Value};

use super::error::ConfigError;
use super::load::{Layer, Settings};
use super::{apis, webhooks};
use Kind::{Number, Pattern, Presence, Secret, Text, Token};

/// A variable and the key of the file it stands for.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// Dotted; empty for the one variable that is no key (`CONFIG`).
    pub key: &'static str,
    pub kind: Kind,
    /// As people write it; empty when there is none.
    pub default: &'static str,
    pub doc: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// On when the variable is there, with any value.
    Presence,
    /// Never shown; may also come from the file that `<NAME>_FILE` names.
    Secret,
    /// A secret that becomes the only entry of `auth.tokens`.
    Token,
    /// Of many names; a secret each.
    Pattern,
}

impl Variable {
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Token | Kind::Pattern)
    }
}

const fn row(name: &'static str, key: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Variable {
    Variable { name, key, kind, default, doc }
}

pub const VARIABLES: &[Variable] = &[
    row("CONFIG", "", Text, "", "The configuration file, JSON"),
    row("HOST", "server.host", Text, "0.0.0.0", "The address to listen on"),
    row("PORT", "server.port", Number, "3000", "The port to listen on; 0 takes a free one"),
    row(
        "EM_METRICS_DRAIN_SECONDS",
        "server.drain_seconds",
        Number,
        "0",
        "How long a stop serves on, not ready: for balancers",
    ),
    row("SQLITE_DB", "storage.sqlite_db", Text, "./em-metrics.db", "The SQLite file; made when missing"),
    row(
        "DATABASE_URL",
        "storage.database_url",
        Secret,
        "",
        "`postgres://user:password@host/database` instead of SQLite",
    ),
    row(
        "EM_METRICS_INDEX_MEMORY_MB",
        "storage.index_memory_mb",
        Number,
        "512",
        "MiB for an index in memory that makes `/dora` fast; 0: none",
    ),
    row(
        "PRODUCTION_ENVIRONMENT",
        "production_environment",
        Text,
        "production",
        "The environment of facts that name none",
    ),
    row("EM_METRICS_NO_AUTH", "auth.no_auth", Presence, "", "Any value, even none: everybody may do everything"),
    row("EM_METRICS_TOKEN_AUTH", "auth.tokens", Token, "", "The token callers must send; instead of the file's tokens"),
    row(
        "EM_METRICS_BASIC_AUTH_USERNAME",
        "auth.basic.username",
        Text,
        "",
        "Basic authentication; the password may be empty",
    ),
    row(
        "EM_METRICS_BASIC_AUTH_PASSWORD",
        "auth.basic.password",
        Secret,
        "",
        "Basic authentication; the username may be empty",
    ),
    row(
        "EM_METRICS_WEBHOOK_<VENDOR>_SECRET",
        "webhooks.sources",
        Pattern,
        "",
        "What a tool signs its webhooks with; `<VENDOR>` as `GITHUB`",
    ),
    row(
        "EM_METRICS_SUGGEST_WITHIN_MINUTES",
        "incidents.suggest_within_minutes",
        Number,
        "0",
        "Suggest what was deployed so long before; 0: nothing",
    ),
    row("EM_METRICS_<FORGE>_TOKEN", "webhooks.apis", Pattern, "", "What its API is asked with; `<FORGE>` as `GITHUB`"),
    row("EM_METRICS_LOG", "log.filter", Text, "info", "What is logged, for example `info,sqlx=warn`"),
    row("EM_METRICS_LOG_FORMAT", "log.format", Text, "text", "`text` or `json`"),
    row(
        "EM_METRICS_BENCHMARK_YEAR",
        "benchmark.year",
        Number,
        "2025",
        "Whose figures `/dora/benchmark` shows: `2025` or `2024`",
    ),
    row("EM_METRICS_BENCHMARK_INDUSTRY", "benchmark.industry", Text, "all", "One of that year's, such as `technology`"),
    row(
        "EM_METRICS_BENCHMARK_ORGANISATION_SIZE",
        "benchmark.organisation_size",
        Text,
        "all",
        "One of that year's, such as `fewer_than_500`",
    ),
    row("OTEL_SERVICE_NAME", "otel.service_name", Text, "em_metrics", "The `service.name` of what is exported"),
    row(
        "DEPLOYMENT_ENVIRONMENT",
        "otel.deployment_environment",
        Text,
        "NO_ENV",
        "The `deployment.environment.name` of what is exported",
    ),
    row(
        "OTEL_COLLECTOR_URL",
        "otel.collector_url",
        Text,
        "",
        "Where metrics are pushed; with `/v1/metrics` if it has no path",
    ),
    row(
        "OTEL_METRIC_EXPORT_INTERVAL",
        "otel.metric_export_interval_ms",
        Number,
        "15000",
        "Milliseconds from push to push, at least 1000",
    ),
    row(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "otel.otlp.endpoint",
        Text,
        "",
        "Metrics and traces; with `/v1/metrics`, `/v1/traces` appended",
    ),
    row("OTEL_EXPORTER_OTLP_PROTOCOL", "otel.otlp.protocol", Text, "http/protobuf", "`http/protobuf` or `grpc`"),
    row("OTEL_EXPORTER_OTLP_HEADERS", "otel.otlp.headers", Secret, "", "`name=value,name=value`, percent-encoded"),
    row("OTEL_EXPORTER_OTLP_TIMEOUT", "otel.otlp.timeout_ms", Number, "10000", "Milliseconds for one request"),
    row("OTEL_EXPORTER_OTLP_COMPRESSION", "otel.otlp.compression", Text, "gzip", "`gzip` or `none`"),
    row("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "otel.otlp_metrics.endpoint", Text, "", "Metrics only, used as it is"),
    row("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "otel.otlp_metrics.protocol", Text, "", "Metrics only"),
    row("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "otel.otlp_metrics.headers", Secret, "", "Metrics only"),
    row("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "otel.otlp_metrics.timeout_ms", Number, "", "Metrics only"),
    row("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "otel.otlp_metrics.compression", Text, "", "Metrics only"),
    row("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otel.otlp_traces.endpoint", Text, "", "Traces only, used as it is"),
    row("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "otel.otlp_traces.protocol", Text, "", "Traces only"),
    row("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "otel.otlp_traces.headers", Secret, "", "Traces only"),
    row("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "otel.otlp_traces.timeout_ms", Number, "", "Traces only"),
    row("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "otel.otlp_traces.compression", Text, "", "Traces only"),
];

/// One layer per variable that is set, so that an error can name it.
pub(super) fn layers(env: &BTreeMap<String, String>) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    for variable in VARIABLES.iter().filter(|variable| !variable.key.is_empty() && variable.kind != Pattern) {
        if let Some((origin, text)) = lookup(variable, env)? {
            layers.push(Layer::new(origin, nested(variable.key, value(variable.kind, text))));
        }
    }
    Ok(layers)
}

/// The secrets of tools that send: one variable for each vendor, so the table holds the pattern only.
pub(super) fn webhook_secrets(env: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, ConfigError> {
    of_pattern(env, webhooks::vendor_of)
}

/// The tokens of the APIs that are asked, in the same way.
pub(super) fn api_tokens(env: &BTreeMap<String, String>) -> Result<Vec<(String, String)>, ConfigError> {
    of_pattern(env, apis::forge_of)
}

fn of_pattern(
    env: &BTreeMap<String, String>,
    part_of: fn(&str) -> Option<&str>,
) -> Result<Vec<(String, String)>, ConfigError> {
    let mut secrets = Vec::new();
    for (name, text) in env.iter().filter(|(_, text)| !text.is_empty()) {
        if let Some(vendor) = part_of(name) {
            secrets.push((vendor.to_owned(), text.clone()));
        } else if let Some(vendor) = name.strip_suffix("_FILE").and_then(part_of) {
            let origin = format!("{text} (named by {name})");
            let secret =
                std::fs::read_to_string(text).map_err(|cause| ConfigError::Unreadable { what: origin, cause })?;
            secrets.push((vendor.to_owned(), secret.trim_end_matches(['\r', '\n']).to_owned()));
        }
    }
    Ok(secrets)
}

/// Where the value was found, and the value. An empty variable is as good as none, as it is what
/// `${NAME:-}` of a compose file leaves behind.
fn lookup(
    variable: &'static Variable,
    env: &BTreeMap<String, String>,
) -> Result<Option<(String, String)>, ConfigError> {
    let set = |name: &str| env.get(name).filter(|text| !text.is_empty() || variable.kind == Presence);
    let direct = set(variable.name).map(|text| (format!("environment variable {}", variable.name), text.clone()));
    let file_variable = format!("{}_FILE", variable.name);
    let Some(path) = set(&file_variable).filter(|_| variable.is_secret()) else { return Ok(direct) };
    if direct.is_some() {
        return Err(ConfigError::SetTwice { name: variable.name });
    }
    let origin = format!("{path} (named by {file_variable})");
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((origin, text.trim_end_matches(['\r', '\n']).to_owned()))),
        Err(cause) => Err(ConfigError::Unreadable { what: origin, cause }),
    }
}

fn value(kind: Kind, text: String) -> Value {
    match kind {
        Presence => Value::from(true),
        // What is no number stays text: the error then shows it.
        Number => text.trim().parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        Text | Secret | Pattern => Value::from(text),
        Token => {
            let entry = [("name", "default".to_owned()), ("token", text), ("role", "admin".to_owned())];
            let entry: Dict = entry.into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect();
            Value::from(vec![entry])
        }
    }
}

/// `a.b.c` and a value -> `{a: {b: {c: value}}}`.
fn nested(key: &str, value: Value) -> Dict {
    match key.split_once('.') {
        Some((first, rest)) => Dict::from([(first.to_owned(), nested(rest, value).into())]),
        None => Dict::from([(key.to_owned(), value)]),
    }
}

/// What is allowed and probably not meant.
pub(super) fn warnings(env: &BTreeMap<String, String>, settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    if settings.auth.no_auth && settings.auth.has_credentials() {
        warnings.push("credentials are configured but not asked for, because auth.no_auth is on".to_owned());
    }
    if let Some(value) = env.get("EM_METRICS_NO_AUTH")
        && matches!(value.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off")
    {
        warnings
            .push("EM_METRICS_NO_AUTH switches authentication off with any value: unset it to switch it on".to_owned());
    }
    if settings.otel.collector_url.is_some() && settings.otel.otlp_metrics.endpoint.is_some() {
        warnings.push("otel.otlp_metrics.endpoint is not used, because otel.collector_url is set".to_owned());
    }
    let unknown = env.keys().filter_map(|name| Some((name, misspelt(name)?)));
    warnings.extend(unknown.map(|(name, meant)| format!("environment variable {name}: did you mean {meant}?")));
    warnings
}

/// The variable of ours that this one nearly is. Others with our prefix are fine: Kubernetes makes up
/// `EM_METRICS_SERVICE_HOST` and the like for a service that is called em-metrics.
fn misspelt(name: &str) -> Option<&'static str> {
    if !name.starts_with("EM_METRICS_") && !name.starts_with("OTEL_") {
        return None;
    }
    let stem = name.strip_suffix("_FILE").unwrap_or(name);
    let known = VARIABLES.iter().map(|variable| variable.name).chain(["EM_METRICS_URL", "EM_METRICS_TOKEN"]);
    let (distance, meant) = known.map(|known| (strsim::damerau_levenshtein(stem, known), known)).min()?;
    (1..=2).contains(&distance).then_some(meant)
}

/// The README's table of the configuration.
pub fn table_markdown() -> String {
    let mut table = "| Variable | Key of the file | Default | Meaning |\n| --- | --- | --- | --- |\n".to_owned();
    for Variable { name, key, default, doc, .. } in VARIABLES {
        let code = |text: &str| if text.is_empty() { String::new() } else { format!("`{text}`") };
        let _ = writeln!(table, "| `{name}` | {} | {} | {doc} |", code(key), code(default));
    }
    table
}
