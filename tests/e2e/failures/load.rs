//! Clients that send a thing until it is acknowledged, to whichever replica answers, and know what must be true then.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long one thing may stay without an acknowledgement, whatever happens.
const PATIENCE: Duration = Duration::from_mins(3);
/// A new project appears so often.
const PROJECT: Duration = Duration::from_secs(8);

#[derive(Default)]
pub struct Ledger {
    /// By kind and id: the last answer about it.
    pub facts: Mutex<BTreeMap<(&'static str, String), Value>>,
    /// By instrument and project: what the acknowledged facts come to.
    pub truth: Mutex<BTreeMap<(&'static str, String), f64>>,
    pub acknowledged: AtomicU64,
    /// Tries that ended without an answer, by why.
    pub unanswered: AtomicU64,
    pub unavailable: AtomicU64,
    /// Milliseconds.
    pub longest_wait: AtomicU64,
}

/// Whether a client may see a try fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    Many,
    One,
}

pub struct Load {
    pub ledger: Arc<Ledger>,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

struct Client {
    http: reqwest::Client,
    ledger: Arc<Ledger>,
    targets: Arc<Vec<String>>,
    next: Arc<AtomicUsize>,
    random: StdRng,
    tries: Tries,
}

impl Load {
    pub fn start(clients: u64, pause: Duration, targets: Vec<String>, seed: u64, tries: Tries) -> Self {
        let (ledger, stop, next) = (Arc::<Ledger>::default(), Arc::<AtomicBool>::default(), Arc::default());
        let targets = Arc::new(targets);
        let clients = (0..clients)
            .map(|number| {
                let mut client = Client {
                    http: http(),
                    ledger: ledger.clone(),
                    targets: targets.clone(),
                    next: Arc::clone(&next),
                    random: StdRng::seed_from_u64(seed.wrapping_add(number)),
                    tries,
                };
                let stop = stop.clone();
                tokio::spawn(async move {
                    let began = Instant::now();
                    let mut stories = 0;
                    while !stop.load(Ordering::SeqCst) {
                        let project = format!("project-{}", began.elapsed().as_secs() / PROJECT.as_secs());
                        client.story(&project, &format!("{number}-{stories}")).await;
                        stories += 1;
                        // as fast as it could, it would only make the recount long
                        tokio::time::sleep(pause).await;
                    }
                })
            })
            .collect();
        Self { ledger, stop, clients }
    }

    /// Panics when a client has.
    pub async fn check(&mut self) {
        if let Some(ended) = self.clients.iter().position(JoinHandle::is_finished) {
            self.clients.swap_remove(ended).await.unwrap();
        }
    }

    /// Everybody finishes what was begun.
    pub async fn finish(self) -> Arc<Ledger> {
        self.stop.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.await.unwrap();
        }
        self.ledger
    }
}

impl Client {
    /// A deployment from its start to the end of its incident.
    async fn story(&mut self, project: &str, id: &str) {
        let id = format!("{project}.{id}");
        let body = json!({"id": id, "project_id": project, "first_commit_at": "2026-01-01T10:00:00Z"});
        self.tell("deployment", &id, "/deployments".to_owned(), body).await;
        self.count("deployment_started_total", project);
        if self.random.random_bool(0.1) {
            self.tell("deployment", &id, format!("/deployments/{id}/failed"), json!({})).await;
            return self.count("deployment_failed_total", project);
        }
        self.tell("deployment", &id, format!("/deployments/{id}/deployed"), json!({})).await;
        self.count("deployment_frequency_total", project);
        self.count("lead_time_for_changes_seconds_count", project);
        if self.random.random_bool(0.7) {
            return;
        }
        self.count("change_failure_count_total", project);
        if self.random.random_bool(0.3) {
            return self.tell("deployment", &id, format!("/deployments/{id}/rolled-back"), json!({})).await;
        }
        let body = json!({"id": id, "project_id": project, "deployment_id": id});
        self.tell("incident", &id, "/incidents".to_owned(), body).await;
        self.count("incident_count_total", project);
        let path = format!("/incidents/{id}/restored?project_id={project}");
        self.tell("incident", &id, path, json!({})).await;
        self.count("incident_restored_total", project);
    }

    fn count(&self, series: &'static str, project: &str) {
        *self.ledger.truth.lock().unwrap().entry((series, project.to_owned())).or_default() += 1.0;
    }

    /// Until it is acknowledged.
    async fn tell(&mut self, kind: &'static str, id: &str, path: String, body: Value) {
        let began = Instant::now();
        loop {
            let target = &self.targets[self.next.fetch_add(1, Ordering::Relaxed) % self.targets.len()];
            let sent = self.http.post(format!("{target}{path}")).json(&body).send().await;
            // an answer that breaks off in the middle is none
            let answer = match sent {
                Ok(response) => {
                    let (status, retry) = (response.status(), response.headers().contains_key("retry-after"));
                    response.text().await.map(|text| (status, retry, text))
                }
                Err(error) => Err(error),
            };
            match &answer {
                Ok((status, _, text)) if status.is_success() => {
                    let fact = serde_json::from_str(text).unwrap();
                    self.ledger.facts.lock().unwrap().insert((kind, id.to_owned()), fact);
                    self.ledger.acknowledged.fetch_add(1, Ordering::Relaxed);
                    let waited = u64::try_from(began.elapsed().as_millis()).unwrap();
                    self.ledger.longest_wait.fetch_max(waited, Ordering::Relaxed);
                    return;
                }
                Ok((status, retry, text)) => {
                    assert!(status.as_u16() == 503 && *retry, "{target}{path}: {status} {text}");
                    self.ledger.unavailable.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => {
                    self.ledger.unanswered.fetch_add(1, Ordering::Relaxed);
                }
            }
            assert!(self.tries == Tries::Many, "{target}{path} failed: {answer:?}");
            assert!(began.elapsed() < PATIENCE, "{path} is not acknowledged: {answer:?}");
            tokio::time::sleep(Duration::from_millis(self.random.random_range(20..200))).await;
        }
    }
}

/// Less patient than the service: what it does for a caller that has gone is to be counted once as well.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(1));
    builder.timeout(Duration::from_secs(3)).build().unwrap()
}
