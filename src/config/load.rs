//! Reads the file and the environment, lets figment merge them, checks what came out.

use std::collections::BTreeMap;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::{Deserialize, Serialize};

use super::error::{self, ConfigError, Problem};
use super::otel_settings::OtelSettings;
use super::{Auth, Config, Incidents, Log, Publication, Server, Storage, TeamsSection, Webhooks, env, public, teams};
use crate::benchmarks::{Choice, Unknown};
use crate::domain::names::Name;

/// The file's shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) production_environment: Name,
    pub(super) server: Server,
    pub(super) storage: Storage,
    pub(super) auth: Auth,
    pub(super) otel: OtelSettings,
    pub(super) log: Log,
    pub(super) benchmark: Choice,
    pub(super) public: Vec<Publication>,
    pub(super) webhooks: Webhooks,
    pub(super) incidents: Incidents,
    pub(super) teams: TeamsSection,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            production_environment: Name::parse("production").expect("a valid name"),
            server: Server::default(),
            storage: Storage::default(),
            auth: Auth::default(),
            otel: OtelSettings::default(),
            log: Log::default(),
            benchmark: Choice::default(),
            public: Vec::new(),
            webhooks: Webhooks::default(),
            incidents: Incidents::default(),
            teams: TeamsSection::default(),
        }
    }
}

pub(super) fn defaults() -> Config {
    checked(Settings::default()).expect("the defaults are valid")
}

pub(super) fn load(explicit_file: Option<&Path>, env: &BTreeMap<String, String>) -> Result<Config, ConfigError> {
    let named = env.get("CONFIG").filter(|path| !path.is_empty()).map(Path::new);
    let mut figment = Figment::new();
    let file = explicit_file.or(named);
    if let Some(file) = file {
        let by = if explicit_file.is_none() { " (named by CONFIG)" } else { "" };
        figment = figment.merge(read_file(file, by)?);
    }
    for layer in env::layers(env)? {
        figment = figment.merge(layer);
    }
    let set_by = |key: &str| {
        let value = figment.find_value(key).ok().filter(|value| !matches!(value, Value::Empty(..)))?;
        figment.get_metadata(value.tag()).map(|source| source.name.to_string())
    };
    let mut settings: Settings = figment.extract().map_err(error::from_figment)?;
    settings.webhooks.add_secrets(env::webhook_secrets(env)?.into_iter());
    settings.webhooks.add_tokens(env::api_tokens(env)?.into_iter());
    let mut warnings = env::warnings(env, &settings);
    if let (Some(sqlite), Some(postgres)) = (set_by("storage.sqlite_db"), set_by("storage.database_url")) {
        // the file is often a copy of the example, which has every key
        let in_file = |origin: &str| file.is_some_and(|file| file.display().to_string() == origin);
        let (unused, winner) = match (in_file(&sqlite), in_file(&postgres)) {
            (true, false) => (format!("storage.sqlite_db of {sqlite}"), postgres),
            (false, true) => {
                settings.storage.database_url = None;
                (format!("storage.database_url of {postgres}"), sqlite)
            }
            _ => return Err(ConfigError::TwoDatabases { sqlite, postgres }),
        };
        warnings.push(format!("{unused} is not used: {winner} wins over the file"));
    }
    let config = checked(settings).and_then(|config| config.storage.check_place().map(|()| config));
    let config = config.map_err(|Problem { key, problem }| {
        let origin = origin(&key, set_by);
        ConfigError::Invalid { origin, key, problem }
    })?;
    Ok(Config { file: file.map(Path::to_owned), warnings, ..config })
}

/// Who set the key, or the nearest thing around it (`auth.tokens[1].name` -> `auth.tokens`).
fn origin(key: &str, set_by: impl Fn(&str) -> Option<String>) -> String {
    let mut key = key;
    loop {
        if let Some(origin) = set_by(key) {
            return origin;
        }
        let Some(end) = key.rfind(['.', '[']) else { return "the configuration".to_owned() };
        key = &key[..end];
    }
}

fn checked(settings: Settings) -> Result<Config, Problem> {
    settings.server.check()?;
    settings.storage.check()?;
    settings.auth.check()?;
    public::check(&settings.public)?;
    settings.webhooks.check()?;
    teams::check(&settings.teams)?;
    let unknown = |Unknown { field, problem }| Problem::at(&format!("benchmark.{field}"), &problem);
    let benchmark = settings.benchmark.find().map_err(unknown)?;
    Ok(Config {
        file: None,
        production_environment: settings.production_environment,
        server: settings.server,
        storage: settings.storage,
        auth: settings.auth,
        otel: settings.otel.resolve()?,
        log: settings.log,
        benchmark,
        public: settings.public,
        webhooks: settings.webhooks,
        incidents: settings.incidents,
        teams: teams::resolve(&settings.teams),
        warnings: Vec::new(),
        teams_section: settings.teams,
    })
}

fn read_file(path: &Path, by: &str) -> Result<Layer, ConfigError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ConfigError::Unreadable { what: format!("{name}{by}"), cause })?;
    let syntax = |problem: String| ConfigError::Syntax { file: name.clone(), problem };
    let json: serde_json::Value =
        serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| syntax(error.to_string()))?;
    let value = Value::serialize(json).map_err(|error| syntax(error.to_string()))?;
    match value.into_dict() {
        Some(dict) => Ok(Layer::new(name, dict)),
        None => Err(syntax("expected an object at the top".to_owned())),
    }
}

/// Settings of one origin, under the name that errors give it.
pub(super) struct Layer {
    origin: String,
    dict: Dict,
}

impl Layer {
    pub(super) fn new(origin: String, dict: Dict) -> Self {
        Self { origin, dict }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}
