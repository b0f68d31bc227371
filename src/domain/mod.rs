//! What happened to a deployment or an incident: values and transitions.
//! Pure: no I/O, no async, no clock of its own.

pub mod cell;
pub mod change;
pub mod correction;
pub mod deployment;
pub mod incident;
pub mod names;
pub mod refusal;
mod rules;
pub mod seen;
pub mod teams;
pub mod time;

pub use change::{Commit, Known, PullRequest, Push, Ticket, TicketStatus};
pub use deployment::Deployment;
pub use incident::Incident;
pub use names::{Name, Prose};
pub use refusal::{FieldProblem, Refusal, abridged};
pub use time::{Clock, Timestamp};

/// The transition rules' view of the world outside a fact.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// When the command reached us.
    pub now: Timestamp,
    /// The environment of facts that name none.
    pub production: &'a Name,
    pub teams: &'a teams::Teams,
}

/// The instruments a fact has already moved, one bit each (the bit's meaning belongs to `metrics`).
/// Kept with the fact, so that no repeat, correction or restart can count anything twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Marks(pub i64);

impl Marks {
    /// Sets the bit; true when it was not set before.
    pub fn set(&mut self, bit: u8) -> bool {
        let mask = 1_i64 << bit;
        let fresh = self.0 & mask == 0;
        self.0 |= mask;
        fresh
    }

    pub fn has(self, bit: u8) -> bool {
        self.0 & (1_i64 << bit) != 0
    }
}
