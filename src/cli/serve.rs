//! `em-metrics serve`: starts what was composed, serves, and on the way out finishes what was accepted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::client;
use super::compose::Composed;
use super::output::say;
use crate::auth::GeneratedToken;
use crate::backfill::{FirstCommits, Schedule, planned};
use crate::config::Config;
use crate::domain::Clock;
use crate::http::{self, AppState};
use crate::ingest::Unwritten;
use crate::storage::Store;
use crate::telemetry::{OwnMetrics, Telemetry};

/// How long the end of the process may wait for connections to the database to end.
const CLOSING: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or ctrl-c; a second one ends at once.
pub async fn run(config: Config) -> anyhow::Result<()> {
    let telemetry = Telemetry::init(&config.log, &config.otel)?;
    let outcome = serve(&config, telemetry.own_metrics()).await;
    // it blocks while the last spans are sent
    tokio::task::spawn_blocking(|| telemetry.shutdown()).await?;
    outcome
}

async fn serve(config: &Config, own: OwnMetrics) -> anyhow::Result<()> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let began = Instant::now();
    let (host, port) = (config.server.host.as_str(), config.server.port);
    let listener = TcpListener::bind((host, port)).await.with_context(|| {
        format!(
            "cannot listen on {host}:{port}: is another service using the port? Set PORT (or HOST) to something else"
        )
    })?;
    let stop = CancellationToken::new();
    let service = Service::start(config, Clock::system(), own).await?;
    let (url, generated) = (shown_url(listener.local_addr()?), service.generated.as_ref());
    tracing::info!(
        url,
        store = service.store.engine_name(),
        startup_seconds = began.elapsed().as_secs_f64(),
        "serving"
    );
    print_welcome(&url, generated);
    let signals = stop.clone();
    tokio::spawn(async move {
        stop_on_signals(&signals).await;
    });
    service.serve(listener, stop).await
}

/// Everything but the listening.
#[derive(Debug)]
pub struct Service {
    pub state: AppState,
    pub store: Store,
    /// The token that was made because none is configured.
    pub generated: Option<GeneratedToken>,
    drain: Duration,
    leaving: CancellationToken,
    grace: Duration,
    /// How long a write may wait and take.
    request_timeout: Duration,
    writer: tokio::task::JoinHandle<Result<(), Unwritten>>,
    stop_writer: CancellationToken,
    projector: tokio::task::JoinHandle<()>,
    stop_projector: CancellationToken,
    exporter: Option<tokio::task::JoinHandle<()>>,
    keeper: Option<tokio::task::JoinHandle<()>>,
    inbox_keeper: tokio::task::JoinHandle<()>,
    /// What asks the APIs of forges.
    askers: Vec<tokio::task::JoinHandle<()>>,
    stop_exporter: CancellationToken,
}

impl Service {
    /// Opens the store and starts the writer, the exporter and the keeper of the index.
    pub async fn start(config: &Config, clock: Clock, own: OwnMetrics) -> anyhow::Result<Self> {
        let Composed { state, generated, writer, push, projector, settled, inbox_keeper, memory } =
            Composed::new(config, clock, own).await?;
        let (stop_writer, stop_projector, stop_exporter) =
            (CancellationToken::new(), CancellationToken::new(), CancellationToken::new());
        let planned = planned(&config.webhooks, &state.sources, &state.clock, client::http)?;
        let (store, ingest, clock) = (state.store.clone(), state.ingest.clone(), state.clock.clone());
        let schedule = Schedule::new(store.clone(), ingest.clone(), clock.clone(), state.arrived.clone(), &planned);
        let schedule = schedule.map(|schedule| tokio::spawn(schedule.run(stop_projector.clone())));
        let first_commits = FirstCommits::new(store.clone(), ingest, clock, settled, &planned);
        let first_commits = first_commits.map(|asker| tokio::spawn(asker.run(stop_projector.clone())));
        Ok(Self {
            store,
            generated,
            drain: config.server.drain(),
            leaving: state.leaving.clone(),
            grace: config.server.shutdown_timeout(),
            request_timeout: config.server.request_timeout(),
            writer: tokio::spawn(writer.run(stop_writer.clone().cancelled_owned())),
            stop_writer,
            projector: tokio::spawn(projector.run(stop_projector.clone())),
            stop_projector,
            exporter: push.map(|push| tokio::spawn(push.run(stop_exporter.clone()))),
            keeper: memory.map(|memory| tokio::spawn(memory.keep(stop_exporter.clone()))),
            inbox_keeper: tokio::spawn(inbox_keeper.run(stop_exporter.clone())),
            askers: schedule.into_iter().chain(first_commits).collect(),
            stop_exporter,
            state,
        })
    }

