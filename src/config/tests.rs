//! The room as its users see it: a file and an environment in, a configuration or one clear sentence out.

mod refusals;

use std::io::Write as _;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tempfile::NamedTempFile;

use super::*;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_env(pairs: &[(&str, &str)]) -> Config {
    load(None, &env(pairs)).unwrap()
}

/// The error of a file, with its path replaced by `FILE`.
fn refusal(text: &str, pairs: &[(&str, &str)]) -> String {
    let file = file(text);
    let error = load(Some(file.path()), &env(pairs)).unwrap_err().to_string();
    error.replace(&file.path().display().to_string(), "FILE")
}

#[test]
fn nothing_configured_gives_the_documented_defaults() {
    let config = Config::default();
    assert_eq!((config.server.host.as_str(), config.server.port), ("0.0.0.0", 3000));
    assert_eq!(config.storage.sqlite_db.to_str(), Some("./em-metrics.db"));
    assert_eq!(config.otel.service_name, "em_metrics");
    assert_eq!(config.otel.deployment_environment, "NO_ENV");
    assert!(config.otel.metrics.is_none() && config.otel.traces.is_none());
    assert!(!config.auth.no_auth && !config.auth.has_credentials());
    assert_eq!(config.production_environment.as_str(), "production");
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = file(r#"{"server": {"port": 4000, "host": "::1"}, "log": {"filter": "debug"}}"#);
    let config = load(Some(file.path()), &env(&[("PORT", "5000"), ("EM_METRICS_LOG_FORMAT", "JSON")])).unwrap();
    assert_eq!((config.server.host.as_str(), config.server.port), ("::1", 5000));
    assert_eq!(config.log.filter, "debug");
    assert_eq!(config.log.format, LogFormat::Json);

    let named = load(None, &env(&[("CONFIG", file.path().to_str().unwrap())])).unwrap();
    assert_eq!(named.server.port, 4000);
}

#[test]
fn every_variable_is_a_key_of_the_file_and_its_default_is_the_one_in_the_table() {
    let settings = serde_json::to_value(load::Settings::default()).unwrap();
    for variable in VARIABLES.iter().filter(|variable| !variable.key.is_empty()) {
        let found = settings.pointer(&format!("/{}", variable.key.replace('.', "/")));
        let found = match found {
            None | Some(Value::Null | Value::Bool(false)) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(items)) if items.is_empty() => String::new(),
            Some(other) => other.to_string(),
        };
        // The general exporter keys have no default of their own: it applies after both levels are read.
        if !variable.key.starts_with("otel.otlp.") {
            assert_eq!(found, variable.default, "{}", variable.name);
        }
        let sample = match variable.name {
            "DATABASE_URL" => "postgres://h/d",
            "SQLITE_DB" => "a.db",
            "EM_METRICS_BASIC_AUTH_USERNAME" => "ann",
            name if name.ends_with("PROTOCOL") => "grpc",
            name if name.ends_with("COMPRESSION") => "none",
            "EM_METRICS_LOG_FORMAT" => "json",
            "EM_METRICS_BENCHMARK_YEAR" => "2024",
            "EM_METRICS_BENCHMARK_INDUSTRY" => "technology",
            "EM_METRICS_BENCHMARK_ORGANISATION_SIZE" => "solo",
            name if name.ends_with("HEADERS") => "a=b",
            _ if variable.kind == env::Kind::Number => "4711",
            _ => "http://h",
        };
        let config = load(None, &env(&[(variable.name, sample)]));
        assert!(config.is_ok(), "{}: {}", variable.name, config.unwrap_err());
    }
}

