//! The facts as they were known at some moment, from the journal.

use std::collections::HashSet;

use futures_util::TryStreamExt as _;
use sqlx::{QueryBuilder, Row as _};

use super::filters::push_list;
use super::{Entity, Error, Fact, Snapshot};
use crate::domain::{Name, Timestamp};

/// Ids in one statement: far fewer than either engine can bind.
const AT_ONCE: usize = 1000;

impl Snapshot {
    /// Project and id of those facts with these ids that are deleted.
    pub async fn deleted(&mut self, entity: Entity, ids: &[Name]) -> Result<HashSet<(Name, Name)>, Error> {
        let select = match entity {
            Entity::Deployment => "SELECT project_id, id FROM deployments WHERE deleted_at IS NOT NULL",
            Entity::Incident => "SELECT project_id, id FROM incidents WHERE deleted_at IS NOT NULL",
        };
        let mut deleted = HashSet::new();
        for ids in ids.chunks(AT_ONCE) {
            let found: Vec<_> = in_tx!(self, |connection| {
                let mut query = QueryBuilder::new(select);
                push_list(&mut query, "id", ids);
                query.build_query_as().fetch_all(connection).await?
            });
            deleted.extend(found);
        }
        Ok(deleted)
    }

    /// Hands over each fact of the projects (empty: of all) as the last change up to a moment left it, deleted ones
    /// too, in no order; `only` those of one sort. Reads the whole journal's index.
    pub async fn facts_as_of<E: From<Error>>(
        &mut self,
        moment: Timestamp,
        only: Option<Entity>,
        projects: &[Name],
        mut take: impl FnMut(Fact) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        in_tx!(self, |connection| {
            let mut query = QueryBuilder::new(
                "WITH last AS NOT MATERIALIZED (SELECT MAX(seq) AS seq FROM journal WHERE recorded_at <= ",
            );
            query.push_bind(moment);
            push_list(&mut query, "project_id", projects);
            if let Some(entity) = only {
                query.push(" AND entity = ").push_bind(entity.word());
            }
            // in the order of the index, so that nothing has to be sorted
            query.push(
                " GROUP BY entity_id, project_id, entity) \
                 SELECT journal.entity, CAST(journal.after AS TEXT) FROM last JOIN journal ON journal.seq = last.seq",
            );
            let mut rows = query.build().fetch(connection);
            while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                let (entity, after): (&str, &str) =
                    (row.try_get(0).map_err(Error::from)?, row.try_get(1).map_err(Error::from)?);
                if let Some(fact) = Fact::read(entity, after)? {
                    take(fact)?;
                }
            }
        });
        Ok(())
    }
}
