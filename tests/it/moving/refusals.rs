//! What a move will not do, and what services will not do because of one.

use std::process::Stdio;
use std::time::Duration;

use em_metrics::cli::serve::Service;
use em_metrics::config::Config;
use em_metrics::domain::{Clock, Timestamp};
use em_metrics::telemetry::OwnMetrics;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use super::rows::{expect_same, rows};
use super::{command, copy_ahead, migrate_store, succeeded};
use crate::app::{App, NOW};
use crate::engine::{Database, Engine};

on_each_engine! {
    what_is_moved_is_not_used_again,
    a_target_that_holds_something_is_refused,
    a_service_that_still_runs_is_seen,
    a_service_that_starts_in_the_middle_is_refused_and_the_move_ends_well,
    an_older_schema_is_brought_up_to_date_and_a_newer_one_refused,
    a_store_of_its_own_is_not_moved_into_itself,
    totals_that_disagree_with_the_facts_are_told,
}

pub async fn expect_no_service(database: &Database, why: &str) {
    let mut config = Config::default();
    config.auth.no_auth = true;
    database.configure(&mut config);
    let clock = Clock::manual(Timestamp::parse(NOW).unwrap());
    let error = Service::start(&config, clock, OwnMetrics::detached(&config.otel)).await.unwrap_err();
    assert!(format!("{error:#}").contains(why), "{error:#}");
}

async fn refuses(from: &Database, to: &Database, why: &str) {
    let output = migrate_store(from, to).await;
    let complained = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{complained}");
    assert!(complained.contains(why), "{complained}");
}

/// A service with one fact, stopped.
async fn some_store(engine: Engine) -> Database {
    let app = engine.app().await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    app.store.instance_id().await.unwrap();
    app.stop().await
}

async fn what_is_moved_is_not_used_again(engine: Engine) {
    let source = some_store(engine).await;
    let target = engine.other().empty_database().await;
    succeeded(&migrate_store(&source, &target).await);
    expect_no_service(&source, "was moved to").await;
    let elsewhere = engine.other().empty_database().await;
    refuses(&source, &elsewhere, "was moved to").await;
    // it moves on, also back, into a database that is empty
    let back = engine.empty_database().await;
    succeeded(&migrate_store(&target, &back).await);
    expect_no_service(&target, "was moved to").await;
    expect_same(&back, &rows(&source).await).await;
    // whoever takes the old one up again has two, and none goes over the other
    source.other().await.execute("DELETE FROM identity WHERE key = 'moved_to'").await;
    let app = App::start(source, |_| ()).await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    refuses(&app.stop().await, &target, "has been opened again").await;
}

async fn a_target_that_holds_something_is_refused(engine: Engine) {
    let source = some_store(engine).await;
    let target = some_store(engine.other()).await;
    let (held, there) = (rows(&source).await, rows(&target).await);
    refuses(&source, &target, "holds something already").await;
    assert_eq!((rows(&source).await, rows(&target).await), (held, there));
    // half of another store
    let half = engine.other().empty_database().await;
    succeeded(&copy_ahead(&some_store(engine).await, &half).await);
    refuses(&source, &half, "half of another store").await;
    refuses(&half, &engine.empty_database().await, "itself half of a store").await;
    // the one that was refused is as good as before
    App::start(source, |_| ()).await.get("/incidents/incident_shop_1").await.expect(200);
}

async fn a_service_that_still_runs_is_seen(engine: Engine) {
    let app = engine.app().await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    let target = engine.other().empty_database().await;
    refuses(&app.database, &target, "a service is using").await;
    let source = app.stop().await;
    let used = engine.other().app().await;
    refuses(&source, &used.database, "a service is using").await;
    // also one that has written nothing yet
    used.database.other().await.execute("DELETE FROM identity").await;
    refuses(&source, &used.database, "a service is using").await;
    used.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    let used = used.stop().await;
    refuses(&source, &used, "holds something already").await;
    App::start(used, |_| ()).await.get("/incidents/incident_shop_1").await.expect(200);
    succeeded(&migrate_store(&source, &target).await);
}

