//! What is broken now.

use super::changes;
use super::filters::Filters;
use super::text::{moment, web_address};
use crate::domain::incident::LinkState;
use crate::domain::{Incident, Timestamp};
use crate::dora::words::duration;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::resource::seconds;
use crate::storage::{Entity, Filter, IncidentState};

const FIRST: u16 = 20;

#[derive(Debug)]
pub struct OpenIncidents {
    pub rows: Vec<Row>,
    pub more: bool,
    /// Where incidents are that have no deployment.
    pub links: String,
    /// Whether some of them have a suggested one.
    pub suggested: bool,
}

#[derive(Debug)]
pub struct Row {
    pub id: String,
    /// Of the incident, at whatever tool it comes from.
    pub url: Option<String>,
    pub title: String,
    pub project: String,
    pub severity: String,
    pub started: String,
    pub open_for: String,
    pub deployment: String,
    /// While nobody has said which it was.
    pub suggested: String,
    /// Who has changed it, and when.
    pub changes: String,
}

pub async fn open(state: &AppState, filters: &Filters) -> Result<OpenIncidents, Problem> {
    let question = &filters.question;
    let filter = Filter {
        project_id: question.projects.clone(),
        team_id: question.teams.clone(),
        environment: question.environments.clone(),
        state: Some(IncidentState::InProgress),
        limit: FIRST,
        ..Filter::default()
    };
    let suggested = Filter { state: None, link: Some(LinkState::Suggested), limit: 1, ..filter.clone() };
    let (page, suggested) =
        tokio::try_join!(state.store.list_incidents(&filter), state.store.list_incidents(&suggested))?;
    let now = state.clock.now();
    let rows = page.items.into_iter().map(|incident| row(incident, filters, now)).collect();
    let (links, suggested) = (filters.link_to_links(), !suggested.items.is_empty());
    Ok(OpenIncidents { rows, more: page.next.is_some(), links, suggested })
}

fn row(incident: Incident, filters: &Filters, now: Timestamp) -> Row {
    let text = |text: Option<String>| text.unwrap_or_default();
    let (project, id) = (incident.project_id.as_str(), incident.id.as_str());
    Row {
        changes: changes::of_fact(Entity::Incident.word(), project, id, filters.zone()),
        id: incident.id.to_string(),
        url: web_address(incident.url),
        title: text(incident.title.map(|title| title.to_string())),
        project: incident.project_id.to_string(),
        severity: text(incident.severity.map(|severity| severity.to_string())),
        started: moment(filters.shown(incident.started_at)),
        open_for: duration(seconds(now.micros_since(incident.started_at).max(0))),
        deployment: text(incident.deployment_id.map(|id| id.to_string())),
        suggested: text(incident.suggested_deployment_id.map(|id| id.to_string())),
    }
}
