//! Taking commands in: one writer drains a queue, many commands share one transaction, and everyone is
//! answered after it is on disk.

mod load;
mod plan;
#[cfg(test)]
mod plan_tests;
mod writer;

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::domain::{Deployment, Incident, Name, Refusal, Timestamp, deployment, incident};

pub use writer::{Settings, Writer};

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
    /// Whether the command made it.
    pub created: bool,
}

#[derive(Debug, Clone)]
enum Outcome {
    Deployment(Accepted<Deployment>, Vec<Name>),
    Incident(Accepted<Incident>),
}

/// Why a command was not recorded. In every case it has left no trace, except that after `Unavailable`
/// a commit whose answer was lost may have happened; repeating the command settles it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("more is coming in than the disk can take")]
    Overloaded,
    #[error("the database does not answer")]
    Unavailable,
}

/// Where commands are handed in. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingest {
    queue: mpsc::Sender<Job>,
    patience: Duration,
}

#[derive(Debug)]
struct Job {
    command: Command,
    /// Not begun by then: given up, so that the caller's answer and the store agree.
    deadline: tokio::time::Instant,
    answer: oneshot::Sender<Result<Outcome, Error>>,
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

    async fn accept(&self, command: Command) -> Result<Outcome, Error> {
        let deadline = tokio::time::Instant::now() + self.patience;
        let place = tokio::time::timeout_at(deadline, self.queue.reserve())
            .await
            .map_err(|_| Error::Overloaded)?
            .map_err(|_| Error::Unavailable)?;
        let (answer, answered) = oneshot::channel();
        place.send(Job { command, deadline, answer });
        answered.await.map_err(|_| Error::Unavailable)?
    }
}
