//! SIGKILL between the 200 for a delivery and the fact that it becomes: nothing that got its 200 is lost, nothing
//! counts twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use em_metrics::domain::Timestamp;
use em_metrics::webhooks::vendor;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::crash::{postgres, sqlite};
use crate::process::{Service, client};
use crate::recount;

const SENDERS: usize = 16;
const SECRET: &str = "a secret of the tests";
/// What is claimed when its process dies is somebody's for a minute, where there may be others; and a file's is due at
/// the next start.
const PATIENCE: Duration = Duration::from_mins(3);
const PATIENCE_OF_A_FILE: Duration = Duration::from_secs(45);

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_delivery_is_lost_when_the_process_is_killed_on_sqlite() {
    sqlite(|environment, database| async move { kill_under_deliveries(environment, &database, 12).await }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answered_delivery_is_lost_when_the_process_is_killed_on_postgres() {
    postgres(|environment, database| async move { kill_under_deliveries(environment, &database, 8).await }).await;
}

/// The deliveries that were answered with 200; each is about a deployment of its own.
#[derive(Default)]
struct Answered {
    deliveries: Mutex<BTreeSet<u64>>,
    next: AtomicU64,
}

async fn kill_under_deliveries(environment: Vec<(String, String)>, database: &str, kills: usize) {
    // printed when the test fails, to see the same moments again
    let seed = rand::random::<u64>();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let answered = Arc::new(Answered::default());
    let client = client();
    let mut service = Service::new(environment);
    service.configure([("EM_METRICS_WEBHOOK_GITHUB_SECRET", SECRET.to_owned())]);
    let mut caught = 0;
    for _ in 0..kills {
        service.start().await;
        let killed = Arc::new(AtomicBool::new(false));
        let url = service.url("/webhooks/github");
        let sender = || tokio::spawn(send_until(client.clone(), killed.clone(), answered.clone(), url.clone()));
        let senders: Vec<_> = std::iter::repeat_with(sender).take(SENDERS).collect();
        // the moment of the kill is the randomness that is under test
        tokio::time::sleep(Duration::from_millis(random.random_range(20..400))).await;
        service.kill().await;
        killed.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.await.unwrap();
        }
        caught += recount::count(database, "SELECT COUNT(*) AS n FROM inbox WHERE state = 'received'").await;
    }
    service.start().await;
    let patience = if database.starts_with("sqlite") { PATIENCE_OF_A_FILE } else { PATIENCE };
    let deadline = tokio::time::Instant::now() + patience;
    while !every(&client, &service, "/inbox?state=received&limit=1000").await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "deliveries are still waiting");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let inbox = every(&client, &service, "/inbox?limit=1000").await;
    let facts = every(&client, &service, "/deployments?limit=1000").await;
    service.stop().await;
    recount::check(database).await;

    let mut by_delivery: BTreeMap<u64, &Value> = BTreeMap::new();
    for delivery in &inbox {
        assert_eq!(delivery["state"], "done", "{delivery}");
        let id = delivery["delivery"].as_str().unwrap().parse().unwrap();
        assert!(by_delivery.insert(id, delivery).is_none(), "{id} is in the inbox twice");
    }
    let ids: BTreeSet<_> = facts.iter().map(|fact| fact["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), facts.len(), "a fact is there twice");
    assert_eq!(ids, by_delivery.keys().map(|id| format!("github:{id}")).collect(), "the inbox against the facts");
    let answered = answered.deliveries.lock().unwrap();
    let lost: Vec<_> = answered.iter().filter(|id| !by_delivery.contains_key(id)).collect();
    assert!(lost.is_empty(), "answered with 200, and gone: {lost:?}");
    println!("{kills} kills, {} answered, {} facts, {caught} were no facts yet at a kill", answered.len(), facts.len());
    assert!(answered.len() > kills * 10, "there was hardly any load: {} answers", answered.len());
    assert!(caught > 0, "no kill came between an answer and its fact");
}

/// Every item of a list, page after page as the `Link` headers lead.
async fn every(client: &reqwest::Client, service: &Service, path: &str) -> Vec<Value> {
    let (mut items, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let response = client.get(service.url(&path)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let link = response.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.and_then(|link| Some(link.strip_prefix('<')?.split_once('>')?.0.to_owned()));
        items.extend(response.json::<Vec<Value>>().await.unwrap());
    }
    items
}

async fn send_until(client: reqwest::Client, killed: Arc<AtomicBool>, answered: Arc<Answered>, url: String) {
    let scheme = vendor("github").unwrap().schemes[0];
    while !killed.load(Ordering::SeqCst) {
        let id = answered.next.fetch_add(1, Ordering::SeqCst);
        let deployment = json!({"id": id, "sha": format!("{id:040x}"), "environment": "production",
            "created_at": "2026-01-01T00:00:00Z"});
        let status = json!({"state": "success", "created_at": "2026-01-01T00:05:00Z"});
        let repository = json!({"full_name": format!("acme/shop-{}", id % 5)});
        let body = json!({"action": "created", "deployment": deployment, "deployment_status": status,
            "repository": repository});
        let (body, signed) = scheme.sign(body.to_string().as_bytes(), SECRET, Timestamp::EPOCH);
        let request = client.post(&url).header("x-github-event", "deployment_status");
        let request = request.header("x-github-delivery", id.to_string()).body(body);
        let request = signed.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let Ok(response) = request.send().await else { continue };
        assert_eq!(response.status(), 200);
        answered.deliveries.lock().unwrap().insert(id);
    }
}
