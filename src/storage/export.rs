//! Every fact of a store, page by page, as they were at one moment.

use std::collections::HashSet;

use sqlx::QueryBuilder;

use super::engine::names;
use super::filters::{push_names, push_span};
use super::{Error, Filter, Snapshot, deployments, incidents};
use crate::domain::{Deployment, Incident, Name};

/// The key of the last fact of a page: id, then project.
pub type After = (Name, Name);

/// Facts of one page; fewer mean the end.
pub const PAGE: usize = 1000;

macro_rules! page {
    ($snapshot:ident, $filter:ident, $after:ident, $table:ident, $at:literal) => {{
        let select = format!("SELECT {} FROM {} WHERE deleted_at IS NULL", names($table::COLUMNS), $table::TABLE);
        in_tx!($snapshot, |connection| {
            let mut query = QueryBuilder::new(&select);
            let Filter { project_id, team_id, environment, from, to, .. } = $filter;
            push_names(&mut query, project_id, team_id, environment);
            push_span(&mut query, $at, *from, *to);
            if let Some((id, project_id)) = $after {
                query.push(" AND (id, project_id) > (").push_bind(id).push(", ").push_bind(project_id).push(")");
            }
            query.push(format_args!(" ORDER BY id, project_id LIMIT {PAGE}"));
            Ok(query.build_query_as().fetch_all(connection).await?)
        })
    }};
}

impl Snapshot {
    /// By id and project. Of the filter, its lists and its span matter: by when the last thing happened.
    pub async fn page_of_deployments(
        &mut self,
        filter: &Filter,
        after: Option<&After>,
    ) -> Result<Vec<Deployment>, Error> {
        page!(self, filter, after, deployments, "happened_at")
    }

    /// Project and id of the deleted deployments that incidents are linked to.
    pub async fn deleted_with_incidents(&mut self) -> Result<HashSet<(Name, Name)>, Error> {
        const SELECT: &str =
            "SELECT project_id, id FROM deployments WHERE deleted_at IS NOT NULL AND incident_count > 0";
        let keys: Vec<_> = in_tx!(self, |connection| sqlx::query_as(SELECT).fetch_all(connection).await?);
        Ok(keys.into_iter().collect())
    }

    /// The same of incidents; the span is that of their start.
    pub async fn page_of_incidents(&mut self, filter: &Filter, after: Option<&After>) -> Result<Vec<Incident>, Error> {
        page!(self, filter, after, incidents, "started_at")
    }
}
