//! A PostgreSQL that cannot be used at the start: what is wrong is said, and what to do.

use std::time::Duration;

use em_metrics::config::Storage;
use em_metrics::storage::Store;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

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
