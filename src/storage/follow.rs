//! Following the journal: which accepted changes a reader has not seen yet, whoever made them.
//!
//! SQLite has one writer, so its numbers come in the order of the commits. On PostgreSQL a replica may commit a
//! number while another, which took a smaller one, has not committed yet. So a follower remembers which numbers
//! it has seen above one that is *settled*: nothing will come up below it any more. A number is settled when all
//! transactions have ended that may hold a smaller one, and these are those that had an id of their own before
//! the number was seen: facts are written, which takes an id, before the journal is (see [`super::Tx::write`]).

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Error, Fact, Snapshot, Store};

/// How often to look whether older transactions have ended.
const POLL: Duration = Duration::from_millis(20);

/// How far a follower has come.
#[derive(Debug, Clone, Default)]
pub struct Horizon {
    /// Whether numbers come in the order of the commits.
    ordered: bool,
    /// Every number up to this one has been seen, or never will be.
    settled: i64,
    /// Those above it that have been seen.
    seen: BTreeSet<i64>,
    mark: Option<Mark>,
}

/// The greatest number that had been seen when a transaction of our own began, and that transaction.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    seq: i64,
    transaction: i64,
}

/// An accepted change.
#[derive(Debug)]
pub struct Change {
    seq: i64,
    /// As it was and as it is; `None`: of something that is no fact.
    pub fact: Option<(Option<Fact>, Fact)>,
}

impl Horizon {
    fn newest(&self) -> i64 {
        self.seen.last().copied().unwrap_or(self.settled)
    }

    /// Whether a change has been taken in.
    pub fn has_passed(&self, change: &Change) -> bool {
        change.seq <= self.settled || self.seen.contains(&change.seq)
    }

    /// A change has been taken in.
    pub fn pass(&mut self, change: &Change) {
        if self.ordered {
            self.settled = change.seq;
        } else {
            self.seen.insert(change.seq);
        }
    }

    /// Whether it remembers numbers that may be settled by and by.
    pub fn is_open(&self) -> bool {
        !self.seen.is_empty()
    }

    pub fn set_mark(&mut self, mark: Mark) {
        self.mark = Some(mark);
    }

    /// Forgets the numbers that are settled. `oldest` is [`Store::oldest_running`] of a time before all the
    /// changes were read that the horizon has passed by now.
    pub fn settle(&mut self, oldest: Option<i64>) {
        if let Some(Mark { seq, transaction }) = self.mark
            && oldest.is_some_and(|oldest| oldest >= transaction)
        {
            self.seen = self.seen.split_off(&(seq + 1));
            self.settled = self.settled.max(seq);
            self.mark = None;
        }
    }
}

impl Store {
    /// The changes behind the horizon, in the order of their numbers; `None` when there are more than `most`.
    pub async fn changes(&self, horizon: &Horizon, most: usize) -> Result<Option<Vec<Change>>, Error> {
        let changes = self.next_changes(horizon, most + 1).await?;
        Ok(Some(changes).filter(|changes| changes.len() <= most))
    }

    /// The first of the changes behind the horizon.
    pub async fn next_changes(&self, horizon: &Horizon, most: usize) -> Result<Vec<Change>, Error> {
        let limit = i64::try_from(most + horizon.seen.len()).unwrap_or(i64::MAX);
        let rows: Vec<Row> = on_engine!(self, |pool| {
            sqlx::query_as(
            "SELECT seq, entity, CAST(before AS TEXT), CAST(after AS TEXT) FROM journal WHERE seq > $1 ORDER BY seq LIMIT $2"
        )
        .bind(horizon.settled)
        .bind(limit)
        .fetch_all(pool)
        .await
        })?;
        let new = rows.into_iter().filter(|row| !horizon.seen.contains(&row.0)).take(most);
        new.map(TryInto::try_into).collect()
    }

    /// What lets the horizon settle all that it has passed, by and by; `None` when that is under way.
    pub async fn mark(&self, horizon: &Horizon) -> Result<Option<Mark>, Error> {
        if horizon.mark.is_some() || !horizon.is_open() {
            return Ok(None);
        }
        let seq = horizon.newest();
        Ok(self.new_transaction().await?.map(|transaction| Mark { seq, transaction }))
    }

    /// The store at one moment, and how far the journal had come then.
    pub async fn snapshot_to_follow(&self) -> Result<(Snapshot, Horizon), Error> {
        let newest = "SELECT COALESCE(MAX(seq), 0) FROM journal";
        let settled = on_engine!(self, |pool| sqlx::query_scalar(newest).fetch_one(pool).await)?;
        let younger = self.new_transaction().await?;
        let mut horizon = Horizon { ordered: younger.is_none(), settled, ..Horizon::default() };
        if let Some(younger) = younger {
            while self.oldest_running().await?.is_some_and(|oldest| oldest < younger) {
                tokio::time::sleep(POLL).await;
            }
        }
        let mut snapshot = self.snapshot().await?;
        let above = "SELECT seq FROM journal WHERE seq > $1 ORDER BY seq";
        let seen: Vec<i64> = in_tx!(snapshot, |connection| {
            sqlx::query_scalar(above).bind(horizon.settled).fetch_all(connection).await
        })?;
        match seen.last() {
            Some(last) if horizon.ordered => horizon.settled = *last,
            _ => horizon.seen.extend(seen),
        }
        Ok((snapshot, horizon))
    }

    /// The oldest transaction that may still be running; `None`: numbers come in the order of the commits.
    pub async fn oldest_running(&self) -> Result<Option<i64>, Error> {
        self.transaction_id(self.pool.dialect().oldest_running()).await
    }

    async fn new_transaction(&self) -> Result<Option<i64>, Error> {
        self.transaction_id(self.pool.dialect().new_transaction()).await
    }

    async fn transaction_id(&self, sql: Option<&'static str>) -> Result<Option<i64>, Error> {
        let Some(sql) = sql else { return Ok(None) };
        Ok(Some(on_engine!(self, |pool| sqlx::query_scalar(sql).fetch_one(pool).await)?))
    }
}

type Row = (i64, String, Option<String>, String);

impl TryFrom<Row> for Change {
    type Error = Error;

    fn try_from((seq, entity, before, after): Row) -> Result<Self, Error> {
        let Some(after) = Fact::read(&entity, &after)? else { return Ok(Self { seq, fact: None }) };
        let before = before.map(|before| Fact::read(&entity, &before)).transpose()?.flatten();
        Ok(Self { seq, fact: Some((before, after)) })
    }
}