    /// Serves until `stop`. In this order, so that nothing accepted is lost and the collector hears of it:
    /// requests, the writer's queue, one last export, the store. An error when something was left undone.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let mut writer = self.writer;
        let closing = CancellationToken::new();
        tokio::spawn(drain(stop, self.leaving, self.drain, closing.clone()));
        let serving = http::serve(listener, self.state, closing.clone(), self.grace);
        tokio::pin!(serving);
        let written = tokio::select! {
            () = &mut serving => {
                // before the writer, which it tells; what it leaves waits in the inbox
                self.stop_projector.cancel();
                if let Err(error) = self.projector.await {
                    tracing::error!(%error, "the reader of deliveries did not end well");
                }
                for asker in self.askers {
                    if let Err(error) = asker.await {
                        tracing::error!(%error, "what asks the APIs of forges did not end well");
                    }
                }
                self.stop_writer.cancel();
                // each of those that wait is answered in the time of a request
                let limit = self.grace + self.request_timeout;
                match tokio::time::timeout(limit, &mut writer).await {
                    Ok(Ok(written)) => written.map_err(anyhow::Error::from),
                    Ok(Err(error)) => Err(anyhow!(error).context("the writer did not end well")),
                    Err(_) => {
                        writer.abort();
                        Err(anyhow!("the writer was still waiting for the database after {} s", limit.as_secs()))
                    }
                }
            }
            ended = &mut writer => {
                // without a writer nothing can be accepted: let whoever supervises us start afresh
                tracing::error!(?ended, "the writer ended unexpectedly; stopping");
                closing.cancel();
                serving.await;
                Err(anyhow!("the writer ended unexpectedly"))
            }
        };
        self.stop_exporter.cancel();
        if let Some(exporter) = self.exporter
            && let Err(error) = exporter.await
        {
            tracing::error!(%error, "the exporter did not end well");
        }
        if let Some(keeper) = self.keeper
            && let Err(error) = keeper.await
        {
            tracing::error!(%error, "the keeper of the index did not end well");
        }
        if let Err(error) = self.inbox_keeper.await {
            tracing::error!(%error, "the keeper of the inbox did not end well");
        }
        if tokio::time::timeout(CLOSING, self.store.close()).await.is_err() {
            tracing::warn!("left the database without a farewell: something was still under way there");
        }
        match &written {
            Ok(()) => tracing::info!("stopped"),
            Err(error) => tracing::error!(error = %format_args!("{error:#}"), "stopped"),
        }
        written
    }
}

/// A balancer sends requests until it has looked and been told: so long they are served.
async fn drain(stop: CancellationToken, leaving: CancellationToken, drain: Duration, closing: CancellationToken) {
    stop.cancelled().await;
    leaving.cancel();
    if !drain.is_zero() {
        tracing::info!(drain_seconds = drain.as_secs(), "serving until balancers have heard");
        tokio::time::sleep(drain).await;
    }
    closing.cancel();
}

async fn stop_on_signals(stop: &CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        tracing::error!("signals cannot be heard; only SIGKILL will stop this process");
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping; once more to stop at once");
    stop.cancel();
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::warn!("stopping at once");
    std::process::exit(130);
}

/// An address that can be pasted into a browser on this machine.
fn shown_url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!("http://localhost:{}", address.port());
    }
    format!("http://{address}")
}

/// To standard output, for whoever started it: logs go to standard error and never carry a secret.
fn print_welcome(url: &str, generated: Option<&GeneratedToken>) {
    say(&format!("em-metrics {} is listening on {url}\nThe web page: {url}/", crate::VERSION));
    let Some(token) = generated.map(GeneratedToken::expose) else { return };
    say(&format!(
        "\nNo credentials are configured, so this token was made to sign in and send with; it is good until the \
         service stops:\n\n    {token}\n\n\
         Set EM_METRICS_TOKEN_AUTH to one of your own to keep it. The first deployment:\n\n    \
         curl -H 'Authorization: Bearer {token}' --json '{{\"id\": \"1\", \"project_id\": \"shop\", \
         \"first_commit_at\": \"2026-01-31T12:00:00Z\"}}' {url}/deployments\n"
    ));
}
