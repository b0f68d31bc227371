//! What fails when: by chance, from a seed.

use std::time::Duration;

use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, rngs::StdRng};
use tokio::time::Instant;

use super::cluster::Cluster;
use super::database::End;
use super::load::Load;
use super::verdict::Figures;

/// What can happen to a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Killed,
    /// SIGSTOP, and SIGCONT later.
    Frozen,
    WithoutDatabase,
    /// Neither clients nor the collector.
    WithoutOthers,
}

impl Trouble {
    pub const OF_THE_LEADER: [Self; 4] = [Self::Killed, Self::Frozen, Self::WithoutDatabase, Self::WithoutOthers];
}

/// Troubles that have begun and not ended, each with the moment of its end.
#[derive(Default)]
struct Pending {
    replicas: Vec<(Instant, Trouble, usize)>,
    database: Option<Instant>,
}

/// Troubles of all kinds for so long; then each is over.
pub async fn make(
    cluster: &mut Cluster,
    load: &mut Load,
    figures: &mut Figures,
    lasting: Duration,
    mut random: StdRng,
) {
    let over = Instant::now() + lasting;
    let mut pending = Pending::default();
    let mut next = Instant::now();
    while Instant::now() < over || !pending.replicas.is_empty() || pending.database.is_some() {
        pending.end_what_is_due(cluster).await;
        load.check().await;
        for (place, replica) in cluster.replicas.iter_mut().enumerate() {
            let killed = pending.replicas.iter().any(|of| (of.1, of.2) == (Trouble::Killed, place));
            assert!(killed || replica.is_running(), "replica {place} ended by itself: {}", replica.words());
        }
        if next <= Instant::now() && Instant::now() < over {
            pending.begin_something(cluster, figures, &mut random).await;
            next = Instant::now() + Duration::from_millis(random.random_range(200..1500));
        }
        // the moments are the randomness that is under test
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Pending {
    async fn end_what_is_due(&mut self, cluster: &mut Cluster) {
        let now = Instant::now();
        if self.database.is_some_and(|until| until <= now) {
            cluster.database.resume().await;
            self.database = None;
        }
        let due: Vec<_> = self.replicas.extract_if(.., |(until, ..)| *until <= now).collect();
        for (_, trouble, place) in due {
            if let Err(words) = cluster.end(trouble, place).await {
                // as any supervisor would: once more in a while; the database may be away
                println!("replica {place} did not start: {}", words.lines().last().unwrap_or_default());
                self.replicas.push((Instant::now() + Duration::from_millis(300), trouble, place));
            }
        }
    }

    async fn begin_something(&mut self, cluster: &mut Cluster, figures: &mut Figures, random: &mut StdRng) {
        let until = Instant::now() + Duration::from_millis(random.random_range(300..6000));
        match random.random_range(0..10) {
            0 if self.database.is_none() => {
                let how = *[End::Fast, End::Immediate, End::Killed].choose(random).unwrap();
                cluster.database.end(how).await;
                figures.database_ended(how);
                // a restart, or an outage
                let short = Instant::now() + Duration::from_millis(100);
                self.database = Some(if random.random_bool(0.5) { short } else { until });
            }
            1 if self.database.is_none() => {
                cluster.cut_connections().await;
                figures.connections_cut += 1;
            }
            _ => {
                let well: Vec<_> = (0..cluster.replicas.len())
                    .filter(|place| self.replicas.iter().all(|(_, _, other)| other != place))
                    .collect();
                let leader = cluster.leader().filter(|leader| well.contains(leader) && random.random_bool(0.5));
                // one of them is left alone
                let (true, Some(place)) = (well.len() > 1, leader.or_else(|| well.choose(random).copied())) else {
                    return;
                };
                let trouble = *Trouble::OF_THE_LEADER.choose(random).unwrap();
                cluster.begin(trouble, place).await;
                figures.replica_in(trouble);
                self.replicas.push((until, trouble, place));
            }
        }
    }
}
