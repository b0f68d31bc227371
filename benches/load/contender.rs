//! What is under load: one server, or several behind a balancer, and the database that must hold in the end what
//! they have answered.

use std::net::SocketAddr;
use std::time::Duration;

use crate::balancer::Balancer;
use crate::client::{Load, Work};
use crate::server::Server;
use crate::store::{Contents, Database};
use crate::throughput::{Request, measure_at};
use crate::work::{Deployed, Deployments, First, Start};

#[derive(Debug)]
pub struct Contender {
    address: SocketAddr,
    servers: Vec<Server>,
    /// Ended with the value.
    _balancer: Option<Balancer>,
    database: Database,
    projects: u64,
    /// Deployments that had reached users before.
    filled: u64,
    /// `None` only while it is under load.
    work: Option<Deployments>,
}

impl Contender {
    pub fn alone(server: Server, database: Database, projects: u64, filled: u64) -> Self {
        let work = Some(Deployments::new(projects, filled));
        Self { address: server.address, servers: vec![server], _balancer: None, database, projects, filled, work }
    }

    pub fn behind(balancer: Balancer, servers: Vec<Server>, database: Database, projects: u64) -> Self {
        let (address, work) = (balancer.address, Some(Deployments::new(projects, 0)));
        Self { address, servers, _balancer: Some(balancer), database, projects, filled: 0, work }
    }

    /// The load, and the CPU time of all its servers for each request in microseconds.
    pub async fn load(
        &mut self,
        cell: (Duration, Duration),
        request: Request,
        connections: usize,
    ) -> anyhow::Result<(Load, f64)> {
        let work = self.work.take().unwrap_or_else(|| Deployments::new(self.projects, self.filled));
        let (load, cpu_micros, work) = match request {
            Request::First => {
                let first = First { deployments: work, projects: 0 };
                let (load, cpu, work) = self.measure(cell, connections, first).await?;
                (load, cpu, work.deployments)
            }
            Request::Start => {
                let (load, cpu, work) = self.measure(cell, connections, Start(work)).await?;
                (load, cpu, work.0)
            }
            Request::Deployed => {
                let (load, cpu, work) = self.measure(cell, connections, Deployed(work)).await?;
                (load, cpu, work.0)
            }
        };
        self.work = Some(work);
        Ok((load, cpu_micros))
    }

    async fn measure<W: Work + 'static>(
        &self,
        cell: (Duration, Duration),
        connections: usize,
        work: W,
    ) -> anyhow::Result<(Load, f64, W)> {
        let cpu_seconds = || self.servers.iter().map(Server::cpu_seconds).sum();
        measure_at(self.address, cpu_seconds, cell, connections, work).await
    }

    /// Of all its servers.
    pub fn resident_megabytes(&self) -> anyhow::Result<f64> {
        self.servers.iter().map(Server::resident_megabytes).sum()
    }

    /// Everything that was answered with 2xx is there, once, and nothing else.
    pub async fn settle(self) -> anyhow::Result<()> {
        for server in self.servers {
            server.stop().await?;
        }
        let (started, deployed) = self.work.map_or((0, 0), |work| (work.started, work.deployed));
        let expected = Contents {
            deployments: self.filled + started,
            deployed: self.filled + deployed,
            journal: self.filled + started + deployed,
            total_started: self.filled + started,
            total_deployed: self.filled + deployed,
        };
        let found = self.database.contents().await?;
        anyhow::ensure!(found == expected, "the store does not hold what was answered: {found:?}, not {expected:?}");
        self.database.remove().await
    }
}
