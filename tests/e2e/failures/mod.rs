//! Three replicas on one PostgreSQL while everything around them fails: killed, frozen, cut off, the database as
//! well. What was acknowledged is there once, the totals are the facts, and Prometheus has seen no other step.
//!
//! `EM_TEST_FAILURE_SECONDS` (60) is how long, `EM_TEST_SEED` the seed of an earlier run.

mod cluster;
mod database;
mod disk;
mod full;
mod load;
mod network;
mod rolling;
mod scrapes;
mod standby;
mod trouble;
mod verdict;

use std::time::Duration;

use rand::{SeedableRng as _, rngs::StdRng};

use crate::process::client;
use crate::prometheus::{Collector, Prometheus};
use crate::recount;
use cluster::Cluster;
use load::{Load, Tries};
use network::Cable;
use scrapes::Scrapes;
use trouble::Trouble;

const REPLICAS: usize = 3;
const CLIENTS: u64 = 10;
/// From one export to the next.
const CYCLE: Duration = Duration::from_secs(2);
/// What a machine with much to do may add to a time.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_nothing_counted_twice_whatever_fails() {
    let seed = setting("EM_TEST_SEED").unwrap_or_else(rand::random);
    let lasting = Duration::from_secs(setting("EM_TEST_FAILURE_SECONDS").unwrap_or(60));
    println!("EM_TEST_SEED={seed}, {} s", lasting.as_secs());
    let prometheus = Prometheus::told().await;
    let mut cluster = Cluster::new(REPLICAS).await;
    let mut collector = Collector::at(&cluster.network.here(Cable::Front), &prometheus);
    collector.start().await;
    cluster.start(REPLICAS, &collector.http_url(), CYCLE).await;

    let mut load = Load::start(CLIENTS, Duration::from_millis(40), cluster.urls(), seed, Tries::Many);
    let scrapes = Scrapes::start(cluster.urls());
    let mut figures = verdict::Figures::default();
    for trouble in Trouble::OF_THE_LEADER {
        let taken = cluster.leader_falls(trouble).await;
        println!("{trouble:?}: another replica exports after {:.1} s", taken.as_secs_f64());
        assert!(taken <= 2 * CYCLE + SLACK, "{trouble:?}: another replica took over only after {taken:?}");
        figures.worst_takeover = figures.worst_takeover.max(taken);
    }
    trouble::make(&mut cluster, &mut load, &mut figures, lasting, StdRng::seed_from_u64(seed)).await;
    cluster.heal().await;
    let ledger = load.finish().await;

    recount::check(&cluster.database.url()).await;
    let client = client();
    verdict::facts_are_there_once(&client, &cluster.urls(), &ledger).await;
    verdict::replicas_show_the_truth(&client, &cluster.urls(), &ledger).await;
    scrapes.finish().await.tell();
    verdict::steps_are_facts(&prometheus, &ledger, &mut figures).await;
    figures.takeovers = cluster.leaders().len();
    figures.tell(&ledger);
    cluster.stop().await;
    collector.stop().await;
}

fn setting(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}