async fn a_service_that_starts_in_the_middle_is_refused_and_the_move_ends_well(engine: Engine) {
    let source = some_store(engine).await;
    let held = rows(&source).await;
    let target = engine.other().empty_database().await;
    let mut moving = command(&source, &target).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(moving.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().starts_with("incidents") {}
    let signal = async |signal: &str, pid: u32| {
        let sent = Command::new("kill").args(["-s", signal, &pid.to_string()]).status().await;
        assert!(sent.unwrap().success());
    };
    let pid = moving.id().unwrap();
    signal("STOP", pid).await;
    for database in [&source, &target] {
        match database {
            // a lock keeps it away before it could look
            Database::Sqlite { .. } => expect_no_service(database, "another em-metrics is using").await,
            _ if database.address() == target.address() => expect_no_service(database, "half of a store").await,
            // it waits for the move, and has changed nothing when it gives up
            _ => {}
        }
    }
    signal("CONT", pid).await;
    while lines.next_line().await.unwrap().is_some() {}
    succeeded(&moving.wait_with_output().await.unwrap());
    expect_same(&target, &held).await;
    expect_no_service(&source, "was moved to").await;
    App::start(target, |_| ()).await.get("/incidents/incident_shop_1").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_away_during_the_move_changes_and_exports_nothing_when_it_comes_back() {
    let source = Engine::Postgres.database().await;
    let mut address: url::Url = source.url().parse().unwrap();
    let role = format!("away_{}", address.path().trim_start_matches('/'));
    address.set_username(&role).unwrap();
    source.other().await.execute(format!("CREATE ROLE \"{role}\" LOGIN SUPERUSER")).await;
    let app = App::start(source, |config| config.storage.database_url = Some(address.to_string().into())).await;
    app.post("/incidents", json!({"project_id": "shop"})).await.expect(201);
    app.store.instance_id().await.unwrap();
    // nobody sees it any more, and it sees nobody
    app.database.other().await.execute(format!("ALTER ROLE \"{role}\" NOLOGIN")).await;
    // those that were let in at the last moment too
    let connected = format!("SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE usename = '{role}'");
    while !app.database.texts(&connected).await.is_empty() {
        let end = format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{role}'");
        app.database.other().await.execute(end).await;
    }
    let target = Engine::Sqlite.empty_database().await;
    succeeded(&migrate_store(&app.database, &target).await);
    let held = rows(&app.database).await;
    app.database.other().await.execute(format!("ALTER ROLE \"{role}\" LOGIN")).await;

    app.unavailable(json!({"id": "1", "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"})).await;
    app.get("/health/ready").await.expect_problem(503, "unavailable");
    assert!(!app.store.lead(Duration::from_secs(5)).await.unwrap());
    assert_eq!(rows(&app.database).await, held);
    let (source, _) = app.stop_unwell().await;
    source.other().await.execute(format!("DROP ROLE \"{role}\"")).await;
}

async fn an_older_schema_is_brought_up_to_date_and_a_newer_one_refused(engine: Engine) {
    let source = engine.empty_database().await;
    let mut older = source.other().await;
    older.migrate_to(4).await;
    older
        .execute(
            "INSERT INTO incidents (project_id, id, environment, started_at, counted, created_at, updated_at) \
             VALUES ('shop', '1', 'production', 1, 64, 1, 1); \
             INSERT INTO series (metric, project_id, team_id, environment, started_at, count, sum_micros) \
             VALUES ('incident_count', 'shop', '', 'production', 1, 1, 0)",
        )
        .await;
    drop(older);
    let target = engine.other().empty_database().await;
    succeeded(&migrate_store(&source, &target).await);
    expect_same(&target, &rows(&source).await).await;
    let app = App::start(target, |_| ()).await;
    assert_eq!(app.total("incident_count_total").await, 1.0);

    let newer = some_store(engine).await;
    let again = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 9999, description, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    newer.other().await.execute(again).await;
    refuses(&newer, &engine.other().empty_database().await, "newer em-metrics (schema 9999)").await;
}

async fn a_store_of_its_own_is_not_moved_into_itself(engine: Engine) {
    let store = some_store(engine).await;
    let held = rows(&store).await;
    refuses(&store, &store, if engine == Engine::Sqlite { "a service is using" } else { "the same store" }).await;
    expect_same(&store, &held).await;
    refuses(&engine.empty_database().await, &engine.other().empty_database().await, "no ").await;
}

async fn totals_that_disagree_with_the_facts_are_told(engine: Engine) {
    let source = some_store(engine).await;
    source.other().await.execute("UPDATE series SET count = 5 WHERE metric = 'incident_count'").await;
    let target = engine.other().empty_database().await;
    let output = migrate_store(&source, &target).await;
    let complained = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{complained}");
    assert!(complained.contains("the totals of incident_count say 5, the facts 1"), "{complained}");
    expect_same(&target, &rows(&source).await).await;
}

#[tokio::test]
async fn addresses_are_told_apart_and_passwords_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let there = format!("sqlite:{}", folder.path().join("facts.db").display());
    for (from, to, why) in [
        (there.as_str(), "postgres://u:hush@127.0.0.1:1/d", "there is no"),
        ("mysql://u:hush@h/d", &there, "--from: expected sqlite:PATH"),
        (&there, "postgres://u:12/hush@h/d", "--to: expected / ? # @ % in the password"),
        (&there, "sqlite:", "--to: expected the path of a file"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
        command.env_clear().args(["migrate-store", "--from", from, "--to", to]);
        let output = command.output().await.unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{complained}");
        assert!(complained.contains(why) && !complained.contains("hush"), "{complained}");
    }
    assert!(!folder.path().join("facts.db").exists(), "what is not there is not made");
    // where a password is not seen
    let mut unnamed = Command::new(env!("CARGO_BIN_EXE_em-metrics"));
    unnamed.env_clear().env("DATABASE_URL", "postgres://u:hush@127.0.0.1:1/d").args([
        "migrate-store",
        "--from",
        &there,
    ]);
    let complained = String::from_utf8(unnamed.output().await.unwrap().stderr).unwrap();
    assert!(complained.contains("there is no") && !complained.contains("hush"), "{complained}");
    let help = unnamed.arg("--help").output().await.unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("hush"));
}
