//! The integration tests: the whole service in this process, real engines below it, HTTP above it.
//! `http/` mirrors `src/http` and the URLs.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::float_cmp, reason = "the totals that are compared are whole numbers or exact")]

#[macro_use]
mod engine;
mod app;
mod backfill;
mod cli;
mod dashboards;
mod exact;
mod hostile;
mod http;
mod layers;
mod memory;
mod moving;
mod outage;
mod proxy;
mod races;
mod readme;
mod replicas;
mod restart;
mod retries;
mod series;
mod turns;
mod unreachable;
mod upgrade;
mod views;
mod webhooks;
mod wire;
