//! A PostgreSQL with a replica, and an address that leads to whichever is the primary: what a replica is asked to do is
//! refused with the reason, at the start and in the middle of a failover, and once it is promoted all goes on by itself.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use super::database::{End, Postgres};
use super::load::{Load, Tries};
use super::verdict::{self, Figures};
use crate::process::{Service, client};
use crate::prometheus::Prometheus;
use crate::recount;

const CYCLE: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_to_a_replica_loses_nothing_and_nothing_is_exported_before_it_is_promoted() {
    let prometheus = Prometheus::told().await;
    let mut primary = Postgres::start("127.0.0.1").await;
    let address = Address::of(&primary).await;
    let environment = [
        ("DATABASE_URL", address.url()),
        ("OTEL_COLLECTOR_URL", format!("{}/v1/metrics", prometheus.otlp())),
        ("OTEL_METRIC_EXPORT_INTERVAL", CYCLE.as_millis().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let mut services: Vec<_> = (0..2).map(|_| Service::new(environment.to_vec())).collect();
    for service in &mut services {
        service.start().await;
    }
    let replica = primary.replica().await;
    // so that nothing is acknowledged that it does not have
    tell(&primary, "ALTER SYSTEM SET synchronous_standby_names = '*'").await;
    tell(&primary, "SELECT pg_reload_conf()").await;

    let mut lost = Service::new(vec![("DATABASE_URL".to_owned(), replica.url())]);
    let words = lost.try_start().await.unwrap_err();
    assert!(words.contains("name the primary server in DATABASE_URL, not a replica"), "{words}");

    let urls: Vec<_> = services.iter().map(|service| service.url("")).collect();
    let load = Load::start(6, Duration::from_millis(20), urls.clone(), rand::random(), Tries::Many);
    until(async || leaders(&primary).await == 1, "nobody exports").await;
    tokio::time::sleep(3 * CYCLE).await;
    primary.end(End::Killed).await;
    address.lead_to(&replica);
    for service in &services {
        let said = async || {
            let answer = client().get(service.url("/health/ready")).send().await.unwrap();
            answer.text().await.unwrap().contains("can only be read for now")
        };
        until(said, "it does not say that it can only read").await;
        let body = serde_json::json!({"project_id": "refused"});
        let answer = client().post(service.url("/incidents")).json(&body).send().await.unwrap();
        assert!(answer.status() == 503 && answer.headers()["retry-after"] == "1", "{answer:?}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("can only be read for now; send it again later"), "{text}");
        for path in ["/deployments", "/dora"] {
            assert_eq!(client().get(service.url(path)).send().await.unwrap().status(), 200, "{path}");
        }
    }
    let exporting = Instant::now() + 3 * CYCLE;
    while Instant::now() < exporting {
        assert_eq!(leaders(&replica).await, 0, "somebody exports what a replica says");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for service in &services {
        let words = service.words();
        let complaints = words.lines().filter(|line| line.contains("ERROR") || line.contains("WARN"));
        assert!(complaints.count() <= 8, "{words}");
    }

    replica.promote().await;
    for service in &services {
        let ready = async || client().get(service.url("/health/ready")).send().await.unwrap().status() == 200;
        until(ready, "it does not come back").await;
    }
    tokio::time::sleep(3 * CYCLE).await;
    let ledger = load.finish().await;
    recount::check(&replica.url()).await;
    verdict::facts_are_there_once(&client(), &urls, &ledger).await;
    verdict::replicas_show_the_truth(&client(), &urls, &ledger).await;
    verdict::steps_are_facts(&prometheus, &ledger, &mut Figures::default()).await;
    for service in &mut services {
        service.stop().await;
    }
}

async fn tell(server: &Postgres, sql: &'static str) {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
}

/// How many hold the exporter's lock there.
async fn leaders(server: &Postgres) -> i64 {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    let held = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
                AND (classid::bigint << 32) + objid::bigint = 7311402986622";
    sqlx::query_scalar(held).fetch_one(&mut connection).await.unwrap()
}

async fn until(condition: impl AsyncFn() -> bool, otherwise: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "{otherwise}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What does not change when the server does.
struct Address {
    port: u16,
    target: watch::Sender<u16>,
}

impl Address {
    async fn of(server: &Postgres) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, led) = watch::channel(server.port());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut led = led.clone();
                tokio::spawn(async move {
                    let port = *led.borrow_and_update();
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = led.changed() => {}
                    }
                });
            }
        });
        Self { port, target }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn lead_to(&self, server: &Postgres) {
        self.target.send_replace(server.port());
    }
}
