//! em-metrics: facts go in, numbers come out.
//!
//! | level | room | what it owns |
//! | --- | --- | --- |
//! | 0 | [`domain`] | what happened to a deployment, an incident: values and transitions, no I/O |
//! | 0 | [`benchmarks`] | figures that others have published, with their source |
//! | 1 | [`metrics`] | the catalogue of instruments and what moves them, pure |
//! | 1 | [`dora`] | answers: exact numbers for a window, pure |
//! | 1 | [`webhooks`] | what other tools send, read: signatures and events, pure |
//! | 2 | [`forges`] | the REST APIs of those who keep code: addresses, answers, what they mean as webhooks, pure |
//! | 2 | [`config`] | defaults < file < environment |
//! | 3 | [`storage`] | facts, journal, series totals in `SQLite` or `PostgreSQL` |
//! | 3 | [`telemetry`] | our own logs, traces and metrics |
//! | 4 | [`ingest`] | one writer, many commands, one transaction |
//! | 4 | [`report`] | loads facts and asks `dora` |
//! | 4 | [`auth`] | who is it |
//! | 5 | [`backfill`] | reads what webhooks did not tell |
//! | 5 | [`export`] | series totals as OTLP and Prometheus text |
//! | 6 | [`http`] | the contract: routes, problem documents |
//! | 7 | [`cli`] | subcommands; `compose` is the composition root |
//!
//! Arrows only go down; `tests/it/layers.rs` holds this table.

pub mod auth;
pub mod backfill;
pub mod benchmarks;
pub mod cli;
pub mod config;
pub mod domain;
pub mod dora;
pub mod export;
pub mod forges;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod report;
pub mod storage;
pub mod telemetry;
pub mod webhooks;

/// The version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from, as the build was told.
pub const COMMIT: &str = match option_env!("EM_METRICS_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
