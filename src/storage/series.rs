//! Running totals of the series: made at 0 when their labels are first seen, then only added to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{LazyLock, PoisonError};

use serde::Serialize;

use super::engine::{Column::Integer, Column::Text, Texts};
use super::{Error, Inner, Store, Tx};
use crate::domain::{Name, Timestamp, time};
use crate::metrics::{CATALOGUE, Labels, Metric, Observation};

/// The ids of all instruments' series with the same labels, in the order of the catalogue.
pub(super) type SeriesIds = [i64; CATALOGUE.len()];

/// What a batch adds, summed in memory first: one step for each series it moves.
#[derive(Debug, Default)]
pub struct Totals {
    /// Labels that are seen, whether or not anything moves: their series are made.
    seen: BTreeMap<Labels, Timestamp>,
    steps: BTreeMap<(Labels, Metric), Step>,
}

/// What `sum_micros` of a row stays below: two of it do not overflow. The rest is in `sum_carry`.
pub(super) const WRAP: i128 = 1 << 62;

#[derive(Debug, Default)]
struct Step {
    count: i64,
    sum_micros: i128,
    buckets: BTreeMap<u8, i64>,
}

impl Totals {
    /// Makes the labels' series, with `now` as their start, if there are none yet.
    pub fn see(&mut self, labels: &Labels, now: Timestamp) {
        if !self.seen.contains_key(labels) {
            self.seen.insert(labels.clone(), now);
        }
    }

    pub fn add(&mut self, observation: Observation, now: Timestamp) {
        self.see(&observation.labels, now);
        let step = self.steps.entry((observation.labels, observation.metric)).or_default();
        step.count += 1;
        if let Some(bounds) = observation.metric.bounds() {
            step.sum_micros += i128::from(observation.micros);
            *step.buckets.entry(bounds.bucket(observation.micros)).or_default() += 1;
        }
    }
}

#[cfg(test)]
impl Totals {
    /// Count and sum of each step, for recounts.
    pub fn steps(&self) -> impl Iterator<Item = (&Labels, Metric, i64, i128)> {
        self.steps.iter().map(|((labels, metric), step)| (labels, *metric, step.count, step.sum_micros))
    }
}

static INSERT: LazyLock<Texts> = LazyLock::new(|| {
    let columns = [
        Text("metric"),
        Text("project_id"),
        Text("team_id"),
        Text("environment"),
        Integer("started_at"),
        Integer("count"),
        Integer("sum_micros"),
    ];
    Texts::new(|d| format!("{}{} ON CONFLICT DO NOTHING", d.insert("series", &columns), d.before_on_conflict()))
});
static SELECT_IDS: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|d| {
        let batch = d.batch(&[Text("project_id"), Text("team_id"), Text("environment")]);
        format!(
            "SELECT s.id, s.metric, s.project_id, s.team_id, s.environment FROM ({batch}) AS batch CROSS JOIN series AS s \
             WHERE s.project_id = batch.project_id AND s.team_id = batch.team_id AND s.environment = batch.environment"
        )
    })
});
static ADD: LazyLock<Texts> = LazyLock::new(|| {
    Texts::new(|d| {
        let batch = d.batch(&[
            Integer("id"),
            Text("metric"),
            Text("project_id"),
            Text("team_id"),
            Text("environment"),
            Integer("count"),
            Integer("sum_micros"),
            Integer("sum_carry"),
        ]);
        // in this order no step overflows, whatever the version before this one has left
        let sum = format!("(series.sum_micros % {WRAP} + batch.sum_micros)");
        format!(
            "UPDATE series SET count = series.count + batch.count, sum_micros = {sum} % {WRAP}, \
             sum_carry = series.sum_carry + batch.sum_carry + series.sum_micros / {WRAP} + {sum} / {WRAP} \
             FROM ({batch}) AS batch WHERE series.id = batch.id AND series.metric = batch.metric \
             AND series.project_id = batch.project_id AND series.team_id = batch.team_id \
             AND series.environment = batch.environment"
        )
    })
});
static ADD_BUCKETS: LazyLock<Texts> = LazyLock::new(|| {
    let columns = [Integer("series_id"), Integer("bucket"), Integer("count")];
    Texts::new(|d| {
        format!(
            "{}{} ON CONFLICT (series_id, bucket) DO UPDATE SET count = series_bucket.count + excluded.count",
            d.insert("series_bucket", &columns),
            d.before_on_conflict()
        )
    })
});

#[derive(Serialize)]
struct NewSeries<'a> {
    metric: &'static str,
    project_id: &'a Name,
    team_id: &'a str,
    environment: &'a Name,
    #[serde(with = "time::micros")]
    started_at: Timestamp,
    count: i64,
    sum_micros: i64,
}

#[derive(Serialize)]
struct LabelsRow<'a> {
    project_id: &'a Name,
    team_id: &'a str,
    environment: &'a Name,
}

/// With the labels beside the id: in another database the id may be another series'.
#[derive(Serialize)]
struct StepRow<'a> {
    id: i64,
    metric: &'static str,
    #[serde(flatten)]
    labels: LabelsRow<'a>,
    count: i64,
    sum_micros: i128,
    sum_carry: i128,
}

