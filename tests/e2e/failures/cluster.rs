//! Replicas, their database and their network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::database::Postgres;
use super::network::{Cable, Network};
use super::trouble::Trouble;
use crate::process::Service;

/// How long anything may take to come right again.
const PATIENCE: Duration = Duration::from_mins(1);

pub struct Cluster {
    pub replicas: Vec<Service>,
    pub database: Postgres,
    pub network: Network,
    reigns: Arc<Mutex<Vec<Reign>>>,
    watch: Option<JoinHandle<()>>,
    folder: TempDir,
}

/// Who has been seen to hold the exporter's lock, and since when.
pub type Reign = (Instant, usize);

impl Cluster {
    pub async fn new(replicas: usize) -> Self {
        let network = Network::new(replicas);
        let database = Postgres::start(&network.here(Cable::Database)).await;
        let folder = tempfile::tempdir().unwrap();
        Self { replicas: Vec::new(), database, network, reigns: Arc::default(), watch: None, folder }
    }

    pub async fn start(&mut self, replicas: usize, collector: &str, cycle: Duration) {
        // so that what is stuck gives up while the test still looks
        let config = self.folder.path().join("config.json");
        std::fs::write(&config, json!({"server": {"request_timeout_seconds": 10}}).to_string()).unwrap();
        let environment = [
            ("CONFIG", config.display().to_string()),
            ("DATABASE_URL", self.database.url_at(&self.network.here(Cable::Database))),
            ("OTEL_COLLECTOR_URL", collector.to_owned()),
            ("OTEL_METRIC_EXPORT_INTERVAL", cycle.as_millis().to_string()),
            // as the ten seconds are to the fifteen of a cycle
            ("OTEL_EXPORTER_OTLP_TIMEOUT", (cycle * 2 / 3).as_millis().to_string()),
        ];
        let environment: Vec<_> = environment.map(|(name, value)| (name.to_owned(), value)).into();
        for place in 0..replicas {
            let host = self.network.address(Cable::Front, place);
            let mut replica = Service::within(self.network.namespace(place), host, environment.clone());
            replica.start().await;
            self.replicas.push(replica);
        }
        let addresses = (0..replicas).map(|place| self.network.address(Cable::Database, place)).collect();
        self.watch = Some(tokio::spawn(watch(self.database.url(), addresses, self.reigns.clone())));
    }

    pub fn urls(&self) -> Vec<String> {
        self.replicas.iter().map(|replica| replica.url("")).collect()
    }

    /// Every change of the exporter so far.
    pub fn leaders(&self) -> Vec<Reign> {
        self.reigns.lock().unwrap().clone()
    }

    /// Whoever was last seen to export.
    pub fn leader(&self) -> Option<usize> {
        self.leaders().last().map(|(_, place)| *place)
    }

    /// Something happens to the exporter; how long it took until another one was it. Then all is well again.
    pub async fn leader_falls(&mut self, trouble: Trouble) -> Duration {
        self.until(|cluster| cluster.leader().is_some(), "nobody exports").await;
        let fallen = self.leader().unwrap();
        let since = Instant::now();
        self.begin(trouble, fallen).await;
        self.until(move |cluster| cluster.leader() != Some(fallen), &format!("{trouble:?}: nobody took over")).await;
        let taken = self.leaders().last().unwrap().0 - since;
        self.end(trouble, fallen).await.unwrap();
        taken
    }

    pub async fn begin(&mut self, trouble: Trouble, place: usize) {
        match trouble {
            Trouble::Killed => self.replicas[place].kill().await,
            Trouble::Frozen => self.replicas[place].signal("STOP").await,
            Trouble::WithoutDatabase => self.network.unplug(Cable::Database, place),
            Trouble::WithoutOthers => self.network.unplug(Cable::Front, place),
        }
    }

    /// `Err` when it cannot come back yet.
    pub async fn end(&mut self, trouble: Trouble, place: usize) -> Result<(), String> {
        match trouble {
            Trouble::Killed => return self.replicas[place].try_start().await,
            Trouble::Frozen => self.replicas[place].signal("CONT").await,
            Trouble::WithoutDatabase => self.network.plug(Cable::Database, place),
            Trouble::WithoutOthers => self.network.plug(Cable::Front, place),
        }
        Ok(())
    }

    /// As if a firewall in between had forgotten them all: both ends are told that they are cut.
    pub async fn cut_connections(&self) {
        if let Ok(mut connection) = PgConnection::connect(&self.database.url()).await {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'em-metrics'";
            sqlx::query(cut).execute(&mut connection).await.unwrap();
        }
    }

    /// Waits until every replica says that it is ready.
    pub async fn heal(&self) {
        let client = crate::process::client();
        let deadline = Instant::now() + PATIENCE;
        for replica in &self.replicas {
            loop {
                let ready = client.get(replica.url("/health/ready")).send().await;
                if ready.is_ok_and(|response| response.status() == 200) {
                    break;
                }
                assert!(Instant::now() < deadline, "{} does not come back: {}", replica.url(""), replica.words());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }

    pub async fn stop(mut self) {
        if let Some(watching) = self.watch.take() {
            watching.abort();
        }
        for replica in &mut self.replicas {
            replica.stop().await;
        }
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool, otherwise: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < deadline, "{otherwise}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// PostgreSQL knows who holds the lock; nobody is told of a change.
async fn watch(url: String, addresses: Vec<String>, reigns: Arc<Mutex<Vec<Reign>>>) {
    let holder = "SELECT host(a.client_addr) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) \
                  WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                  AND (l.classid::bigint << 32) + l.objid::bigint = 7311402986622";
    let mut connection = None;
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if connection.is_none() {
            connection = PgConnection::connect(&url).await.ok();
        }
        let Some(open) = &mut connection else { continue };
        match sqlx::query_scalar::<_, String>(holder).fetch_optional(open).await {
            Ok(Some(address)) => {
                let place = addresses.iter().position(|known| *known == address).unwrap();
                let mut reigns = reigns.lock().unwrap();
                if reigns.last().is_none_or(|(_, last)| *last != place) {
                    reigns.push((Instant::now(), place));
                }
            }
            Ok(None) => {}
            Err(_) => connection = None,
        }
    }
}
