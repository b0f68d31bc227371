//! A disk that is really full: whoever sends is told so, whoever reads is answered, and when there is space again all
//! goes on by itself, with every acknowledged fact there once.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::database::Postgres;
use super::disk::Disk;
use super::load::{Load, Tries};
use super::verdict;
use crate::process::{Service, client};
use crate::recount;

const PATIENCE: Duration = Duration::from_mins(1);
/// Who writes, who reads, who keeps the index and who reads the inbox say so once, and each connection that it was cut.
const MOST_SAID: usize = 20;
/// How long it stays full.
const FULL: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_sqlite_is_told_and_outlived() {
    let disk = Disk::new("64m");
    let file = disk.path().join("facts.db").display().to_string();
    let mut service = Service::new(vec![("SQLITE_DB".to_owned(), file.clone())]);
    service.start().await;
    let load = begin(&service).await;
    disk.fill();
    expect_full(&service, &load).await;
    disk.make_space();
    goes_on(&service, load).await;
    service.stop().await;
    recount::check(&format!("sqlite:{file}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_postgres_is_told_and_outlived() {
    let disk = Disk::new("96m");
    let elsewhere = Disk::new("64m");
    let database = Postgres::on(disk.path(), elsewhere.path()).await;
    let mut service = Service::new(vec![("DATABASE_URL".to_owned(), database.url())]);
    service.start().await;
    let load = begin(&service).await;
    disk.fill();
    expect_full(&service, &load).await;
    disk.make_space();
    goes_on(&service, load).await;
    recount::check(&database.url()).await;
    service.stop().await;
}

/// Then PostgreSQL itself gives up, and somebody has to start it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_under_the_log_of_postgres_is_outlived() {
    let elsewhere = Disk::new("96m");
    let disk = Disk::new("16m");
    let mut database = Postgres::on(elsewhere.path(), disk.path()).await;
    let mut service = Service::new(vec![("DATABASE_URL".to_owned(), database.url())]);
    service.start().await;
    let load = begin(&service).await;
    disk.fill();
    until_ready_says(&service, 503).await;
    refused(&service, &load).await;
    stays_few_words(&service, &load).await;
    disk.make_space();
    // it may have come back by itself, or not be able to any more
    tokio::time::sleep(Duration::from_secs(1)).await;
    if !database.is_running() {
        database.resume().await;
    }
    goes_on(&service, load).await;
    recount::check(&database.url()).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_at_the_start_and_one_that_only_reads_are_told() {
    let disk = Disk::new("16m");
    let file = disk.path().join("facts.db");
    let mut service = Service::new(vec![("SQLITE_DB".to_owned(), file.display().to_string())]);
    disk.fill();
    let words = service.try_start().await.unwrap_err();
    assert!(words.contains("cannot open the SQLite file") && words.contains("make space on its disk"), "{words}");
    disk.make_space();
    service.start().await;
    service.stop().await;
    disk.close();
    let words = service.try_start().await.unwrap_err();
    assert!(words.contains("Read-only file system") && words.contains("that this user may write to"), "{words}");
}

async fn begin(service: &Service) -> Load {
    let load = Load::start(6, Duration::from_millis(10), vec![service.url("")], rand::random(), Tries::Many);
    until_acknowledged(&load, 200).await;
    load
}

async fn until_acknowledged(load: &Load, more: u64) {
    let wanted = load.ledger.acknowledged.load(Ordering::SeqCst) + more;
    let deadline = Instant::now() + PATIENCE;
    while load.ledger.acknowledged.load(Ordering::SeqCst) < wanted {
        assert!(Instant::now() < deadline, "nothing is acknowledged");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_ready_says(service: &Service, status: u16) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client().get(service.url("/health/ready")).send().await.unwrap();
        let found = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        if found == status {
            return text;
        }
        assert!(Instant::now() < deadline, "{found}: {text}; {}", service.words());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Full, and nothing but.
async fn expect_full(service: &Service, load: &Load) {
    let ready = until_ready_says(service, 503).await;
    assert!(ready.contains("the disk of the database is full"), "{ready}");
    let refused = refused(service, load).await;
    assert!(refused.contains("the disk of the database is full, and somebody has to make space there"), "{refused}");
    for path in ["/deployments", "/dora", "/export", "/metrics", "/inbox", "/journal", "/"] {
        let answer = client().get(service.url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text().await.unwrap());
    }
    stays_few_words(service, load).await;
    assert!(service.words().contains("the disk of the database is full: make space there"), "{}", service.words());
}

/// What nobody retries leaves no trace; the verdict would find it. What still fits into the pages that PostgreSQL has got
/// is taken, and has to be there like all the rest.
async fn refused(service: &Service, load: &Load) -> String {
    let deadline = Instant::now() + PATIENCE;
    for n in 0.. {
        let id = format!("refused-{n}");
        let body = json!({"id": id, "project_id": id, "first_commit_at": "2026-01-01T10:00:00Z"});
        let answer = client().post(service.url("/deployments")).json(&body).send().await.unwrap();
        let retry = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
        if status == 201 {
            let fact = serde_json::from_str(&text).unwrap();
            load.ledger.facts.lock().unwrap().insert(("deployment", id), fact);
            assert!(Instant::now() < deadline, "everything fits");
            continue;
        }
        assert_eq!((status, retry.as_deref()), (503, Some("1")), "{text}");
        assert!(text.contains("/problems/unavailable"), "{text}");
        return text;
    }
    unreachable!()
}

/// For a while, with many who try.
async fn stays_few_words(service: &Service, load: &Load) {
    let before = load.ledger.unavailable.load(Ordering::SeqCst);
    tokio::time::sleep(FULL).await;
    let tries = load.ledger.unavailable.load(Ordering::SeqCst) - before;
    until_ready_says(service, 503).await;
    let words = service.words();
    let complaints = words.lines().filter(|line| line.contains("ERROR") || line.contains("WARN")).count();
    println!("{tries} tries were answered with 503, {complaints} lines say why");
    assert!(tries > 50, "hardly anybody tried: {tries}");
    assert!(complaints <= MOST_SAID, "{words}");
}

/// By itself, with all that was acknowledged.
async fn goes_on(service: &Service, load: Load) {
    until_ready_says(service, 200).await;
    until_acknowledged(&load, 200).await;
    let ledger = load.finish().await;
    let urls = [service.url("")];
    verdict::facts_are_there_once(&client(), &urls, &ledger).await;
    verdict::replicas_show_the_truth(&client(), &urls, &ledger).await;
}