#[derive(Serialize)]
struct BucketRow {
    series_id: i64,
    bucket: u8,
    count: i64,
}

impl<'a> LabelsRow<'a> {
    fn of(labels: &'a Labels) -> Self {
        Self { project_id: &labels.project_id, team_id: labels.team(), environment: &labels.environment }
    }
}

impl Inner {
    pub(super) fn learn_series(&self, new: HashMap<Labels, SeriesIds>) {
        if !new.is_empty() {
            self.series_ids.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
        }
    }

    pub(super) fn forget_series(&self) {
        self.series_ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn series_ids(&self, labels: &Labels) -> Option<SeriesIds> {
        self.series_ids.lock().unwrap_or_else(PoisonError::into_inner).get(labels).copied()
    }
}

impl Tx<'_> {
    pub(super) async fn add_to_totals(&mut self, totals: &Totals) -> Result<(), Error> {
        let unknown: Vec<_> =
            totals.seen.iter().filter(|(labels, _)| self.store.inner.series_ids(labels).is_none()).collect();
        self.make_series(&unknown).await?;
        let mut steps = Vec::new();
        let mut buckets = Vec::new();
        for ((labels, metric), step) in &totals.steps {
            let ids = self.new_series.get(labels).copied().or_else(|| self.store.inner.series_ids(labels));
            let Some(ids) = ids else {
                return Err(Error::Unreadable(format!("no series for {labels:?}")));
            };
            let id = ids[*metric as usize];
            let (sum_micros, sum_carry) = (step.sum_micros.rem_euclid(WRAP), step.sum_micros.div_euclid(WRAP));
            let (metric, labels) = (metric.name(), LabelsRow::of(labels));
            steps.push(StepRow { id, metric, labels, count: step.count, sum_micros, sum_carry });
            buckets.extend(step.buckets.iter().map(|(bucket, count)| BucketRow {
                series_id: id,
                bucket: *bucket,
                count: *count,
            }));
        }
        // in the order of their ids, so that replicas wait for each other and never in a circle
        steps.sort_by_key(|step| step.id);
        buckets.sort_by_key(|bucket| (bucket.series_id, bucket.bucket));
        self.execute_each(&ADD, &steps).await?;
        self.execute_each(&ADD_BUCKETS, &buckets).await
    }

    async fn make_series(&mut self, unknown: &[(&Labels, &Timestamp)]) -> Result<(), Error> {
        if unknown.is_empty() {
            return Ok(());
        }
        if let Some(lock) = self.dialect().lock_series() {
            in_tx!(self, |connection| sqlx::query(lock).execute(connection).await.map(drop))?;
        }
        let rows: Vec<_> = unknown
            .iter()
            .flat_map(|(labels, now)| {
                CATALOGUE.iter().map(|instrument| NewSeries {
                    metric: instrument.name,
                    project_id: &labels.project_id,
                    team_id: labels.team(),
                    environment: &labels.environment,
                    started_at: **now,
                    count: 0,
                    sum_micros: 0,
                })
            })
            .collect();
        self.execute_batch(&INSERT, &rows).await?;
        let keys: Vec<_> = unknown.iter().map(|(labels, _)| LabelsRow::of(labels)).collect();
        let rows: Vec<(i64, String, Name, String, Name)> = self.select(&SELECT_IDS, &keys).await?;
        for (id, metric, project_id, team_id, environment) in rows {
            let Some(metric) = Metric::from_name(&metric) else { continue };
            let labels = labels(project_id, &team_id, environment)?;
            self.new_series.entry(labels).or_insert([0; CATALOGUE.len()])[metric as usize] = id;
        }
        Ok(())
    }
}

pub(super) fn labels(project_id: Name, team_id: &str, environment: Name) -> Result<Labels, Error> {
    let team_id = match team_id {
        "" => None,
        team => Some(Name::parse(team).map_err(Error::Unreadable)?),
    };
    Ok(Labels { project_id, team_id, environment })
}

impl Store {
    /// Makes the series of labels that are configured, long before anything happens to them.
    pub async fn announce(&self, labels: &HashSet<Labels>, now: Timestamp) -> Result<(), Error> {
        let mut totals = Totals::default();
        for labels in labels {
            totals.see(labels, now);
        }
        let mut tx = self.begin().await?;
        let outcome = tx.add_to_totals(&totals).await;
        tx.end(outcome).await
    }

    /// Every project, team and environment that there are series of, sorted.
    pub async fn labels(&self) -> Result<Vec<Labels>, Error> {
        let select = "SELECT DISTINCT project_id, team_id, environment FROM series \
                      ORDER BY project_id, team_id, environment";
        let rows: Vec<(Name, String, Name)> = on_engine!(self, |pool| sqlx::query_as(select).fetch_all(pool).await)?;
        rows.into_iter().map(|(project_id, team_id, environment)| labels(project_id, &team_id, environment)).collect()
    }
}
