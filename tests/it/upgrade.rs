//! A database of an older version: it is brought up to date with all that is in it, and while replicas of both
//! versions run, the older one goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use em_metrics::config::Config;
use em_metrics::metrics::Metric;
use em_metrics::storage::Store;
use futures_util::future::join_all;
use serde_json::json;

use crate::app::App;
use crate::engine::Engine;

on_each_engine! {
    after_each_migration_the_version_before_goes_on,
    sums_of_the_version_before_go_on,
    incidents_of_the_version_before_have_a_known_beginning_or_none,
    a_schema_of_a_later_version_is_refused_and_left_as_it_is,
}

/// What the version before reads is there as it was, and what is new asks nothing of what it writes. What its queries come
/// to is held for single migrations below.
async fn after_each_migration_the_version_before_goes_on(engine: Engine) {
    let database = engine.empty_database().await;
    let mut server = database.other().await;
    let columns = async || database.texts(columns_of(engine)).await.into_iter().collect::<BTreeSet<_>>();
    let table = |column: &str| column.split('.').next().unwrap().to_owned();
    server.migrate_to(1).await;
    let mut before = columns().await;
    assert!(before.contains("deployments.project_id text, required"), "{before:?}");
    for version in 2..=sqlx::migrate!("migrations/sqlite").iter().count() {
        server.migrate_to(i64::try_from(version).unwrap()).await;
        let after = columns().await;
        let gone: Vec<_> = before.difference(&after).collect();
        assert!(gone.is_empty(), "migration {version} takes away or changes {gone:?}");
        let known: BTreeSet<_> = before.iter().map(|column| table(column)).collect();
        let asked = |column: &&String| known.contains(&table(column)) && column.ends_with("required");
        let asked: Vec<_> = after.difference(&before).filter(asked).collect();
        assert!(asked.is_empty(), "migration {version} wants {asked:?} of who does not know them");
        before = after;
    }
}

