//! `em-metrics demo`: fills the store with facts that look like those of a company, told the way everything is.

use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use super::ConfigFile;
use super::migrate::shown;
use super::output::{complain, say};
use crate::domain::{Clock, teams::Teams};
use crate::ingest::demo::Demo;
use crate::ingest::{self, Rules};
use crate::storage::Store;

/// Commands in one transaction.
const BATCH: usize = 5000;
/// Deployments between two lines of progress.
const PROGRESS: u64 = 100_000;

#[derive(Debug, Args)]
pub(super) struct Command {
    /// How many deployments
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    deployments: u64,
    /// The same seed (and end) makes the same facts
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Projects that they are spread over
    #[arg(long, value_name = "P", default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    projects: u64,
    /// Days that they are spread over, up to now
    #[arg(long, value_name = "DAYS", default_value_t = 180, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The last day ends then (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Also into a store that has facts
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let config = command.config.load()?;
    let clock = Clock::system();
    let until = match &command.until {
        Some(text) => crate::domain::Timestamp::parse(text).map_err(anyhow::Error::msg).context("--until")?,
        None => clock.now(),
    };
    ensure!(until <= clock.now(), "--until: {until} has not come yet");
    let store = Store::open(&config.storage, config.server.write_limit()).await?;
    let database = shown(&config.storage);
    if store.journal_len().await? > 0 && !command.force {
        bail!("{database} holds facts already: give the demo a store of its own, or --force to add to it");
    }
    let rules = Rules { production: config.production_environment.clone(), teams: Teams::default() };
    let demo = Demo::new(command.seed, command.deployments, command.projects, command.days, until)
        .context("--days: there is not so much time")?;
    let began = Instant::now();
    let (mut commands, mut incidents) = (Vec::with_capacity(BATCH + 16), 0);
    for number in 0..command.deployments {
        let told = demo.story(number);
        incidents += told.incidents;
        commands.extend(told.commands);
        if commands.len() >= BATCH {
            tell(&store, &commands, &rules).await?;
            commands.clear();
        }
        if number > 0 && number.is_multiple_of(PROGRESS) {
            let seconds = began.elapsed().as_secs_f64();
            complain(&format!("{number} of {} deployments after {seconds:.0} s", command.deployments));
        }
    }
    tell(&store, &commands, &rules).await?;
    store.close().await;
    say(&format!("{database}: {} deployments and {incidents} incidents were added", command.deployments));
    Ok(())
}

async fn tell(store: &Store, commands: &[ingest::Command], rules: &Rules) -> anyhow::Result<()> {
    match ingest::tell(store, commands, rules).await?.first() {
        None => Ok(()),
        Some(refusal) => bail!("{refusal}: was a demo of this seed told to this store before? Take another --seed"),
    }
}
