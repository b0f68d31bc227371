//! What moving a store from SQLite to PostgreSQL takes: time, and memory, which must not grow with the store.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::Options;
use crate::filling::Filling;
use crate::server::peak_megabytes;
use crate::store::{Database, Databases};

/// From one look at the process to the next: what it has needed is not told once it has ended.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub struct Measured {
    pub deployments: u64,
    pub file_bytes: u64,
    pub seconds: f64,
    pub peak_megabytes: f64,
    /// The same with all of it copied while a service could have run: what is left is the pause.
    pub ahead_seconds: f64,
    pub rest_seconds: f64,
}

pub async fn measure(options: &Options, databases: &Databases, folder: &Path) -> anyhow::Result<Vec<Measured>> {
    let mut all = Vec::new();
    for deployments in options.deployments.iter().copied().filter(|deployments| *deployments > 0) {
        let source = Database::Sqlite { file: folder.join("moving.db") };
        let began = Instant::now();
        Filling { facts: deployments, projects: options.projects, teams: true }.fill(&source).await?;
        eprintln!("SQLite: {deployments} deployments stored in {:.1} s", began.elapsed().as_secs_f64());
        let file_bytes = std::fs::metadata(folder.join("moving.db"))?.len();

        let target = databases.make(&format!("ahead_{deployments}")).await?;
        let (ahead_seconds, ahead_peak) = migrate(options, &source, &target, &["--ahead"]).await?;
        let (rest_seconds, rest_peak) = migrate(options, &source, &target, &[]).await?;
        let contents = source.contents().await?;
        ensure!(contents.deployments == deployments, "the source holds {contents:?}");
        ensure!(target.contents().await? == contents, "the target holds {:?}", target.contents().await?);
        target.remove().await?;

        // and all at once, from the same store as if it had never moved
        source.undo_move().await?;
        let target = databases.make(&format!("whole_{deployments}")).await?;
        let (seconds, whole_peak) = migrate(options, &source, &target, &[]).await?;
        ensure!(target.contents().await? == contents, "the target holds {:?}", target.contents().await?);
        eprintln!("{deployments} deployments moved in {seconds:.1} s");
        target.remove().await?;
        source.remove().await?;
        let peak_megabytes = ahead_peak.max(rest_peak).max(whole_peak);
        all.push(Measured { deployments, file_bytes, seconds, peak_megabytes, ahead_seconds, rest_seconds });
    }
    Ok(all)
}

/// Seconds, and the most memory that was seen.
async fn migrate(options: &Options, source: &Database, target: &Database, more: &[&str]) -> anyhow::Result<(f64, f64)> {
    let began = Instant::now();
    let mut command = Command::new(&options.binary);
    command.env_clear().arg("migrate-store").args(["--from", &source.address(), "--to", &target.address()]).args(more);
    let log = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen()?).kill_on_drop(true);
    let mut child = command.spawn().context("em-metrics migrate-store")?;
    let pid = child.id().context("it has ended")?;
    let mut peak = 0.0_f64;
    loop {
        if let Ok(ended) = tokio::time::timeout(LOOK, child.wait()).await {
            let status = ended?;
            let words = || std::fs::read_to_string(log.path()).unwrap_or_default();
            ensure!(status.success(), "em-metrics migrate-store ended with {status}: {}", words());
            return Ok((began.elapsed().as_secs_f64(), peak));
        }
        // not there any more: the next look says why
        peak = peak.max(peak_megabytes(pid).unwrap_or_default());
    }
}
