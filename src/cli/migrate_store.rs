//! `em-metrics migrate-store`: a whole store into another database.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::Args;

use super::migrate::shown;
use super::output::{complain, say};
use crate::config::Storage;
use crate::dora::words::duration;
use crate::storage::{Moved, Progress, TableSum, move_store};

const ADDRESS: &str = "sqlite:PATH, or postgres://user:password@host/database";

const BETWEEN_LINES: Duration = Duration::from_secs(2);

/// Move everything into another database: from SQLite to PostgreSQL, or back.
///
/// Facts, journal, totals, the inbox of webhooks and the identity of the store are copied as they are, so that Prometheus
/// sees the same series go on: same names, same start times, no jump. Then both sides are counted and compared.
///
/// Stop the service, run this, and start the service on the new database. The new one must be there and be empty; its
/// schema is made. An older schema of the old one is brought up to date first.
///
/// Interrupted in any way, it goes on where it was when it is run again. Until it has ended, no service starts on the
/// half that is there; once it has, none starts on the old database, for two services of one identity would count twice.
/// Nothing is deleted from the old one.
///
/// Is the pause too long? Run it with --ahead while the service still runs, then stop the service and run it without:
/// only what has changed meanwhile is left to be written.
#[derive(Debug, Args)]
pub(super) struct Command {
    #[arg(long, value_name = "ADDRESS", help = ADDRESS)]
    from: String,
    /// The same. In DATABASE_URL no other user of the machine sees the password; PGPASSWORD and ~/.pgpass serve for both
    #[expect(clippy::doc_markdown, reason = "it is read in a terminal")]
    #[arg(long, value_name = "ADDRESS", env = "DATABASE_URL", hide_env_values = true)]
    to: String,
    /// Copy what is there while the service goes on; run it again without this once the service has stopped
    #[arg(long)]
    ahead: bool,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    let (from, to) = (at("--from", &command.from)?, at("--to", &command.to)?);
    let (began, mut report) = (Instant::now(), Report::default());
    let moved = move_store(&from, &to, command.ahead, |progress| report.progress(&progress)).await?;
    let took = duration(began.elapsed().as_secs_f64());
    let (from, to) = (shown(&from), shown(&to));
    match moved {
        Moved::Before => say(&format!("{from} was moved to {to} before; nothing was changed")),
        Moved::Ahead { tables } => {
            table(&tables);
            say(&format!(
                "copied ahead to {to} in {took}. Now stop the service and run this again without --ahead: what has \
                 changed since is made the same"
            ));
        }
        Moved::Whole { tables, doubts } => {
            table(&tables);
            for doubt in doubts {
                complain(&format!("warning: {doubt}; it was so before the move, and was copied as it is"));
            }
            say(&format!(
                "{to} holds all that {from} does, counted and compared, in {took}. Start the service with it; it will not \
                 start with the old one any more"
            ));
        }
    }
    Ok(())
}

fn at(option: &str, address: &str) -> anyhow::Result<Storage> {
    Storage::at(address).map_err(|problem| anyhow!("{option}: {problem}"))
}

fn table(tables: &[TableSum]) {
    say(&format!("{:<16} {:>12} {:>12}  {}", "table", "rows", "written now", "checksum"));
    for TableSum { table, rows, written, checksum } in tables {
        // enough to compare by eye
        let checksum = checksum.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        say(&format!("{table:<16} {rows:>12} {written:>12}  {checksum:016x}"));
    }
}

/// Lines on standard error: a table that is done, and now and then where a long one is.
#[derive(Debug, Default)]
struct Report {
    last_line: Option<Instant>,
}

impl Report {
    fn progress(&mut self, progress: &Progress) {
        match progress {
            Progress::Copying { table, done, of, written } => {
                let is_due = self.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
                if done < of && !is_due {
                    return;
                }
                let percent = (done * 100).checked_div(*of).unwrap_or(100);
                complain(&format!("{table}: {done} of {of} rows ({percent} %), {written} of them written"));
            }
            Progress::Verifying { table } => complain(&format!("{table}: comparing")),
        }
        self.last_line = Some(Instant::now());
    }
}