/// Of tables and views.
fn columns_of(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => {
            "SELECT m.name || '.' || c.name || ' ' || lower(c.type) || CASE WHEN c.\"notnull\" AND c.dflt_value IS NULL \
             THEN ', required' ELSE '' END FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c \
             WHERE m.type IN ('table', 'view') AND substr(m.name, 1, 1) <> '_'"
        }
        Engine::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || CASE WHEN is_nullable = 'NO' \
             AND column_default IS NULL AND is_identity = 'NO' THEN ', required' ELSE '' END \
             FROM information_schema.columns WHERE table_schema = 'public' AND left(table_name, 1) <> '_'"
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_replicas_that_start_together_one_migrates_and_the_others_wait_for_it() {
    let database = Engine::Postgres.empty_database().await;
    let mut config = Config::default();
    database.configure(&mut config);
    let opened = join_all((0..4).map(|_| Store::open(&config.storage, Duration::from_secs(5)))).await;
    for store in opened {
        store.unwrap().close().await;
    }
    let done =
        database.texts("SELECT CAST(version AS TEXT) FROM _sqlx_migrations WHERE success ORDER BY version").await;
    let all: Vec<_> =
        sqlx::migrate!("migrations/postgres").iter().map(|migration| migration.version.to_string()).collect();
    assert_eq!(done, all);
}

/// As version 2 left a deployment and two of its series.
const FACTS: &str = "
    INSERT INTO deployments (project_id, id, environment, status, first_commit_at, incident_count, counted,
        created_at, updated_at) VALUES ('shop', '1', 'production', 'started', 0, 0, 1, 1, 1);
    INSERT INTO series (metric, project_id, team_id, environment, started_at, count, sum_micros) VALUES
        ('deployment_started', 'shop', '', 'production', 1, 1, 0),
        ('lead_time_for_changes', 'shop', '', 'production', 1, 5136, 9223372036854775000);
    INSERT INTO series_bucket (series_id, bucket, count) SELECT id, 19, count FROM series WHERE count > 1;";

async fn sums_of_the_version_before_go_on(engine: Engine) {
    let database = engine.empty_database().await;
    let mut older = database.other().await;
    older.migrate_to(2).await;
    older.execute(FACTS).await;
    let app = App::start(database, |_| ()).await;
    let lead_times = async || {
        let series = app.store.series().await.unwrap();
        let of = series.iter().find(|series| series.metric == Metric::LeadTimeForChanges).unwrap();
        (of.count, of.sum_micros)
    };
    assert_eq!(lead_times().await, (5136, 9_223_372_036_854_775_000));
    app.post("/deployments/1/deployed", json!({"deployed_at": "1970-01-01T00:00:01Z"})).await.expect(200);
    assert_eq!(lead_times().await, (5137, 9_223_372_036_855_775_000), "more than 64 bits hold");

    // how it adds to a series, and makes one
    let add = "UPDATE series SET count = count + 1, sum_micros = sum_micros + 7 WHERE metric = 'lead_time_for_changes'";
    older.execute(add).await;
    assert_eq!(lead_times().await, (5138, 9_223_372_036_855_775_007));
    let make = "INSERT INTO series (metric, project_id, team_id, environment, started_at, count, sum_micros) \
                VALUES ('deployment_started', 'bank', '', 'production', 1, 0, 0) ON CONFLICT DO NOTHING";
    older.execute(make).await;
    app.post("/deployments", json!({"id": "1", "project_id": "bank", "first_commit_at": "2026-06-15T10:00:00Z"}))
        .await
        .expect(201);
    assert_eq!(app.total("deployment_started_total").await, 2.0);
}

/// What a tool has told of only when it was over, as version 6 stores it.
fn only_seen_restored(id: &str) -> String {
    format!(
        "INSERT INTO incidents (project_id, id, environment, deployment_id, started_at, restored_at, counted, created_at, \
         updated_at, seen) VALUES ('shop', '{id}', 'production', NULL, 5000000, 5000000, 0, 1, 1, \
         '{{\"steps\":[{{\"at\":5000000,\"value\":{{\"restored\":5000000}}}}],\"first\":5000000}}')"
    )
}

async fn incidents_of_the_version_before_have_a_known_beginning_or_none(engine: Engine) {
    let database = engine.empty_database().await;
    let mut older = database.other().await;
    older.migrate_to(6).await;
    older.execute(only_seen_restored("a")).await;
    let app = App::start(database, |_| ()).await;
    older.execute(only_seen_restored("b")).await;
    for id in ["a", "b"] {
        let fact = app.get(&format!("/incidents/{id}")).await.expect(200);
        assert_eq!((&fact["time_to_restore_seconds"], &fact["link"]), (&json!(null), &json!("unlinked")));
    }
    let measured = "SELECT id FROM v_incidents WHERE time_to_restore_seconds IS NOT NULL";
    assert_eq!(app.database.texts(measured).await, [""; 0]);
    let answer = app.get("/dora?from=1970-01-01&to=1970-01-02").await.expect(200);
    assert_eq!(answer["time_to_restore"]["n"], 0);
    // and as it goes on to write them
    older.execute("UPDATE incidents SET started_at = 4000000 WHERE id = 'a'").await;
    assert_eq!(app.database.texts(measured).await, ["a"]);
}

async fn a_schema_of_a_later_version_is_refused_and_left_as_it_is(engine: Engine) {
    let database = engine.app().await.stop().await;
    let mut config = Config::default();
    database.configure(&mut config);
    let refused = async || Store::open(&config.storage, Duration::from_secs(5)).await.unwrap_err().to_string();
    let migrations = "SELECT version || ' ' || description FROM _sqlx_migrations ORDER BY version";
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 9999, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    database.other().await.execute(later).await;
    let there = database.texts(migrations).await;
    let later = refused().await;
    assert!(later.contains("newer em-metrics (schema 9999): run that version or a later one"), "{later}");
    assert_eq!(database.texts(migrations).await, there);
    database.other().await.execute("DELETE FROM _sqlx_migrations WHERE version = 9999").await;
    App::start(database, |_| ()).await.get("/health/ready").await.expect(200);
}
