//! `em-metrics-lambda`: the same contract, answered to the events of API Gateway and function URLs, on PostgreSQL.
//!
//! A function is frozen as soon as it has answered: no task can be relied on. What got a 2xx is committed before, as
//! everywhere; what `serve` does in the background is done at the end of an invocation, before the answer leaves, in a
//! bounded time (`upkeep`).

mod event;
mod upkeep;

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::{anyhow, ensure};
use axum::Router;
use lambda_http::RequestExt as _;
use tokio::sync::Mutex;
use tower::ServiceExt as _;

use super::ConfigFile;
use super::compose::Composed;
use crate::config::Config;
use crate::domain::{Clock, Timestamp};
use crate::http;
use crate::storage::Store;
use crate::telemetry::Telemetry;
use event::Answer;
use upkeep::Upkeep;

/// What the runtime of a function is told by.
const RUNTIME: &str = "AWS_LAMBDA_RUNTIME_API";
/// How long the end of an invocation may take: its caller waits.
const LIMIT: Duration = Duration::from_secs(5);
/// How long the function may have been frozen for its connections to be trusted: networks forget them after 350 s.
const TRUST: Duration = Duration::from_mins(5);
/// What is left of the function's time for the answer to get away.
const MARGIN: Duration = Duration::from_millis(500);

/// Answers events until it is ended from outside.
pub async fn run() -> anyhow::Result<()> {
    let config = fitted(ConfigFile::default().load()?)?;
    ensure!(
        std::env::var_os(RUNTIME).is_some(),
        "this is the program of an AWS Lambda function, and {RUNTIME} names no runtime: run `em-metrics` elsewhere"
    );
    let telemetry = Telemetry::init(&config.log, &config.otel)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let clock = Clock::system();
    let composed = Composed::new(&config, clock.clone(), telemetry.own_metrics()).await?;
    let (store, writer) = (composed.state.store.clone(), composed.writer);
    let upkeep = Upkeep::new(composed.projector, composed.inbox_keeper, composed.push);
    let rested = Arc::new(std::sync::Mutex::new(clock.now()));
    let function =
        Function { app: http::app(composed.state), store, upkeep: Arc::new(Mutex::new(upkeep)), rested, clock };
    let requests = lambda_http::Adapter::from(lambda_http::service_fn(move |event| {
        let function = function.clone();
        async move { Ok::<_, Infallible>(function.answer(event).await) }
    }));
    // as `lambda_http::run` does
    let answering = lambda_http::lambda_runtime::run(requests.map_request(event::fit));
    tracing::info!("answering");
    tokio::select! {
        ended = answering => ended.map_err(|error| anyhow!(error).context("the runtime of the function has ended")),
        // without it nothing can be accepted: the next invocation starts afresh
        _ = tokio::spawn(writer.run(std::future::pending())) => Err(anyhow!("the writer ended unexpectedly")),
    }
}

/// The configuration as a function can have it.
fn fitted(mut config: Config) -> anyhow::Result<Config> {
    ensure!(
        config.storage.database_url.is_some(),
        "a function keeps no files, so SQLite would lose what it is told: set DATABASE_URL to \
         postgres://user:password@host/database, or run `em-metrics` on a machine with a disk"
    );
    let auth = &config.auth;
    ensure!(
        auth.no_auth || !auth.tokens.is_empty() || auth.basic.is_some(),
        "no credentials are configured, and a token that is made up would be another one in each instance of the \
         function: set EM_METRICS_TOKEN_AUTH"
    );
    // to load it would take longer than an answer from the database
    config.storage.index_memory_mb = 0;
    if config.otel.traces.take().is_some() {
        config.warnings.push("traces are not exported from a function, which is frozen before it could".to_owned());
    }
    if config.webhooks.apis.iter().any(|api| !api.repositories.is_empty() || api.token.is_some()) {
        let warning = "a function does not ask the APIs of forges (webhooks.apis): `em-metrics serve` on the same \
                       database does, and `em-metrics backfill` reads what is missing";
        config.warnings.push(warning.to_owned());
    }
    Ok(config)
}

#[derive(Debug, Clone)]
struct Function {
    app: Router,
    store: Store,
    /// There is one invocation at a time; should there ever be two, one does it.
    upkeep: Arc<Mutex<Upkeep>>,
    /// Since when the function has had nothing to do.
    rested: Arc<std::sync::Mutex<Timestamp>>,
    clock: Clock,
}

impl Function {
    async fn answer(&self, event: lambda_http::Request) -> Answer {
        let deadline = event.lambda_context_ref().map_or(0, |context| context.deadline);
        let rested = *self.rested.lock().unwrap_or_else(PoisonError::into_inner);
        if self.clock.now() > rested.later(TRUST) {
            self.store.forget_connections().await;
        }
        let answered = self.app.clone().oneshot(event::request(event)).await;
        let answer = event::answer(answered.unwrap_or_else(|never: Infallible| match never {})).await;
        // whatever was in the way of the answer is in the way of this
        if !answer.status().is_server_error()
            && let Some(limit) = left(deadline, self.clock.now())
            && let Ok(mut upkeep) = self.upkeep.try_lock()
        {
            upkeep.run(limit).await;
        }
        *self.rested.lock().unwrap_or_else(PoisonError::into_inner) = self.clock.now();
        answer
    }
}

/// How long the end of an invocation may take, which has until then, in milliseconds since 1970; `None`: no time at all.
fn left(deadline: u64, now: Timestamp) -> Option<Duration> {
    let deadline = Timestamp::from_micros(i64::try_from(deadline).ok()?.checked_mul(1000)?)?;
    let left = Duration::from_micros(u64::try_from(deadline.micros_since(now)).ok()?);
    left.checked_sub(MARGIN).filter(|left| !left.is_zero()).map(|left| left.min(LIMIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> anyhow::Result<Config> {
        let environment = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        fitted(crate::config::load(None, &environment).unwrap())
    }

    #[test]
    fn what_no_function_can_be_is_refused_with_what_to_do() {
        let database = ("DATABASE_URL", "postgres://metrics@db.example.com/metrics");
        let token = ("EM_METRICS_TOKEN_AUTH", "a-token-of-the-tests");
        for (settings, wanted) in [
            (&[token][..], "DATABASE_URL"),
            (&[token, ("SQLITE_DB", "/tmp/facts.db")], "SQLite would lose"),
            (&[database], "EM_METRICS_TOKEN_AUTH"),
        ] {
            let refused = config(settings).unwrap_err().to_string();
            assert!(refused.contains(wanted), "{refused}");
        }
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces");
        let forge = ("EM_METRICS_GITHUB_TOKEN", "s3cret");
        let fitted = config(&[database, token, traces, forge]).unwrap();
        assert!(fitted.otel.traces.is_none() && fitted.storage.index_bytes().is_none());
        assert!(fitted.warnings[0].contains("traces") && fitted.warnings[1].contains("backfill"), "{fitted:?}");
    }

    #[test]
    fn the_end_of_an_invocation_fits_into_the_time_of_the_function() {
        let now = Timestamp::from_micros(1_000_000_000_000).unwrap();
        let left = |millis: u64| left(1_000_000_000 + millis, now);
        assert_eq!(left(60_000), Some(LIMIT));
        assert_eq!(left(3_000), Some(Duration::from_millis(2_500)));
        assert_eq!((left(500), left(0)), (None, None));
        assert_eq!((super::left(0, now), super::left(u64::MAX, now)), (None, None));
    }
}
