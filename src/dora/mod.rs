//! Answers: exact numbers for a window of time, from facts, by event time. Pure: no I/O, no clock, no async.
//! The definitions are those of dora.dev, written out beside each block in `keys`.

pub mod benchmark;
pub mod enough;
pub mod explain;
mod facts;
pub mod index;
pub mod keys;
pub mod measure;
#[cfg(test)]
mod naive_tests;
mod quick_check;
mod stats;
mod tally;
pub mod trend;
mod window;
#[cfg(test)]
mod window_tests;
pub mod words;

pub use facts::{Bare, Deployment, Incident, Linked, Reached, Recovery};
pub use index::Index;
pub use keys::Keys;
pub use measure::{Measure, Measured};
pub use tally::{Answer, MAX_CELLS, Tally, TooMany};
pub use window::{Bucket, Calendar, Interval, MAX_BUCKETS, MAX_YEARS, Span, TooWide, Zone};
