//! What tools have delivered: kept as it came, claimed by whoever makes facts of it, and cleared away when it is old.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::{FromRow, QueryBuilder};

use super::engine::Pool;
use super::{Error, Store, Tx};
use crate::domain::{Name, Timestamp};

/// A delivery that has just come in.
#[derive(Debug, Clone)]
pub struct Letter {
    /// The vendor, or `vendor/name`.
    pub source: Name,
    /// The sender's id of it.
    pub delivery: Name,
    pub event: Name,
    /// Those that are kept, as JSON.
    pub headers: String,
    pub body: Vec<u8>,
    pub received_at: Timestamp,
    /// Who is to stand in the journal.
    pub actor: Name,
    /// Whether its sender sent it. What was asked for says nothing about whether the sender still sends.
    pub was_sent: bool,
}

/// One that somebody has taken on.
#[derive(Debug, Clone, FromRow)]
pub struct Claimed {
    pub id: i64,
    pub source: String,
    pub event: String,
    pub headers: String,
    pub body: Vec<u8>,
    pub received_at: Timestamp,
    pub actor: Name,
    /// Including this one.
    pub attempts: i64,
}

/// How it stands with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Something is still to be done.
    Received,
    Done,
    /// It says nothing that is wanted.
    Ignored,
    /// What it says cannot be.
    Failed,
}

impl Standing {
    pub const ALL: [Self; 4] = [Self::Received, Self::Done, Self::Ignored, Self::Failed];

    pub fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Done => "done",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
        }
    }
}

/// What has become of a delivery.
#[derive(Debug, Clone)]
pub struct Settled {
    pub id: i64,
    pub standing: Standing,
    pub reason: Option<String>,
    /// As JSON.
    pub became: Option<String>,
    /// When to try again.
    pub due_at: Option<Timestamp>,
}

/// A delivery as a list shows it.
#[derive(Debug, Clone, FromRow)]
pub struct Kept {
    pub id: i64,
    pub source: String,
    pub delivery: String,
    pub event: String,
    pub received_at: Timestamp,
    pub state: String,
    pub reason: Option<String>,
    pub became: Option<String>,
    pub attempts: i64,
}

/// The rest of it.
#[derive(Debug, Clone, FromRow)]
pub struct Contents {
    pub headers: String,
    pub body: Vec<u8>,
}

/// What to list. `None` does not restrict.
#[derive(Debug, Clone, Default)]
pub struct InboxFilter {
    pub state: Option<Standing>,
    pub source: Option<Name>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Only older ones.
    pub before_id: Option<i64>,
    pub limit: u16,
}

/// A source that has sent something, and when it did last.
#[derive(Debug, Clone, FromRow)]
pub struct Heard {
    pub source: String,
    pub last_received_at: Timestamp,
}

const KEPT: &str = "id, source, delivery, event, received_at, state, reason, became, attempts";

