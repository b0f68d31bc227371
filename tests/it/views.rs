//! The views for other programs: what they say is what the answers say, and a reader of them reads nothing else.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};

use crate::app::App;
use crate::engine::{Engine, Other};

on_each_engine! {
    days_add_up_to_the_answers,
    facts_are_as_the_answers_count_them,
    what_is_deleted_is_not_there,
}

impl Other {
    /// One number.
    async fn number(&mut self, sql: &str) -> f64 {
        let sql = format!("SELECT CAST(({sql}) AS DOUBLE PRECISION)");
        match self {
            Self::Sqlite(file) => sqlx::query(AssertSqlSafe(sql)).fetch_one(file).await.unwrap().get(0),
            Self::Postgres(server) => sqlx::query(AssertSqlSafe(sql)).fetch_one(server).await.unwrap().get(0),
        }
    }
}

async fn record(app: &App) {
    let deployed = |id: &str, at: &str, changes: Value| {
        let body =
            json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-01T00:00:00Z", "deployed_at": at});
        ("/deployments", crate::http::with(body, changes))
    };
    let incident =
        |id: &str, body: Value| ("/incidents", crate::http::with(json!({"id": id, "project_id": "shop"}), body));
    for (path, body) in [
        deployed("1", "2026-06-02T10:00:00.5Z", json!({"unplanned": true})),
        deployed("2", "2026-06-02T23:59:59.999999Z", json!({"team_id": "red"})),
        ("/deployments/2/rolled-back", json!({"project_id": "shop", "rolled_back_at": "2026-06-03T01:00:00Z"})),
        deployed("3", "2026-06-04T00:00:00Z", json!({})),
        deployed("4", "2026-06-04T01:00:00Z", json!({"environment": "staging"})),
        deployed("5", "", json!({"deployed_at": null, "deploy_start_at": "2026-06-04T01:00:00Z"})),
        ("/deployments/5/failed", json!({"project_id": "shop", "failed_at": "2026-06-04T02:00:00Z"})),
        // one of its two is not over
        deployed("6", "2026-06-05T01:00:00Z", json!({})),
        incident(
            "a",
            json!({"deployment_id": "1", "started_at": "2026-06-02T11:00:00Z", "restored_at": "2026-06-02T12:30:00Z"}),
        ),
        incident(
            "b",
            json!({"deployment_id": "6", "started_at": "2026-06-05T02:00:00Z", "restored_at": "2026-06-05T03:00:00Z"}),
        ),
        incident("c", json!({"deployment_id": "6", "started_at": "2026-06-05T04:00:00Z"})),
        incident("d", json!({"started_at": "2026-06-06T04:00:00Z"})),
    ] {
        let answer = app.post(path, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }
    let unknown = app.request(Method::PATCH, "/deployments/3").json(&json!({"first_commit_at": null}));
    assert_eq!(unknown.send().await.unwrap().status(), 200);
}

async fn days_add_up_to_the_answers(engine: Engine) {
    let app = engine.app().await;
    record(&app).await;
    let mut other = app.database.other().await;
    for (from, to) in [("2026-06-01", "2026-06-15"), ("2026-06-02", "2026-06-03"), ("2026-06-04", "2026-06-06")] {
        let answer = app.get(&format!("/dora?from={from}&to={to}")).await.expect(200);
        for (column, expected) in [
            ("deployments", &answer["deployment_frequency"]["deployments"]),
            ("failed_in_use", &answer["change_failure_rate"]["failed"]),
            ("unplanned", &answer["deployment_rework_rate"]["unplanned"]),
            ("lead_times", &answer["lead_time_for_changes"]["n"]),
            ("pipelines_failed", &answer["pipelines"]["failed"]),
            ("incidents_started", &answer["incidents"]["started"]),
        ] {
            let sql = format!(
                "SELECT COALESCE(sum({column}), 0) FROM v_dora_daily WHERE day >= '{from}' AND day < '{to}' AND environment = 'production'"
            );
            assert_eq!(other.number(&sql).await, expected.as_f64().unwrap(), "{column} {from}");
        }
        let sql = format!(
            "SELECT sum(lead_time_seconds) / sum(lead_times) FROM v_dora_daily WHERE day >= '{from}' AND day < '{to}' AND environment = 'production'"
        );
        let mean = answer["lead_time_for_changes"]["mean_seconds"].as_f64().unwrap();
        assert!((other.number(&sql).await - mean).abs() < 1e-3, "{from}");
    }
}

async fn facts_are_as_the_answers_count_them(engine: Engine) {
    let app = engine.app().await;
    record(&app).await;
    let mut other = app.database.other().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM v_deployments", 6.0),
        ("SELECT count(*) FROM v_deployments WHERE failed_in_use", 3.0),
        // after an hour and a half; and rolled back after an hour, by a microsecond
        ("SELECT recovery_seconds FROM v_deployments WHERE id = '1'", 5400.0),
        ("SELECT recovery_seconds FROM v_deployments WHERE id = '2'", 3_600.000_001),
        ("SELECT count(*) FROM v_deployments WHERE id = '6' AND failed_in_use AND recovery_seconds IS NULL", 1.0),
        ("SELECT count(recovery_seconds) FROM v_deployments", 2.0),
        ("SELECT lead_time_seconds FROM v_deployments WHERE id = '1'", 122_400.5),
        ("SELECT count(*) FROM v_deployments WHERE unplanned", 1.0),
        ("SELECT count(*) FROM v_incidents", 4.0),
        ("SELECT time_to_restore_seconds FROM v_incidents WHERE id = 'a'", 5400.0),
        ("SELECT time_to_detect_seconds FROM v_incidents WHERE id = 'a'", 3599.5),
        ("SELECT count(time_to_detect_seconds) FROM v_incidents", 3.0),
        (
            "SELECT count(*) FROM v_deployments WHERE deployed_at >= '2026-06-02T10:00:00.500000Z' AND deployed_at < '2026-06-03'",
            2.0,
        ),
    ] {
        let found = other.number(sql).await;
        assert!((found - expected).abs() < 1e-9, "{sql}: {found}");
    }
    // the middle of two
    let answer = app.get("/dora?from=2026-06-01").await.expect(200);
    let recovery = &answer["failed_deployment_recovery_time"];
    assert_eq!(
        (&recovery["n"], &recovery["open"], &recovery["mean_seconds"]),
        (&json!(2), &json!(1), &json!(4_500.000_000_5))
    );
}

