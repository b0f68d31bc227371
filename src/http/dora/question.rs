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
    /// A time or a date; exclusive. Default: now, or `as_of`.
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
    /// A time: the answer as it was known then, without what was recorded, corrected or deleted later. Default: now.
    as_of: Option<String>,
}

/// Takes the parameters of a question; the caller has taken or will take its own.
pub fn read(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    let interval = query.one("interval", interval)?.flatten();
    let group_by = query.one("group_by", group_by)?;
    let question = read_as_of(query, state)?;
    Ok(with_default_environment(Question { interval, group_by, ..question }, state))
}

/// Those of a question about one window as a whole, as it was known at some moment or is now.
pub fn read_whole(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    Ok(with_default_environment(read_as_of(query, state)?, state))
}

fn read_as_of(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    let as_of = query.one("as_of", time)?;
    if as_of.is_some_and(|moment| moment > state.clock.now()) {
        return Err(Problem::field("/as_of", "what will be known then nobody can say"));
    }
    let question = read_window(query, as_of.unwrap_or_else(|| state.clock.now()), thirty_days)?;
    Ok(Question { as_of, ..question })
}

/// The same as it is known now.
pub fn read_plain(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    Ok(with_default_environment(read_window(query, state.clock.now(), thirty_days)?, state))
}

/// Those of a question about a window in parts, of which by default some whole ones are looked at. It ends now
/// at the latest: what has not happened yet is not less than what has.
pub fn read_past(query: &mut Query, state: &AppState, default_parts: fn(Interval) -> u32) -> Result<Question, Problem> {
    let interval = query.one("interval", part)?.unwrap_or(Interval::Week);
    let default_start = |zone: Zone, end: Timestamp| {
        let end = end.min(state.clock.now());
        zone.start_of_part(end, interval, default_parts(interval))
    };
    let question = until_now(read_window(query, state.clock.now(), default_start)?, state)?;
    Ok(with_default_environment(Question { interval: Some(interval), ..question }, state))
}

/// Those of a question about one window as a whole that ends now at the latest.
pub fn read_plain_past(query: &mut Query, state: &AppState) -> Result<Question, Problem> {
    until_now(read_plain(query, state)?, state)
}

fn until_now(question: Question, state: &AppState) -> Result<Question, Problem> {
    let span = Span { to: question.span.to.min(state.clock.now()), ..question.span };
    if span.from >= span.to {
        return Err(Problem::field("/from", format!("there is no time between {} and {}", span.from, span.to)));
    }
    Ok(Question { span, ..question })
}

fn with_default_environment(mut question: Question, state: &AppState) -> Question {
    if question.environments.is_empty() && question.group_by != Some(GroupBy::Environment) {
        question.environments.push(state.production_environment.clone());
    }
    question
}

fn read_window(
    query: &mut Query,
    now: Timestamp,
    default_start: impl Fn(Zone, Timestamp) -> Timestamp,
) -> Result<Question, Problem> {
    // an unescaped + arrives as a space
    let zone = query.one("tz", |text| Zone::parse(&text.replace(' ', "+")))?.unwrap_or(Zone::UTC);
    let edge = |text: &str| if text.len() == 10 { zone.midnight(text) } else { time(text) };
    let (from, to) = (query.one("from", edge)?, query.one("to", edge)?);
    let span = span(from, to, zone, now, default_start)?;
    let [projects, teams, environments] =
        [names(query, "project_id")?, names(query, "team_id")?, names(query, "environment")?];
    Ok(Question { span, interval: None, projects, teams, environments, group_by: None, as_of: None })
}

fn thirty_days(zone: Zone, end: Timestamp) -> Timestamp {
    zone.days_before(end, DEFAULT_DAYS)
}

fn span(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    zone: Zone,
    now: Timestamp,
    default_start: impl Fn(Zone, Timestamp) -> Timestamp,
) -> Result<Span, Problem> {
    let end = to.unwrap_or(now);
    let start = from.unwrap_or_else(|| default_start(zone, end));
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
    if text == "none" {
        return Ok(None);
    }
    part(text).map(Some).map_err(|_| format!("expected none, day, week or month, got {:?}", abridged(text)))
}

fn part(text: &str) -> Result<Interval, String> {
    let known = [Interval::Day, Interval::Week, Interval::Month].into_iter().find(|interval| interval.name() == text);
    known.ok_or_else(|| format!("expected day, week or month, got {:?}", abridged(text)))
}

fn group_by(text: &str) -> Result<GroupBy, String> {
    match text {
        "project" => Ok(GroupBy::Project),
        "team" => Ok(GroupBy::Team),
        "environment" => Ok(GroupBy::Environment),
        _ => Err(format!("expected project, team or environment, got {:?}", abridged(text))),
    }
}
