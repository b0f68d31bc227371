//! `em-metrics report`: a week in numbers, what has changed, and the facts behind it. The service does the counting.

mod html;
mod markdown;
mod model;
#[cfg(test)]
mod tests;
mod words;

use anyhow::{Context as _, anyhow};
use clap::{Args, ValueEnum};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{Access, Request};
use super::output::say;
use crate::domain::{Clock, Timestamp};
use crate::dora::explain::Metric;
use model::{Explanation, Incident, Number, Report, Trend, counts};

/// The most that the service gives at once.
const MOST_FACTS: &str = "1000";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[arg(long, value_enum, default_value_t = Format::Md)]
    format: Format,
    /// How far back: 7d, 12h, 4w; or a time or a date, inclusive
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,
    /// A time or a date, exclusive [default: now]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Whose days are meant, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    tz: Option<String>,
    /// Only these; may repeat
    #[arg(long, alias = "project-id")]
    project: Vec<String>,
    /// Only these; may repeat
    #[arg(long, alias = "team-id")]
    team: Vec<String>,
    /// Only there; may repeat [default: the service's production environment]
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// How many facts are shown behind each number
    #[arg(long, value_name = "N", default_value_t = 10)]
    facts: usize,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown
    Md,
    /// One file that needs no other
    Html,
    Json,
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let report = arguments.ask().await?;
    let text = match arguments.format {
        Format::Md => markdown::render(&report),
        Format::Html => html::render(&report),
        Format::Json => serde_json::to_string_pretty(&report)?,
    };
    say(text.trim_end());
    Ok(())
}

impl Arguments {
    async fn ask(&self) -> anyhow::Result<Report> {
        let span = self.span().await?;
        let this = self.get::<Value>("/dora", &span, &[]).await?;
        let interval = interval(&this);
        let mut numbers = Vec::new();
        for metric in Metric::ALL.map(Metric::name) {
            let trend: Trend = self.get("/dora/trend", &span, &[("metric", metric), ("interval", interval)]).await?;
            let facts = [("metric", metric), ("counted", "true"), ("limit", MOST_FACTS)];
            let explanation: Explanation = self.get("/dora/explain", &span, &facts).await?;
            numbers.push(Number::new(metric, trend, explanation, self.facts));
        }
        let before = numbers.first().map(|number| number.trend.before.clone()).context("there is no metric")?;
        let earlier = self.get::<Value>("/dora", &Span { from: before.from.clone(), to: before.to }, &[]).await?;
        let names = |key: &str| serde_json::from_value(this[key].clone()).unwrap_or_default();
        let text = |key: &str| this[key].as_str().unwrap_or_default().to_owned();
        Ok(Report {
            from: text("from"),
            to: text("to"),
            before_from: before.from,
            tz: text("tz"),
            environments: names("environments"),
            projects: names("projects"),
            teams: names("teams"),
            counts: counts(&this, &earlier),
            numbers,
            incidents: self.incidents(&span, &this).await?,
        })
    }

    /// Those that began in the window, and those that began before and are not over.
    async fn incidents(&self, span: &Span, this: &Value) -> anyhow::Result<Vec<Incident>> {
        let environments: Vec<String> = serde_json::from_value(this["environments"].clone()).unwrap_or_default();
        let list = |from: Option<&String>, state: Option<&str>| {
            Request::get("/incidents")
                .query("project_id", &self.project)
                .query("team_id", &self.team)
                .query("environment", &environments)
                .query("from", from)
                .query("to", Some(&span.to))
                .query("type", state.map(str::to_owned).as_ref())
                .query("limit", Some(&MOST_FACTS.to_owned()))
        };
        let mut incidents: Vec<Incident> = self.read(list(Some(&span.from), None)).await?;
        let open: Vec<Incident> = self.read(list(None, Some("in-progress"))).await?;
        let earlier = open.into_iter().filter(|incident| {
            !incidents.iter().any(|known| (&known.project_id, &known.id) == (&incident.project_id, &incident.id))
        });
        let earlier: Vec<_> = earlier.collect();
        incidents.extend(earlier);
        Ok(incidents)
    }

    /// The window as the service takes it: both ends are times.
    async fn span(&self) -> anyhow::Result<Span> {
        let to = match &self.to {
            None => Clock::system().now(),
            // a date is a midnight in the time zone, which the service knows
            Some(to) => {
                let request = Request::get("/dora").query("to", Some(to)).query("tz", &self.tz);
                let answer: Value = self.read(request).await?;
                Timestamp::parse(answer["to"].as_str().unwrap_or_default()).map_err(|why| anyhow!(why))?
            }
        };
        let from = match length(&self.since) {
            Some(micros) => to.micros().checked_sub(micros).and_then(Timestamp::from_micros).map(|at| at.to_string()),
            None => Some(self.since.clone()),
        };
        Ok(Span { from: from.context("--since is before 1970")?, to: to.to_string() })
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        span: &Span,
        more: &[(&'static str, &str)],
    ) -> anyhow::Result<T> {
        let request = Request::get(path)
            .query("from", Some(&span.from))
            .query("to", Some(&span.to))
            .query("tz", &self.tz)
            .query("project_id", &self.project)
            .query("team_id", &self.team)
            .query("environment", &self.environment);
        let request =
            more.iter().fold(request, |request, (name, value)| request.query(name, Some(&(*value).to_owned())));
        self.read(request).await
    }

    async fn read<T: DeserializeOwned>(&self, request: Request) -> anyhow::Result<T> {
        let answer = self.access.send(&request).await?;
        let read = answer.json().and_then(|answer| serde_json::from_value(answer).ok());
        read.ok_or_else(|| self.access.stranger().into())
    }
}

struct Span {
    from: String,
    to: String,
}

/// Microseconds of `7d`, `12h`, `4w`; `None` for anything else, such as a date.
fn length(text: &str) -> Option<i64> {
    let units = [("h", 1), ("d", 24), ("w", 7 * 24)];
    units.into_iter().find_map(|(unit, hours)| {
        let number: u32 = text.strip_suffix(unit)?.parse().ok()?;
        i64::from(number).checked_mul(hours * 3_600_000_000)
    })
}

/// The points by which a window is judged: enough of them, and none emptier than need be.
fn interval(answer: &Value) -> &'static str {
    const DAY: i64 = 24 * 3_600_000_000;
    let edge = |key: &str| answer[key].as_str().and_then(|text| Timestamp::parse(text).ok());
    let length = edge("from").zip(edge("to")).map_or(0, |(from, to)| to.micros_since(from));
    match length / DAY {
        ..49 => "day",
        49..400 => "week",
        _ => "month",
    }
}
