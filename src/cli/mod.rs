//! The command line: one file per subcommand. What they do is the other rooms' business.

mod backfill;
mod client;
mod compose;
mod config;
mod demo;
mod deployment;
mod export;
mod healthcheck;
mod help;
mod import;
mod incident;
#[cfg(feature = "lambda")]
pub mod lambda;
mod migrate;
mod migrate_store;
mod output;
mod report;
pub mod serve;
#[cfg(test)]
mod tests;
mod webhook;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, VARIABLES};

/// Engineering metrics (DORA) from facts: exact series in Prometheus, exact answers from the store.
///
/// Without a command it serves, needing neither configuration nor any other service.
#[derive(Debug, Parser)]
#[command(name = "em-metrics", version, after_help = help::SHORT, after_long_help = help::long())]
#[command(disable_help_subcommand = true, max_term_width = 110)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default)
    Serve(ConfigFile),
    /// Check, show or write a configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Bring the schema of the database up to date, and stop; `serve` does so as well
    Migrate(ConfigFile),
    // what it does stands with its arguments, at length
    MigrateStore(migrate_store::Command),
    /// Fill the database with made-up facts, to try things out or to measure; the service must not run on SQLite
    Demo(demo::Command),
    /// Ask the service on this machine whether it is ready, for containers
    Healthcheck(ConfigFile),
    /// Tell a service about a deployment
    #[command(subcommand)]
    Deployment(deployment::Command),
    /// Tell a service about an incident, or list incidents
    #[command(subcommand)]
    Incident(incident::Command),
    /// Take facts in from a file, as many as there are; it can be interrupted, resumed and repeated
    Import(import::Import),
    /// Read from GitHub or GitLab what webhooks did not tell, and hand it to a service; what is known stays as it is
    #[command(after_long_help = backfill::MORE)]
    Backfill(Box<backfill::Backfill>),
    /// Give all facts out
    Export(export::Export),
    /// A week in numbers: what has changed, whether it is more than noise, and the facts behind it
    Report(report::Arguments),
    /// Tools that send webhooks: which there are, how to set one up, and whether it works
    #[command(subcommand)]
    Webhook(webhook::Command),
}

#[derive(Debug, Default, Args)]
struct ConfigFile {
    /// The configuration file, JSON; instead of the one that CONFIG names
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> anyhow::Result<Config> {
        Ok(crate::config::load(self.file.as_deref(), &environment()?)?)
    }
}

/// The arguments, or the exit when there is nothing to run: help was asked for, or they make no sense.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    Arguments::try_parse_from(&arguments).map_err(|error| {
        let _ = error.print();
        // A pipeline that is not to fail must not fail because of a misspelt flag either.
        let forgiven = error.use_stderr() && arguments.iter().any(|argument| argument == client::BEST_EFFORT);
        let code = if forgiven { 0 } else { error.exit_code() };
        ExitCode::from(u8::try_from(code).unwrap_or(2))
    })
}

pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command.unwrap_or(Command::Serve(ConfigFile::default())) {
        Command::Serve(file) => serve::run(file.load()?).await,
        Command::Config(command) => config::run(&command),
        Command::Migrate(file) => migrate::run(&file.load()?).await,
        Command::MigrateStore(command) => migrate_store::run(command).await,
        Command::Demo(command) => demo::run(command).await,
        Command::Healthcheck(file) => healthcheck::run(&file.load()?).await,
        Command::Deployment(command) => deployment::run(command).await,
        Command::Incident(command) => incident::run(command).await,
        Command::Import(import) => import::run(import).await,
        Command::Backfill(backfill) => backfill::run(*backfill).await,
        Command::Export(export) => export::run(export).await,
        Command::Report(arguments) => report::run(arguments).await,
        Command::Webhook(command) => webhook::run(command).await,
    }
}

/// Does all of it on a runtime of its own; with which code to leave.
pub fn finish(work: impl Future<Output = anyhow::Result<()>>) -> ExitCode {
    // Before any connection; fails only where a provider is installed already, which serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(work);
    // What has to be finished was awaited; a stuck blocking call must not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(1));
    exit(&result)
}

/// Says what went wrong, with its causes, and with which code to leave.
fn exit(result: &anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    output::complain(&format!("error: {error:#}"));
    ExitCode::from(error.downcast_ref().map_or(1, client::Failure::exit_code))
}

/// The process environment, as `config` takes it. Variables of others may be any bytes.
fn environment() -> anyhow::Result<BTreeMap<String, String>> {
    let mut environment = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => _ = environment.insert(name, value),
            Err(_) if VARIABLES.iter().any(|variable| name.starts_with(variable.name)) => {
                bail!("environment variable {name}: expected text in UTF-8")
            }
            Err(_) => {}
        }
    }
    Ok(environment)
}
