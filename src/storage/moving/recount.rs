//! Do the totals of a store agree with its facts? They move in one transaction, so they do, unless somebody has been in
//! the tables by hand. A move copies what is there and says so.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::super::Error;
use super::side::Side;
use crate::metrics::CATALOGUE;

/// Each is a sentence.
pub async fn doubts(side: &mut Side) -> Result<Vec<String>, Error> {
    let select = "SELECT metric, CAST(SUM(count) AS BIGINT) FROM series GROUP BY metric";
    let totals: Vec<(String, i64)> = on_side!(side, |connection| sqlx::query_as(select).fetch_all(connection).await)?;
    let totals: HashMap<_, _> = totals.into_iter().collect();
    let bits = |table: &str| {
        let sums = CATALOGUE.iter().map(|i| format!("SUM((counted >> {}) & 1)", i.metric.bit()));
        let sums = sums.map(|sum| format!("COALESCE(CAST({sum} AS BIGINT), 0)")).collect::<Vec<_>>();
        AssertSqlSafe(format!("SELECT {} FROM {table}", sums.join(", ")))
    };
    let mut marked = vec![0; CATALOGUE.len()];
    for table in ["deployments", "incidents"] {
        let sums = numbers(side, bits(table)).await?;
        marked.iter_mut().zip(sums).for_each(|(marked, sum)| *marked += sum);
    }
    let mut doubts = Vec::new();
    for (instrument, facts) in CATALOGUE.iter().zip(marked) {
        let total = totals.get(instrument.name).copied().unwrap_or(0);
        if total != facts {
            doubts.push(format!("the totals of {} say {total}, the facts {facts}", instrument.name));
        }
    }
    let torn = "SELECT COUNT(*) FROM series AS s \
                JOIN (SELECT series_id, SUM(count) AS count FROM series_bucket GROUP BY series_id) AS b \
                ON b.series_id = s.id WHERE b.count <> s.count";
    match side.number(torn).await? {
        0 => {}
        n => doubts.push(format!("the buckets of {n} histograms do not add up to their counts")),
    }
    Ok(doubts)
}

/// The numbers of one row.
async fn numbers(side: &mut Side, select: AssertSqlSafe<String>) -> Result<Vec<i64>, Error> {
    use sqlx::Row as _;
    on_side!(side, |connection| {
        let row = sqlx::query(select).fetch_one(connection).await?;
        Ok((0..row.len()).map(|at| row.try_get(at)).collect::<sqlx::Result<_>>()?)
    })
}
