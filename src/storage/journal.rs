//! The journal: every accepted change, append-only.

use std::sync::LazyLock;

use serde::Serialize;

use super::engine::{Column, Column::Integer, Column::Json, Column::Text, Texts};
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
    pub recorded_at: Timestamp,
    pub actor: Name,
    pub kind: &'static str,
    pub before: Option<Fact>,
    pub after: Fact,
}

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
    pub(super) async fn insert_journal(&mut self, entries: &[Entry]) -> Result<(), Error> {
        let rows: Vec<_> = entries
            .iter()
            .map(|entry| {
                let (project_id, entity_id) = entry.after.key();
                Row {
                    recorded_at: entry.recorded_at,
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
    /// How many changes the journal holds.
    pub async fn journal_len(&self) -> Result<i64, Error> {
        Ok(on_engine!(self, |pool| sqlx::query_scalar("SELECT COUNT(*) FROM journal").fetch_one(pool).await)?)
    }
}
