use std::path::Path;

use super::*;

const LIMIT: Duration = Duration::from_secs(15);

fn storage(path: &Path) -> config::Storage {
    config::Storage { sqlite_db: path.to_owned(), ..config::Storage::default() }
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_does_not_stop_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&storage(&folder.path().join("facts.db")), LIMIT).await.unwrap();
    let Pool::Sqlite { write, .. } = &store.pool else { panic!("not SQLite") };
    sqlx::query("CREATE TABLE one (x INTEGER PRIMARY KEY)").execute(write).await.unwrap();
    let mut ended = write.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("INSERT INTO one VALUES (1)").execute(&mut *ended).await.unwrap();
    // it rolls all of it back, as SQLite does when the disk is full
    assert!(sqlx::query("INSERT OR ROLLBACK INTO one VALUES (1)").execute(&mut *ended).await.is_err());
    drop(ended);

    let mut next = write.begin_with("BEGIN IMMEDIATE").await.unwrap();
    sqlx::query("INSERT INTO one VALUES (1)").execute(&mut *next).await.unwrap();
    next.commit().await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn a_file_is_locked_under_every_name_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("facts.db"), folder.path().join("link.db"));
    let first = Store::open(&storage(&file), LIMIT).await.unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let error = Store::open(&storage(&link), LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("another em-metrics is using"), "{error}");
    first.close().await;
}
