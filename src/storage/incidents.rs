//! The table of incidents.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;
use std::time::Duration;

use super::engine::{Column, Column::Integer, Column::Json, Column::Text, Texts, names};
use super::{Error, Key, Store, Tx};
use crate::domain::{Deployment, Incident, Name, Timestamp};

pub(super) const TABLE: &str = "incidents";
pub(super) const COLUMNS: &[Column] = &[
    Text("project_id"),
    Text("id"),
    Text("team_id"),
    Text("environment"),
    Text("deployment_id"),
    Integer("deployment_deployed_at"),
    Text("link_method"),
    Text("suggested_deployment_id"),
    Text("severity"),
    Text("title"),
    Text("url"),
    Integer("started_at"),
    Integer("restored_at"),
    Integer("finished_at"),
    Integer("counted"),
    Integer("created_at"),
    Integer("updated_at"),
    Integer("deleted_at"),
    Json("seen"),
];

static SELECT_BY_KEY: LazyLock<Texts> =
    LazyLock::new(|| Texts::new(|d| d.select_by(TABLE, &[Text("id"), Text("project_id")], COLUMNS)));
static SELECT_BY_ID: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.select_by(TABLE, &[Text("id")], COLUMNS)));
static SELECT_LINKED: LazyLock<Texts> =
    LazyLock::new(|| Texts::new(|d| d.select_by(TABLE, &[Text("deployment_id"), Text("project_id")], COLUMNS)));
static INSERT: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.insert(TABLE, COLUMNS)));
static UPDATE: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.update(TABLE, &["id", "project_id"], COLUMNS)));
static SELECT_ONE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE id = $1 AND ($2 IS NULL OR project_id = $2) AND deleted_at IS NULL",
        names(COLUMNS)
    )
});
static COUNT: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|d| {
        let batch = d.batch(&[Text("project_id")]);
        format!(
            "SELECT f.project_id, COUNT(*) FROM ({batch}) AS batch CROSS JOIN {TABLE} AS f \
             WHERE f.project_id = batch.project_id GROUP BY f.project_id"
        )
    })
});
/// Looked at only, not locked: an id that is taken stays taken.
static TAKEN: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|d| {
        let batch = d.batch(&[Text("id"), Text("project_id")]);
        format!(
            "SELECT f.id FROM ({batch}) AS batch CROSS JOIN {TABLE} AS f \
             WHERE f.id = batch.id AND f.project_id = batch.project_id"
        )
    })
});
static IDS_LINKED: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|d| {
        let batch = d.batch(&[Text("deployment_id"), Text("project_id")]);
        format!(
            "SELECT f.project_id, f.deployment_id, f.id FROM ({batch}) AS batch CROSS JOIN {TABLE} AS f \
             WHERE f.deployment_id = batch.deployment_id AND f.project_id = batch.project_id AND f.deleted_at IS NULL ORDER BY f.started_at, f.id"
        )
    })
});

/// The key of a deployment as its incidents carry it.
#[derive(Debug, serde::Serialize)]
struct Linked<'a> {
    deployment_id: &'a Name,
    project_id: &'a Name,
}

