//! `/journal`: who said what, and when.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::access::Reader;
use super::error::Problem;
use super::extract::{Query, time_or_date};
use super::resource::{Base, limit};
use super::{AppState, deployments, error, incidents};
use crate::domain::{Name, Timestamp};
use crate::storage::{Entity, Fact, JournalFilter, Recorded};

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(get_journal))
}

/// One accepted change.
#[derive(Debug, Serialize, ToSchema)]
pub struct JournalEntry {
    /// Its place in the journal.
    pub seq: i64,
    #[schema(value_type = String, format = DateTime)]
    pub recorded_at: Timestamp,
    /// The name of the token or user that sent it.
    pub actor: String,
    /// For example `deployment.deployed` or `incident.corrected`.
    #[schema(example = "deployment.corrected")]
    pub kind: String,
    /// `deployment` or `incident`
    pub entity: &'static str,
    pub project_id: String,
    pub id: String,
    /// The fields that it changed, by name.
    #[schema(value_type = BTreeMap<String, Change>)]
    pub changes: Map<String, Value>,
    /// The fact as it was from then on; `null` when that was a deletion.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Map<String, Value>>,
}

/// A field before and after a change.
#[derive(Debug, Serialize, ToSchema)]
struct Change<'a> {
    before: &'a Value,
    after: &'a Value,
}

/// What can be asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct JournalParams {
    /// `deployment` or `incident`
    entity: Option<String>,
    project_id: Option<String>,
    /// Of the deployment or incident.
    id: Option<String>,
    /// For example `deployment.corrected`.
    kind: Option<String>,
    /// Who sent it.
    actor: Option<String>,
    /// A time or a date; inclusive. Goes by when it was recorded.
    from: Option<String>,
    /// A time or a date; exclusive.
    to: Option<String>,
    /// 1 to 1000, default 50.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
    /// From the `Link` header of the page before.
    cursor: Option<i64>,
}

/// Every accepted change, newest first, with who sent it and what it changed.
#[utoipa::path(get, path = "/journal", tag = "journal", params(JournalParams),
    responses(
        (status = 200, body = Vec<JournalEntry>, headers(("Link" = String, description = "rel=\"next\": the next page"))),
        ))]
async fn get_journal(
    _: Reader,
    State(state): State<AppState>,
    base: Base,
    mut query: Query,
) -> Result<Response, Problem> {
    let filter = filter(&mut query)?;
    query.done()?;
    let (recorded, more) = state.store.journal(&filter).await?;
    let next = recorded.last().filter(|_| more).map(|last| last.seq.to_string());
    Ok((base.next_page(next.as_deref()), axum::Json(entries(recorded)?)).into_response())
}

/// The parameters, as the page takes them too; the caller has taken or will take its own.
pub fn filter(query: &mut Query) -> Result<JournalFilter, Problem> {
    Ok(JournalFilter {
        entity: query.one("entity", entity)?,
        project_id: query.one("project_id", Name::parse)?,
        id: query.one("id", Name::parse)?,
        kind: query.one("kind", word)?,
        actor: query.one("actor", word)?,
        from: query.one("from", time_or_date)?,
        to: query.one("to", time_or_date)?,
        limit: limit(query)?,
        before_seq: query.one("cursor", |text| {
            text.parse().map_err(|_| "expected a cursor from the Link header of the page before".to_owned())
        })?,
    })
}

pub fn entries(recorded: Vec<Recorded>) -> Result<Vec<JournalEntry>, Problem> {
    let entries = recorded.into_iter().map(entry).collect::<Result<_, _>>();
    entries.map_err(|_| Problem::new(&error::INTERNAL, error::INTERNAL.advice))
}

fn entity(text: &str) -> Result<Entity, String> {
    let known = [Entity::Deployment, Entity::Incident];
    known.into_iter().find(|entity| entity.word() == text).ok_or_else(|| "expected deployment or incident".to_owned())
}

/// Bound like everything from outside, whatever it is compared with.
fn word(text: &str) -> Result<String, String> {
    Name::parse(text).map(|name| name.to_string())
}

fn entry(recorded: Recorded) -> Result<JournalEntry, serde_json::Error> {
    let Recorded { seq, recorded_at, actor, kind, before, after } = recorded;
    let (entity, project_id, id, deleted) = match &after {
        Fact::Deployment(fact) => (Entity::Deployment, &fact.project_id, &fact.id, fact.deleted_at.is_some()),
        Fact::Incident(fact) => (Entity::Incident, &fact.project_id, &fact.id, fact.deleted_at.is_some()),
    };
    let (project_id, id, entity) = (project_id.to_string(), id.to_string(), entity.word());
    let before = before.map(shown).transpose()?.unwrap_or_default();
    let after = shown(after)?;
    let mut changes = Map::new();
    for (field, value) in &after {
        let was = before.get(field).unwrap_or(&Value::Null);
        if was != value && field != "updated_at" {
            changes.insert(field.clone(), serde_json::to_value(Change { before: was, after: value })?);
        }
    }
    let after = Some(after).filter(|_| !deleted);
    Ok(JournalEntry { seq, recorded_at, actor, kind, entity, project_id, id, changes, after })
}

/// The fact as it is answered elsewhere, but for the incidents linked to a deployment: they have entries of their own.
fn shown(fact: Fact) -> Result<Map<String, Value>, serde_json::Error> {
    let deleted_at = match &fact {
        Fact::Deployment(fact) => fact.deleted_at,
        Fact::Incident(fact) => fact.deleted_at,
    };
    let shown = match fact {
        Fact::Deployment(fact) => {
            let mut shown = serde_json::to_value(deployments::View::new(fact.clone(), Vec::new()))?;
            shown["incidents"] = fact.incident_count.into();
            shown
        }
        Fact::Incident(fact) => serde_json::to_value(incidents::View::from(fact))?,
    };
    let Value::Object(mut shown) = shown else { return Ok(Map::new()) };
    if let Some(count) = shown.remove("incidents") {
        shown.insert("incident_count".to_owned(), count);
    }
    if let Some(deleted_at) = deleted_at {
        shown.insert("deleted_at".to_owned(), serde_json::to_value(deleted_at)?);
    }
    Ok(shown)
}
