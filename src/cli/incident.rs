//! `em-metrics incident`: what broke, and when it worked again.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::client::{Request, Service, path};
use crate::dora::words::duration;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Something broke
    Open(Open),
    /// It works again
    Restored(Happened),
    /// It is done with; also restores it if it was not
    Finished(Happened),
    /// Which incidents there are, newest first
    List(List),
}

#[derive(Debug, Args, Serialize)]
pub(super) struct Open {
    /// Where it broke
    #[arg(long = "project", alias = "project-id", value_name = "PROJECT")]
    project_id: String,
    /// What to call it [default: incident_<PROJECT>_<n>]
    #[arg(long)]
    id: Option<String>,
    /// The deployment that caused it
    #[arg(long = "deployment", alias = "deployment-id", value_name = "ID")]
    deployment_id: Option<String>,
    /// When: RFC 3339 with an offset, such as 2026-03-01T09:30:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    started_at: Option<String>,
    /// When it worked again, if it does already
    #[arg(long, value_name = "TIME")]
    restored_at: Option<String>,
    /// When it was done with, if it is already
    #[arg(long, value_name = "TIME")]
    finished_at: Option<String>,
    /// Where it broke [default: the deployment's, else the service's production environment]
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// How bad it is
    #[arg(long, value_name = "TEXT")]
    severity: Option<String>,
    /// What is wrong, in a few words
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Where to read more, for example the ticket
    #[arg(long, value_name = "URL")]
    #[serde(rename = "url")]
    link: Option<String>,
    #[command(flatten)]
    #[serde(skip)]
    service: Service,
}

#[derive(Debug, Args, Serialize)]
pub(super) struct Happened {
    /// Which incident
    #[serde(skip)]
    id: String,
    /// Needed when several projects have the id
    #[arg(long, alias = "project-id")]
    #[serde(skip)]
    project: Option<String>,
    /// When: RFC 3339 with an offset, such as 2026-03-01T09:30:00Z [default: now]
    #[arg(long, visible_alias = "at", value_name = "TIME")]
    date: Option<String>,
    #[command(flatten)]
    #[serde(skip)]
    service: Service,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only in this state
    #[arg(long, value_enum)]
    r#type: Option<Type>,
    /// Only these; may repeat
    #[arg(long, alias = "project-id")]
    project: Vec<String>,
    /// Only these; may repeat
    #[arg(long, alias = "team-id")]
    team: Vec<String>,
    /// Only there
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// A time or a date, inclusive
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// A time or a date, exclusive
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// How many at most [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<u16>,
    #[command(flatten)]
    service: Service,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Type {
    /// Not restored
    InProgress,
    /// Not finished, or not restored
    Unfinished,
}

pub(super) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Open(open) => {
            // Without an id, each arrival makes another incident.
            let named = open.id.is_some();
            let request = Request::post("/incidents", &open).map(|request| request.not_repeatable_unless(named));
            open.service.call(request, summary).await
        }
        Command::Restored(happened) => happened.send("restored").await,
        Command::Finished(happened) => happened.send("finished").await,
        Command::List(list) => list.service.call(Ok(list.request()), table).await,
    }
}

impl Happened {
    async fn send(&self, action: &str) -> anyhow::Result<()> {
        let request = path("incidents", &self.id, action)
            .and_then(|path| Ok(Request::post(&path, self)?.query("project_id", &self.project)));
        self.service.call(request, summary).await
    }
}

impl List {
    fn request(&self) -> Request {
        let r#type = self.r#type.and_then(|r#type| Some(r#type.to_possible_value()?.get_name().to_owned()));
        Request::get("/incidents")
            .query("type", &r#type)
            .query("project_id", &self.project)
            .query("team_id", &self.team)
            .query("environment", &self.environment)
            .query("from", &self.from)
            .query("to", &self.to)
            .query("limit", &self.limit.map(|limit| limit.to_string()))
    }
}

fn table(facts: &Value) -> String {
    match facts.as_array().map(Vec::as_slice) {
        None | Some([]) => "no incidents".to_owned(),
        Some(facts) => facts.iter().map(summary).collect::<Vec<_>>().join("\n"),
    }
}

fn summary(fact: &Value) -> String {
    let text = |key: &str| fact[key].as_str();
    let state = match (text("finished_at"), text("restored_at")) {
        (Some(at), _) => format!("finished at {at}"),
        (None, Some(at)) => format!("restored at {at}"),
        (None, None) => format!("in progress since {}", text("started_at").unwrap_or("?")),
    };
    let mut parts =
        vec![format!("incident {} of {}: {state}", text("id").unwrap_or("?"), text("project_id").unwrap_or("?"))];
    parts.extend(fact["time_to_restore_seconds"].as_f64().map(|s| format!("restored after {}", duration(s))));
    parts.extend(text("deployment_id").map(|id| format!("caused by deployment {id}")));
    parts.extend(text("title").map(str::to_owned));
    parts.join(", ")
}
