//! SIGKILL at random moments under load: what was answered with 2xx is there, nothing is half there.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::process::{Service, client};
use crate::recount;

const CLIENTS: usize = 16;

/// What clients have been told, and what they have asked for without hearing back.
#[derive(Default)]
struct Ledger {
    /// Path and fact of every 2xx answer; a later answer about the same fact replaces the earlier.
    acknowledged: Mutex<Vec<(String, Value)>>,
    /// How many facts were asked to be made.
    asked: AtomicU64,
    next: AtomicU64,
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed_on_sqlite() {
    sqlite(|environment, database| async move { kill_under_load(environment, &database, 30).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed_on_postgres() {
    postgres(|environment, database| async move { kill_under_load(environment, &database, 10).await }).await;
}

/// On a fresh file: what the service is to be told, and the database's address.
pub async fn sqlite<F: Future<Output = ()>>(test: impl FnOnce(Vec<(String, String)>, String) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("facts.db").display().to_string();
    test(vec![("SQLITE_DB".into(), file.clone())], format!("sqlite:{file}")).await;
}

/// The same on a fresh database.
pub async fn postgres<F: Future<Output = ()>>(test: impl FnOnce(Vec<(String, String)>, String) -> F) {
    let server = std::env::var("EM_TEST_POSTGRES").expect("EM_TEST_POSTGRES is not set: run the tests by scripts/test");
    let name = format!("crash_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    let mut url = url::Url::parse(&server).unwrap();
    url.set_path(&name);
    test(vec![("DATABASE_URL".into(), url.to_string())], url.into()).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut connection).await.unwrap();
}

async fn kill_under_load(environment: Vec<(String, String)>, database: &str, kills: usize) {
    // printed when the test fails, to see the same moments again
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let ledger = Arc::new(Ledger::default());
    let client = client();
    let mut service = Service::new(environment);
    let mut checked = 0;
    for round in 0..kills {
        service.start().await;
        checked += verify(&client, &service, &ledger, checked).await;
        let killed = Arc::new(AtomicBool::new(false));
        let base = service.url("");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                tokio::spawn(send_until(client.clone(), killed.clone(), ledger.clone(), base.clone(), random.random()))
            })
            .collect();
        // the moment of the kill is the randomness that is under test
        tokio::time::sleep(Duration::from_millis(random.random_range(20..400))).await;
        service.kill().await;
        killed.store(true, Ordering::SeqCst);
        for client in clients {
            client.await.unwrap();
        }
        if round % 5 == 4 || round + 1 == kills {
            recount::check(database).await;
        }
    }
    service.start().await;
    verify(&client, &service, &ledger, 0).await;
    service.stop().await;
    recount::check(database).await;
    let acknowledged = ledger.acknowledged.lock().unwrap().len();
    println!(
        "{kills} kills, {acknowledged} acknowledged answers, {} facts asked for",
        ledger.asked.load(Ordering::SeqCst)
    );
    assert!(acknowledged > kills * 10, "there was hardly any load: {acknowledged} answers");
}

/// Every acknowledged fact from the `from`th on is there, as it was answered or further on.
async fn verify(client: &reqwest::Client, service: &Service, ledger: &Ledger, from: usize) -> usize {
    let acknowledged: Vec<_> = ledger.acknowledged.lock().unwrap()[from..].to_vec();
    for (path, answered) in &acknowledged {
        let response = client.get(service.url(path)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path} was acknowledged and is gone");
        let stored: Value = response.json().await.unwrap();
        for (field, value) in answered.as_object().unwrap() {
            let may_move_on = ["status", "incidents", "updated_at"].contains(&field.as_str()) || value.is_null();
            assert!(may_move_on || &stored[field] == value, "{path}: {field} was {value}, is {}", stored[field]);
        }
    }
    let facts = client.get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let total = |name: &str| -> f64 {
        let lines = facts.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    };
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let asked = ledger.asked.load(Ordering::SeqCst) as f64;
    let made = total("deployment_started_total{") + total("incident_count_total{");
    assert!(made <= asked, "{made} facts counted, {asked} asked for");
    acknowledged.len()
}

async fn send_until(client: reqwest::Client, killed: Arc<AtomicBool>, ledger: Arc<Ledger>, base: String, seed: u64) {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut mine: Vec<String> = Vec::new();
    while !killed.load(Ordering::SeqCst) {
        let project = format!("project-{}", random.random_range(0..5));
        let action = random.random_range(0..10);
        let (path, body) = match (action, mine.choose(&mut random)) {
            (4..7, Some(id)) => (format!("/deployments/{id}/deployed"), json!({})),
            (7, Some(id)) => (format!("/deployments/{id}/rolled-back"), json!({})),
            (8, Some(id)) => {
                let project = id.split('.').next().unwrap();
                ledger.asked.fetch_add(1, Ordering::SeqCst);
                ("/incidents".to_owned(), json!({"project_id": project, "deployment_id": id}))
            }
            _ => {
                let id = format!("{project}.{}", ledger.next.fetch_add(1, Ordering::SeqCst));
                ledger.asked.fetch_add(1, Ordering::SeqCst);
                mine.push(id.clone());
                (
                    "/deployments".to_owned(),
                    json!({"id": id, "project_id": project, "first_commit_at": "2026-01-01T00:00:00Z"}),
                )
            }
        };
        let Ok(response) = client.post(format!("{base}{path}")).json(&body).send().await else { continue };
        let status = response.status();
        assert!(!status.is_server_error(), "{status} for {path}");
        let Ok(fact) = response.json::<Value>().await else { continue };
        if status.is_success() {
            let collection = path.split('/').nth(1).unwrap();
            let read = format!(
                "/{collection}/{}?project_id={}",
                fact["id"].as_str().unwrap(),
                fact["project_id"].as_str().unwrap()
            );
            ledger.acknowledged.lock().unwrap().push((read, fact));
        }
    }
}
