//! `em-metrics deployment`: the steps of a pipeline.

use std::process::Command as Process;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;

use super::client::{Request, Service, path};
use crate::dora::words::duration;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// A pipeline started to deploy
    Start(Start),
    /// It reached its users
    Deployed(Deployed),
    /// It failed before it reached them
    Failed(Failed),
    /// It was taken back
    RolledBack(RolledBack),
}

#[derive(Debug, Args, Serialize)]
pub(super) struct Start {
    /// Unique in its project, for example the number of the pipeline's run
    id: String,
    /// What is deployed
    #[arg(long = "project", alias = "project-id", value_name = "PROJECT")]
    project_id: String,
    #[command(flatten)]
    #[serde(flatten)]
    details: Details,
    #[command(flatten)]
    #[serde(skip)]
    service: Service,
}

#[derive(Debug, Args, Serialize)]
pub(super) struct Deployed {
    /// Which deployment
    #[serde(skip)]
    id: String,
    /// Needed when several projects have the id, and with --create-if-not-exists
    #[arg(long = "project", alias = "project-id", value_name = "PROJECT")]
    project_id: Option<String>,
    /// Record it even if its start was not; needs --project and the first commit
    #[arg(long, requires = "project_id")]
    create_if_not_exists: bool,
    #[command(flatten)]
    #[serde(flatten)]
    details: Details,
    #[command(flatten)]
    #[serde(skip)]
    service: Service,
}

#[derive(Debug, Args, Serialize)]
struct Details {
    /// When the first commit of the change was made: RFC 3339 with an offset
    #[arg(long, value_name = "TIME", group = "first_commit")]
    first_commit_at: Option<String>,
    /// Take it from git: the oldest commit of the range (such as v1.2..HEAD), or the newest one
    /// without a range; needs a clone that is deep enough
    #[arg(long, value_name = "RANGE", num_args = 0..=1, require_equals = true, default_missing_value = "-1", group = "first_commit")]
    #[serde(skip)]
    first_commit_from_git: Option<String>,
    /// When the pipeline started [default: now]
    #[arg(long, value_name = "TIME")]
    deploy_start_at: Option<String>,
    /// When it reached its users; with `start`: it already has
    #[arg(long, value_name = "TIME")]
    deployed_at: Option<String>,
    /// Where it runs [default: the service's production environment]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Who deployed
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Who owns it [default: found from project and user]
    #[arg(long = "team", alias = "team-id", value_name = "TEAM")]
    team_id: Option<String>,
    /// The commit that is deployed
    #[arg(long, value_name = "SHA")]
    commit_sha: Option<String>,
    /// How people call it
    #[arg(long, value_name = "TEXT")]
    version: Option<String>,
    /// Where to read more, for example the pipeline's run
    #[arg(long, value_name = "URL")]
    #[serde(rename = "url")]
    link: Option<String>,
    /// A hotfix, a roll-back or a roll-forward
    #[arg(long)]
    unplanned: bool,
}

#[derive(Debug, Args, Serialize)]
pub(super) struct Failed {
    /// When: RFC 3339 with an offset, such as 2026-03-01T09:30:00Z [default: now]
    #[arg(long, visible_alias = "at", value_name = "TIME")]
    failed_at: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    which: Which,
}

#[derive(Debug, Args, Serialize)]
pub(super) struct RolledBack {
    /// When: RFC 3339 with an offset, such as 2026-03-01T09:30:00Z [default: now]
    #[arg(long, visible_alias = "at", value_name = "TIME")]
    rolled_back_at: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    which: Which,
}

#[derive(Debug, Args, Serialize)]
struct Which {
    /// Which deployment
    #[serde(skip)]
    id: String,
    /// Needed when several projects have the id
    #[arg(long, alias = "project-id")]
    #[serde(skip)]
    project: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    #[serde(skip)]
    service: Service,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Start(mut start) => {
            let request = start.details.ask_git().and_then(|()| Request::post("/deployments", &start));
            start.service.call(request, summary).await
        }
        Command::Deployed(mut deployed) => {
            let request = deployed.details.ask_git().and_then(|()| {
                let path = path("deployments", &deployed.id, "deployed")?;
                Ok(Request::post(&path, &deployed)?.query("project_id", &deployed.project_id))
            });
            deployed.service.call(request, summary).await
        }
        Command::Failed(failed) => failed.which.ended("failed", &failed).await,
        Command::RolledBack(rolled_back) => rolled_back.which.ended("rolled-back", &rolled_back).await,
    }
}

impl Which {
    async fn ended(&self, action: &str, body: &impl Serialize) -> anyhow::Result<()> {
        let request = path("deployments", &self.id, action)
            .and_then(|path| Ok(Request::post(&path, body)?.query("project_id", &self.project)));
        self.service.call(request, summary).await
    }
}

impl Details {
    fn ask_git(&mut self) -> anyhow::Result<()> {
        if let Some(range) = &self.first_commit_from_git {
            self.first_commit_at = Some(oldest_commit(range)?);
        }
        Ok(())
    }
}

/// `-1` is the newest commit alone.
fn oldest_commit(range: &str) -> anyhow::Result<String> {
    if range.starts_with('-') && range != "-1" {
        bail!("expected a range of commits, such as v1.2..HEAD, found `{range}`");
    }
    let output = Process::new("git").args(["log", "--format=%cI", range, "--"]).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git log {range}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let times = String::from_utf8_lossy(&output.stdout);
    let oldest = times.lines().min_by_key(|time| chrono::DateTime::parse_from_rfc3339(time).ok());
    oldest.map(str::to_owned).with_context(|| format!("git knows no commit in {range}"))
}

fn summary(fact: &Value) -> String {
    let text = |key: &str| fact[key].as_str().unwrap_or("?");
    let (state, at) = match text("status") {
        "started" => ("started", "deploy_start_at"),
        "deployed" => ("deployed", "deployed_at"),
        "failed" => ("failed", "failed_at"),
        _ => ("rolled back", "rolled_back_at"),
    };
    let mut parts = vec![
        format!("deployment {} of {}: {state} at {}", text("id"), text("project_id"), text(at)),
        text("environment").to_owned(),
    ];
    parts.extend(fact["team_id"].as_str().map(|team| format!("team {team}")));
    parts.extend(fact["lead_time_seconds"].as_f64().map(|seconds| format!("lead time {}", duration(seconds))));
    parts.join(", ")
}