impl Tx<'_> {
    /// Those of the keys that exist; locked against other replicas until the end of the transaction.
    pub async fn incidents(&mut self, keys: &[Key<'_>]) -> Result<Vec<Incident>, Error> {
        self.select(&SELECT_BY_KEY, keys).await
    }

    /// Every incident with one of the ids, in whatever project.
    pub async fn incidents_by_id(&mut self, ids: &[Key<'_>]) -> Result<Vec<Incident>, Error> {
        self.select(&SELECT_BY_ID, ids).await
    }

    /// The incidents that are linked to these deployments, deleted ones too.
    pub async fn incidents_linked_to(&mut self, deployments: &[&Deployment]) -> Result<Vec<Incident>, Error> {
        let keys: Vec<_> =
            deployments.iter().map(|d| Linked { deployment_id: &d.id, project_id: &d.project_id }).collect();
        self.select(&SELECT_LINKED, &keys).await
    }

    /// As [`Store::incident_ids`].
    pub async fn incident_ids<'a>(
        &mut self,
        deployments: impl Iterator<Item = &'a Deployment>,
    ) -> Result<LinkedIds, Error> {
        let keys = keys_of_linked(deployments);
        Ok(gathered(self.select(&IDS_LINKED, &keys).await?))
    }

    /// Which of the keys' ids are taken.
    pub async fn taken_incident_ids(&mut self, keys: &[Key<'_>]) -> Result<HashSet<Name>, Error> {
        let rows: Vec<(Name,)> = self.select(&TAKEN, keys).await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// How many incidents each of the projects has; a project without any is absent.
    pub async fn incident_counts(&mut self, projects: &[Key<'_>]) -> Result<HashMap<Name, i64>, Error> {
        let rows: Vec<(Name, i64)> = self.select(&COUNT, projects).await?;
        Ok(rows.into_iter().collect())
    }

    pub(super) async fn insert_incidents(&mut self, facts: &[&Incident]) -> Result<(), Error> {
        self.execute_each(&INSERT, facts).await
    }

    pub(super) async fn update_incidents(&mut self, facts: &[&Incident]) -> Result<(), Error> {
        self.execute_each(&UPDATE, facts).await
    }
}

impl Store {
    /// The incidents with this id: one for each project that has it.
    pub async fn incidents_with_id(&self, id: &Name, project_id: Option<&Name>) -> Result<Vec<Incident>, Error> {
        let sql: &'static str = &SELECT_ONE;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(id).bind(project_id).fetch_all(pool).await)?)
    }

    /// The ids of the incidents linked to each of the deployments, in the order they started.
    /// Asks the database only for deployments that have any.
    pub async fn incident_ids(&self, deployments: &[Deployment]) -> Result<LinkedIds, Error> {
        let keys = keys_of_linked(deployments.iter());
        if keys.is_empty() {
            return Ok(LinkedIds::new());
        }
        let sql: &'static str = IDS_LINKED.of(self.pool.dialect());
        let json = serde_json::to_string(&keys)?;
        Ok(gathered(on_engine!(self, |pool| sqlx::query_as(sql).bind(&json).fetch_all(pool).await)?))
    }
}

/// Incident ids by the project and id of their deployment.
pub type LinkedIds = HashMap<(Name, Name), Vec<Name>>;

fn keys_of_linked<'a>(deployments: impl Iterator<Item = &'a Deployment>) -> Vec<Linked<'a>> {
    let linked = deployments.filter(|d| d.incident_count > 0);
    linked.map(|d| Linked { deployment_id: &d.id, project_id: &d.project_id }).collect()
}

fn gathered(rows: Vec<(Name, Name, Name)>) -> LinkedIds {
    let mut ids = LinkedIds::new();
    for (project_id, deployment_id, id) in rows {
        ids.entry((project_id, deployment_id)).or_default().push(id);
    }
    ids
}

static UNLINKED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE seen IS NOT NULL AND deployment_id IS NULL AND created_at >= $1 \
         AND names_cause AND link_method IS NULL AND deleted_at IS NULL ORDER BY created_at DESC LIMIT $2",
        names(COLUMNS)
    )
});

/// Who nobody has said anything about a deployment of, with the last deployment before it, where that is not what is
/// suggested already.
static SUGGESTIONS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT project_id, id, candidate FROM (SELECT i.project_id, i.id, i.started_at, i.suggested_deployment_id, \
         (SELECT d.id FROM deployments AS d WHERE d.project_id = i.project_id AND d.environment = i.environment \
         AND d.deployed_at IS NOT NULL AND d.deleted_at IS NULL \
         AND d.happened_at <= i.started_at AND d.happened_at >= i.started_at - $2 \
         ORDER BY d.happened_at DESC, d.id DESC LIMIT 1) AS candidate \
         FROM {TABLE} AS i WHERE i.deployment_id IS NULL AND i.link_method IS NULL AND i.deleted_at IS NULL \
         AND NOT i.names_cause AND NOT i.start_is_guessed AND i.started_at >= $1) AS found \
         WHERE COALESCE(candidate, '') <> COALESCE(suggested_deployment_id, '') ORDER BY started_at DESC LIMIT $3"
    )
});
static SUGGESTED: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT project_id, id, CAST(NULL AS TEXT) FROM {TABLE} WHERE suggested_deployment_id IS NOT NULL AND deleted_at IS NULL \
         ORDER BY started_at DESC LIMIT $1"
    )
});

/// An incident, and the deployment that is to be suggested for it.
pub type Suggestion = (Name, Name, Option<Name>);

impl Store {
    /// What is to be suggested otherwise than it is, for the newest incidents since a time: the last deployment of their
    /// project and environment that reached users before they began, and not longer before than `within`.
    pub async fn suggestions(&self, since: Timestamp, within: Duration, most: i64) -> Result<Vec<Suggestion>, Error> {
        let sql: &'static str = &SUGGESTIONS;
        let within = i64::try_from(within.as_micros()).unwrap_or(i64::MAX);
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(since).bind(within).bind(most).fetch_all(pool).await)?)
    }

    /// The incidents that something is suggested for, with nothing to be suggested.
    pub async fn suggested(&self, most: i64) -> Result<Vec<Suggestion>, Error> {
        let sql: &'static str = &SUGGESTED;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(most).fetch_all(pool).await)?)
    }

    /// The newest incidents whose tools say what has caused them, and that are linked to no deployment yet.
    pub async fn unlinked_incidents(&self, since: Timestamp, most: i64) -> Result<Vec<Incident>, Error> {
        let sql: &'static str = &UNLINKED;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(since).bind(most).fetch_all(pool).await)?)
    }
}
