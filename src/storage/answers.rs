//! What answers are computed from: the facts that matter for a window, as they are at one moment.
//! SQL only filters and fetches; what the facts mean is for `dora` to say.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use sqlx::{Database, Encode, Postgres, QueryBuilder, Row as _, Transaction, Type};

use super::engine::{Pool, names};
use super::filters::{push_fn, push_list, push_names, push_span};
use super::tx::Inner;
use super::{Error, Store, deployments, incidents};
use crate::domain::incident::Method;
use crate::domain::{Deployment, Incident, Name, Timestamp};

/// Which facts are asked for. Empty lists do not restrict.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Inclusive.
    pub from: Timestamp,
    /// Exclusive.
    pub to: Timestamp,
    pub projects: Vec<Name>,
    pub teams: Vec<Name>,
    pub environments: Vec<Name>,
}

/// What answers are given for, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Project,
    Team,
    Environment,
}

/// A deployment that has ended in the window.
#[derive(Debug)]
pub struct DeploymentRow<'r> {
    /// `None`: it failed before it reached users.
    pub deployed_at: Option<Timestamp>,
    /// When it reached users or failed.
    pub happened_at: Timestamp,
    pub first_commit_at: Option<Timestamp>,
    pub rolled_back_at: Option<Timestamp>,
    pub unplanned: bool,
    pub group: Option<&'r str>,
    /// Project and id, if incidents are linked to it.
    pub with_incidents: Option<(&'r str, &'r str)>,
}

/// An incident that started, was restored or was finished in the window, or is open at its end.
#[derive(Debug)]
pub struct IncidentRow<'r> {
    pub started_at: Timestamp,
    pub start_is_guessed: bool,
    pub restored_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub deployment_deployed_at: Option<Timestamp>,
    pub group: Option<&'r str>,
}

/// The incidents linked to deployments of the window, by project and deployment. In the order they started.
#[derive(Debug, Default)]
pub struct LinkedIncidents(HashMap<Name, HashMap<Name, Vec<LinkedIncident>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedIncident {
    pub id: Name,
    /// When it started; `None`: nobody knows.
    pub known_start: Option<Timestamp>,
    pub restored_at: Option<Timestamp>,
    pub method: Option<Method>,
}

impl LinkedIncidents {
    pub fn of(&self, project_id: &str, deployment_id: &str) -> &[LinkedIncident] {
        self.0.get(project_id).and_then(|project| project.get(deployment_id)).map(Vec::as_slice).unwrap_or_default()
    }
}

impl GroupBy {
    fn column(self) -> &'static str {
        match self {
            Self::Project => "project_id",
            Self::Team => "team_id",
            Self::Environment => "environment",
        }
    }
}

/// The store as it is at one moment, whatever is written meanwhile.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) inner: Inner<Transaction<'static, Postgres>>,
}

