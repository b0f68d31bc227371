//! The composition root: puts the rooms together, serves, and on the way out finishes what was accepted.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use axum::http::HeaderValue;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::client;
use super::output::say;
use crate::auth::{Authenticator, GeneratedToken};
use crate::backfill::{FirstCommits, Schedule, planned};
use crate::config::Config;
use crate::domain::Clock;
use crate::export::{Push, Totals};
use crate::http::{self, AppState, Meters, Parts, SignIns};
use crate::ingest::webhooks::{InboxKeeper, Projector, Sources};
use crate::ingest::{Settings, Unwritten, Writer};
use crate::metrics::Labels;
use crate::report::{Answers, Memory};
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
        let store = Store::open(&config.storage, config.server.write_limit()).await?;
        let (auth, generated) = Authenticator::new(&config.auth, store.secret().await?);
        store.announce(&configured_labels(config), clock.now()).await?;
        let settings = Settings {
            production: config.production_environment.clone(),
            teams: config.teams.clone(),
            group_commit: config.storage.group_commit,
            clock: clock.clone(),
            patience: config.server.write_limit(),
        };
        let memory = config.storage.index_bytes().map(|bound| Memory::new(store.clone(), bound));
        let answers = Answers::new(store.clone(), memory.clone());
        let (writer, ingest) = Writer::new(store.clone(), settings);
        let (sources, arrived) = (Arc::new(Sources::new(&config.webhooks)?), Arc::new(Notify::new()));
        let (stop_writer, stop_exporter) = (CancellationToken::new(), CancellationToken::new());
        let writer = tokio::spawn(writer.run(stop_writer.clone().cancelled_owned()));
        let push = Push::new(store.clone(), own.clone(), &config.otel, clock.clone())?;
        let exporter = push.map(|push| tokio::spawn(push.run(stop_exporter.clone())));
        let (stop_projector, settled) = (CancellationToken::new(), Arc::new(Notify::new()));
        let projector = Projector::new(
            store.clone(),
            ingest.clone(),
            sources.clone(),
            clock.clone(),
            arrived.clone(),
            settled.clone(),
            config.incidents.suggest_within(),
        );
        let projector = tokio::spawn(projector.run(stop_projector.clone()));
        let planned = planned(&config.webhooks, &sources, &clock, client::http)?;
        let schedule = Schedule::new(store.clone(), ingest.clone(), clock.clone(), arrived.clone(), &planned);
        let schedule = schedule.map(|schedule| tokio::spawn(schedule.run(stop_projector.clone())));
        let first_commits = FirstCommits::new(store.clone(), ingest.clone(), clock.clone(), settled, &planned);
        let first_commits = first_commits.map(|asker| tokio::spawn(asker.run(stop_projector.clone())));
        let inbox_keeper = InboxKeeper::new(store.clone(), clock.clone(), &config.webhooks);
        let inbox_keeper = tokio::spawn(inbox_keeper.run(stop_exporter.clone()));
        let (meter, leaving) = (own.meter(), CancellationToken::new());
        let state = AppState::new(Parts {
            store: store.clone(),
            ingest,
            sources,
            arrived,
            answers,
            auth,
            totals: Totals::new(store.clone(), own),
            clock,
            production_environment: config.production_environment.clone(),
            benchmark: config.benchmark,
            public: http::Public::new(&config.public),
            leaving: leaving.clone(),
            shown_config: config.shown(),
            body_limit: config.server.body_limit_bytes,
            webhook_limit: config.webhooks.body_limit_bytes,
            import_limit: config.server.import_limit_bytes,
            import_folder: config.storage.spool_folder(),
            exports: http::export_slots(),
            imports: http::import_slots(),
            max_connections: config.server.max_connections,
            request_timeout: config.server.request_timeout(),
            metrics_auth: config.server.metrics_auth,
            cors_origins: config
                .server
                .cors_origins
                .iter()
                .map(|origin| HeaderValue::from_str(origin))
                .collect::<Result<_, _>>()?,
            tracing: config.otel.traces.is_some(),
            meters: Meters::new(meter),
            sign_ins: SignIns::default(),
        });
        let (grace, request_timeout) = (config.server.shutdown_timeout(), config.server.request_timeout());
        let keeper = memory.map(|memory| tokio::spawn(memory.keep(stop_exporter.clone())));
        Ok(Self {
            state,
            store,
            generated,
            drain: config.server.drain(),
            leaving,
            grace,
            request_timeout,
            writer,
            stop_writer,
            projector,
            stop_projector,
            exporter,
            keeper,
            inbox_keeper,
            askers: schedule.into_iter().chain(first_commits).collect(),
            stop_exporter,
        })
    }

    /// Serves until `stop`. In this order, so that nothing accepted is lost and the collector hears of it:
    /// requests, the writer's queue, one last export, the store. An error when something was left undone.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> anyhow::Result<()> {
        let mut writer = self.writer;
        let closing = CancellationToken::new();
        tokio::spawn(drain(stop, self.leaving, self.drain, closing.clone()));
        let serving = http::serve(listener, http::app(self.state), closing.clone(), self.grace);
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

/// The series of configured teams are there long before anything happens to them.
fn configured_labels(config: &Config) -> HashSet<Labels> {
    let environment = &config.production_environment;
    let labels = config.teams.project_teams().map(|(project, team)| Labels {
        project_id: project.clone(),
        team_id: Some(team.clone()),
        environment: environment.clone(),
    });
    labels.collect()
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
