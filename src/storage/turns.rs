//! What has to be done now and then by one of all processes, whether they stay or not: the store says whose turn it is.

use super::{Error, Store};
use crate::domain::Timestamp;

impl Store {
    /// Takes a turn that is due; the next one then is due at `next`, unless [`Store::set_turn`] says otherwise.
    /// `false`: it is not yet time, or somebody else was quicker.
    pub async fn take_turn(&self, what: &str, now: Timestamp, next: Timestamp) -> Result<bool, Error> {
        // due later than anybody would have said by now: a clock that was wrong must not keep everybody waiting
        let waiting = "SELECT 1 FROM turns WHERE what = $1 AND due_at > $2 AND due_at <= $3";
        let waits: Option<i32> = on_engine!(self, |pool| sqlx::query_scalar(waiting)
            .bind(what)
            .bind(now)
            .bind(next)
            .fetch_optional(pool)
            .await)?;
        if waits.is_some() {
            return Ok(false);
        }
        // whoever comes second at the same moment finds the time moved on
        let take = "INSERT INTO turns (what, due_at) VALUES ($1, $3) ON CONFLICT (what) DO UPDATE \
                    SET due_at = excluded.due_at WHERE turns.due_at <= $2 OR turns.due_at > $3";
        let touched = self
            .alone(async |tx| {
                Ok(in_tx!(tx, |connection| sqlx::query(take)
                    .bind(what)
                    .bind(now)
                    .bind(next)
                    .execute(connection)
                    .await
                    .map(|done| done.rows_affected()))?)
            })
            .await?;
        Ok(touched > 0)
    }

    /// When it is due next.
    pub async fn set_turn(&self, what: &str, next: Timestamp) -> Result<(), Error> {
        let update = "UPDATE turns SET due_at = $2 WHERE what = $1";
        self.alone(async |tx| {
            Ok(in_tx!(tx, |connection| sqlx::query(update).bind(what).bind(next).execute(connection).await.map(drop))?)
        })
        .await
    }
}
