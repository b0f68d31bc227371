//! The room as its users see it: a file and an environment in, a configuration or one clear sentence out.

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
fn a_mistake_in_what_is_public_stops_the_start() {
    let table = [
        (
            r#"{"public": [{"projects": ["shop"], "metrics": ["incidents", "velocity"]}]}"#,
            "FILE: public[0].metrics[1]: expected one of deployment_frequency, lead_time_for_changes, change_failure_rate, failed_deployment_recovery_time, deployment_rework_rate, time_to_restore, time_to_detect, incidents, pipelines, got \"velocity\"",
        ),
        (
            r#"{"public": [{"projects": ["shop"], "metrics": ["incidents"]}, {"projects": [], "metrics": ["incidents"]}]}"#,
            "FILE: public[1].projects: expected at least one, found none",
        ),
        (
            r#"{"public": [{"projects": ["shop"], "metrics": []}]}"#,
            "FILE: public[0].metrics: expected at least one, found none",
        ),
        (r#"{"public": [{"projects": ["shop"]}]}"#, "FILE: public[0]: the key `metrics` is missing"),
        (
            r#"{"public": [{"projects": ["shop"], "metrics": ["incidents"], "teams": ["red"]}]}"#,
            "FILE: public[0].teams: unknown key; known here: projects, metrics",
        ),
        (r#"{"public": {"projects": ["shop"]}}"#, "FILE: public: expected an array, found an object"),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text, &[]), expected);
    }
}

#[test]
fn a_mistake_is_named_with_its_origin_its_key_and_what_was_expected() {
    let table = [
        (r#"{"teams": {"red": {"projects": ["a", 3]}}}"#, "FILE: teams.red.projects[1]: expected a string, found 3"),
        (
            r#"{"teams": {"red": {"users": [{"emial": "a"}]}}}"#,
            "FILE: teams.red.users[0].emial: unknown key; did you mean `email`? known here: email, github_username, gitlab_username",
        ),
        (
            r#"{"teams": {"red": {"users": [7]}}}"#,
            "FILE: teams.red.users[0]: expected a string, or an object of email, github_username, gitlab_username, found 7",
        ),
        (
            r#"{"teams": {"red": {"users": [{}]}}}"#,
            "FILE: teams.red.users[0]: expected at least one of email, github_username, gitlab_username",
        ),
        (
            r#"{"teams": {"red": {"projects": [""]}}}"#,
            "FILE: teams.red.projects[0]: expected 1 to 200 characters, got none",
        ),
        (r#"{"teams": []}"#, "FILE: teams: expected an object, found an array"),
        (
            r#"{"server": {"port": "3000"}}"#,
            "FILE: server.port: expected a whole number from 0 to 65535, found \"3000\"",
        ),
        (r#"{"server": {"port": 65536}}"#, "FILE: server.port: expected a whole number from 0 to 65535, found 65536"),
        (r#"{"server": {"port": null}}"#, "FILE: server.port: expected a whole number from 0 to 65535, found null"),
        (r#"{"server": {"max_connections": 0}}"#, "FILE: server.max_connections: expected 1 to 1000000, found 0"),
        (r#"{"server": {"metrics_auth": "yes"}}"#, "FILE: server.metrics_auth: expected true or false, found \"yes\""),
        (r#"{"server": 1}"#, "FILE: server: expected an object, found 1"),
        (
            r#"{"server": {"cors_origins": ["https://a/b"]}}"#,
            "FILE: server.cors_origins[0]: expected `*`, or scheme://host[:port] with nothing after it, such as https://dash.example.com",
        ),
        (r#"{"auth": {"tokens": [{"name": "ci"}]}}"#, "FILE: auth.tokens[0]: the key `token` is missing"),
        (
            r#"{"auth": {"tokens": [{"name": "ci", "token": "t", "role": "root"}]}}"#,
            "FILE: auth.tokens[0].role: expected reader or writer or admin, found \"root\"",
        ),
        (
            r#"{"auth": {"tokens": [{"name": "a", "token": "t"}, {"name": "a", "token": "u"}]}}"#,
            "FILE: auth.tokens[1].name: the name `a` is taken by another token",
        ),
        (r#"{"auth": {"basic": {}}}"#, "FILE: auth.basic: expected a username or a password, found both empty"),
        (r#"{"log": {"format": "xml"}}"#, "FILE: log.format: expected text or json, found \"xml\""),
        (r#"{"otel": {"otlp": {"protocol": 0}}}"#, "FILE: otel.otlp.protocol: expected a string, found 0"),
        ("{", "FILE: not valid JSON: EOF while parsing an object at line 1 column 1"),
        ("[]", "FILE: not valid JSON: expected an object at the top"),
    ];
    for (text, expected) in table {
        assert_eq!(refusal(text, &[]), expected, "{text}");
    }
    for (name, value, expected) in [
        (
            "PORT",
            "http",
            "environment variable PORT: server.port: expected a whole number from 0 to 65535, found \"http\"",
        ),
        ("PORT", "-1", "environment variable PORT: server.port: expected a whole number from 0 to 65535, found \"-1\""),
        (
            "OTEL_METRIC_EXPORT_INTERVAL",
            "999",
            "environment variable OTEL_METRIC_EXPORT_INTERVAL: otel.metric_export_interval_ms: expected at least 1000 (milliseconds), found 999",
        ),
        (
            "OTEL_COLLECTOR_URL",
            "collector:4318",
            "environment variable OTEL_COLLECTOR_URL: otel.collector_url: expected an http:// or https:// address, such as http://collector:4318",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "http/json",
            "environment variable OTEL_EXPORTER_OTLP_PROTOCOL: otel.otlp.protocol: expected http/protobuf or grpc, found \"http/json\"",
        ),
        (
            "DATABASE_URL",
            "mysql://u:s3cret@h/d",
            "environment variable DATABASE_URL: storage.database_url: expected postgres://user:password@host:port/database, with / ? # @ % in the password percent-encoded (for SQLite use storage.sqlite_db)",
        ),
        (
            "DATABASE_URL",
            "postgres://u:12#s3cret@h/d",
            "environment variable DATABASE_URL: storage.database_url: expected / ? # @ % in the password to be percent-encoded",
        ),
        (
            "CONFIG",
            "/nowhere/c.json",
            "/nowhere/c.json (named by CONFIG) cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(load(None, &env(&[(name, value)])).unwrap_err().to_string(), expected);
    }
}

#[test]
fn the_environment_is_blamed_for_its_own_mistakes_only() {
    let text = r#"{"server": {"port": 1}, "otel": {"metric_export_interval_ms": 5}}"#;
    assert!(refusal(text, &[("PORT", "x")]).starts_with("environment variable PORT: server.port: "));
    assert!(refusal(text, &[("PORT", "2")]).starts_with("FILE: otel.metric_export_interval_ms: "));
}

#[test]
fn two_databases_in_one_place_are_refused() {
    let both = r#"{"storage": {"sqlite_db": "a.db", "database_url": "postgres://h/d"}}"#;
    let expected = "two databases are configured: SQLite (storage.sqlite_db by FILE) and PostgreSQL \
                    (storage.database_url by FILE): keep one of them";
    assert_eq!(refusal(both, &[]), expected);
    let both = env(&[("SQLITE_DB", "a.db"), ("DATABASE_URL", "postgres://h/d")]);
    assert!(matches!(load(None, &both), Err(ConfigError::TwoDatabases { .. })));
    let null = file(r#"{"storage": {"sqlite_db": "a.db", "database_url": null}}"#);
    assert!(load(Some(null.path()), &env(&[])).is_ok());
}

#[test]
fn the_environments_database_wins_over_the_files() {
    let example = file(&example());
    let secret = file("postgres://h/d\n");
    for pair in [("DATABASE_URL", "postgres://h/d"), ("DATABASE_URL_FILE", secret.path().to_str().unwrap())] {
        let config = load(Some(example.path()), &env(&[pair])).unwrap();
        assert_eq!(config.storage.database_url.unwrap().expose_secret(), "postgres://h/d");
        let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
        assert!(warning.starts_with("storage.sqlite_db of ") && warning.contains("DATABASE_URL"), "{warning}");
    }
    let postgres = file(r#"{"storage": {"database_url": "postgres://u:s3cret@h/d"}}"#);
    let config = load(Some(postgres.path()), &env(&[("SQLITE_DB", "a.db")])).unwrap();
    assert!(config.storage.database_url.is_none());
    assert_eq!(config.storage.sqlite_db, Path::new("a.db"));
    let [warning] = &config.warnings[..] else { panic!("{:?}", config.warnings) };
    assert!(warning.starts_with("storage.database_url of ") && !warning.contains("s3cret"), "{warning}");
}

#[test]
fn a_file_that_cannot_be_a_database_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("one.db"), "").unwrap();
    std::fs::write(at("two.db"), "").unwrap();
    std::fs::hard_link(at("two.db"), at("also-two.db")).unwrap();
    std::os::unix::fs::symlink(at("one.db"), at("link.db")).unwrap();
    std::os::unix::fs::symlink(at("nothing.db"), at("dangling.db")).unwrap();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<std::collections::BTreeSet<_>>()
    };
    let before = names();
    for (path, expected) in [
        (":memory:".to_owned(), "lost with the process"),
        ("file:facts.db?mode=rwc".to_owned(), "found an address"),
        ("sqlite:///data/facts.db".to_owned(), "found an address"),
        (at(""), "is a folder: name a file in it, such as "),
        (at("new/"), "is the name of a folder"),
        ("/dev/null".to_owned(), "is not a file"),
        (at("missing/facts.db"), "there is no folder "),
        (at("one.db/facts.db"), "there is no folder "),
        (at("two.db"), "has 2 names (hard links)"),
        (at("dangling.db"), "leads to no file"),
    ] {
        let error = load(None, &env(&[("SQLITE_DB", path.as_str())])).unwrap_err().to_string();
        assert!(error.starts_with("environment variable SQLITE_DB: storage.sqlite_db: "), "{error}");
        assert!(error.contains(expected), "{path}: {error}");
    }
    for path in [at("one.db"), at("link.db"), at("new.db"), "new.db".to_owned()] {
        assert!(load(None, &env(&[("SQLITE_DB", path.as_str())])).is_ok(), "{path}");
    }
    assert_eq!(names(), before);
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
