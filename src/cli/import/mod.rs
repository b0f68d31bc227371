//! `em-metrics import`: a file of facts, in parts. What was taken is not undone by what follows: each line stands for
//! itself, and sent again it changes nothing. So whatever breaks off can simply be done again, or gone on with.

mod parts;
mod progress;
mod records;
mod run;
mod source;
mod state;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::client::{Failure, Service};
use super::output::complain;
use run::Run;
use source::Source;

/// Lines that are all or nothing, or only tried, are done at once; the service takes no more.
const MOST_AT_ONCE: usize = 100_000;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Import {
    /// NDJSON or CSV, gzipped or not; - for standard input
    file: PathBuf,
    /// What it is [default: by the name's ending; of standard input ndjson]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What the rows of a CSV are that has no column `kind`
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// An empty cell of a CSV removes the value (null); without this it says nothing
    #[arg(long)]
    empty_is_null: bool,
    /// Leave out columns of a CSV that no fact has
    #[arg(long)]
    ignore_unknown: bool,
    /// Only say what would become of each line; record nothing. 100,000 lines at the most
    #[arg(long, conflicts_with_all = ["atomic", "resume"])]
    dry_run: bool,
    /// Record all lines, or none when one is refused. 100,000 lines at the most
    #[arg(long, conflicts_with = "resume")]
    atomic: bool,
    /// Go on where an earlier import of this file stopped; from its start if none did
    #[arg(long)]
    resume: bool,
    /// Write every refused line's number and reason there, as NDJSON; only some are shown
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// How many lines are sent at once
    #[arg(long, value_name = "N", default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    lines_per_part: u32,
    #[command(flatten)]
    service: Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Ndjson,
    Csv,
}

/// Deployments are sent before incidents: those name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Deployment,
    Incident,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Incident => "incident",
        }
    }
}

/// Why a line is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Fault {
    /// A JSON pointer into the line.
    pointer: String,
    detail: String,
}

pub(super) async fn run(import: Import) -> anyhow::Result<()> {
    let result = import.run().await;
    import.service.forgive(result)
}

impl Import {
    /// Whether all lines are sent together.
    fn at_once(&self) -> bool {
        self.dry_run || self.atomic
    }

    async fn run(&self) -> anyhow::Result<()> {
        let is_stdin = self.file.as_os_str() == "-";
        ensure!(!(is_stdin && self.resume), "standard input cannot be read twice: put it into a file to resume it");
        let format = match (self.format, is_stdin) {
            (Some(format), _) => format,
            (None, true) => Format::Ndjson,
            (None, false) => source::format_of(&self.file)?,
        };
        if format == Format::Ndjson && (self.kind.is_some() || self.empty_is_null) {
            bail!("--kind and --empty-is-null are for CSV: each line of NDJSON says its kind, and null is null");
        }
        let mut source = if is_stdin { Source::spooled(std::io::stdin().lock())? } else { Source::file(&self.file)? };
        // not before standard input has been read: until then ctrl-c ends the process by itself
        let interrupted = interrupted()?;
        let mut run = Run::new(self, &source, format)?;
        let result = tokio::select! {
            result = run.all(&mut source) => result,
            () = interrupted => Err(Failure::Interrupted.into()),
        };
        let result = result.and_then(|()| run.conclude());
        if result.is_err() && run.can_resume() {
            complain("to go on where it stopped: the same command with --resume");
        }
        result
    }
}

/// Ends when somebody wants us to.
pub(super) fn interrupted() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
