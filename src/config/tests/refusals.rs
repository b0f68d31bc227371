//! What is wrong is named: where it stands, and what was expected.

use super::*;

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
