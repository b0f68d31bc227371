//! What a start costs when much is stored: time to the first answer, memory after it and after some load.
//! SQLite only: there the file is ours to fill, and to open.

use std::path::Path;
use std::time::Instant;

use em_metrics::domain::deployment::{Change, Command, Details};
use em_metrics::domain::teams::Teams;
use em_metrics::domain::{Context, Name, Timestamp, deployment};
use em_metrics::metrics;
use em_metrics::storage::{Entry, Fact, Store, Totals, Writes};

use crate::Options;
use crate::server::Server;
use crate::store::Database;
use crate::throughput;
use crate::work::{Deployments, Start};

/// Starts that are measured.
const STARTS: usize = 9;
/// Facts in one transaction while filling.
const BATCH: u64 = 10_000;
const CONNECTIONS: usize = 64;
const SECOND: i64 = 1_000_000;

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
    fill(&file, options).await?;
    let file_bytes = std::fs::metadata(&file)?.len();
    eprintln!("SQLite: {} facts stored in {:.1} s", options.facts, began.elapsed().as_secs_f64());

    let database = Database::Sqlite { file };
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

/// Deployments that have reached users, as the service itself would have stored them, with journal and totals.
async fn fill(file: &Path, options: &Options) -> anyhow::Result<()> {
    let storage = em_metrics::config::Storage { sqlite_db: file.to_owned(), ..Default::default() };
    let store = Store::open(&storage, std::time::Duration::from_secs(15)).await?;
    let name = |text: String| Name::parse(&text).map_err(anyhow::Error::msg);
    let time = |seconds: i64| Timestamp::from_micros(seconds * SECOND).ok_or_else(|| anyhow::anyhow!("too late"));
    let (production, actor, teams) = (name("production".into())?, name("load".into())?, Teams::default());
    let mut number = 0;
    while number < options.facts {
        let mut facts = Vec::new();
        let mut journal = Vec::new();
        let mut totals = Totals::default();
        while number < options.facts && facts.len() < usize::try_from(BATCH)? {
            // one a minute from 2024 on
            let now = 1_704_067_200 + 60 * i64::try_from(number)?;
            let command = Command {
                id: name(format!("{}", 10_000_000_000 + number))?,
                project_id: Some(name(format!("project-{}", number % options.projects))?),
                details: Details {
                    first_commit_at: Some(time(now - 86_400)?),
                    deploy_start_at: Some(time(now - 600)?),
                    username: Some(name(format!("dev-{}", number % 200))?),
                    commit_sha: Some(name(format!("{number:040x}"))?),
                    team_id: Some(name(format!("team-{}", number % options.projects / 5))?),
                    ..Details::default()
                },
                change: Change::Start { deployed_at: Some(time(now)?) },
            };
            let context = Context { now: time(now)?, production: &production, teams: &teams };
            let mut after =
                deployment::apply(None, &command, &context).map_err(|refusal| anyhow::anyhow!("{refusal}"))?;
            for observation in metrics::deployments::observe(&mut after) {
                totals.add(observation, context.now);
            }
            journal.push(Entry {
                recorded_at: context.now,
                actor: actor.clone(),
                kind: command.kind(),
                before: None,
                after: Fact::Deployment(after.clone()),
            });
            facts.push(after);
            number += 1;
        }
        let mut tx = store.begin().await?;
        tx.write(&Writes { new_deployments: facts.iter().collect(), journal, totals, ..Writes::default() }, None)
            .await?;
        tx.commit().await?;
    }
    store.close().await;
    Ok(())
}