#[test]
fn the_token_of_an_api_comes_from_anywhere_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "s3cret of a file\n").unwrap();
    let path = path.display().to_string();
    let filed = r#"{"webhooks": {"apis": [{"vendor": "github", "repositories": ["acme/shop"], "token": "s3cret"}]}}"#;
    for (text, env, token) in [
        ("{}", vec![("EM_METRICS_GITHUB_TOKEN", "s3cret of mine")], "s3cret of mine"),
        ("{}", vec![("EM_METRICS_GITHUB_TOKEN_FILE", path.as_str())], "s3cret of a file"),
        (filed, vec![], "s3cret"),
        (filed, vec![("EM_METRICS_GITHUB_TOKEN", "s3cret of mine")], "s3cret of mine"),
    ] {
        let config = load(Some(file(text).path()), &self::env(&env)).unwrap();
        let [api] = &config.webhooks.apis[..] else { panic!("{:?}", config.webhooks.apis) };
        assert_eq!((api.vendor.as_str(), api.every_minutes), ("github", 60));
        assert_eq!(api.token.as_ref().unwrap().expose_secret(), token);
        assert!(!format!("{config:?}{}", config.shown()).contains("s3cret"));
    }
    for (api, words) in [
        (r#"{"vendor": "github", "url": "https://u:s3cret@h"}"#, "webhooks.apis[0].url"),
        (r#"{"vendor": "github", "url": "s3cret"}"#, "webhooks.apis[0].url"),
        (r#"{"vendor": "github", "every_minutes": 0}"#, "webhooks.apis[0].every_minutes"),
        (r#"{"vendor": "github"}, {"vendor": "github"}"#, "webhooks.apis[1].vendor"),
    ] {
        let error = refusal(&format!(r#"{{"webhooks": {{"apis": [{api}]}}}}"#), &[]);
        assert!(error.contains(words) && !error.contains("s3cret"), "{error}");
    }
}

#[test]
fn secrets_reach_neither_errors_nor_debug_nor_what_is_shown() {
    for text in [
        r#"{"auth": "s3cret"}"#,
        r#"{"auth": {"tokens": ["s3cret"]}}"#,
        r#"{"auth": {"tokens": "s3cret"}}"#,
        r#"{"auth": {"basic": "s3cret"}}"#,
        r#"{"auth": {"tokens": [{"name": "a", "token": "s3cret"}, {"name": "b", "token": "s3cret"}]}}"#,
        r#"{"storage": "postgres://u:s3cret@h"}"#,
        r#"{"otel": "s3cret"}"#,
        r#"{"otel": {"otlp": {"headers": "s3cret"}}}"#,
        r#"{"otel": {"otlp": {"headers": ["s3cret"]}}}"#,
        r#"{"otel": {"collector_url": "ftp://u:s3cret@h"}}"#,
    ] {
        let error = refusal(text, &[]);
        assert!(!error.contains("s3cret"), "{error}");
    }
    assert!(!refusal(r#"{"auth": {"tokens": [{"name": "a", "token": 12345}]}}"#, &[]).contains("12345"));

    let config = with_env(&[
        ("EM_METRICS_TOKEN_AUTH", "s3cret"),
        ("EM_METRICS_BASIC_AUTH_PASSWORD", "s3cret"),
        ("DATABASE_URL", "postgres://u:s3cret@h:5432/d?sslmode=require&password=s3cret"),
        ("OTEL_COLLECTOR_URL", "http://u:s3cret@h:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret"),
    ]);
    let shown = config.shown();
    for text in [shown.to_string(), format!("{config:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert_eq!(shown["storage"]["database_url"], "postgres://***@h:5432/d?***");
    assert_eq!(shown["auth"]["tokens"][0], json!({"name": "default", "token": "***", "role": "admin"}));
    assert_eq!(shown["otel"]["metrics"]["headers"], json!({"authorization": "***"}));
}

#[test]
fn credentials_from_the_environment() {
    let tokens = r#"{"auth": {"tokens": [{"name": "ci", "token": "t", "role": "writer"}]}}"#;
    let file = file(tokens);
    let config = load(Some(file.path()), &env(&[("EM_METRICS_TOKEN_AUTH", "12345")])).unwrap();
    assert_eq!(config.auth.tokens.len(), 1, "it replaces the file's list");
    assert_eq!(config.auth.tokens[0].token.expose_secret(), "12345");
    assert_eq!(config.auth.tokens[0].role, Role::Admin);

    let basic = with_env(&[("EM_METRICS_BASIC_AUTH_USERNAME", "007")]).auth.basic.unwrap();
    assert_eq!((basic.username.as_str(), basic.password.expose_secret()), ("007", ""));
    let basic = with_env(&[("EM_METRICS_BASIC_AUTH_PASSWORD", "true")]).auth.basic.unwrap();
    assert_eq!((basic.username.as_str(), basic.password.expose_secret()), ("", "true"));

    assert!(with_env(&[("EM_METRICS_NO_AUTH", "")]).auth.no_auth);
    assert!(with_env(&[("EM_METRICS_NO_AUTH", "0")]).warnings[0].starts_with("EM_METRICS_NO_AUTH switches"));
    assert!(
        with_env(&[("EM_METRICS_BASIC_AUTH_USERNAME", ""), ("EM_METRICS_BASIC_AUTH_PASSWORD", "")])
            .auth
            .basic
            .is_none(),
        "two empty variables must not open the door"
    );
}

#[test]
fn secrets_come_from_files_too() {
    let secret = file("12345\n");
    let path = secret.path().to_str().unwrap();
    let config = with_env(&[("EM_METRICS_TOKEN_AUTH_FILE", path)]);
    assert_eq!(config.auth.tokens[0].token.expose_secret(), "12345");
    let twice = env(&[("EM_METRICS_TOKEN_AUTH_FILE", path), ("EM_METRICS_TOKEN_AUTH", "x")]);
    assert_eq!(
        load(None, &twice).unwrap_err().to_string(),
        "EM_METRICS_TOKEN_AUTH and EM_METRICS_TOKEN_AUTH_FILE are both set: keep one of them"
    );
    assert_eq!(
        load(None, &env(&[("DATABASE_URL_FILE", "/nowhere")])).unwrap_err().to_string(),
        "/nowhere (named by DATABASE_URL_FILE) cannot be read: No such file or directory (os error 2)"
    );
    let empty = file("\n");
    let error = load(None, &env(&[("EM_METRICS_TOKEN_AUTH_FILE", empty.path().to_str().unwrap())])).unwrap_err();
    assert!(error.to_string().contains("expected a token that is not empty"), "{error}");
}

#[test]
fn where_the_metrics_and_traces_go() {
    let urls = |pairs: &[(&str, &str)]| {
        let otel = with_env(pairs).otel;
        (otel.metrics.map(|target| target.url), otel.traces.map(|target| target.url))
    };
    let both = |metrics: &str, traces: &str| (Some(metrics.to_owned()), Some(traces.to_owned()));
    let metrics = |url: &str| (Some(url.to_owned()), None);
    let collector = "OTEL_COLLECTOR_URL";
    let general = "OTEL_EXPORTER_OTLP_ENDPOINT";
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(urls(&[]), (None, None));
    assert_eq!(urls(&[(collector, "")]), (None, None));
    assert_eq!(urls(&[(collector, "http://h:4318")]), metrics("http://h:4318/v1/metrics"));
    assert_eq!(urls(&[(collector, "http://h:4318/")]), metrics("http://h:4318/v1/metrics"));
    assert_eq!(urls(&[(collector, "http://h/otlp/v1/metrics")]), metrics("http://h/otlp/v1/metrics"));
    assert_eq!(urls(&[(collector, "http://h:4317"), grpc]), metrics("http://h:4317"));
    assert_eq!(urls(&[(general, "http://h:4318")]), both("http://h:4318/v1/metrics", "http://h:4318/v1/traces"));
    assert_eq!(urls(&[(general, "http://h/x/")]), both("http://h/x/v1/metrics", "http://h/x/v1/traces"));
    assert_eq!(urls(&[(general, "http://h:4317"), grpc]), both("http://h:4317", "http://h:4317"));
    assert_eq!(
        urls(&[(general, "http://h"), ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://m/api/v1/otlp")]),
        both("http://m/api/v1/otlp", "http://h/v1/traces")
    );
    assert_eq!(
        urls(&[(collector, "http://c"), (general, "http://h")]),
        both("http://c/v1/metrics", "http://h/v1/traces")
    );
}

#[test]
fn exporter_settings_per_signal_win_over_the_general_ones() {
    let otel = with_env(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "X-Scope = a%20b , y=1=2"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "z=3"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1000"),
    ])
    .otel;
    let (metrics, traces) = (otel.metrics.unwrap(), otel.traces.unwrap());
    let headers = |target: &Target| -> Vec<String> {
        target.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose_secret())).collect()
    };
    assert_eq!(headers(&metrics), ["x-scope: a b", "y: 1=2"]);
    assert_eq!(headers(&traces), ["z: 3"]);
    assert_eq!((metrics.protocol, traces.protocol), (Protocol::Grpc, Protocol::HttpProtobuf));
    assert_eq!((metrics.gzip, traces.gzip), (false, true));
    assert_eq!(metrics.timeout, Duration::from_millis(2500));
    assert_eq!(otel.export_interval, Duration::from_secs(1));
}

#[test]
fn a_user_is_known_by_each_of_its_names() {
    let file = file(&example());
    let teams = load(Some(file.path()), &env(&[])).unwrap().teams;
    let name = |text: &str| Name::parse(text).unwrap();
    for (user, team) in [("ann", "red"), ("cleo", "blue"), ("cleo.b", "blue"), ("cleo@example.com", "blue")] {
        assert_eq!(teams.resolve(None, &name("unknown"), Some(&name(user))), Some(name(team)));
    }
}

#[test]
fn a_misspelt_variable_of_ours_is_pointed_out() {
    let env = env(&[
        ("EM_METRICS_TOKEN_ATH", "x"),
        ("EM_METRICS_TOKEN", "x"),
        ("EM_METRICS_TOKEN_AUTH", "x"),
        ("EM_METRICS_SERVICE_HOST", "10.0.0.1"),
        ("EM_METRICS_PORT", "tcp://10.0.0.1:3000"),
    ]);
    let warnings = load(None, &env).unwrap().warnings;
    assert_eq!(warnings, ["environment variable EM_METRICS_TOKEN_ATH: did you mean EM_METRICS_TOKEN_AUTH?"]);
}

#[test]
fn the_committed_example_is_the_generated_one_and_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.example.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, example(), "run: cargo run -- config example > config.example.json");
    let config = load(Some(&path), &env(&[])).unwrap();
    assert_eq!(config.shown()["server"], Config::default().shown()["server"]);
}

#[test]
fn the_readme_table_has_a_line_per_variable() {
    let table = table_markdown();
    assert_eq!(table.lines().count(), VARIABLES.len() + 2);
    assert!(table.contains("| `PORT` | `server.port` | `3000` |"));
}

#[test]
fn figures_of_others_are_chosen_by_year_industry_and_size() {
    let config = with_env(&[
        ("EM_METRICS_BENCHMARK_YEAR", "2024"),
        ("EM_METRICS_BENCHMARK_INDUSTRY", "technology"),
        ("EM_METRICS_BENCHMARK_ORGANISATION_SIZE", "fewer_than_020"),
    ]);
    let chosen = json!({"year": 2024, "industry": "technology", "organisation_size": "fewer_than_020"});
    assert_eq!(config.shown()["benchmark"], chosen);
    assert_eq!(
        (config.benchmark.edition.year, config.benchmark.organisation_size.name.as_str()),
        (2024, "10 to 19 employees")
    );
    assert_eq!(Config::default().shown()["benchmark"]["year"], 2025);

    assert_eq!(
        refusal(r#"{"benchmark": {"year": 2023}}"#, &[]),
        "FILE: benchmark.year: expected 2024 or 2025, found 2023"
    );
    assert_eq!(
        refusal(r#"{"benchmark": {"organisation_size": "solo"}}"#, &[("EM_METRICS_BENCHMARK_YEAR", "2024")]),
        "FILE: benchmark.organisation_size: expected one of all, fewer_than_00002, fewer_than_010, fewer_than_020, \
         fewer_than_100, fewer_than_1000, fewer_than_10000, fewer_than_500, fewer_than_5000, more_than_9999 (of 2024), \
         found \"solo\""
    );
    assert_eq!(
        refusal("{}", &[("EM_METRICS_BENCHMARK_YEAR", "last")]),
        "environment variable EM_METRICS_BENCHMARK_YEAR: benchmark.year: expected a whole number from 0 to 65535, found \
         \"last\""
    );
    let unknown = refusal("{}", &[("EM_METRICS_BENCHMARK_INDUSTRY", "banking")]);
    let expected =
        "environment variable EM_METRICS_BENCHMARK_INDUSTRY: benchmark.industry: expected one of all, consumer,";
    assert!(unknown.starts_with(expected), "{unknown}");
    assert!(
        refusal(r#"{"benchmark": {"size": "all"}}"#, &[]).contains("known here: year, industry, organisation_size")
    );
}
