//! How long answers take when much is stored: from the index in memory, and from the store, in one run.
//! SQLite only: the index is the same on both engines.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::Options;
use crate::client::Connection;
use crate::server::Server;
use crate::store::Database;
use crate::work::TOKEN;

/// The facts are spread over so many days, of which a year is asked for.
const DAYS: &str = "1095";
/// How long the index may take to load.
const PATIENCE: Duration = Duration::from_mins(5);
const QUESTIONS: [(&str, &str); 4] = [
    ("a year of all projects by week", "from=2025-01-01&to=2026-01-01&interval=week"),
    ("the same, by project", "from=2025-01-01&to=2026-01-01&interval=week&group_by=project"),
    ("a year of one project by week", "from=2025-01-01&to=2026-01-01&interval=week&project_id=payments"),
    ("a day of all projects", "from=2025-06-03&to=2025-06-04"),
];

#[derive(Debug)]
pub struct Measured {
    pub deployments: u64,
    pub filled_seconds: f64,
    /// Until the index answers, from the start of the process.
    pub ready_seconds: f64,
    pub index_facts: f64,
    pub index_megabytes: f64,
    pub resident_megabytes: f64,
    pub answers: Vec<Answered>,
}

/// In milliseconds, as the client on the same machine sees it; sorted.
#[derive(Debug)]
pub struct Answered {
    pub question: &'static str,
    pub memory: Vec<f64>,
    pub store: Vec<f64>,
}

pub async fn measure(deployments: u64, options: &Options, folder: &Path) -> anyhow::Result<Measured> {
    let file = folder.join("answers.db");
    let began = Instant::now();
    let status = Command::new(&options.binary)
        .env_clear()
        .env("SQLITE_DB", &file)
        .args(["demo", "--projects", "50", "--days", DAYS, "--until", "2026-06-01T00:00:00Z", "--deployments"])
        .arg(deployments.to_string())
        .stdout(Stdio::null())
        .status()?;
    anyhow::ensure!(status.success(), "the demo ended with {status}");
    let filled_seconds = began.elapsed().as_secs_f64();
    eprintln!("SQLite: {deployments} deployments stored in {filled_seconds:.1} s");

    let database = Database::Sqlite { file };
    let [ours, _] = options.variants();
    let began = Instant::now();
    let mut section = database.section();
    section["index_memory_mb"] = 4096.into();
    let server = Server::start(&ours, section, 0, folder).await?;
    let mut connection = Connection::open(server.address).await?;
    while own_metric(&mut connection, "em_metrics_index_ready").await?.is_none_or(|ready| ready < 1.0) {
        anyhow::ensure!(began.elapsed() < PATIENCE, "the index is not ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ready_seconds = began.elapsed().as_secs_f64();
    let index_facts = own_metric(&mut connection, "em_metrics_index_facts").await?.context("no such metric")?;
    let index_bytes = own_metric(&mut connection, "em_metrics_index_memory_bytes").await?.context("no such metric")?;
    let (memory, bodies) = ask_all(&mut connection, 30).await?;
    let resident_megabytes = server.resident_megabytes()?;
    server.stop().await?;

    let mut section = database.section();
    section["index_memory_mb"] = 0.into();
    let server = Server::start(&ours, section, 0, folder).await?;
    let mut connection = Connection::open(server.address).await?;
    let (store, expected) = ask_all(&mut connection, 3).await?;
    anyhow::ensure!(bodies == expected, "the index and the store answer differently");
    server.stop().await?;
    database.remove().await?;

    let times = memory.into_iter().zip(store);
    let answers =
        QUESTIONS.iter().zip(times).map(|((question, _), (memory, store))| Answered { question, memory, store });
    Ok(Measured {
        deployments,
        filled_seconds,
        ready_seconds,
        index_facts,
        index_megabytes: index_bytes / 1e6,
        resident_megabytes,
        answers: answers.collect(),
    })
}

/// Milliseconds for each question, sorted, and the answers.
async fn ask_all(connection: &mut Connection, times: usize) -> anyhow::Result<(Vec<Vec<f64>>, Vec<Vec<u8>>)> {
    let (mut all, mut bodies) = (Vec::new(), Vec::new());
    for (_, query) in QUESTIONS {
        let mut taken = Vec::new();
        let mut body = get(connection, &format!("/dora?{query}")).await?;
        for _ in 0..times {
            let began = Instant::now();
            body = get(connection, &format!("/dora?{query}")).await?;
            taken.push(began.elapsed().as_secs_f64() * 1e3);
        }
        taken.sort_by(f64::total_cmp);
        all.push(taken);
        bodies.push(body);
    }
    Ok((all, bodies))
}

async fn get(connection: &mut Connection, path: &str) -> anyhow::Result<Vec<u8>> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    let (status, body) = connection.ask(request.as_bytes()).await?;
    anyhow::ensure!(status == 200, "{path}: {status} {}", String::from_utf8_lossy(body));
    Ok(body.to_owned())
}

async fn own_metric(connection: &mut Connection, name: &str) -> anyhow::Result<Option<f64>> {
    let text = String::from_utf8(get(connection, "/metrics").await?)?;
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    Ok(line.and_then(|line| line.rsplit(' ').next()).map(str::parse).transpose()?)
}
