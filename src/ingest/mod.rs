//! Taking commands in: one writer drains a queue, many commands share one transaction, and everyone is
//! answered after it is on disk.

mod bulk;
pub mod demo;
mod health;
mod load;
mod plan;
#[cfg(test)]
mod plan_tests;
pub mod webhooks;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::domain::{Deployment, Incident, Name, Refusal, Timestamp, deployment, incident};

pub use bulk::{Effect, Mode};
pub use plan::Rules;
pub use writer::{Settings, Unwritten, Writer, tell};

use crate::storage::{Cause, Letter};
use health::Writable;

/// What somebody wants to have recorded.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who says so, for the journal.
    pub actor: Name,
    pub received_at: Timestamp,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub enum Action {
    Deployment(deployment::Command),
    Incident(incident::Command),
}

/// The fact after an accepted command.
#[derive(Debug, Clone)]
pub struct Accepted<T> {
    pub fact: T,
    pub effect: Effect,
}

#[derive(Debug, Clone)]
enum Outcome {
    Deployment(Accepted<Deployment>, Vec<Name>),
    Incident(Accepted<Incident>),
}

impl Outcome {
    fn effect(&self) -> Effect {
        match self {
            Self::Deployment(accepted, _) => accepted.effect,
            Self::Incident(accepted) => accepted.effect,
        }
    }
}

/// Why a command was not recorded. In every case it has left no trace, except that after `Unavailable`
/// a commit whose answer was lost may have happened; repeating the command settles it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("more is coming in than the disk can take")]
    Overloaded,
    #[error("{}", .0.words())]
    Unavailable(Cause),
    /// The same command will fail again; the log says why.
    #[error("the database will not have it")]
    Failed,
}

/// Where commands are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    queue: mpsc::Sender<Job>,
    patience: Duration,
    writable: Writable,
}

#[derive(Debug)]
struct Job {
    work: Work,
    /// Not begun by then: given up, so that the caller's answer and the store agree.
    deadline: tokio::time::Instant,
    /// Set by whoever comes first: the writer that begins it, or its caller who gives up.
    taken: Arc<AtomicBool>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all work is of the large variant, and wants no allocation")]
enum Work {
    /// Shares a transaction with others.
    One { command: Command, answer: oneshot::Sender<Result<Outcome, Error>> },
    /// Has a transaction of its own.
    Many { commands: Vec<Command>, mode: Mode, answer: oneshot::Sender<Result<Vec<Result<Effect, Refusal>>, Error>> },
    /// Go into the inbox in one transaction, a single one together with others.
    Letters { letters: Vec<Letter>, answer: LetterAnswer },
}

/// The id that each has been given, or `None` where it had been delivered before.
type LetterAnswer = oneshot::Sender<Result<Vec<Option<i64>>, Error>>;

impl Job {
    /// Whether it is to be done: in time, and with somebody who waits for it.
    fn begin(&self, now: tokio::time::Instant) -> bool {
        let is_closed = match &self.work {
            Work::One { answer, .. } => answer.is_closed(),
            Work::Many { answer, .. } => answer.is_closed(),
            Work::Letters { answer, .. } => answer.is_closed(),
        };
        self.deadline > now && !is_closed && !self.taken.swap(true, Ordering::AcqRel)
    }
}

impl Ingest {
    /// Records what happened to a deployment. On disk when this returns `Ok`, which also has the ids of the
    /// incidents linked to it: to read them afterwards could fail, and "no" to something on disk is a lie.
    pub async fn deployment(
        &self,
        actor: Name,
        received_at: Timestamp,
        command: deployment::Command,
    ) -> Result<(Accepted<Deployment>, Vec<Name>), Error> {
        match self.accept(Command { actor, received_at, action: Action::Deployment(command) }).await? {
            Outcome::Deployment(accepted, incidents) => Ok((accepted, incidents)),
            Outcome::Incident(_) => unreachable!("a command is answered in kind"),
        }
    }

    /// Records what happened to an incident. On disk when this returns `Ok`.
    pub async fn incident(
        &self,
        actor: Name,
        received_at: Timestamp,
        command: incident::Command,
    ) -> Result<Accepted<Incident>, Error> {
        match self.accept(Command { actor, received_at, action: Action::Incident(command) }).await? {
            Outcome::Incident(accepted) => Ok(accepted),
            Outcome::Deployment(..) => unreachable!("a command is answered in kind"),
        }
    }

    /// Puts deliveries into the inbox, all or none; they become facts later. The id of each, or `None` for one that
    /// is there already. On disk when this returns `Ok`.
    pub async fn receive(&self, letters: Vec<Letter>) -> Result<Vec<Option<i64>>, Error> {
        let deadline = tokio::time::Instant::now() + self.patience;
        self.hand_in(deadline, |answer| Work::Letters { letters, answer }).await?
    }

    async fn accept(&self, command: Command) -> Result<Outcome, Error> {
        let deadline = tokio::time::Instant::now() + self.patience;
        self.hand_in(deadline, |answer| Work::One { command, answer }).await?
    }

    /// Waits for a place in the queue, and for the answer.
    async fn hand_in<T>(
        &self,
        deadline: tokio::time::Instant,
        work: impl FnOnce(oneshot::Sender<T>) -> Work,
    ) -> Result<T, Error> {
        let place = tokio::time::timeout_at(deadline, self.queue.reserve())
            .await
            .map_err(|_| Error::Overloaded)?
            .map_err(|_| Error::Unavailable(Cause::Silent))?;
        let (answer, mut answered) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        place.send(Job { work: work(answer), deadline, taken: taken.clone() });
        let outcome = match tokio::time::timeout_at(deadline, &mut answered).await {
            Ok(outcome) => outcome,
            // the writer has not come to it, and now never will
            Err(_) if !taken.swap(true, Ordering::AcqRel) => return Err(Error::Overloaded),
            // begun, so it may be on disk a moment later; the writer answers within a time of its own
            Err(_) => answered.await,
        };
        outcome.map_err(|_| Error::Unavailable(Cause::Silent))
    }

    /// Why what is handed in cannot be written, by what was tried last; `None`: it can.
    pub fn obstacle(&self) -> Option<Cause> {
        self.writable.obstacle()
    }
}
