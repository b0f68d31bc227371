//! Signed deliveries of a tool under load: how soon each has its 200, while those before it become facts; and how
//! long it takes until the last one is a fact.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use em_metrics::domain::Timestamp;
use em_metrics::webhooks::{self, Scheme};

use crate::Options;
use crate::client::{Connection, Work};
use crate::server::Server;
use crate::store::Databases;
use crate::throughput;
use crate::work::{TOKEN, commit, project};

/// How long the inbox may take to become facts before the run has failed.
const PATIENCE: Duration = Duration::from_mins(10);
/// GitHub's own are ten times as long as what is read of them.
const PADDING: usize = 9_000;

#[derive(Debug)]
pub struct Cell {
    pub connections: usize,
    pub answered: u64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub slowest_ms: f64,
    pub cpu_micros: f64,
    /// From the last answer until nothing waits in the inbox.
    pub behind_seconds: f64,
}

/// `POST /webhooks/github`: the end of a deployment, one delivery each.
struct Deliveries {
    scheme: Scheme,
    projects: u64,
    next: u64,
    answered: u64,
    padding: String,
}

impl Work for Deliveries {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<u64> {
        let number = self.next;
        self.next += 1;
        let mut body = String::with_capacity(PADDING + 600);
        let _ = write!(
            body,
            r#"{{"action":"created","deployment":{{"id":{number},"sha":"{sha}","environment":"production","#,
            sha = commit(number),
        );
        let _ = write!(body, r#""created_at":"2026-01-01T00:00:00Z"}},"deployment_status":{{"state":"success","#);
        let _ = write!(
            body,
            r#""created_at":"2026-01-01T00:05:00Z"}},"repository":{{"full_name":"acme/project-{}"}},"padding":"{}"}}"#,
            project(number, self.projects),
            self.padding,
        );
        let (body, signed) = self.scheme.sign(body.as_bytes(), TOKEN, Timestamp::EPOCH);
        let _ = write!(
            request,
            "POST /webhooks/github HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: load\r\nx-github-event: deployment_status\r\n\
             x-github-delivery: {number}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in signed {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(&body);
        Some(number)
    }

    fn done(&mut self, _: u64) {
        self.answered += 1;
    }

    fn expected(&self) -> u16 {
        200
    }
}

/// One server and one database for each number of connections.
pub async fn measure(options: &Options, databases: &Databases, folder: &Path) -> anyhow::Result<Vec<Cell>> {
    let scheme = *webhooks::vendor("github").and_then(|vendor| vendor.schemes.first()).context("GitHub signs")?;
    let [ours, _] = options.variants();
    let mut cells = Vec::new();
    for &connections in &options.connections {
        let database = databases.make(&format!("deliveries_{connections}")).await?;
        let server = Server::start(&ours, database.section(), options.projects, folder).await?;
        let work =
            Deliveries { scheme, projects: options.projects, next: 1, answered: 0, padding: "x".repeat(PADDING) };
        let (load, cpu_micros, work) = throughput::measure(&server, options, connections, work).await?;
        let began = Instant::now();
        settled(&server).await?;
        let behind = began.elapsed();
        server.stop().await?;
        let found = database.contents().await?.deployed;
        anyhow::ensure!(found == work.answered, "{found} deployments of {} deliveries with a 200", work.answered);
        database.remove().await?;
        let cell = Cell {
            connections,
            answered: work.answered,
            per_second: load.per_second(),
            p50_ms: load.quantile(0.5),
            p99_ms: load.quantile(0.99),
            slowest_ms: load.quantile(1.0),
            cpu_micros,
            behind_seconds: behind.as_secs_f64(),
        };
        eprintln!(
            "{}: signed deliveries at {connections}: {:.0}/s, p99 {:.1} ms, {} facts {:.1} s later",
            databases.engine().name(),
            cell.per_second,
            cell.p99_ms,
            cell.answered,
            cell.behind_seconds,
        );
        cells.push(cell);
    }
    Ok(cells)
}

/// Waits until every delivery has become facts.
async fn settled(server: &Server) -> anyhow::Result<()> {
    let request = format!(
        "GET /inbox?state=received&limit=1 HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    );
    let mut connection = Connection::open(server.address).await?;
    let began = Instant::now();
    loop {
        let (status, body) = connection.ask(request.as_bytes()).await?;
        anyhow::ensure!(status == 200, "/inbox: {status}");
        if body.trim_ascii() == b"[]" {
            return Ok(());
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "deliveries are still waiting");
        // nobody is told when the last one is done
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
