//! The load generator behind `scripts/bench`: starts servers, drives them over 127.0.0.1, prints tables.
//! Durable requests per second, latency, CPU and memory, against a baseline measured in the same run; signed
//! deliveries and how soon they are facts; and what a start and what answers with a million stored facts take. And for
//! those who have outgrown one machine: replicas behind a balancer, and a growing number of series. It judges nothing but
//! correctness: every answer must be 2xx, and afterwards the store must hold exactly what was answered.

mod answers;
mod balancer;
mod client;
mod contender;
mod deliveries;
mod filling;
mod machine;
mod moving;
mod replicas;
mod report;
mod series;
mod server;
mod sink;
mod startup;
mod store;
mod throughput;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use server::Variant;
use store::{Databases, Engine};

/// Described for people in `scripts/bench`.
#[derive(Debug, Parser)]
struct Options {
    /// Measured seconds of each cell; a fifth of it is spent before, to warm up.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Medians are taken over this many runs, each with fresh servers and fresh databases.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256")]
    connections: Vec<usize>,
    #[arg(long, value_enum, value_delimiter = ',', default_value = "sqlite,postgres")]
    engines: Vec<Engine>,
    /// Projects that the facts are spread over.
    #[arg(long, default_value_t = 50)]
    projects: u64,
    /// Facts in the store whose opening is measured; 0 leaves that part out.
    #[arg(long, default_value_t = 1_000_000)]
    facts: u64,
    /// Deployments in the stores that /dora is asked of, or that are moved; 0 leaves that part out.
    #[arg(long, value_delimiter = ',', default_value = "1000000")]
    deployments: Vec<u64>,
    /// Replicas and many series on PostgreSQL, in place of all the rest.
    #[arg(long)]
    postgres: bool,
    /// How many replicas, one number after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4")]
    replicas: Vec<usize>,
    /// How many projects there are series of; 0 leaves that part out.
    #[arg(long, value_delimiter = ',', default_value = "10,1000,50000")]
    series: Vec<u64>,
    /// Half a second a cell, one run, a tenth of the facts.
    #[arg(long)]
    quick: bool,
    /// Another build to compare with, instead of this one with group commit switched off.
    #[arg(long, value_name = "EM_METRICS")]
    against: Option<PathBuf>,
    /// The build to measure, instead of the one made together with this program.
    #[arg(long, value_name = "EM_METRICS", default_value = env!("CARGO_BIN_EXE_em-metrics"))]
    binary: PathBuf,
    /// Where the databases and logs of the run are; taken away at its end.
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// A server on which databases may be made and dropped.
    #[arg(long, env = "EM_TEST_POSTGRES", hide_env_values = true)]
    server: Option<String>,
    /// The balancer's program.
    #[arg(long, env = "EM_TEST_HAPROXY")]
    haproxy: Option<PathBuf>,
    /// What `cargo bench` says to its programs; without it (`cargo test --all-targets`) nothing is measured.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Measured, and before that spent warming up.
    fn cell(&self) -> (Duration, Duration) {
        let measured = Duration::from_secs_f64(self.seconds);
        (measured, measured / 5)
    }

    fn variants(&self) -> [Variant; 2] {
        let ours = Variant { name: "ours".into(), binary: self.binary.clone(), group_commit: true };
        let baseline = match &self.against {
            Some(binary) => Variant { name: "against".into(), binary: binary.clone(), group_commit: true },
            None => Variant { name: "one by one".into(), binary: self.binary.clone(), group_commit: false },
        };
        [ours, baseline]
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if !options.bench {
        println!("nothing measured: see scripts/bench");
        return Ok(());
    }
    let mut terminate = signal(SignalKind::terminate())?;
    // whichever way it ends, the servers and the folder go with what holds them
    tokio::select! {
        done = run(options) => done,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("ended from outside"),
    }
}

async fn run(mut options: Options) -> anyhow::Result<()> {
    if options.quick {
        (options.seconds, options.runs, options.facts) = (0.5, 1, options.facts / 10);
        options.deployments.iter_mut().chain(&mut options.series).for_each(|number| *number /= 10);
    }
    anyhow::ensure!((0.1..=60.0).contains(&options.seconds), "--seconds: expected 0.1 to 60");
    anyhow::ensure!((1..=20).contains(&options.runs), "--runs: expected 1 to 20");
    anyhow::ensure!((1..=10_000).contains(&options.projects), "--projects: expected 1 to 10000");
    anyhow::ensure!(options.connections.iter().all(|n| (1..=1024).contains(n)), "--connections: expected 1 to 1024");
    anyhow::ensure!(options.replicas.iter().all(|n| (1..=16).contains(n)), "--replicas: expected 1 to 16");
    anyhow::ensure!(options.series.iter().all(|n| *n <= 200_000), "--series: expected 0 to 200000");
    options.series.retain(|projects| *projects > 0);
    // servers are started in a folder of their own
    for binary in [Some(&mut options.binary), options.against.as_mut()].into_iter().flatten() {
        *binary = binary.canonicalize().with_context(|| format!("no program at {}", binary.display()))?;
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::Builder::new()
        .prefix("em-metrics-bench.")
        .tempdir_in(&options.folder)
        .with_context(|| format!("cannot write in {}", options.folder.display()))?;

    println!("## em-metrics under load\n");
    println!("{}", machine::describe(folder.path())?);
    if options.postgres { many(&options, folder.path()).await } else { one(&options, folder.path()).await }
}

/// One process.
async fn one(options: &Options, folder: &Path) -> anyhow::Result<()> {
    for engine in &options.engines {
        let Some(databases) = databases(*engine, options, folder).await? else { continue };
        let cells = throughput::measure_all(options, &databases, folder).await?;
        println!("{}", report::throughput(&databases, options, &cells));
        let cells = deliveries::measure(options, &databases, folder).await?;
        println!("{}", report::deliveries(options, &cells));
    }
    if options.facts > 0 {
        let measured = startup::measure(options, folder).await?;
        println!("{}", report::startup(&measured));
    }
    for deployments in options.deployments.iter().copied().filter(|deployments| *deployments > 0) {
        let measured = answers::measure(deployments, options, folder).await?;
        println!("{}", report::answers(&measured));
    }
    Ok(())
}

/// Many processes, and many projects.
async fn many(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let Some(databases) = databases(Engine::Postgres, options, folder).await? else { return Ok(()) };
    match &options.haproxy {
        Some(haproxy) => {
            let cells = replicas::measure(options, &databases, haproxy, folder).await?;
            println!("{}", report::replicas(&databases, options, &cells));
        }
        None => println!(
            "### Replicas on one PostgreSQL\n\n\
             Not measured: EM_TEST_HAPROXY is not set, and scripts/bench found no haproxy (Debian: its package).\n"
        ),
    }
    let moved = moving::measure(options, &databases, folder).await?;
    println!("{}", report::moving(&moved));
    if !options.series.is_empty() {
        let measured = series::measure(options, &databases, folder).await?;
        println!("{}", report::series(&databases, &measured));
    }
    Ok(())
}

/// Says why, where there are none.
async fn databases(engine: Engine, options: &Options, folder: &Path) -> anyhow::Result<Option<Databases>> {
    let found = Databases::of(engine, folder, options.server.as_deref()).await?;
    Ok(found.inspect_err(|why_not| println!("### {}\n\nNot measured: {why_not}.\n", engine.name())).ok())
}
