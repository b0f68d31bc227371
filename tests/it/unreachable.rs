//! A PostgreSQL that cannot be used at the start: what is wrong is said, and what to do.

use std::time::Duration;

use em_metrics::config::{Config, Storage};
use em_metrics::storage::Store;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

use crate::app::App;
use crate::engine::Engine;

/// What is said when it is to be opened.
async fn said(address: &Url) -> String {
    let storage = Storage { database_url: Some(address.to_string().into()), ..Storage::default() };
    match Store::open(&storage, Duration::from_secs(5)).await {
        Ok(_) => panic!("it opens"),
        Err(error) => error.to_string(),
    }
}

async fn tell(address: &Url, sql: String) {
    let mut server = PgConnection::connect(address.as_str()).await.unwrap();
    sqlx::query("SET default_transaction_read_only = off").execute(&mut server).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut server).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_server_is_said_with_what_to_do() {
    let database = Engine::Postgres.empty_database().await;
    let address: Url = database.url().parse().unwrap();
    let name = address.path().trim_start_matches('/').to_owned();

    // what a replica says to every change
    tell(&address, format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on")).await;
    let read_only = said(&address).await;
    assert!(read_only.contains("name the primary server in DATABASE_URL"), "{read_only}");
    tell(&address, format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = off")).await;

    let mut weak = address.clone();
    weak.set_username(&format!("weak_{name}")).unwrap();
    let nobody = said(&weak).await;
    assert!(nobody.contains("check the user and the password"), "{nobody}");
    tell(&address, format!("CREATE ROLE \"weak_{name}\" LOGIN")).await;
    let forbidden = said(&weak).await;
    tell(&address, format!("DROP ROLE \"weak_{name}\"")).await;
    assert!(forbidden.contains("GRANT CREATE, USAGE ON SCHEMA public"), "{forbidden}");

    let mut missing = address.clone();
    missing.set_path("/there_is_no_such_database");
    let missing = said(&missing).await;
    assert!(missing.contains("make that database"), "{missing}");

    let mut silent = address.clone();
    silent.set_port(Some(1)).unwrap();
    let silent = said(&silent).await;
    assert!(silent.contains("refused") && silent.contains("is it running"), "{silent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_only_use_the_tables_serves_and_is_told_what_is_missing() {
    let database = Engine::Postgres.database().await;
    let address: Url = database.url().parse().unwrap();
    let role = format!("\"user_{}\"", address.path().trim_start_matches('/'));
    let mut weak = address.clone();
    weak.set_username(role.trim_matches('"')).unwrap();
    tell(&address, format!("CREATE ROLE {role} LOGIN")).await;
    let nothing = said(&weak).await;
    assert!(nothing.contains("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES"), "{nothing}");
    tell(&address, format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
    let reading = said(&weak).await;
    assert!(
        reading.contains("cannot use deployments, incidents,") && reading.contains("GRANT SELECT, INSERT"),
        "{reading}"
    );
    tell(&address, format!("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")).await;

    tell(&address, format!("ALTER ROLE {role} CONNECTION LIMIT 0")).await;
    let crowded = said(&weak).await;
    assert!(crowded.contains("too many connections") && crowded.contains("allow it more connections"), "{crowded}");
    tell(&address, format!("ALTER ROLE {role} CONNECTION LIMIT -1")).await;

    let configure = |config: &mut Config| config.storage.database_url = Some(weak.to_string().into());
    let app = App::start(database, configure).await;
    let start = |id: &str| json!({"id": id, "project_id": "shop", "first_commit_at": "2026-06-15T10:00:00Z"});
    app.post("/deployments", start("1")).await.expect(201);
    tell(&address, format!("REVOKE INSERT ON journal FROM {role}")).await;
    let answer = app.unavailable(start("2")).await;
    assert!(answer.text.contains("whose log says what to grant"), "{}", answer.text);
    app.get("/health/ready").await.expect_problem(503, "unavailable");
    app.get("/deployments/1").await.expect(200);
    tell(&address, format!("GRANT INSERT ON journal TO {role}")).await;
    app.comes_back().await;
    app.post("/deployments", start("2")).await.expect(201);
    app.expect_exact().await;
    let database = app.stop().await;

    // an older schema is for its owner to change
    tell(&address, "DELETE FROM _sqlx_migrations WHERE version > 7".to_owned()).await;
    for grant in [String::new(), format!("GRANT CREATE ON SCHEMA public TO {role}")] {
        tell(&address, grant).await;
        let older = said(&weak).await;
        assert!(older.contains("it has schema 7") && older.contains("run `em-metrics migrate` as the user"), "{older}");
    }
    tell(&address, format!("DROP OWNED BY {role}")).await;
    tell(&address, format!("DROP ROLE {role}")).await;
    drop(database);
}
