//! Pages of facts, newest first.

use serde::{Deserialize, Serialize};
use sqlx::QueryBuilder;

use super::engine::names;
use super::filters::{push_names, push_span};
use super::{Error, Store, deployments, incidents};
use crate::domain::deployment::Status;
use crate::domain::incident::LinkState;
use crate::domain::{Deployment, Incident, Name, Timestamp};

/// What to list. Empty lists and `None` do not restrict.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub project_id: Vec<Name>,
    pub team_id: Vec<Name>,
    pub environment: Vec<Name>,
    pub status: Vec<Status>,
    pub state: Option<IncidentState>,
    pub link: Option<LinkState>,
    /// Inclusive: deployments by when they happened, incidents by their start.
    pub from: Option<Timestamp>,
    /// Exclusive.
    pub to: Option<Timestamp>,
    pub after: Option<Cursor>,
    pub limit: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentState {
    /// Not restored.
    InProgress,
    /// Not restored or not finished.
    Unfinished,
}

/// The last fact of a page; the next page starts behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor(#[serde(with = "crate::domain::time::micros")] pub Timestamp, pub Name, pub Name);

/// A page, and where the next one starts if there is one.
#[derive(Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

macro_rules! push_filter {
    ($query:ident, $filter:ident, $at:literal) => {
        let Filter { project_id, team_id, environment, status: _, state: _, link: _, from, to, after, limit } = $filter;
        push_names(&mut $query, project_id, team_id, environment);
        push_span(&mut $query, $at, *from, *to);
        if let Some(Cursor(at, project_id, id)) = after {
            $query.push(concat!(" AND (", $at, ", project_id, id) < (")).push_bind(at);
            $query.push(", ").push_bind(project_id).push(", ").push_bind(id).push(")");
        }
        $query.push(concat!(" ORDER BY ", $at, " DESC, project_id DESC, id DESC LIMIT "));
        // one more than asked for tells whether there is a next page
        $query.push_bind(i64::from(*limit) + 1);
    };
}

impl Store {
    pub async fn list_deployments(&self, filter: &Filter) -> Result<Page<Deployment>, Error> {
        let select =
            format!("SELECT {} FROM {} WHERE deleted_at IS NULL", names(deployments::COLUMNS), deployments::TABLE);
        let items: Vec<Deployment> = on_engine!(self, |pool| {
            let mut query = QueryBuilder::new(&select);
            if !filter.status.is_empty() {
                query.push(" AND status IN (");
                let mut list = query.separated(", ");
                for status in &filter.status {
                    list.push_bind(status);
                }
                query.push(")");
            }
            push_filter!(query, filter, "happened_at");
            query.build_query_as().fetch_all(pool).await
        })?;
        Ok(page(items, filter.limit, |d| Cursor(d.happened_at(), d.project_id.clone(), d.id.clone())))
    }

    pub async fn list_incidents(&self, filter: &Filter) -> Result<Page<Incident>, Error> {
        let select = format!("SELECT {} FROM {} WHERE deleted_at IS NULL", names(incidents::COLUMNS), incidents::TABLE);
        let items: Vec<Incident> = on_engine!(self, |pool| {
            let mut query = QueryBuilder::new(&select);
            match filter.state {
                // the second half lets the partial index of unfinished incidents serve this too
                Some(IncidentState::InProgress) => {
                    query.push(" AND restored_at IS NULL AND (restored_at IS NULL OR finished_at IS NULL)")
                }
                Some(IncidentState::Unfinished) => query.push(" AND (restored_at IS NULL OR finished_at IS NULL)"),
                None => &mut query,
            };
            query.push(match filter.link {
                Some(LinkState::Linked) => " AND deployment_id IS NOT NULL",
                Some(LinkState::Suggested) => {
                    " AND deployment_id IS NULL AND link_method IS NULL AND suggested_deployment_id IS NOT NULL"
                }
                Some(LinkState::Unlinked) => {
                    " AND deployment_id IS NULL AND link_method IS NULL AND suggested_deployment_id IS NULL"
                }
                Some(LinkState::None) => " AND deployment_id IS NULL AND link_method IS NOT NULL",
                None => "",
            });
            push_filter!(query, filter, "started_at");
            query.build_query_as().fetch_all(pool).await
        })?;
        Ok(page(items, filter.limit, |i| Cursor(i.started_at, i.project_id.clone(), i.id.clone())))
    }
}

fn page<T>(mut items: Vec<T>, limit: u16, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
    let more = items.len() > usize::from(limit);
    items.truncate(usize::from(limit));
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}