impl Tx<'_> {
    /// Puts a delivery into the inbox. `None`: it is there already.
    async fn receive(&mut self, letter: &Letter) -> Result<Option<i64>, Error> {
        let insert = "INSERT INTO inbox (source, delivery, event, headers, body, received_at, actor, state, attempts, due_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, 'received', 0, $6) \
                      ON CONFLICT (source, delivery) DO NOTHING RETURNING id";
        let Letter { source, delivery, event, headers, body, received_at, actor, was_sent: _ } = letter;
        in_tx!(self, |connection| sqlx::query_scalar(insert)
            .bind(source)
            .bind(delivery)
            .bind(event)
            .bind(headers)
            .bind(body.as_slice())
            .bind(received_at)
            .bind(actor)
            .fetch_optional(connection)
            .await)
        .map_err(Error::from)
    }

    /// Remembers when a source was last heard from.
    async fn heard(&mut self, source: &Name, at: Timestamp) -> Result<(), Error> {
        let heard = "INSERT INTO webhook_sources (source, first_received_at, last_received_at) VALUES ($1, $2, $2) \
                     ON CONFLICT (source) DO UPDATE SET last_received_at = excluded.last_received_at \
                     WHERE webhook_sources.last_received_at < excluded.last_received_at";
        in_tx!(self, |connection| sqlx::query(heard).bind(source).bind(at).execute(connection).await.map(drop))?;
        Ok(())
    }

    async fn receive_all(&mut self, letters: &[&Letter]) -> Result<Vec<Option<i64>>, Error> {
        // in one order everywhere, so that replicas do not wait for each other in a circle
        let mut order: Vec<_> = letters.iter().enumerate().collect();
        order.sort_by_key(|(_, letter)| (&letter.source, &letter.delivery));
        let (mut ids, mut heard) = (vec![None; letters.len()], BTreeMap::new());
        for (place, letter) in order {
            ids[place] = self.receive(letter).await?;
            if !letter.was_sent {
                continue;
            }
            let last = heard.entry(&letter.source).or_insert(letter.received_at);
            *last = letter.received_at.max(*last);
        }
        for (source, at) in heard {
            self.heard(source, at).await?;
        }
        Ok(ids)
    }

    /// Says what has become of deliveries.
    pub async fn settle(&mut self, settled: &[Settled]) -> Result<(), Error> {
        let update = "UPDATE inbox SET state = $2, reason = $3, became = $4, due_at = $5 WHERE id = $1";
        for Settled { id, standing, reason, became, due_at } in settled {
            in_tx!(self, |connection| sqlx::query(update)
                .bind(id)
                .bind(standing.word())
                .bind(reason)
                .bind(became)
                .bind(due_at)
                .execute(connection)
                .await
                .map(drop))?;
        }
        Ok(())
    }

    async fn claim(&mut self, now: Timestamp, until: Timestamp, most: i64) -> Result<Vec<Claimed>, Error> {
        // whoever comes second at the same moment finds the time moved on
        let update = "UPDATE inbox SET attempts = attempts + 1, due_at = $2 \
                      WHERE due_at <= $1 AND id IN (SELECT id FROM inbox WHERE due_at <= $1 ORDER BY due_at, id LIMIT $3) \
                      RETURNING id, source, event, headers, body, received_at, actor, attempts";
        let mut claimed: Vec<Claimed> = in_tx!(self, |connection| sqlx::query_as(update)
            .bind(now)
            .bind(until)
            .bind(most)
            .fetch_all(connection)
            .await)?;
        claimed.sort_by_key(|claimed| claimed.id);
        Ok(claimed)
    }

    async fn clear_inbox(&mut self, before: Timestamp, most_bytes: i64) -> Result<u64, Error> {
        let old = "DELETE FROM inbox WHERE due_at IS NULL AND received_at < $1";
        let removed = in_tx!(self, |connection| sqlx::query(old)
            .bind(before)
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        // of those that fit, counted from the newest, the last one is the oldest that stays
        let large = "DELETE FROM inbox WHERE due_at IS NULL AND id <= (SELECT MAX(id) FROM (SELECT id, \
                     SUM(LENGTH(body)) OVER (ORDER BY id DESC) AS bytes FROM inbox) AS sizes WHERE bytes > $1)";
        let more = in_tx!(self, |connection| sqlx::query(large)
            .bind(most_bytes)
            .execute(connection)
            .await
            .map(|done| done.rows_affected()))?;
        Ok(removed + more)
    }
}

impl Store {
    /// Puts deliveries into the inbox, all in one transaction; the id of each, or `None` where it was there already.
    pub async fn receive(&self, letters: &[&Letter]) -> Result<Vec<Option<i64>>, Error> {
        let mut tx = self.begin().await?;
        let outcome = tx.receive_all(letters).await;
        tx.end(outcome).await
    }

    /// Takes on deliveries that are due, for so long; nobody else takes them on meanwhile.
    pub async fn claim(&self, now: Timestamp, lease: Duration, most: i64) -> Result<Vec<Claimed>, Error> {
        let waiting = "SELECT 1 FROM inbox WHERE due_at <= $1 LIMIT 1";
        let waits: Option<i32> =
            on_engine!(self, |pool| sqlx::query_scalar(waiting).bind(now).fetch_optional(pool).await)?;
        if waits.is_none() {
            return Ok(Vec::new());
        }
        let until = now.later(lease);
        self.alone(async |tx| tx.claim(now, until, most).await).await
    }

