//! Durable requests under load. The two variants take turns at every cell, so that whatever else the
//! machine does meets both.

use std::path::Path;

use crate::Options;
use crate::client::{Load, Work, drive};
use crate::server::{Server, Variant};
use crate::store::{Contents, Database, Databases};
use crate::work::{Deployed, Deployments, Start};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Start,
    Deployed,
}

impl Request {
    pub const ALL: [Self; 2] = [Self::Start, Self::Deployed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "`POST /deployments`",
            Self::Deployed => "`POST /deployments/{id}/deployed`",
        }
    }
}

/// One variant under one load in one run.
#[derive(Debug)]
pub struct Cell {
    pub request: Request,
    pub connections: usize,
    /// Its place in [`Options::variants`].
    pub variant: usize,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub cpu_micros: f64,
    pub resident_mb: f64,
}

/// A variant with its server and its database.
struct Contender {
    server: Server,
    database: Database,
    /// `None` only while it is under load.
    work: Option<Deployments>,
}

impl Contender {
    async fn start(options: &Options, variant: &Variant, database: Database, folder: &Path) -> anyhow::Result<Self> {
        let server = Server::start(variant, database.section(), options.projects, folder).await?;
        Ok(Self { server, database, work: Some(Deployments::new(options.projects, 0)) })
    }

    async fn load(&mut self, options: &Options, request: Request, connections: usize) -> anyhow::Result<(Load, f64)> {
        let work = self.work.take().unwrap_or_else(|| Deployments::new(options.projects, 0));
        let (load, cpu_micros, work) = match request {
            Request::Start => {
                let (load, cpu, work) = measure(&self.server, options, connections, Start(work)).await?;
                (load, cpu, work.0)
            }
            Request::Deployed => {
                let (load, cpu, work) = measure(&self.server, options, connections, Deployed(work)).await?;
                (load, cpu, work.0)
            }
        };
        self.work = Some(work);
        Ok((load, cpu_micros))
    }

    /// Everything that was answered with 2xx is there, once, and nothing else.
    async fn settle(self) -> anyhow::Result<()> {
        let Self { server, database, work } = self;
        server.stop().await?;
        let (started, deployed) = work.map_or((0, 0), |work| (work.started, work.deployed));
        let expected = Contents {
            deployments: started,
            deployed,
            journal: started + deployed,
            total_started: started,
            total_deployed: deployed,
        };
        let found = database.contents().await?;
        anyhow::ensure!(found == expected, "the store does not hold what was answered: {found:?}, not {expected:?}");
        database.remove().await
    }
}

/// The load, and the server's CPU time for each request in microseconds.
pub async fn measure<W: Work + 'static>(
    server: &Server,
    options: &Options,
    connections: usize,
    work: W,
) -> anyhow::Result<(Load, f64, W)> {
    let mut cpu = Vec::new();
    let mark = || cpu.push(server.cpu_seconds());
    let (load, work) = drive(server.address, connections, options.cell(), work, mark).await?;
    let cpu = cpu.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let used = cpu.last().unwrap_or(&0.0) - cpu.first().unwrap_or(&0.0);
    let micros = used * 1e6 / (load.per_second() * load.elapsed.as_secs_f64());
    Ok((load, micros, work))
}

pub async fn measure_all(options: &Options, databases: &Databases, folder: &Path) -> anyhow::Result<Vec<Cell>> {
    let mut cells = Vec::new();
    let variants = options.variants();
    for run in 0..options.runs {
        let mut contenders = Vec::new();
        for (number, variant) in variants.iter().enumerate() {
            let database = databases.make(&format!("load_{run}_{number}")).await?;
            contenders.push(Contender::start(options, variant, database, folder).await?);
        }
        for &connections in &options.connections {
            for request in Request::ALL {
                for turn in 0..contenders.len() {
                    // who goes first changes with every run
                    let variant = (turn + run) % contenders.len();
                    let contender = &mut contenders[variant];
                    let (load, cpu_micros) = contender.load(options, request, connections).await?;
                    let cell = Cell {
                        request,
                        connections,
                        variant,
                        per_second: load.per_second(),
                        p50_ms: load.quantile(0.5),
                        p99_ms: load.quantile(0.99),
                        cpu_micros,
                        resident_mb: contender.server.resident_megabytes()?,
                    };
                    eprintln!(
                        "{} run {}: {} at {connections}, {}: {:.0}/s, p99 {:.1} ms, {:.0} us CPU, {:.1} MB",
                        databases.engine().name(),
                        run + 1,
                        request.name(),
                        variants[variant].name,
                        cell.per_second,
                        cell.p99_ms,
                        cell.cpu_micros,
                        cell.resident_mb
                    );
                    cells.push(cell);
                }
            }
        }
        for contender in contenders {
            contender.settle().await?;
        }
    }
    Ok(cells)
}
