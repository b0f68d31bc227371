//! Every replica replaced, one after the other, behind a balancer that asks whether they are ready: no client sees a
//! request fail, though nobody tries one twice, neither the clients nor the balancer.

use std::time::Duration;

use rand::random;
use tokio::process::Command;

use super::database::Postgres;
use super::load::{Load, Tries};
use super::verdict::{self, Figures};
use crate::process::{Program, Service, client, engine, free_port};
use crate::prometheus::Prometheus;
use crate::recount;

/// How often each replica is replaced.
const ROUNDS: usize = 2;
/// From one look of the balancer to the next.
const LOOK: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_under_load_drops_no_request() {
    let database = Postgres::start("127.0.0.1").await;
    let environment = [("DATABASE_URL", database.url()), ("EM_METRICS_DRAIN_SECONDS", "2".to_owned())]
        .map(|(n, v)| (n.to_owned(), v));
    let mut replicas: Vec<_> = (0..3).map(|_| Service::new(environment.to_vec())).collect();
    for replica in &mut replicas {
        replica.start().await;
    }
    let (balancer, url) = balance(&replicas).await;
    // whichever of them it is led to, each shows what all have been told
    let prometheus = Prometheus::scraping(url.trim_start_matches("http://")).await;
    let mut load = Load::start(8, Duration::from_millis(10), vec![url], random(), Tries::One);
    for _ in 0..ROUNDS {
        for replica in &mut replicas {
            replica.stop().await;
            replica.start().await;
            // as `minReadySeconds`: two looks, and the balancer has seen it
            tokio::time::sleep(3 * LOOK).await;
            load.check().await;
        }
    }
    let ledger = load.finish().await;
    recount::check(&database.url()).await;
    let urls: Vec<_> = replicas.iter().map(|replica| replica.url("")).collect();
    verdict::facts_are_there_once(&client(), &urls, &ledger).await;
    let sent = ledger.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    verdict::steps_are_facts(&prometheus, &ledger, &mut Figures::default()).await;
    println!("{} replacements, {sent} requests, none failed", ROUNDS * replicas.len());
    balancer.kill().await;
    for replica in &mut replicas {
        replica.stop().await;
    }
}

/// A real balancer in front of them, in turn, without a second try that would hide what fails.
async fn balance(replicas: &[Service]) -> (Program, String) {
    let port = free_port();
    let servers = replicas.iter().map(|replica| format!("  server {0} 127.0.0.1:{0}\n", replica.port));
    let config = format!(
        "defaults\n  mode http\n  retries 0\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
         frontend all\n  bind 127.0.0.1:{port}\n  default_backend replicas\n\
         backend replicas\n  balance roundrobin\n  option httpchk GET /health/ready\n  http-check expect status 200\n  \
         default-server check inter {}ms fall 1 rise 1\n{}",
        LOOK.as_millis(),
        servers.collect::<String>()
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("haproxy.cfg");
    std::fs::write(&file, config).unwrap();
    let mut command = Command::new(engine("EM_TEST_HAPROXY"));
    command.args(["-db", "-V", "-f"]).arg(&file);
    let (program, _) = Program::start(command, "polling mechanism").await;
    (program, format!("http://127.0.0.1:{port}"))
}
