//! The journal: every accepted change, append-only.

use std::sync::LazyLock;

use serde::Serialize;
use sqlx::QueryBuilder;

use super::engine::{Column, Column::Integer, Column::Json, Column::Text, Texts};
use super::filters::push_span;
use super::{Error, Store, Tx};
use crate::domain::{Deployment, Incident, Name, Timestamp, deployment, incident, time};

const COLUMNS: &[Column] = &[
    Integer("recorded_at"),
    Text("actor"),
    Text("kind"),
    Text("entity"),
    Text("project_id"),
    Text("entity_id"),
    Json("before"),
    Json("after"),
];

static INSERT: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.insert("journal", COLUMNS)));

/// A fact of either sort, as the journal keeps it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Fact {
    Deployment(Deployment),
    Incident(Incident),
}

impl Fact {
    fn entity(&self) -> &'static str {
        match self {
            Self::Deployment(_) => deployment::KIND,
            Self::Incident(_) => incident::KIND,
        }
    }

    /// As it was written; `None`: something else than a fact.
    pub(super) fn read(entity: &str, json: &str) -> Result<Option<Self>, Error> {
        Ok(match entity {
            deployment::KIND => Some(Self::Deployment(serde_json::from_str(json)?)),
            incident::KIND => Some(Self::Incident(serde_json::from_str(json)?)),
            _ => None,
        })
    }

    pub fn as_deployment(&self) -> Option<&Deployment> {
        if let Self::Deployment(fact) = self { Some(fact) } else { None }
    }

    pub fn as_incident(&self) -> Option<&Incident> {
        if let Self::Incident(fact) = self { Some(fact) } else { None }
    }

    fn key(&self) -> (&Name, &Name) {
        match self {
            Self::Deployment(fact) => (&fact.project_id, &fact.id),
            Self::Incident(fact) => (&fact.project_id, &fact.id),
        }
    }
}

/// One accepted change.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it was sent; it is recorded a little later.
    pub recorded_at: Timestamp,
    pub actor: Name,
    pub kind: &'static str,
    pub before: Option<Fact>,
    pub after: Fact,
}

/// What to list. `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct JournalFilter {
    pub entity: Option<Entity>,
    pub project_id: Option<Name>,
    pub id: Option<Name>,
    pub kind: Option<String>,
    pub actor: Option<String>,
    /// Inclusive.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    /// Only entries older than this one.
    pub before_seq: Option<i64>,
    pub limit: u16,
}

/// Which sort of fact an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    Deployment,
    Incident,
}

impl Entity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployment => deployment::KIND,
            Self::Incident => incident::KIND,
        }
    }

    fn read(self, json: &str) -> Result<Fact, serde_json::Error> {
        match self {
            Self::Deployment => serde_json::from_str(json).map(Fact::Deployment),
            Self::Incident => serde_json::from_str(json).map(Fact::Incident),
        }
    }
}

/// One change, as it was written down.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub seq: i64,
    pub recorded_at: Timestamp,
    pub actor: String,
    pub kind: String,
    pub before: Option<Fact>,
    pub after: Fact,
}

type RecordedRow = (i64, Timestamp, String, String, String, Option<String>, String);

#[derive(Serialize)]
struct Row<'a> {
    #[serde(with = "time::micros")]
    recorded_at: Timestamp,
    actor: &'a Name,
    kind: &'static str,
    entity: &'static str,
    project_id: &'a Name,
    entity_id: &'a Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a Fact>,
    after: &'a Fact,
}

impl Tx<'_> {
    pub(super) async fn insert_journal(&mut self, entries: &[Entry], now: Option<Timestamp>) -> Result<(), Error> {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                let (project_id, entity_id) = entry.after.key();
                Row {
                    recorded_at: now.map_or(entry.recorded_at, |now| now.max(entry.recorded_at)),
                    actor: &entry.actor,
                    kind: entry.kind,
                    entity: entry.after.entity(),
                    project_id,
                    entity_id,
                    before: entry.before.as_ref(),
                    after: &entry.after,
                }
            })
            .collect();
        self.execute_each(&INSERT, &rows).await
    }
}

impl Store {
    /// Changes, newest first, and whether there are more.
    pub async fn journal(&self, filter: &JournalFilter) -> Result<(Vec<Recorded>, bool), Error> {
        let JournalFilter { entity, project_id, id, kind, actor, from, to, before_seq, limit } = filter;
        let select = "SELECT seq, recorded_at, actor, kind, entity, CAST(before AS TEXT), CAST(after AS TEXT) \
                      FROM journal WHERE true";
        let mut rows: Vec<RecordedRow> = on_engine!(self, |pool| {
            let mut query = QueryBuilder::new(select);
            let texts = [
                ("entity", entity.map(|entity| entity.word().to_owned())),
                ("project_id", project_id.as_ref().map(ToString::to_string)),
                ("entity_id", id.as_ref().map(ToString::to_string)),
                ("kind", kind.clone()),
                ("actor", actor.clone()),
            ];
            for (column, value) in texts {
                if let Some(value) = value {
                    query.push(format_args!(" AND {column} = ")).push_bind(value);
                }
            }
            push_span(&mut query, "recorded_at", *from, *to);
            if let Some(seq) = before_seq {
                query.push(" AND seq < ").push_bind(seq);
            }
            query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(*limit) + 1);
            query.build_query_as().fetch_all(pool).await
        })?;
        let more = rows.len() > usize::from(*limit);
        rows.truncate(usize::from(*limit));
        let recorded = rows.into_iter().map(recorded).collect::<Result<_, _>>()?;
        Ok((recorded, more))
    }

    /// How many changes the journal holds.
    pub async fn journal_len(&self) -> Result<i64, Error> {
        Ok(on_engine!(self, |pool| sqlx::query_scalar("SELECT COUNT(*) FROM journal").fetch_one(pool).await)?)
    }
}

fn recorded((seq, recorded_at, actor, kind, entity, before, after): RecordedRow) -> Result<Recorded, Error> {
    let entity = if entity == deployment::KIND { Entity::Deployment } else { Entity::Incident };
    let before = before.map(|json| entity.read(&json)).transpose()?;
    Ok(Recorded { seq, recorded_at, actor, kind, before, after: entity.read(&after)? })
}
