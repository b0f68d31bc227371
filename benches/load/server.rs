//! A server under load: a process of its own, started, watched through /proc, and ended by us.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::client::Connection;
use crate::work::TOKEN;

/// How long a start or a stop may take before the run has failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// `USER_HZ`, which is 100 wherever Linux runs.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(Debug, Clone)]
pub struct Variant {
    pub name: String,
    pub binary: PathBuf,
    pub group_commit: bool,
}

#[derive(Debug)]
pub struct Server {
    process: Process,
    /// Of its own: there may be several of them.
    _log: tempfile::NamedTempFile,
    /// Kept open: nobody likes to write to a closed pipe.
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    /// From the start of the process until `/health/ready` answered.
    pub startup: Duration,
}

impl Server {
    /// Starts it on a free port of 127.0.0.1. `storage` is the section of the configuration.
    pub async fn start(
        variant: &Variant,
        storage: serde_json::Value,
        projects: u64,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        Self::start_as(variant, config(storage, projects), folder).await
    }

    /// The same with a whole configuration, which begins as [`config`].
    pub async fn start_as(variant: &Variant, mut config: serde_json::Value, folder: &Path) -> anyhow::Result<Self> {
        config["storage"]["group_commit"] = variant.group_commit.into();
        let file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer(&file, &config)?;
        let log = tempfile::NamedTempFile::new_in(folder)?;

        let spawned = Instant::now();
        let mut process = Process(
            Command::new(&variant.binary)
                .env_clear()
                .env("CONFIG", file.path())
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(log.reopen()?)
                .spawn()
                .with_context(|| format!("cannot start {}", variant.binary.display()))?,
        );
        let stdout = BufReader::new(process.0.stdout.take().context("no standard output")?);
        let reading = tokio::task::spawn_blocking(|| address(stdout));
        let read = tokio::time::timeout(PATIENCE, reading).await.context("the server says nothing")??;
        let (address, stdout) = read.with_context(|| {
            let log = std::fs::read_to_string(log.path()).unwrap_or_default();
            format!("{} does not start:\n{log}", variant.binary.display())
        })?;
        let mut connection = Connection::open(address).await?;
        let ready = b"GET /health/ready HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
        let answer = tokio::time::timeout(PATIENCE, connection.ask(ready)).await.context("not ready")??;
        anyhow::ensure!(answer.0 == 200, "not ready: {}", answer.0);
        Ok(Self { process, _log: log, _stdout: stdout, address, startup: spawned.elapsed() })
    }

    /// CPU time used so far, in seconds.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(self.proc("stat"))?;
        // the name of the program, in brackets, may hold anything
        let (_, fields) = stat.rsplit_once(')').context("an odd /proc/stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let (user, system) = (fields.next().unwrap_or("0"), fields.next().unwrap_or("0"));
        Ok((user.parse::<f64>()? + system.parse::<f64>()?) / TICKS_PER_SECOND)
    }

    /// Resident memory, in megabytes (10^6 bytes).
    pub fn resident_megabytes(&self) -> anyhow::Result<f64> {
        megabytes(self.process.0.id(), "VmRSS:")
    }

    /// The most that it has ever been.
    pub fn peak_megabytes(&self) -> anyhow::Result<f64> {
        peak_megabytes(self.process.0.id())
    }

    fn proc(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.process.0.id()).into()
    }

    /// Ends it as an operator would.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        let pid = self.process.0.id().to_string();
        let asked = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", &pid]).status()?;
        anyhow::ensure!(asked.success(), "cannot end the server");
        let began = Instant::now();
        loop {
            if let Some(status) = self.process.0.try_wait()? {
                anyhow::ensure!(status.success(), "the server ended with {status}");
                return Ok(());
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "the server does not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The most that a process has ever had in memory, in megabytes.
pub fn peak_megabytes(pid: u32) -> anyhow::Result<f64> {
    megabytes(pid, "VmHWM:")
}

fn megabytes(pid: u32, field: &'static str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context(field)?;
    let kibibytes: f64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// Ended with the value, whatever happens.
#[derive(Debug)]
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        // already over after a stop, which is no failure
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What every server under load is told. `storage` is the section of the configuration.
pub fn config(storage: serde_json::Value, projects: u64) -> serde_json::Value {
    let mut config = json!({
        "server": { "host": "127.0.0.1", "port": 0 },
        "auth": { "tokens": [{ "name": "load", "token": TOKEN }] },
        "teams": teams(projects),
        "webhooks": { "sources": [{ "vendor": "github", "secrets": [TOKEN] }] },
    });
    config["storage"] = storage;
    config
}

/// From the line that tells people where it listens.
fn address(mut stdout: BufReader<ChildStdout>) -> anyhow::Result<(SocketAddr, BufReader<ChildStdout>)> {
    let mut line = String::new();
    loop {
        line.clear();
        if stdout.read_line(&mut line)? == 0 {
            bail!("it ended");
        }
        if let Some((_, address)) = line.trim_end().rsplit_once("listening on http://") {
            return Ok((address.parse()?, stdout));
        }
    }
}

/// Five projects to a team.
fn teams(projects: u64) -> serde_json::Value {
    let numbers: Vec<u64> = (0..projects).collect();
    let teams = numbers.chunks(5).enumerate().map(|(team, projects)| {
        let projects: Vec<_> = projects.iter().map(|project| format!("project-{project}")).collect();
        (format!("team-{team}"), json!({ "projects": projects, "users": [] }))
    });
    serde_json::Value::Object(teams.collect())
}
