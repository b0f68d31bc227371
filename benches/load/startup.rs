//! What a start costs when much is stored: time to the first answer, memory after it and after some load.
//! SQLite only: there the file is ours to fill, and to open.

use std::path::Path;
use std::time::Instant;

use crate::Options;
use crate::filling::Filling;
use crate::server::Server;
use crate::store::Database;
use crate::throughput;
use crate::work::{Deployments, Start};

/// Starts that are measured.
const STARTS: usize = 9;
const CONNECTIONS: usize = 64;

#[derive(Debug)]
pub struct Measured {
    pub facts: u64,
    pub file_bytes: u64,
    /// In milliseconds; sorted.
    pub starts: Vec<f64>,
    pub resident_after_start_mb: f64,
    pub resident_after_load_mb: f64,
    pub load_per_second: f64,
    pub load_p99_ms: f64,
}

pub async fn measure(options: &Options, folder: &Path) -> anyhow::Result<Measured> {
    let file = folder.join("filled.db");
    let began = Instant::now();
    let database = Database::Sqlite { file: file.clone() };
    Filling { facts: options.facts, projects: options.projects, teams: true }.fill(&database).await?;
    let file_bytes = std::fs::metadata(&file)?.len();
    eprintln!("SQLite: {} facts stored in {:.1} s", options.facts, began.elapsed().as_secs_f64());

    let [ours, _] = options.variants();
    let mut starts = Vec::new();
    let mut resident_after_start = Vec::new();
    for _ in 0..STARTS {
        let server = Server::start(&ours, database.section(), options.projects, folder).await?;
        starts.push(server.startup.as_secs_f64() * 1e3);
        resident_after_start.push(server.resident_megabytes()?);
        server.stop().await?;
    }
    starts.sort_by(f64::total_cmp);
    resident_after_start.sort_by(f64::total_cmp);

    let server = Server::start(&ours, database.section(), options.projects, folder).await?;
    let work = Start(Deployments::new(options.projects, options.facts));
    let (load, _, _) = throughput::measure(&server, options, CONNECTIONS, work).await?;
    let resident_after_load_mb = server.resident_megabytes()?;
    server.stop().await?;
    database.remove().await?;
    Ok(Measured {
        facts: options.facts,
        file_bytes,
        starts,
        resident_after_start_mb: resident_after_start[STARTS / 2],
        resident_after_load_mb,
        load_per_second: load.per_second(),
        load_p99_ms: load.quantile(0.99),
    })
}
