//! The table of incidents.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

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
         AND deleted_at IS NULL ORDER BY created_at DESC LIMIT $2",
        names(COLUMNS)
    )
});

impl Store {
    /// The newest incidents that tools have told of and that no deployment is known to have caused.
    pub async fn unlinked_incidents(&self, since: Timestamp, most: i64) -> Result<Vec<Incident>, Error> {
        let sql: &'static str = &UNLINKED;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(since).bind(most).fetch_all(pool).await)?)
    }
}
