//! Deliveries of other people's tools, from the inbox to facts. Taken in by the writer, read by `webhooks`, told to
//! the writer again as commands: a delivery that is read twice changes nothing the second time.

mod first_commit;
mod keeper;
mod links;
mod projector;
#[cfg(test)]
mod sighted_tests;
mod sources;

pub use first_commit::{FirstCommits, LookError};
pub use keeper::InboxKeeper;
pub use projector::{Projector, Trial, try_out};
pub use sources::{Source, Sources, UnknownVendor, Wanted, json};
