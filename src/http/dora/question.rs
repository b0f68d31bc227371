//! The query parameters of answers.

use utoipa::IntoParams;

use crate::domain::{Name, Timestamp, abridged};
use crate::dora::{Interval, Span, Zone};
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::{Query, time};
use crate::report::{GroupBy, Question};

const DEFAULT_DAYS: u64 = 30;

/// The parameters, for the description.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
pub struct DoraParams {
    /// A time, or a date, which is its midnight in `tz`; inclusive. Default: 30 days before `to`. At most 10 years before it.
    from: Option<String>,
    /// A time or a date; exclusive. Default: now.
    to: Option<String>,
    /// The time zone (IANA) whose days, weeks and months are meant. Default: UTC.
    tz: Option<String>,
    /// `none` (default), `day`, `week` (from Monday) or `month`: also answers for each of them, at most 1,500. The
    /// first and the last are as long as the window leaves them.
    interval: Option<String>,
    /// May repeat. Default: all.
    project_id: Option<Vec<String>>,
    /// May repeat. Default: all, and what has no team.
    team_id: Option<Vec<String>>,
    /// May repeat. Default: the configured production environment; with `group_by=environment`, all.
    environment: Option<Vec<String>>,
    /// `project`, `team` or `environment`: also answers for each of them.
    group_by: Option<String>,
}

/// Takes the parameters of a question; the caller has taken or will take its own.
pub fn read(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    let interval = query.one("interval", interval)?.flatten();
    let group_by = query.one("group_by", group_by)?;
    let question = read_window(query, state)?;
    Ok(with_default_environment(Question { interval, group_by, ..question }, state))
}

/// Those of a question about one window as a whole.
pub fn read_plain(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    Ok(with_default_environment(read_window(query, state)?, state))
}

fn with_default_environment(mut question: Question, state: &AppState) -> Question {
    if question.environments.is_empty() && question.group_by != Some(GroupBy::Environment) {
        question.environments.push(state.production_environment.clone());
    }
    question
}

fn read_window(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    // an unescaped + arrives as a space
    let zone = query.one("tz", |text| Zone::parse(&text.replace(' ', "+")))?.unwrap_or(Zone::UTC);
    let edge = |text: &str| if text.len() == 10 { zone.midnight(text) } else { time(text) };
    let (from, to) = (query.one("from", edge)?, query.one("to", edge)?);
    let span = span(from, to, zone, state.clock.now())?;
    let [projects, teams, environments] =
        [names(query, "project_id")?, names(query, "team_id")?, names(query, "environment")?];
    Ok(Question { span, interval: None, projects, teams, environments, group_by: None })
}

fn span(from: Option<Timestamp>, to: Option<Timestamp>, zone: Zone, now: Timestamp) -> Result<Span, Problem> {
    let end = to.unwrap_or(now);
    let start = from.unwrap_or_else(|| zone.days_before(end, DEFAULT_DAYS));
    if start > end {
        let end_is = if to.is_some() { "to" } else { "now, which is the default of to," };
        return Err(Problem::field("/from", format!("{start} is after {end_is} {end}")));
    }
    Ok(Span { from: start, to: end, zone })
}

fn names(query: &mut Query, parameter: &'static str) -> Result<Vec<Name>, Problem> {
    let mut names = query.all(parameter, Name::parse)?;
    names.sort();
    names.dedup();
    Ok(names)
}

fn interval(text: &str) -> Result<Option<Interval>, String> {
    match text {
        "none" => Ok(None),
        "day" => Ok(Some(Interval::Day)),
        "week" => Ok(Some(Interval::Week)),
        "month" => Ok(Some(Interval::Month)),
        _ => Err(format!("expected none, day, week or month, got {:?}", abridged(text))),
    }
}

fn group_by(text: &str) -> Result<GroupBy, String> {
    match text {
        "project" => Ok(GroupBy::Project),
        "team" => Ok(GroupBy::Team),
        "environment" => Ok(GroupBy::Environment),
        _ => Err(format!("expected project, team or environment, got {:?}", abridged(text))),
    }
}