impl Store {
    /// The moment is that of the first read.
    pub async fn snapshot(&self) -> Result<Snapshot, Error> {
        let inner = match &self.pool {
            Pool::Sqlite { read, .. } => Inner::Sqlite(read.begin().await?),
            Pool::Postgres { read, .. } => {
                Inner::Postgres(read.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        };
        Ok(Snapshot { inner })
    }
}

impl Snapshot {
    /// The incidents linked to the deployments of the window, whatever their own environment or time.
    pub async fn linked_incidents(&mut self, scope: &Scope) -> Result<LinkedIncidents, Error> {
        let mut linked = LinkedIncidents::default();
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new(
                "SELECT project_id, deployment_id, id, CASE WHEN start_is_guessed THEN NULL ELSE started_at END, \
                 restored_at, link_method FROM incidents \
                 WHERE deployment_id IS NOT NULL AND deleted_at IS NULL",
            );
            push_span(&mut query, "deployment_deployed_at", Some(scope.from), Some(scope.to));
            push_list(&mut query, "project_id", &scope.projects);
            query.push(" ORDER BY started_at, id");
            let mut rows = query.build().fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let of_project = linked.0.entry(row.try_get(0)?).or_default();
                let of_deployment: &mut Vec<_> = of_project.entry(row.try_get(1)?).or_default();
                of_deployment.push(LinkedIncident {
                    id: row.try_get(2)?,
                    known_start: row.try_get(3)?,
                    restored_at: row.try_get(4)?,
                    method: row.try_get(5)?,
                });
            }
        });
        Ok(linked)
    }

    /// Hands over the deployments that have ended in the window, in no order.
    pub async fn deployments(
        &mut self,
        scope: &Scope,
        group_by: Option<GroupBy>,
        mut take: impl FnMut(DeploymentRow<'_>) + Send,
    ) -> Result<(), Error> {
        let select = format!(
            "SELECT deployed_at, happened_at, first_commit_at, rolled_back_at, unplanned, {}, \
             CASE WHEN incident_count > 0 THEN project_id END, CASE WHEN incident_count > 0 THEN id END \
             FROM deployments WHERE status <> 'started' AND deleted_at IS NULL",
            group_column(group_by)
        );
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new(&select);
            push_span(&mut query, "happened_at", Some(scope.from), Some(scope.to));
            push_scope(&mut query, scope);
            let mut rows = query.build().fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let (project, id): (Option<&str>, Option<&str>) = (row.try_get(6)?, row.try_get(7)?);
                take(DeploymentRow {
                    deployed_at: row.try_get(0)?,
                    happened_at: row.try_get(1)?,
                    first_commit_at: row.try_get(2)?,
                    rolled_back_at: row.try_get(3)?,
                    unplanned: row.try_get::<Option<bool>, _>(4)?.unwrap_or(false),
                    group: row.try_get(5)?,
                    with_incidents: project.zip(id),
                });
            }
        });
        Ok(())
    }

    /// Hands over the incidents that matter for the window, in no order.
    pub async fn incidents(
        &mut self,
        scope: &Scope,
        group_by: Option<GroupBy>,
        mut take: impl FnMut(IncidentRow<'_>) + Send,
    ) -> Result<(), Error> {
        let columns = format!(
            "started_at, restored_at, finished_at, deployment_deployed_at, {}, start_is_guessed",
            group_column(group_by)
        );
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new("");
            push_incidents(&mut query, &columns, scope);
            let mut rows = query.build().fetch(connection);
            while let Some(row) = rows.try_next().await? {
                take(IncidentRow {
                    started_at: row.try_get(0)?,
                    restored_at: row.try_get(1)?,
                    finished_at: row.try_get(2)?,
                    deployment_deployed_at: row.try_get(3)?,
                    group: row.try_get(4)?,
                    start_is_guessed: row.try_get(5)?,
                });
            }
        });
        Ok(())
    }

    /// As [`Self::deployments`], the whole facts, also of those that have not ended.
    pub async fn whole_deployments(
        &mut self,
        scope: &Scope,
        mut take: impl FnMut(Deployment) + Send,
    ) -> Result<(), Error> {
        let select = format!("SELECT {} FROM deployments WHERE deleted_at IS NULL", names(deployments::COLUMNS));
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new(&select);
            push_span(&mut query, "happened_at", Some(scope.from), Some(scope.to));
            push_scope(&mut query, scope);
            let mut rows = query.build_query_as().fetch(connection);
            while let Some(fact) = rows.try_next().await? {
                take(fact);
            }
        });
        Ok(())
    }

    /// As [`Self::incidents`], the whole facts.
    pub async fn whole_incidents(&mut self, scope: &Scope, mut take: impl FnMut(Incident) + Send) -> Result<(), Error> {
        let columns = names(incidents::COLUMNS);
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new("");
            push_incidents(&mut query, &columns, scope);
            let mut rows = query.build_query_as().fetch(connection);
            while let Some(fact) = rows.try_next().await? {
                take(fact);
            }
        });
        Ok(())
    }
}

fn group_column(group_by: Option<GroupBy>) -> &'static str {
    group_by.map_or("CAST(NULL AS TEXT)", GroupBy::column)
}

push_fn! {
    fn push_scope(query, scope: &Scope) {
        push_names(query, &scope.projects, &scope.teams, &scope.environments);
    }
}

push_fn! {
    /// Statements that share no row, so that each goes by an index of its own.
    fn push_incidents(query, columns: &str, scope: &Scope) {
        let Scope { from, to, .. } = scope;
        query.push(format_args!("SELECT {columns} FROM incidents WHERE deleted_at IS NULL"));
        push_span(query, "started_at", Some(*from), Some(*to));
        push_scope(query, scope);
        for (index, end) in ["restored_at IS NULL", "restored_at >= ", "finished_at >= "].into_iter().enumerate() {
            query.push(format_args!(" UNION ALL SELECT {columns} FROM incidents WHERE started_at < ")).push_bind(from);
            query.push(" AND deleted_at IS NULL");
            query.push(format_args!(" AND {end}"));
            if index > 0 {
                query.push_bind(from);
            }
            if index > 1 {
                query.push(" AND finished_at < ").push_bind(to);
                query.push(" AND restored_at < ").push_bind(from);
            }
            push_scope(query, scope);
        }
    }
}
