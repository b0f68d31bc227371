//! `em-metrics webhook`: which tools are understood, how to set one up, and whether it works.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::client;
use super::output::say;
use crate::domain::Clock;
use crate::webhooks::{VENDORS, Vendor, vendor};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the tools whose webhooks are understood
    List,
    /// Say how to set one up: where to click, what to paste, what becomes what
    Guide {
        #[arg(value_parser = known)]
        vendor: &'static Vendor,
    },
    /// Send a signed sample to a running service, which says what it would make of it
    Test(Box<Test>),
}

#[derive(Debug, Args)]
pub(super) struct Test {
    #[arg(value_parser = known)]
    vendor: &'static Vendor,
    /// The name of the source, where there are several of the vendor
    #[arg(long)]
    name: Option<String>,
    /// Which sample; without it, the first
    #[arg(long)]
    sample: Option<String>,
    /// The source's secret; better by the environment, as others may see the command line
    #[arg(long, env = "EM_METRICS_WEBHOOK_SECRET", hide_env_values = true)]
    secret: SecretString,
    /// Have it recorded, instead of only saying what would become of it
    #[arg(long)]
    keep: bool,
    /// Where the service is
    #[arg(long, env = "EM_METRICS_URL", hide_env_values = true, default_value = "http://127.0.0.1:3000")]
    url: String,
}

fn known(name: &str) -> Result<&'static Vendor, String> {
    vendor(name).ok_or_else(|| format!("there are {}", names().join(", ")))
}

fn names() -> Vec<&'static str> {
    VENDORS.iter().map(|vendor| vendor.name).collect()
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List => {
            for vendor in VENDORS {
                say(&format!("{:<16} {}", vendor.name, vendor.title));
            }
            Ok(())
        }
        Command::Guide { vendor } => {
            say(vendor.guide.trim_end());
            Ok(())
        }
        Command::Test(test) => test.send().await,
    }
}

impl Test {
    async fn send(&self) -> anyhow::Result<()> {
        let samples = self.vendor.samples;
        let wanted = |name: &String| samples.iter().find(|sample| sample.name == *name);
        let sample = match &self.sample {
            None => samples.first(),
            Some(name) => wanted(name),
        };
        let Some(sample) = sample else {
            let names: Vec<_> = samples.iter().map(|sample| sample.name).collect();
            bail!("{} has no such sample; there are {}", self.vendor.title, names.join(", "));
        };
        let base = self.url.trim_end_matches('/');
        let name = self.name.as_ref().map(|name| format!("/{name}")).unwrap_or_default();
        let dry_run = if self.keep { "" } else { "?dry_run=true" };
        let url = format!("{base}/webhooks/{}{name}{dry_run}", self.vendor.name);
        let secret = self.secret.expose_secret();
        let (body, signed) = match self.vendor.schemes.first() {
            Some(scheme) => scheme.sign(sample.body.as_bytes(), secret, Clock::system().now()),
            None => (sample.body.into(), vec![("authorization", format!("Bearer {secret}"))]),
        };
        let http = client::http(&url).build().context("cannot make an HTTP client")?;
        let mut request = http.post(&url).timeout(Duration::from_secs(30)).header("content-type", "application/json");
        for (name, value) in sample.headers {
            request = request.header(*name, *value);
        }
        for (name, value) in signed {
            request = request.header(name, value);
        }
        let unreachable = |error: reqwest::Error| {
            client::Failure::Unreachable(format!("{base} does not answer: {}", client::root_cause(&error)))
        };
        let answer = request.body(body).send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let detail = problem["detail"].as_str().unwrap_or(&text);
            return Err(client::Failure::Refused(format!("{status}: {detail}")).into());
        }
        let shown = serde_json::from_str::<Value>(&text).and_then(|value| serde_json::to_string_pretty(&value));
        say(&shown.unwrap_or(text));
        Ok(())
    }
}
