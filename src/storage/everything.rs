//! All facts at once, for an index of them, as lines of text: decoding a row with a dozen columns takes longer than
//! all that SQLite does for it. No name holds a control character, so these part fields and lines.

use std::sync::LazyLock;

use futures_util::TryStreamExt as _;
use sqlx::Row as _;

use super::tx::Inner;
use super::{Error, Snapshot};
use crate::domain::Timestamp;

const FIELD: char = '\u{1f}';
const LINE: char = '\u{1e}';
/// Lines that SQLite hands over at once.
const BLOCK: i64 = 2000;

#[derive(Debug)]
pub struct AnyDeployment<'r> {
    pub project_id: &'r str,
    pub team_id: Option<&'r str>,
    pub environment: &'r str,
    pub deployed_at: Option<Timestamp>,
    pub failed_at: Option<Timestamp>,
    pub first_commit_at: Option<Timestamp>,
    pub rolled_back_at: Option<Timestamp>,
    pub unplanned: bool,
    /// Its id, if it has incidents.
    pub with_incidents: Option<&'r str>,
}

#[derive(Debug)]
pub struct AnyIncident<'r> {
    pub project_id: &'r str,
    pub team_id: Option<&'r str>,
    pub environment: &'r str,
    pub started_at: Timestamp,
    pub start_is_guessed: bool,
    pub restored_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub deployment_id: Option<&'r str>,
    pub deployment_deployed_at: Option<Timestamp>,
}

struct Source {
    rows: String,
    blocks: String,
}

static DEPLOYMENTS: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        "deployments WHERE true",
        &[
            "project_id",
            "team_id",
            "environment",
            "CASE WHEN deleted_at IS NULL THEN deployed_at END",
            "CASE WHEN deleted_at IS NULL THEN failed_at END",
            "CASE WHEN deleted_at IS NULL THEN first_commit_at END",
            "CASE WHEN deleted_at IS NULL THEN rolled_back_at END",
            "CASE WHEN deleted_at IS NULL AND unplanned THEN 1 END",
            "CASE WHEN incident_count > 0 THEN id END",
        ],
    )
});
static INCIDENTS: LazyLock<Source> = LazyLock::new(|| {
    Source::new(
        "incidents WHERE deleted_at IS NULL",
        &[
            "project_id",
            "team_id",
            "environment",
            "started_at",
            "CASE WHEN start_is_guessed THEN 1 END",
            "restored_at",
            "finished_at",
            "deployment_id",
            "deployment_deployed_at",
        ],
    )
});

impl Source {
    /// `facts`: a table and which rows of it.
    fn new(facts: &str, fields: &[&str]) -> Self {
        let fields: Vec<_> = fields.iter().map(|field| format!("COALESCE(CAST({field} AS TEXT), '')")).collect();
        let line = fields.join(&format!(" || '{FIELD}' || "));
        Self {
            rows: format!("SELECT {line} FROM {facts}"),
            blocks: format!(
                "SELECT MAX(place), group_concat(line, '{LINE}') FROM (SELECT rowid AS place, {line} AS line \
                 FROM {facts} AND rowid > $1 ORDER BY rowid LIMIT {BLOCK})"
            ),
        }
    }
}

impl Snapshot {
    /// Hands over all deployments in no order, until it is told to stop by an error. Of a deleted one nothing is known
    /// but whether it has incidents.
    pub async fn all_deployments<E: From<Error>>(
        &mut self,
        mut take: impl FnMut(AnyDeployment<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let source: &'static Source = &DEPLOYMENTS;
        self.lines(source, |line| {
            let mut fields = line.split(FIELD);
            take(AnyDeployment {
                project_id: text(fields.next())?,
                team_id: some(fields.next()),
                environment: text(fields.next())?,
                deployed_at: time(fields.next())?,
                failed_at: time(fields.next())?,
                first_commit_at: time(fields.next())?,
                rolled_back_at: time(fields.next())?,
                unplanned: some(fields.next()).is_some(),
                with_incidents: some(fields.next()),
            })
        })
        .await
    }

    /// As [`Self::all_deployments`], without those that are deleted: no deployment has them any more.
    pub async fn all_incidents<E: From<Error>>(
        &mut self,
        mut take: impl FnMut(AnyIncident<'_>) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        let source: &'static Source = &INCIDENTS;
        self.lines(source, |line| {
            let mut fields = line.split(FIELD);
            take(AnyIncident {
                project_id: text(fields.next())?,
                team_id: some(fields.next()),
                environment: text(fields.next())?,
                started_at: time(fields.next())?.ok_or_else(|| unreadable("an incident without a start"))?,
                start_is_guessed: some(fields.next()).is_some(),
                restored_at: time(fields.next())?,
                finished_at: time(fields.next())?,
                deployment_id: some(fields.next()),
                deployment_deployed_at: time(fields.next())?,
            })
        })
        .await
    }

    async fn lines<E: From<Error>>(
        &mut self,
        source: &'static Source,
        mut take: impl FnMut(&str) -> Result<(), E> + Send,
    ) -> Result<(), E> {
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let mut place = 0;
                let blocks = sqlx::query_as(&*source.blocks);
                let mut block: (Option<i64>, Option<String>) =
                    blocks.bind(place).fetch_one(&mut **tx).await.map_err(Error::from)?;
                while let (Some(last), lines) = block {
                    place = last;
                    lines.iter().flat_map(|lines| lines.split(LINE)).try_for_each(&mut take)?;
                    block =
                        sqlx::query_as(&*source.blocks).bind(place).fetch_one(&mut **tx).await.map_err(Error::from)?;
                }
            }
            Inner::Postgres(tx) => {
                let mut rows = sqlx::query(&*source.rows).fetch(&mut **tx);
                while let Some(row) = rows.try_next().await.map_err(Error::from)? {
                    take(row.try_get(0).map_err(Error::from)?)?;
                }
            }
        }
        Ok(())
    }
}

fn unreadable(what: &str) -> Error {
    Error::Unreadable(what.to_owned())
}

fn some(field: Option<&str>) -> Option<&str> {
    field.filter(|field| !field.is_empty())
}

fn text(field: Option<&str>) -> Result<&str, Error> {
    some(field).ok_or_else(|| unreadable("a fact without a name"))
}

fn time(field: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let Some(field) = some(field) else { return Ok(None) };
    let time = field.parse().ok().and_then(Timestamp::from_micros);
    time.map(Some).ok_or_else(|| Error::Unreadable(format!("time out of range: {field}")))
}
