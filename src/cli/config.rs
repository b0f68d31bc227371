//! `em-metrics config`: is it valid, what is in force, how does a file look.

use clap::Subcommand;

use super::output::{complain, say};
use super::{ConfigFile, migrate};
use crate::config::{self as configuration, Config, Target, masked_url};
use crate::telemetry;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Load file and environment as `serve` would, and say what is wrong, or in force
    Check(ConfigFile),
    /// Print the effective configuration as JSON, secrets masked
    Show(ConfigFile),
    /// Print a configuration file with every key
    Example,
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Check(file) => {
            let config = file.load()?;
            telemetry::check_filter(&config.log.filter)?;
            for warning in &config.warnings {
                complain(&format!("warning: {warning}"));
            }
            say(&summary(&config));
        }
        Command::Show(file) => say(&serde_json::to_string_pretty(&file.load()?.shown())?),
        Command::Example => say(configuration::example().trim_end()),
    }
    Ok(())
}

fn summary(config: &Config) -> String {
    let server = &config.server;
    let listens = format!("{}:{}", server.host, server.port);
    let teams = config.shown()["teams"].as_object().map_or(0, serde_json::Map::len).to_string();
    let file = config.file.as_ref().map_or_else(|| "none".to_owned(), |file| file.display().to_string());
    let lines = [
        ("file", file),
        ("listens on", listens),
        ("database", migrate::shown(&config.storage)),
        ("callers", callers(&config.auth)),
        ("metrics to", target(config.otel.metrics.as_ref(), "nowhere, but /metrics serves them")),
        ("traces to", target(config.otel.traces.as_ref(), "nowhere")),
        ("teams", teams),
    ];
    lines
        .iter()
        .fold("the configuration is valid".to_owned(), |text, (name, value)| format!("{text}\n  {name:<10} {value}"))
}

fn callers(auth: &configuration::Auth) -> String {
    if auth.no_auth {
        return "everybody".to_owned();
    }
    let tokens = auth.tokens.iter().map(|token| format!("token {}", token.name));
    let basic = auth.basic.iter().map(|_| "basic".to_owned());
    let callers: Vec<String> = tokens.chain(basic).collect();
    if callers.is_empty() { "whoever has the token that a start makes up".to_owned() } else { callers.join(", ") }
}

fn target(target: Option<&Target>, none: &str) -> String {
    target.map_or_else(|| none.to_owned(), |target| masked_url(&target.url))
}
