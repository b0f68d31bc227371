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

use super::client::{Access, Answer, Request};
use super::output::say;
use crate::domain::{Clock, Timestamp};
use crate::dora::explain::Metric;
use model::{Explanation, Fact, Incident, Number, Report, Trend, counts};

/// The most that the service gives at once.
const MOST_FACTS: &str = "1000";
/// Pages of facts that are looked through for those that say most; the report says when there are more.
const MOST_PAGES: usize = 20;
/// Incidents that began before the window and were open at its end, at the most.
const MOST_OPEN: usize = 100;

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
        let (mut numbers, mut open) = (Vec::new(), Vec::new());
        for metric in Metric::ALL {
            let trend: Trend =
                self.get("/dora/trend", &span, &[("metric", metric.name()), ("interval", interval)]).await?;
            let explanation = self.explanation(&span, metric.name()).await?;
            if metric == Metric::Incidents {
                open = explanation
                    .facts
                    .iter()
                    .filter(|fact| fact.counts_as.iter().any(|word| word == "open"))
                    .cloned()
                    .collect();
            }
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
            incidents: self.incidents(&span, &this, open).await?,
        })
    }

    /// The facts that were counted, page by page.
    async fn explanation(&self, span: &Span, metric: &str) -> anyhow::Result<Explanation> {
        let facts = [("metric", metric), ("counted", "true"), ("limit", MOST_FACTS)];
        let (mut whole, mut cursor) = (None::<Explanation>, None::<String>);
        for _ in 0..MOST_PAGES {
            let request = self.request("/dora/explain", span, &facts).query("cursor", &cursor);
            let answer = self.access.send(&request).await?;
            let page: Explanation = self.understood(&answer)?;
            cursor = answer.next_cursor();
            match &mut whole {
                None => whole = Some(page),
                Some(whole) => whole.facts.extend(page.facts),
            }
            if cursor.is_none() {
                break;
            }
        }
        whole.context("there is no page")
    }

    /// Those that began in the window, and those that began before and were open at its end.
    async fn incidents(&self, span: &Span, this: &Value, open: Vec<Fact>) -> anyhow::Result<Vec<Incident>> {
        let environments: Vec<String> = serde_json::from_value(this["environments"].clone()).unwrap_or_default();
        let begun = Request::get("/incidents")
            .query("project_id", &self.project)
            .query("team_id", &self.team)
            .query("environment", &environments)
            .query("from", Some(&span.from))
            .query("to", Some(&span.to))
            .query("limit", Some(&MOST_FACTS.to_owned()));
        let mut incidents: Vec<Incident> = self.read(begun).await?;
        let earlier = open.into_iter().filter(|fact| {
            !incidents.iter().any(|known| (&known.project_id, &known.id) == (&fact.project_id, &fact.id))
        });
        for fact in earlier.take(MOST_OPEN).collect::<Vec<_>>() {
            let path = fact.link.split('?').next().unwrap_or_default();
            incidents.push(self.read(Request::get(path).query("project_id", Some(&fact.project_id))).await?);
        }
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
        self.read(self.request(path, span, more)).await
    }

    fn request(&self, path: &str, span: &Span, more: &[(&'static str, &str)]) -> Request {
        let request = Request::get(path)
            .query("from", Some(&span.from))
            .query("to", Some(&span.to))
            .query("tz", &self.tz)
            .query("project_id", &self.project)
            .query("team_id", &self.team)
            .query("environment", &self.environment);
        more.iter().fold(request, |request, (name, value)| request.query(name, Some(&(*value).to_owned())))
    }

    async fn read<T: DeserializeOwned>(&self, request: Request) -> anyhow::Result<T> {
        let answer = self.access.send(&request).await?;
        self.understood(&answer)
    }

    fn understood<T: DeserializeOwned>(&self, answer: &Answer) -> anyhow::Result<T> {
        let read = answer.json().and_then(|answer| serde_json::from_value(answer).ok());
        read.ok_or_else(|| self.access.stranger().into())
    }
}

struct Span {
    from: String,
    to: String,
}

/// Microseconds of `7d`, `12h`, `4w`; `None` for anything else, such as a date.
pub(super) fn length(text: &str) -> Option<i64> {
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
