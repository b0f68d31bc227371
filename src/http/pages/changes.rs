//! `/changes`: who said what about a fact, and when. The parameters are those of `/journal`, and a time zone.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::text::precise_moment;
use super::visitor::Visitor;
use super::{Frame, html};
use crate::dora::Zone;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::http::extract::Query;
use crate::http::journal::{self, JournalEntry};
use crate::storage::JournalFilter;

/// What each entry says at its head.
const NAMED: [&str; 4] = ["id", "project_id", "created_at", "updated_at"];

#[derive(Template)]
#[template(path = "changes.html", config = "src/http/pages/askama.toml")]
struct ChangesPage {
    frame: Frame,
    title: String,
    scope: String,
    zone: Zone,
    rows: Vec<Row>,
    /// The whole journal, when this is a part of it.
    all: Option<String>,
    older: Option<String>,
}

#[derive(Debug)]
struct Row {
    at: String,
    actor: String,
    /// For example `corrected`.
    what: String,
    entity: &'static str,
    id: String,
    project: String,
    /// All changes of this fact.
    link: String,
    /// Field, before (`None`: it was not known), and after.
    fields: Vec<(String, Option<String>, String)>,
}

pub async fn get_changes(
    visitor: Visitor,
    State(state): State<AppState>,
    mut query: Query,
) -> Result<Response, Problem> {
    let filter = journal::filter(&mut query)?;
    let zone = query.one("tz", |text| Zone::parse(&text.replace(' ', "+")))?.unwrap_or(Zone::UTC);
    query.done()?;
    let (recorded, more) = state.store.journal(&filter).await?;
    let older = recorded.last().filter(|_| more).map(|last| link(&filter, zone, Some(last.seq)));
    let rows = journal::entries(recorded)?.into_iter().map(|entry| row(entry, zone)).collect();
    let (title, all) = match (&filter.entity, &filter.id) {
        (Some(entity), Some(id)) => (format!("{} {id}: its changes", capital(entity.word())), true),
        _ => ("Changes".to_owned(), link(&filter, zone, None) != link(&JournalFilter::default(), zone, None)),
    };
    html(&ChangesPage {
        frame: Frame::new(visitor.by_session),
        title,
        scope: scope(&filter),
        zone,
        rows,
        all: all.then(|| link(&JournalFilter::default(), zone, None)),
        older,
    })
}

/// The changes of one fact.
pub fn of_fact(entity: &str, project_id: &str, id: &str, zone: Zone) -> String {
    address(
        &[
            ("entity", Some(entity.to_owned())),
            ("project_id", Some(project_id.to_owned())),
            ("id", Some(id.to_owned())),
        ],
        zone,
    )
}

fn link(filter: &JournalFilter, zone: Zone, before_seq: Option<i64>) -> String {
    let JournalFilter { entity, project_id, id, kind, actor, from, to, before_seq: _, limit: _ } = filter;
    let pairs = [
        ("entity", entity.map(|entity| entity.word().to_owned())),
        ("project_id", project_id.as_ref().map(ToString::to_string)),
        ("id", id.as_ref().map(ToString::to_string)),
        ("kind", kind.clone()),
        ("actor", actor.clone()),
        ("from", from.as_ref().map(ToString::to_string)),
        ("to", to.as_ref().map(ToString::to_string)),
        ("cursor", before_seq.map(|seq| seq.to_string())),
    ];
    address(&pairs, zone)
}

fn address(pairs: &[(&str, Option<String>)], zone: Zone) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if zone != Zone::UTC {
        query.append_pair("tz", &zone.to_string());
    }
    let query = query.finish();
    if query.is_empty() { "changes".to_owned() } else { format!("changes?{query}") }
}

fn scope(filter: &JournalFilter) -> String {
    let JournalFilter { project_id, kind, actor, from, to, .. } = filter;
    let parts = [
        project_id.as_ref().map(|name| format!("project {name}")),
        kind.clone(),
        actor.as_ref().map(|actor| format!("by {actor}")),
        from.map(|at| format!("from {at}")),
        to.map(|at| format!("before {at}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn row(entry: JournalEntry, zone: Zone) -> Row {
    let JournalEntry { recorded_at, actor, kind, entity, project_id, id, changes, .. } = entry;
    let shown = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let fields = changes.into_iter().filter(|(field, _)| !NAMED.contains(&field.as_str()));
    let fields = fields.map(|(field, change)| {
        let after = shown(&change["after"]).unwrap_or_else(|| "nothing".to_owned());
        (field.replace('_', " "), shown(&change["before"]), after)
    });
    Row {
        at: precise_moment(zone.shown(recorded_at)),
        actor,
        what: kind.split_once('.').map_or(kind.as_str(), |(_, what)| what).replace('_', " "),
        entity,
        link: of_fact(entity, &project_id, &id, zone),
        id,
        project: project_id,
        fields: fields.collect(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}
