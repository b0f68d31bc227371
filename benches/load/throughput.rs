//! Durable requests under load. The two variants take turns at every cell, so that whatever else the
//! machine does meets both.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::Options;
use crate::client::{Load, Work, drive};
use crate::contender::Contender;
use crate::server::Server;
use crate::store::Databases;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The first [`Request::Start`] of each project; in no table by itself.
    First,
    Start,
    Deployed,
}

impl Request {
    pub const ALL: [Self; 2] = [Self::Start, Self::Deployed];

    pub fn name(self) -> &'static str {
        match self {
            Self::First | Self::Start => "`POST /deployments`",
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

impl Cell {
    pub fn new(
        request: Request,
        connections: usize,
        variant: usize,
        load: &Load,
        cpu_micros: f64,
        resident_mb: f64,
    ) -> Self {
        let (per_second, p50_ms, p99_ms) = (load.per_second(), load.quantile(0.5), load.quantile(0.99));
        Self { request, connections, variant, per_second, p50_ms, p99_ms, cpu_micros, resident_mb }
    }

    /// For those who wait; `who` is the variant.
    pub fn describe(&self, who: &str) -> String {
        format!(
            "{} at {}, {who}: {:.0}/s, p99 {:.1} ms, {:.0} us CPU, {:.1} MB",
            self.request.name(),
            self.connections,
            self.per_second,
            self.p99_ms,
            self.cpu_micros,
            self.resident_mb
        )
    }
}

/// The load, and the server's CPU time for each request in microseconds.
pub async fn measure<W: Work + 'static>(
    server: &Server,
    options: &Options,
    connections: usize,
    work: W,
) -> anyhow::Result<(Load, f64, W)> {
    measure_at(server.address, || server.cpu_seconds(), options.cell(), connections, work).await
}

/// The same for servers that are behind another address, with the CPU time of those who do the work.
pub async fn measure_at<W: Work + 'static>(
    address: SocketAddr,
    cpu_seconds: impl Fn() -> anyhow::Result<f64>,
    cell: (Duration, Duration),
    connections: usize,
    work: W,
) -> anyhow::Result<(Load, f64, W)> {
    let mut cpu = Vec::new();
    let mark = || cpu.push(cpu_seconds());
    let (load, work) = drive(address, connections, cell, work, mark).await?;
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
            let server = Server::start(variant, database.section(), options.projects, folder).await?;
            contenders.push(Contender::alone(server, database, options.projects, 0));
        }
        for &connections in &options.connections {
            for request in Request::ALL {
                for turn in 0..contenders.len() {
                    // who goes first changes with every run
                    let variant = (turn + run) % contenders.len();
                    let contender = &mut contenders[variant];
                    let (load, cpu_micros) = contender.load(options.cell(), request, connections).await?;
                    let resident_mb = contender.resident_megabytes()?;
                    let cell = Cell::new(request, connections, variant, &load, cpu_micros, resident_mb);
                    let who = &variants[variant].name;
                    eprintln!("{} run {}: {}", databases.engine().name(), run + 1, cell.describe(who));
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
