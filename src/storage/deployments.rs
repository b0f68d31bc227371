//! The table of deployments.

use std::sync::LazyLock;

use super::engine::{Column, Column::Boolean, Column::Integer, Column::Json, Column::Text, Texts, names};
use super::{Error, Key, Store, Tx};
use crate::domain::{Deployment, Name};

pub(super) const TABLE: &str = "deployments";
/// Every stored column but the generated one.
pub(super) const COLUMNS: &[Column] = &[
    Text("project_id"),
    Text("id"),
    Text("team_id"),
    Text("environment"),
    Text("status"),
    Integer("first_commit_at"),
    Text("first_commit_from"),
    Integer("deploy_start_at"),
    Integer("deployed_at"),
    Integer("failed_at"),
    Integer("rolled_back_at"),
    Text("reason"),
    Text("username"),
    Text("commit_sha"),
    Text("version"),
    Text("url"),
    Boolean("unplanned"),
    Integer("incident_count"),
    Integer("counted"),
    Integer("created_at"),
    Integer("updated_at"),
    Integer("deleted_at"),
    Json("seen"),
];

static SELECT_BY_KEY: LazyLock<Texts> =
    LazyLock::new(|| Texts::new(|d| d.select_by(TABLE, &[Text("id"), Text("project_id")], COLUMNS)));
static SELECT_BY_ID: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.select_by(TABLE, &[Text("id")], COLUMNS)));
static INSERT: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.insert(TABLE, COLUMNS)));
static UPDATE: LazyLock<Texts> = LazyLock::new(|| Texts::new(|d| d.update(TABLE, &["id", "project_id"], COLUMNS)));
static SELECT_ONE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {} FROM {TABLE} WHERE id = $1 AND ($2 IS NULL OR project_id = $2) AND deleted_at IS NULL",
        names(COLUMNS)
    )
});

impl Tx<'_> {
    /// Those of the keys that exist; locked against other replicas until the end of the transaction.
    pub async fn deployments(&mut self, keys: &[Key<'_>]) -> Result<Vec<Deployment>, Error> {
        self.select(&SELECT_BY_KEY, keys).await
    }

    /// Every deployment with one of the ids, in whatever project.
    pub async fn deployments_by_id(&mut self, ids: &[Key<'_>]) -> Result<Vec<Deployment>, Error> {
        self.select(&SELECT_BY_ID, ids).await
    }

    pub(super) async fn insert_deployments(&mut self, facts: &[&Deployment]) -> Result<(), Error> {
        self.execute_each(&INSERT, facts).await
    }

    pub(super) async fn update_deployments(&mut self, facts: &[&Deployment]) -> Result<(), Error> {
        self.execute_each(&UPDATE, facts).await
    }
}

impl Store {
    /// The deployments with this id: one for each project that has it.
    pub async fn deployments_with_id(&self, id: &Name, project_id: Option<&Name>) -> Result<Vec<Deployment>, Error> {
        let sql: &'static str = &SELECT_ONE;
        Ok(on_engine!(self, |pool| sqlx::query_as(sql).bind(id).bind(project_id).fetch_all(pool).await)?)
    }
}
