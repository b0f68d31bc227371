//! The composition root: puts the rooms together. Who runs them stands elsewhere: `serve`, which stays, and `lambda`,
//! which is frozen between two requests.

use std::collections::HashSet;
use std::sync::Arc;

use axum::http::HeaderValue;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::auth::{Authenticator, GeneratedToken};
use crate::config::Config;
use crate::domain::Clock;
use crate::export::{Push, Totals};
use crate::http::{self, AppState, Meters, Parts, SignIns};
use crate::ingest::webhooks::{InboxKeeper, Projector, Sources};
use crate::ingest::{Settings, Writer};
use crate::metrics::Labels;
use crate::report::{Answers, Memory};
use crate::storage::Store;
use crate::telemetry::OwnMetrics;

/// Everything on an open store, and nothing of it running.
#[derive(Debug)]
pub struct Composed {
    pub state: AppState,
    /// The token that was made because none is configured.
    pub generated: Option<GeneratedToken>,
    pub writer: Writer,
    pub push: Option<Push>,
    pub projector: Projector,
    /// Told when deliveries have become facts.
    pub settled: Arc<Notify>,
    pub inbox_keeper: InboxKeeper,
    /// To be kept, if there is to be one.
    pub memory: Option<Memory>,
}

impl Composed {
    pub async fn new(config: &Config, clock: Clock, own: OwnMetrics) -> anyhow::Result<Self> {
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
        let sources = Arc::new(Sources::new(&config.webhooks)?);
        let (arrived, settled) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let push = Push::new(store.clone(), own.clone(), &config.otel, clock.clone())?;
        let projector = Projector::new(
            store.clone(),
            ingest.clone(),
            sources.clone(),
            clock.clone(),
            arrived.clone(),
            settled.clone(),
            config.incidents.suggest_within(),
        );
        let inbox_keeper = InboxKeeper::new(store.clone(), clock.clone(), &config.webhooks);
        let meter = own.meter();
        let state = AppState::new(Parts {
            store: store.clone(),
            ingest,
            sources,
            arrived,
            answers,
            auth,
            totals: Totals::new(store, own),
            clock,
            production_environment: config.production_environment.clone(),
            benchmark: config.benchmark,
            public: http::Public::new(&config.public),
            leaving: CancellationToken::new(),
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
        Ok(Self { state, generated, writer, push, projector, settled, inbox_keeper, memory })
    }
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