async fn what_is_deleted_is_not_there(engine: Engine) {
    let app = engine.app().await;
    record(&app).await;
    for path in ["/deployments/2", "/incidents/a", "/deployments/5"] {
        assert_eq!(app.request(Method::DELETE, path).send().await.unwrap().status(), 204);
    }
    let mut other = app.database.other().await;
    for (sql, expected) in [
        ("SELECT count(*) FROM v_deployments", 4.0),
        ("SELECT count(*) FROM v_incidents", 3.0),
        ("SELECT count(*) FROM v_deployments WHERE failed_in_use", 1.0),
        ("SELECT sum(deployments + pipelines_failed) FROM v_dora_daily WHERE environment = 'production'", 3.0),
        ("SELECT sum(failed_in_use) FROM v_dora_daily", 1.0),
        ("SELECT sum(incidents_started) FROM v_dora_daily", 3.0),
    ] {
        assert_eq!(other.number(sql).await, expected, "{sql}");
    }
}

/// What `grafana/reader.sql` makes.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_views_reads_nothing_else() {
    let app = Engine::Postgres.app().await;
    record(&app).await;
    let mut owner = PgConnection::connect(&app.database.url()).await.unwrap();
    let role = reader(&mut owner).await;
    let mut reader = PgConnection::connect(&app.database.url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("SET SESSION AUTHORIZATION {role}"))).execute(&mut reader).await.unwrap();
    for view in ["v_deployments", "v_incidents", "v_dora_daily"] {
        let row =
            sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM {view}"))).fetch_one(&mut reader).await.unwrap();
        assert!(row.get::<i64, _>(0) > 0, "{view}");
    }
    for forbidden in [
        "SELECT 1 FROM deployments",
        "SELECT 1 FROM journal",
        "SELECT 1 FROM series",
        "SELECT 1 FROM identity",
        "DELETE FROM v_incidents",
        "INSERT INTO incidents (id) VALUES ('x')",
        "CREATE TABLE mine (id INTEGER)",
    ] {
        let error = sqlx::raw_sql(forbidden).execute(&mut reader).await.unwrap_err();
        let code = error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        assert!(matches!(code.as_deref(), Some("42501" | "25006")), "{forbidden}: {error}");
    }
    reader.close().await.unwrap();
    drop_reader(&mut owner, &role).await;
}

/// Runs the file twice, for a role of this test: roles are of the server, and other tests use it too.
pub async fn reader(owner: &mut PgConnection) -> String {
    let sql = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/grafana/reader.sql")).unwrap();
    let role = format!("em_reader_{}", uuid::Uuid::new_v4().simple());
    let sql = sql.replace("em_metrics_reader", &role);
    for _ in 0..2 {
        sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut *owner).await.unwrap();
    }
    role
}

pub async fn drop_reader(owner: &mut PgConnection, role: &str) {
    let drop = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(owner).await.unwrap();
}
