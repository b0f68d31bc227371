//! Many commands of one caller: what an import hands in.

use tokio::time::Instant;

use super::{Command, Error, Ingest, Work};
use crate::domain::Refusal;

/// What becomes of many commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Each stands for itself.
    Each,
    /// All of them, or none when one is refused. In one transaction.
    All,
    /// None: only what would become of them is told.
    Try,
}

/// What became of one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Created,
    Changed,
    Unchanged,
}

impl Ingest {
    /// In the order given, in one transaction. On disk when this returns `Ok`, unless `mode` says otherwise or,
    /// with [`Mode::All`], one of them is refused.
    pub async fn many(&self, commands: Vec<Command>, mode: Mode) -> Result<Vec<Result<Effect, Refusal>>, Error> {
        // a long batch is asked to wait its turn no longer than a short one, but may then take its time
        let deadline = Instant::now() + self.patience;
        self.hand_in(deadline, |answer| Work::Many { commands, mode, answer }).await?
    }
}
