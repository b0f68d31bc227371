//! What the page is asked for: it all stands in the address, and every link on a page carries it on.

use chrono::{NaiveDateTime, NaiveTime};

use crate::domain::{Name, Timestamp};
use crate::dora::{Interval, Zone};
use crate::http::AppState;
use crate::http::dora::question;
use crate::http::error::Problem;
use crate::http::extract::Query;
use crate::metrics::Labels;
use crate::report::Question;

/// The periods that are one click away; the API's default is among them.
pub const DAYS: [u16; 4] = [7, 30, 90, 365];
const DEFAULT_DAYS: u16 = 30;

#[derive(Debug)]
pub struct Filters {
    /// Of one window as a whole.
    pub question: Question,
    /// `None`: from one time to another.
    pub days: Option<u16>,
    /// As asked for: the window ends now at the latest.
    to: Timestamp,
    has_from: bool,
    has_to: bool,
    has_environment: bool,
    /// Tables that are shown whole.
    all: Vec<String>,
    /// Of the facts of a part of a window: the overview that led there, as its query says it.
    back: Option<String>,
}

/// A field of the form with what it may be.
#[derive(Debug)]
pub struct Select {
    pub name: &'static str,
    pub label: &'static str,
    /// What choosing nothing is called; empty: something must be chosen.
    pub all: &'static str,
    pub choices: Vec<Choice>,
}

impl Select {
    pub fn several(&self) -> bool {
        self.choices.iter().filter(|choice| choice.chosen).count() > 1
    }
}

#[derive(Debug)]
pub struct Choice {
    pub value: String,
    pub chosen: bool,
}

impl Filters {
    /// As the API reads them, and `days`; the caller has taken or will take its own parameters.
    pub fn read(query: &mut Query, state: &AppState) -> Result<Self, Problem> {
        let (has_from, has_to, has_environment) = (query.has("from"), query.has("to"), query.has("environment"));
        let days = query.one("days", days)?.unwrap_or(DEFAULT_DAYS);
        let all = query.all("all", |text| Ok(text.to_owned()))?;
        let back = query.one("back", |text| Ok(text.to_owned()))?;
        let mut question = question::read_plain(query, state)?;
        let days = (!has_from && !has_to).then_some(days);
        if let Some(days) = days {
            question.span.from = question.span.zone.days_before(question.span.to, days.into());
        }
        // what has not happened yet is not less than what has
        let to = question.span.to;
        question.span.to = to.min(state.clock.now()).max(question.span.from);
        Ok(Self { question, days, to, has_from, has_to, has_environment, all, back })
    }

    pub fn zone(&self) -> Zone {
        self.question.span.zone
    }

    pub fn shown(&self, at: Timestamp) -> NaiveDateTime {
        self.zone().shown(at)
    }

    /// Parts that are few enough to look at and long enough to hold something.
    pub fn interval(&self) -> Interval {
        let span = self.question.span;
        match span.to.micros_since(span.from) / 86_400_000_000 {
            ..=45 => Interval::Day,
            46..=550 => Interval::Week,
            _ => Interval::Month,
        }
    }

    /// The window in words.
    pub fn window(&self) -> String {
        let (from, to) = (self.shown(self.question.span.from), self.shown(self.question.span.to));
        let edge = |at: NaiveDateTime| {
            if at.time() == NaiveTime::MIN { at.format("%-d %b %Y").to_string() } else { super::text::moment(at) }
        };
        format!("{} to {}, {}", edge(from), edge(to), self.zone())
    }

    /// What the numbers are about, in words.
    pub fn scope(&self) -> String {
        let Question { environments, teams, projects, .. } = &self.question;
        let parts = [("environment", environments), ("team", teams), ("project", projects)];
        let words = parts.into_iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| {
            let names: Vec<_> = names.iter().map(Name::as_str).collect();
            format!("{what} {}", names.join(", "))
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// What the window before this one is called.
    pub fn before(&self) -> String {
        self.days.map_or_else(|| "window".to_owned(), |days| format!("{days} days"))
    }

    /// `from` and `to` as the form shows them; empty when a period was chosen.
    pub fn edges(&self) -> [String; 2] {
        let span = self.question.span;
        let edge = |given: bool, at| if given { self.edge(at) } else { String::new() };
        [edge(self.has_from, span.from), edge(self.has_to, self.to)]
    }

    /// A date where it is one, as the API reads it.
    fn edge(&self, at: Timestamp) -> String {
        let date = self.shown(at).format("%Y-%m-%d").to_string();
        if self.zone().midnight(&date) == Ok(at) { date } else { at.to_string() }
    }

    fn window_pairs(&self) -> Vec<(&'static str, String)> {
        match self.days {
            Some(DEFAULT_DAYS) => Vec::new(),
            Some(days) => vec![("days", days.to_string())],
            None => {
                let edges = ["from", "to"].into_iter().zip(self.edges());
                edges.filter(|(_, text)| !text.is_empty()).collect()
            }
        }
    }

    /// All but the window.
    pub fn scope_pairs(&self) -> Vec<(&'static str, String)> {
        let question = &self.question;
        let mut pairs = Vec::new();
        if question.span.zone != Zone::UTC {
            pairs.push(("tz", question.span.zone.to_string()));
        }
        let mut add = |name, values: &[Name]| pairs.extend(values.iter().map(|value| (name, value.to_string())));
        if self.has_environment {
            add("environment", &question.environments);
        }
        add("team_id", &question.teams);
        add("project_id", &question.projects);
        pairs
    }

    /// All that makes what is shown.
    fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.window_pairs().into_iter().chain(self.scope_pairs()).chain(self.all_pairs())
    }

    fn all_pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.all.iter().map(|table| ("all", table.clone()))
    }

