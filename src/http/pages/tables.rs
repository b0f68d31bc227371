//! Projects and teams beside each other.

use super::filters::Filters;
use super::shown::Shown;
use super::text::Figure;
use crate::domain::Name;
use crate::dora::Answer;
use crate::dora::benchmark::METRICS;
use crate::report::Report;

/// As many as can be looked over; the others are a click away.
const FIRST: usize = 25;

#[derive(Debug)]
pub struct Table {
    pub id: &'static str,
    pub title: &'static str,
    pub column: &'static str,
    pub rows: Vec<Row>,
    /// Of how many, and where to see them, when these are only the first.
    pub all: Option<(usize, String)>,
    /// More than can be answered for one by one.
    pub too_many: bool,
}

#[derive(Debug)]
pub struct Row {
    pub name: String,
    /// `None`: what has no team cannot be asked for.
    pub link: Option<String>,
    pub deployments: Figure,
    pub cells: Vec<Shown>,
}

impl Table {
    /// The busiest first; `None`: there are too many to answer for.
    pub fn of_projects(filters: &Filters, report: Option<&Report>, all: bool) -> Self {
        Self::new(("projects", "Projects", "Project", "project_id"), filters, report, all)
    }

    pub fn of_teams(filters: &Filters, report: Option<&Report>, all: bool) -> Self {
        Self::new(("teams", "Teams", "Team", "team_id"), filters, report, all)
    }

    fn new(
        (id, title, column, parameter): (&'static str, &'static str, &'static str, &'static str),
        filters: &Filters,
        report: Option<&Report>,
        all: bool,
    ) -> Self {
        let Some(report) = report else {
            return Self { id, title, column, rows: Vec::new(), all: None, too_many: true };
        };
        let deployments = |answer: &Answer| answer.total.deployment_frequency.deployments;
        let mut groups: Vec<&(Option<Name>, Answer)> = report.groups.iter().collect();
        // incidents may have no team, but this is about deployments
        groups.retain(|(name, answer)| name.is_some() || deployments(answer) > 0);
        groups.sort_by(|(a_name, a), (b_name, b)| deployments(b).cmp(&deployments(a)).then_with(|| a_name.cmp(b_name)));
        let count = groups.len();
        let more = !all && count > FIRST;
        groups.truncate(if more { FIRST } else { count });
        let days = report.calendar.length_in_days(report.calendar.whole());
        let row = |(name, answer): &(Option<Name>, Answer)| Row {
            name: name.as_ref().map_or_else(|| "no team".to_owned(), ToString::to_string),
            link: name.as_ref().map(|name| filters.link_to_group(parameter, name.as_str())),
            deployments: Figure::count(deployments(answer)),
            cells: METRICS.map(|metric| Shown::new(metric, metric.measure(&answer.total, days))).into(),
        };
        let rows = groups.into_iter().map(row).collect();
        let link = || format!("{}#{id}", filters.link("./", &[("all", id)]));
        Self { id, title, column, rows, all: more.then(|| (count, link())), too_many: false }
    }
}
