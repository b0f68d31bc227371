//! The real binary, with real engines around it: crashes, the collector, Prometheus, Grafana's files,
//! a browser.
//! `scripts/test` builds and names the engines (`EM_TEST_*`, see `scripts/engines`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod browser;
mod crash;
mod crash_webhooks;
mod failures;
mod files;
mod fortnight;
#[cfg(feature = "lambda")]
mod lambda;
mod moving;
mod past;
mod pictures;
mod process;
mod prometheus;
mod recount;
mod story;
mod truth;
