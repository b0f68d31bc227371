//! Stores that are full before anything is measured.

use std::time::Duration;

use em_metrics::domain::deployment::{Change, Command, Details};
use em_metrics::domain::teams::Teams;
use em_metrics::domain::{Context, Name, Timestamp, deployment};
use em_metrics::metrics;
use em_metrics::storage::{Entry, Fact, Store, Totals, Writes};

use crate::store::Database;

/// Facts in one transaction.
const BATCH: u64 = 10_000;
/// Longer than any of them takes.
const PATIENCE: Duration = Duration::from_mins(2);
const SECOND: i64 = 1_000_000;

/// Deployments that have reached users, as the service itself would have stored them, with journal and totals.
#[derive(Debug)]
pub struct Filling {
    pub facts: u64,
    /// In turn.
    pub projects: u64,
    /// Whether the projects are of the teams that a server is told of.
    pub teams: bool,
}

impl Filling {
    pub async fn fill(&self, database: &Database) -> anyhow::Result<()> {
        let store = Store::open(&database.storage(), PATIENCE).await?;
        let (production, actor, teams) = (name("production")?, name("load")?, Teams::default());
        let mut number = 0;
        while number < self.facts {
            let mut facts = Vec::new();
            let mut journal = Vec::new();
            let mut totals = Totals::default();
            while number < self.facts && facts.len() < usize::try_from(BATCH)? {
                // one a minute from 2024 on
                let now = 1_704_067_200 + 60 * i64::try_from(number)?;
                let command = self.command(number, now)?;
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

    /// The durations of one project's deployments are not all in one bucket.
    fn command(&self, number: u64, now: i64) -> anyhow::Result<Command> {
        let (project, turn) = (number % self.projects, number / self.projects);
        let team = self.teams.then(|| name(&format!("team-{}", project / 5))).transpose()?;
        Ok(Command {
            id: name(&format!("{}", 10_000_000_000 + number))?,
            project_id: Some(name(&format!("project-{project}"))?),
            details: Details {
                first_commit_at: Some(time(now - (3_600_i64 << (turn % 6)))?),
                deploy_start_at: Some(time(now - (60_i64 << (turn % 5)))?),
                username: Some(name(&format!("dev-{}", number % 200))?),
                commit_sha: Some(name(&format!("{number:040x}"))?),
                team_id: team,
                ..Details::default()
            },
            change: Change::Start { deployed_at: Some(time(now)?) },
        })
    }
}

fn name(text: &str) -> anyhow::Result<Name> {
    Name::parse(text).map_err(anyhow::Error::msg)
}

fn time(seconds: i64) -> anyhow::Result<Timestamp> {
    Timestamp::from_micros(seconds * SECOND).ok_or_else(|| anyhow::anyhow!("too late"))
}