    /// Makes due what a process has taken on that is no more. Only where there is one process at a time, which has just
    /// begun: elsewhere another may be at it, and its claim runs out.
    pub async fn release_claims(&self, now: Timestamp) -> Result<(), Error> {
        let Pool::Sqlite { write, .. } = &self.pool else { return Ok(()) };
        let update = "UPDATE inbox SET due_at = $1 WHERE due_at > $1";
        sqlx::query(update).bind(now).execute(write).await?;
        Ok(())
    }

    /// Deliveries, newest first, and whether there are more.
    pub async fn inbox(&self, filter: &InboxFilter) -> Result<(Vec<Kept>, bool), Error> {
        let mut kept: Vec<Kept> = on_engine!(self, |pool| {
            let mut query = QueryBuilder::new(format!("SELECT {KEPT} FROM inbox WHERE true"));
            if let Some(state) = filter.state {
                query.push(" AND state = ").push_bind(state.word());
            }
            if let Some(source) = &filter.source {
                query.push(" AND source = ").push_bind(source);
            }
            if let Some(from) = filter.from {
                query.push(" AND received_at >= ").push_bind(from);
            }
            if let Some(to) = filter.to {
                query.push(" AND received_at < ").push_bind(to);
            }
            if let Some(id) = filter.before_id {
                query.push(" AND id < ").push_bind(id);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(filter.limit) + 1);
            query.build_query_as().fetch_all(pool).await
        })?;
        let more = kept.len() > usize::from(filter.limit);
        kept.truncate(usize::from(filter.limit));
        Ok((kept, more))
    }

    /// One delivery, whole.
    pub async fn letter(&self, id: i64) -> Result<Option<(Kept, Contents)>, Error> {
        let contents = "SELECT headers, body FROM inbox WHERE id = $1";
        let kept: Option<Kept> = on_engine!(self, |pool| {
            let mut query = QueryBuilder::new(format!("SELECT {KEPT} FROM inbox WHERE id = "));
            query.push_bind(id).build_query_as().fetch_optional(pool).await
        })?;
        let contents: Option<Contents> =
            on_engine!(self, |pool| sqlx::query_as(contents).bind(id).fetch_optional(pool).await)?;
        Ok(kept.zip(contents))
    }

    /// Has a delivery made into facts again. `false`: it is not there.
    pub async fn replay(&self, id: i64, now: Timestamp) -> Result<bool, Error> {
        let update = "UPDATE inbox SET state = 'received', reason = NULL, attempts = 0, due_at = $2 WHERE id = $1";
        self.alone(async |tx| {
            let touched = in_tx!(tx, |connection| sqlx::query(update)
                .bind(id)
                .bind(now)
                .execute(connection)
                .await
                .map(|done| done.rows_affected()))?;
            Ok(touched > 0)
        })
        .await
    }

    /// Clears away what was received before that moment, and the oldest of what takes more room than that; what still
    /// waits stays. How many went.
    pub async fn clear_inbox(&self, before: Timestamp, most_bytes: i64) -> Result<u64, Error> {
        self.alone(async |tx| tx.clear_inbox(before, most_bytes).await).await
    }

    /// How many deliveries are in a state.
    pub async fn inbox_count(&self, standing: Standing) -> Result<i64, Error> {
        let count = "SELECT COUNT(*) FROM inbox WHERE state = $1";
        Ok(on_engine!(self, |pool| sqlx::query_scalar(count).bind(standing.word()).fetch_one(pool).await)?)
    }

    /// Who has ever sent.
    pub async fn heard(&self) -> Result<Vec<Heard>, Error> {
        let select = "SELECT source, last_received_at FROM webhook_sources ORDER BY source";
        Ok(on_engine!(self, |pool| sqlx::query_as(select).fetch_all(pool).await)?)
    }
}
