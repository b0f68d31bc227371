//! Reading what webhooks did not tell: GitHub sends each delivery once and GitLab hardly ever again, so what was missed
//! is asked for. What is read goes the way of webhooks, as deliveries, so that it changes nothing where it is known.
//! Speaks HTTP with the forges; what is asked and what answers mean stands in `forges`.

mod client;
mod first_commits;
mod planned;
mod schedule;
mod state;
mod walk;

pub use client::{Api, Got, Patience, Trouble};
pub use first_commits::FirstCommits;
pub use planned::{Planned, Unplannable, planned};
pub use schedule::Schedule;
pub use state::State;
pub use walk::{Error, Event, Job, Outlet, Taken, Tally, run};
