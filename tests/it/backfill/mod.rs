//! What is read from the APIs of forges, by the command line and on a schedule.

mod fake;
mod first_commits;
mod github;
mod gitlab;
mod schedule;
