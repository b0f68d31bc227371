//! Replicas on one PostgreSQL, behind a balancer: what more processes take and give on the same cores.

use std::path::Path;

use crate::Options;
use crate::balancer::Balancer;
use crate::contender::Contender;
use crate::server::Server;
use crate::store::Databases;
use crate::throughput::{Cell, Request};

/// How a database is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrangement {
    pub replicas: usize,
    pub balancer: bool,
}

impl Arrangement {
    pub fn name(self) -> String {
        if self.balancer { self.replicas.to_string() } else { format!("{}, no balancer", self.replicas) }
    }

    async fn start(
        self,
        options: &Options,
        databases: &Databases,
        name: &str,
        haproxy: &Path,
        folder: &Path,
    ) -> anyhow::Result<Contender> {
        let [ours, _] = options.variants();
        let database = databases.make(name).await?;
        let first = Server::start(&ours, database.section(), options.projects, folder).await?;
        if !self.balancer {
            return Ok(Contender::alone(first, database, options.projects, 0));
        }
        let mut servers = vec![first];
        while servers.len() < self.replicas {
            servers.push(Server::start(&ours, database.section(), options.projects, folder).await?);
        }
        let balancer = Balancer::start(haproxy, &servers, folder).await?;
        Ok(Contender::behind(balancer, servers, database, options.projects))
    }
}

/// What a balancer costs by itself is in there as well.
pub fn arrangements(options: &Options) -> Vec<Arrangement> {
    let alone = Arrangement { replicas: 1, balancer: false };
    let behind = options.replicas.iter().map(|replicas| Arrangement { replicas: *replicas, balancer: true });
    std::iter::once(alone).chain(behind).collect()
}

/// The place of a cell's variant is that among the [`arrangements`].
pub async fn measure(
    options: &Options,
    databases: &Databases,
    haproxy: &Path,
    folder: &Path,
) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    let arrangements = arrangements(options);
    for run in 0..options.runs {
        for turn in 0..arrangements.len() {
            // who goes first changes with every run
            let variant = (turn + run) % arrangements.len();
            let name = format!("replicas_{run}_{variant}");
            let mut contender = arrangements[variant].start(options, databases, &name, haproxy, folder).await?;
            for &connections in &options.connections {
                for request in Request::ALL {
                    let (load, cpu_micros) = contender.load(options.cell(), request, connections).await?;
                    let resident_mb = contender.resident_megabytes()?;
                    let cell = Cell::new(request, connections, variant, &load, cpu_micros, resident_mb);
                    let who = format!("replicas: {}", arrangements[variant].name());
                    eprintln!("{} run {}: {}", databases.engine().name(), run + 1, cell.describe(&who));
                    cells.push(cell);
                }
            }
            contender.settle().await?;
        }
    }
    Ok(cells)
}
