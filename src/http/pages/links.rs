//! `/links`: incidents that nobody has named a deployment of, what is suggested, and forms to say what it was.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use futures_util::future::try_join_all;

use super::text::{moment, web_address};
use super::visitor::{Editor, Visitor, see};
use super::{Frame, changes, html};
use crate::domain::correction::{self, Edit};
use crate::domain::deployment::Status;
use crate::domain::incident::{Change, Command, LinkState};
use crate::domain::{Deployment, Incident, Name, Timestamp};
use crate::dora::Zone;
use crate::dora::words::duration;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::{Form, Query};
use crate::http::incidents::link_state;
use crate::http::resource::{cursor, cursor_text, required, seconds};
use crate::storage::{Entity, Filter};

const LINES: u16 = 20;
/// Deployments that are offered beside the suggested one.
const OFFERED: u16 = 10;

#[derive(Template)]
#[template(path = "links.html", config = "src/http/pages/askama.toml")]
struct LinksPage {
    frame: Frame,
    scope: String,
    zone: Zone,
    /// The word of the view that is shown, and its address.
    link: &'static str,
    here: String,
    /// Label, address, whether it is shown.
    views: Vec<(&'static str, String, bool)>,
    rows: Vec<Row>,
    next: Option<String>,
    /// Whether it shows forms.
    may_write: bool,
}

#[derive(Debug)]
struct Row {
    id: String,
    url: Option<String>,
    title: String,
    project: String,
    environment: String,
    started: String,
    suggested: Option<Offer>,
    offers: Vec<Offer>,
    changes: String,
}

/// A deployment that it may have been.
#[derive(Debug)]
struct Offer {
    id: String,
    /// When it reached users, seen from the incident.
    when: String,
}

/// What the page is asked for.
#[derive(Debug)]
struct Asked {
    filter: Filter,
    zone: Zone,
}

pub async fn get_links(visitor: Visitor, State(state): State<AppState>, mut query: Query) -> Result<Response, Problem> {
    let zone = query.one("tz", |text| Zone::parse(&text.replace(' ', "+")))?.unwrap_or(Zone::UTC);
    let link = query.one("link", link_state)?.filter(|link| *link == LinkState::Unlinked);
    let link = link.unwrap_or(LinkState::Suggested);
    let filter = Filter {
        project_id: query.all("project_id", Name::parse)?,
        team_id: query.all("team_id", Name::parse)?,
        environment: query.all("environment", Name::parse)?,
        link: Some(link),
        limit: LINES,
        after: cursor(&mut query)?,
        ..Filter::default()
    };
    query.done()?;
    let asked = Asked { filter, zone };
    let page = state.store.list_incidents(&asked.filter).await?;
    let rows = try_join_all(page.items.into_iter().map(|incident| row(&state, incident, zone))).await?;
    let views = [("Suggested", LinkState::Suggested), ("Nothing suggested", LinkState::Unlinked)];
    html(&LinksPage {
        frame: Frame::new(visitor.by_session),
        scope: asked.scope(),
        zone,
        link: word(link),
        here: asked.address(link, None),
        views: views.map(|(label, view)| (label, asked.address(view, None), view == link)).to_vec(),
        rows,
        next: page.next.as_ref().and_then(cursor_text).map(|cursor| asked.address(link, Some(&cursor))),
        may_write: visitor.may_write,
    })
}

fn word(link: LinkState) -> &'static str {
    if link == LinkState::Unlinked { "unlinked" } else { "suggested" }
}

impl Asked {
    fn scope(&self) -> String {
        let Filter { project_id, team_id, environment, .. } = &self.filter;
        let parts = [("project", project_id), ("team", team_id), ("environment", environment)];
        let words = parts.into_iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| {
            let names: Vec<_> = names.iter().map(Name::as_str).collect();
            format!("{what} {}", names.join(", "))
        });
        words.collect::<Vec<_>>().join("; ")
    }

    fn address(&self, link: LinkState, cursor: Option<&str>) -> String {
        let Filter { project_id, team_id, environment, .. } = &self.filter;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("link", word(link));
        for (name, values) in [("project_id", project_id), ("team_id", team_id), ("environment", environment)] {
            query.extend_pairs(values.iter().map(|value| (name, value.as_str())));
        }
        if self.zone != Zone::UTC {
            query.append_pair("tz", &self.zone.to_string());
        }
        query.extend_pairs(cursor.map(|cursor| ("cursor", cursor)));
        format!("links?{}", query.finish())
    }
}

async fn row(state: &AppState, incident: Incident, zone: Zone) -> Result<Row, Problem> {
    let began = incident.started_at;
    let filter = Filter {
        project_id: vec![incident.project_id.clone()],
        environment: vec![incident.environment.clone()],
        status: vec![Status::Deployed, Status::RolledBack],
        // what reached users at that very moment may have been it as well
        to: Timestamp::from_micros(began.micros() + 1),
        limit: OFFERED,
        ..Filter::default()
    };
    let offered = state.store.list_deployments(&filter).await?.items;
    let offers: Vec<_> = offered.iter().map(|deployment| offer(deployment, began)).collect();
    let suggested = incident.suggested_deployment_id.map(|id| {
        let known = offered.iter().find(|deployment| deployment.id == id);
        known.map_or_else(|| Offer { id: id.to_string(), when: String::new() }, |deployment| offer(deployment, began))
    });
    let (project, id) = (incident.project_id.to_string(), incident.id.to_string());
    Ok(Row {
        changes: changes::of_fact(Entity::Incident.word(), &project, &id, zone),
        id,
        url: web_address(incident.url),
        title: incident.title.map(|title| title.to_string()).unwrap_or_default(),
        project,
        environment: incident.environment.to_string(),
        started: moment(zone.shown(began)),
        suggested,
        offers,
    })
}

fn offer(deployment: &Deployment, began: Timestamp) -> Offer {
    let when = deployment.deployed_at.map(|at| format!("{} before", duration(seconds(began.micros_since(at)))));
    let version = deployment.version.as_ref().or(deployment.commit_sha.as_ref());
    let version = version.map(|version| format!("{version}, ")).unwrap_or_default();
    Offer { id: deployment.id.to_string(), when: format!("{version}{}", when.unwrap_or_default()) }
}

/// Somebody says which deployment it was, or that it was none.
pub async fn post_links(
    Editor(identity): Editor,
    State(state): State<AppState>,
    form: Form,
) -> Result<Response, Problem> {
    let name = |field: &str, pointer: &'static str| {
        let text = form.field(field).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| required([(pointer, true)]))?;
        Name::parse(text).map_err(|detail| Problem::field(pointer, detail))
    };
    let (project_id, id) = (name("project_id", "/project_id")?, name("id", "/id")?);
    let is_none = form.field("none").is_some();
    let deployment_id = if is_none { Edit::Clear } else { Edit::Set(name("deployment_id", "/deployment_id")?) };
    let change = Change::Corrected(Box::new(correction::Incident { deployment_id, ..correction::Incident::default() }));
    let command = Command { id: Some(id), project_id: Some(project_id), change };
    state.ingest.incident(identity.name, state.clock.now(), command).await?;
    let next =
        form.field("next").filter(|next| next.starts_with("links?") && next.bytes().all(|b| b.is_ascii_graphic()));
    Ok(see(next.unwrap_or("links")))
}
