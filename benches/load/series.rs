//! What the number of series costs: an export cycle carries all of them, and a request moves some. Each store holds
//! the same number of facts, spread over more and more projects.

use std::path::Path;
use std::time::{Duration, Instant};

use em_metrics::metrics::CATALOGUE;
use serde_json::json;

use crate::Options;
use crate::contender::Contender;
use crate::filling::Filling;
use crate::server::{Server, config};
use crate::sink::Sink;
use crate::store::{Database, Databases};
use crate::throughput::Request;

/// Cycles that are measured; the first of them is at the start.
const CYCLES: usize = 3;
pub const CONNECTIONS: usize = 64;
/// Of each project, where there are most.
const DEPLOYMENTS: u64 = 2;
/// Longer than asking once about each project takes.
const PATIENCE: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub struct Measured {
    pub projects: u64,
    pub series: u64,
    pub facts: u64,
    pub cycles: Cycles,
    /// Until each project has had its first request since the start.
    pub first_seconds: f64,
    /// `POST /deployments`, then `/deployed`: per second, and p99 in milliseconds.
    pub requests: Vec<(f64, f64)>,
}

#[derive(Debug)]
pub struct Cycles {
    /// Sorted.
    pub seconds: Vec<f64>,
    pub sending_seconds: Vec<f64>,
    pub requests: usize,
    pub megabytes: f64,
    /// Since the start of the process.
    pub peak_megabytes: f64,
}

pub async fn measure(options: &Options, databases: &Databases, folder: &Path) -> anyhow::Result<Vec<Measured>> {
    let facts = DEPLOYMENTS * options.series.iter().max().copied().unwrap_or_default();
    let mut all = Vec::new();
    for &projects in &options.series {
        let database = databases.make(&format!("series_{projects}")).await?;
        let began = Instant::now();
        Filling { facts, projects, teams: false }.fill(&database).await?;
        database.calm().await?;
        let filled = began.elapsed().as_secs_f64();
        eprintln!("{}: {facts} facts of {projects} projects stored in {filled:.1} s", databases.engine().name());
        let measured = measure_one(options, projects, facts, database, folder).await?;
        eprintln!(
            "{}: {projects} projects: {:.2} s and {:.0} MB for a cycle, {:.0}/s",
            databases.engine().name(),
            measured.cycles.seconds.last().unwrap_or(&f64::NAN),
            measured.cycles.peak_megabytes,
            measured.requests.first().map_or(f64::NAN, |(per_second, _)| *per_second),
        );
        all.push(measured);
    }
    Ok(all)
}

async fn measure_one(
    options: &Options,
    projects: u64,
    facts: u64,
    database: Database,
    folder: &Path,
) -> anyhow::Result<Measured> {
    let cycles = export(options, &database, folder).await?;

    let [ours, _] = options.variants();
    let mut section = database.section();
    // it would be loaded meanwhile
    section["index_memory_mb"] = 0.into();
    let server = Server::start(&ours, section, 0, folder).await?;
    let mut contender = Contender::alone(server, database, projects, facts);
    let (first, _) = contender.load((PATIENCE, Duration::ZERO), Request::First, CONNECTIONS).await?;
    let mut requests = Vec::new();
    for request in Request::ALL {
        let (load, _) = contender.load(options.cell(), request, CONNECTIONS).await?;
        requests.push((load.per_second(), load.quantile(0.99)));
    }
    contender.settle().await?;
    let first_seconds = first.elapsed.as_secs_f64();
    Ok(Measured { projects, series: projects * CATALOGUE.len() as u64, facts, cycles, first_seconds, requests })
}

/// One server that does nothing else.
async fn export(options: &Options, database: &Database, folder: &Path) -> anyhow::Result<Cycles> {
    let mut sink = Sink::start().await?;
    let mut config = config(database.section(), 0);
    let collector = format!("http://{}/v1/metrics", sink.address);
    // as by default: a service that computes for longer than that without a pause loses the right to export
    let interval = if options.quick { 2_000 } else { 15_000 };
    config["otel"] = json!({ "collector_url": collector, "metric_export_interval_ms": interval });
    let [ours, _] = options.variants();
    let server = Server::start_as(&ours, config, folder).await?;
    let cycles = sink.cycles(CYCLES).await?;
    let peak_megabytes = server.peak_megabytes()?;
    server.stop().await?;

    let mut seconds: Vec<_> = cycles.iter().map(|(_, seconds)| *seconds).collect();
    let mut sending_seconds: Vec<_> = cycles.iter().map(|(cycle, _)| cycle.sending.as_secs_f64()).collect();
    seconds.sort_by(f64::total_cmp);
    sending_seconds.sort_by(f64::total_cmp);
    let largest = cycles.iter().map(|(cycle, _)| cycle).max_by_key(|cycle| cycle.bytes);
    let (requests, bytes) = largest.map_or((0, 0), |cycle| (cycle.requests, cycle.bytes));
    let megabytes = f64::from(u32::try_from(bytes)?) / 1e6;
    Ok(Cycles { seconds, sending_seconds, requests, megabytes, peak_megabytes })
}
