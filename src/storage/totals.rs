//! The running totals as they are read: all of them, as they were at one moment.

use std::sync::Arc;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use super::series::{WRAP, labels};
use super::{Error, Snapshot, Store};
use crate::domain::Name;
use crate::metrics::{Labels, Metric, SeriesTotal};

impl Store {
    /// Every total, by ascending id, as of one moment.
    pub async fn series(&self) -> Result<Vec<SeriesTotal>, Error> {
        let mut snapshot = self.snapshot().await?;
        let mut totals = snapshot.totals().await?;
        snapshot.fill_buckets(&mut totals).await?;
        Ok(totals)
    }
}

impl Snapshot {
    /// Their buckets are empty.
    async fn totals(&mut self) -> Result<Vec<SeriesTotal>, Error> {
        const SELECT: &str = "SELECT id, metric, project_id, team_id, environment, started_at, count, sum_micros, \
                              sum_carry FROM series ORDER BY id";
        let mut totals: Vec<SeriesTotal> = Vec::new();
        in_tx!(self, |connection| {
            let mut rows = sqlx::query(SELECT).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                // an instrument that a newer version made, before someone went back to this one
                let Some(metric) = Metric::from_name(row.try_get(1)?) else { continue };
                let names = (row.try_get(2)?, row.try_get(3)?, row.try_get(4)?);
                let (sum, carry): (i64, i64) = (row.try_get(7)?, row.try_get(8)?);
                let buckets = metric.bounds().map_or(0, |bounds| usize::from(bounds.count) + 1);
                totals.push(SeriesTotal {
                    id: row.try_get(0)?,
                    metric,
                    labels: shared(totals.last(), names)?,
                    started_at: row.try_get(5)?,
                    count: row.try_get(6)?,
                    sum_micros: i128::from(carry) * WRAP + i128::from(sum),
                    buckets: vec![0; buckets],
                });
            }
        });
        Ok(totals)
    }

    async fn fill_buckets(&mut self, totals: &mut [SeriesTotal]) -> Result<(), Error> {
        const SELECT: &str = "SELECT series_id, bucket, count FROM series_bucket ORDER BY series_id";
        let mut totals = totals.iter_mut().peekable();
        in_tx!(self, |connection| {
            let mut rows = sqlx::query(SELECT).fetch(connection);
            while let Some(row) = rows.try_next().await? {
                let (id, bucket): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
                // both go by the id
                while totals.next_if(|total| total.id < id).is_some() {}
                let total = totals.peek_mut().filter(|total| total.id == id);
                let slot = total.and_then(|total| total.buckets.get_mut(usize::try_from(bucket).ok()?));
                if let Some(slot) = slot {
                    *slot = row.try_get(2)?;
                }
            }
        });
        Ok(())
    }
}

/// Series with the same labels are made together, so that most have those of the one before.
fn shared(before: Option<&SeriesTotal>, names: (&str, &str, &str)) -> Result<Arc<Labels>, Error> {
    let same = |labels: &Labels| (labels.project_id.as_str(), labels.team(), labels.environment.as_str()) == names;
    if let Some(before) = before.filter(|before| same(&before.labels)) {
        return Ok(Arc::clone(&before.labels));
    }
    let name = |text| Name::parse(text).map_err(Error::Unreadable);
    Ok(Arc::new(labels(name(names.0)?, names.1, name(names.2)?)?))
}
