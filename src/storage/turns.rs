//! What somebody has to do now and then, where no process stays that could keep the time: the store says whose turn it
//! is, over all of them.

use super::{Error, Store};
use crate::domain::Timestamp;

impl Store {
    /// Takes a turn that is due; the next one then is due at `next`, unless [`Store::set_turn`] says otherwise.
    /// `false`: it is not yet time, or somebody else was quicker.
    pub async fn claim_turn(&self, what: &str, now: Timestamp, next: Timestamp) -> Result<bool, Error> {
        // later than anybody would have said by now: a clock that was wrong must not keep everybody waiting
        let waiting =
            "SELECT 1 FROM identity WHERE key = $1 AND CAST(value AS BIGINT) > $2 AND CAST(value AS BIGINT) <= $3";
        let key = key(what);
        let waits: Option<i32> = on_engine!(self, |pool| sqlx::query_scalar(waiting)
            .bind(&key)
            .bind(now)
            .bind(next)
            .fetch_optional(pool)
            .await)?;
        if waits.is_some() {
            return Ok(false);
        }
        // whoever comes second at the same moment finds the time moved on
        let claim = "INSERT INTO identity (key, value) VALUES ($1, $4) ON CONFLICT (key) DO UPDATE SET value = excluded.value \
                     WHERE CAST(identity.value AS BIGINT) <= $2 OR CAST(identity.value AS BIGINT) > $3";
        let value = next.micros().to_string();
        let touched = self
            .alone(async |tx| {
                Ok(in_tx!(tx, |connection| sqlx::query(claim)
                    .bind(&key)
                    .bind(now)
                    .bind(next)
                    .bind(&value)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected()))?)
            })
            .await?;
        Ok(touched > 0)
    }

    /// When it is due next.
    pub async fn set_turn(&self, what: &str, next: Timestamp) -> Result<(), Error> {
        let update = "UPDATE identity SET value = $2 WHERE key = $1";
        let (key, value) = (key(what), next.micros().to_string());
        self.alone(async |tx| {
            Ok(in_tx!(tx, |connection| sqlx::query(update)
                .bind(&key)
                .bind(&value)
                .execute(connection)
                .await
                .map(drop))?)
        })
        .await
    }
}

fn key(what: &str) -> String {
    format!("turn {what}")
}