    pub fn wants_all(&self, table: &str) -> bool {
        self.all.iter().any(|asked| asked == table)
    }

    /// This page with these filters, and some more.
    pub fn link(&self, page: &str, more: &[(&str, &str)]) -> String {
        let back = self.back.iter().map(|back| ("back", back.clone()));
        address(page, self.pairs().chain(back), more)
    }

    /// The overview that led here: as it was, and not of the part of its window that is shown here.
    pub fn link_back(&self) -> String {
        match &self.back {
            None => self.link("./", &[]),
            // whatever somebody has put there, it stays a question to the overview
            Some(view) => {
                let query = view.trim_start_matches('?');
                let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect::<Vec<_>>();
                let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                address("./", std::iter::empty(), &pairs)
            }
        }
    }

    /// The same for another period.
    pub fn link_for_days(&self, days: u16) -> String {
        let kept = self.scope_pairs().into_iter().chain(self.all_pairs());
        address("./", kept, &[("days", &days.to_string())])
    }

    /// The same with one project, or one team, instead of those asked for.
    pub fn link_to_group(&self, name: &str, value: &str) -> String {
        let kept = self.scope_pairs().into_iter().filter(|(key, _)| *key != name);
        address("./", self.window_pairs().into_iter().chain(kept), &[(name, value)])
    }

    /// The facts of a part of the window.
    pub fn link_to_facts(&self, metric: &str, from: Timestamp, to: Timestamp) -> String {
        // with its question mark also the plainest view says something
        let back = format!("?{}", query(self.pairs(), &[]));
        let more = [("metric", metric), ("from", &from.to_string()), ("to", &to.to_string()), ("back", &back)];
        address("facts", self.scope_pairs().into_iter(), &more)
    }

    /// The incidents of the same teams and projects that have no deployment.
    pub fn link_to_links(&self) -> String {
        address("links", self.scope_pairs().into_iter(), &[])
    }

    /// The same question to the API: the edges as they are now, so that it stays the same answer.
    pub fn api_link(&self, path: &str) -> String {
        let span = self.question.span;
        let more = [("from", span.from.to_string()), ("to", span.to.to_string())];
        let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
        address(path, self.scope_pairs().into_iter(), &more)
    }

    pub fn selects(&self, labels: &[Labels]) -> [Select; 3] {
        let Question { environments, teams, projects, .. } = &self.question;
        let environments = choices(labels.iter().map(|labels| &labels.environment), environments);
        let teams = choices(labels.iter().filter_map(|labels| labels.team_id.as_ref()), teams);
        let projects = choices(labels.iter().map(|labels| &labels.project_id), projects);
        [
            Select { name: "environment", label: "Environment", all: "", choices: environments },
            Select { name: "team_id", label: "Team", all: "All teams", choices: teams },
            Select { name: "project_id", label: "Project", all: "All projects", choices: projects },
        ]
    }
}

/// Those that are known, and those that were asked for.
fn choices<'a>(known: impl Iterator<Item = &'a Name>, asked: &'a [Name]) -> Vec<Choice> {
    let names: std::collections::BTreeSet<&Name> = known.chain(asked).collect();
    names.into_iter().map(|name| Choice { value: name.to_string(), chosen: asked.contains(name) }).collect()
}

fn query(pairs: impl Iterator<Item = (&'static str, String)>, more: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).extend_pairs(more).finish()
}

fn address(page: &str, pairs: impl Iterator<Item = (&'static str, String)>, more: &[(&str, &str)]) -> String {
    let query = query(pairs, more);
    if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") }
}

fn days(text: &str) -> Result<u16, String> {
    let days = text.parse().ok().filter(|days| (1..=3650).contains(days));
    days.ok_or_else(|| format!("expected a number of days from 1 to 3650, got {text:?}"))
}
