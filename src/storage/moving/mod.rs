//! A whole store from one database into another, also of the other engine: every row of every table as it is, so that
//! whoever reads the totals sees the same series go on. What is there already is compared and not written again;
//! therefore a move that broke off goes on, and what has changed meanwhile is made the same.
//!
//! The marks in `identity` say how far it is. `moving` (target: half of a store), `moved_to` (source: no longer to be
//! used), then `moved_from` in the target instead of `moving`. Between the last two neither is used by a service.

#[macro_use]
mod side;
mod recount;
mod rows;
mod tables;

use super::{Error, Store, schema};
use crate::config;
use rows::{Changes, Page, Row, Sum};
use side::{Marks, Role, Side, UNDO, refused};
use sqlx::PgConnection;
use tables::Layout;
pub use tables::TABLES;

/// What a move says while it runs.
#[derive(Debug)]
pub enum Progress {
    /// So many rows of a table are compared, and some of them had to be written.
    Copying { table: &'static str, done: u64, of: u64, written: u64 },
    /// All is there; the target is read again.
    Verifying { table: &'static str },
}

#[derive(Debug)]
pub enum Moved {
    /// All of it, and verified.
    Whole { tables: Vec<TableSum>, doubts: Vec<String> },
    /// What was there while a service went on; the rest follows.
    Ahead { tables: Vec<TableSum> },
    /// Some other time.
    Before,
}

/// What both sides hold of a table.
#[derive(Debug)]
pub struct TableSum {
    pub table: &'static str,
    pub rows: u64,
    /// Those that had to be written now.
    pub written: u64,
    /// SHA-256 of all rows in the order of their keys.
    pub checksum: [u8; 32],
}

/// Moves the store `from` into the database `to`, which is empty, or holds what an earlier move has left there. Ahead:
/// while a service is still using `from`.
pub async fn move_store(
    from: &config::Storage,
    to: &config::Storage,
    is_ahead: bool,
    mut tell: impl FnMut(Progress) + Send,
) -> Result<Moved, Error> {
    let role = if is_ahead { Role::SourceInUse } else { Role::Source };
    let mut source = Side::open(from, role).await?;
    let mut target = Side::open(to, Role::Target).await?;
    let moved = run(&mut source, &mut target, role, &mut tell).await;
    source.close().await;
    target.close().await;
    moved
}

async fn run(
    source: &mut Side,
    target: &mut Side,
    role: Role,
    tell: &mut (impl FnMut(Progress) + Send),
) -> Result<Moved, Error> {
    let Some(marks) = source.marks().await? else {
        return refused(format!("{} holds no store of em-metrics", source.shown));
    };
    // one that runs there would write into what is made the same
    target.refuse_services().await?;
    let standing = look_at_both(source, &marks, target).await?;
    if standing == Standing::Moved {
        return Ok(Moved::Before);
    }
    if role == Role::SourceInUse {
        expect_schema(source).await?;
    } else {
        source.refuse_services().await?;
        source.migrate().await?;
    }
    target.migrate().await?;
    let id = instance_id(source, &marks).await?;
    source.hold(role).await?;
    target.set("moving", &id).await?;
    if standing == Standing::Empty {
        // who has looked at it before the mark was there is still here, or has left something
        let still_empty = target.refuse_services().await.and(refuse_filled(target).await);
        if still_empty.is_err() {
            target.execute("DELETE FROM identity WHERE key = 'moving'").await?;
        }
        still_empty?;
    }

    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        let (from, to) = (Layout::read(source, table).await?, Layout::read(target, table).await?);
        if from.names() != to.names() {
            return Err(Error::Unreadable(format!("{} has other columns in {}", table.name, target.shown)));
        }
        let copied = copy(source, target, (&from, &to), tell).await?;
        tables::go_on_numbering(source, target, (&from, &to)).await?;
        tables.push(copied);
    }
    if role == Role::SourceInUse {
        return Ok(Moved::Ahead { tables });
    }
    for copied in &tables {
        // or the first questions are answered as if the table were empty
        target.execute(&format!("ANALYZE {}", copied.table)).await?;
        tell(Progress::Verifying { table: copied.table });
        verify(source, target, copied).await?;
    }
    let doubts = recount::doubts(target).await?;
    // one that was started in between has written nothing, but is about to
    source.refuse_services().await?;
    source.set("moved_to", &target.shown).await?;
    source.execute("COMMIT").await?;
    target.execute("BEGIN").await?;
    target.execute("DELETE FROM identity WHERE key = 'moving'").await?;
    target.set("moved_from", &id).await?;
    target.execute("COMMIT").await?;
    Ok(Moved::Whole { tables, doubts })
}

/// Who the source is; one that never served is given a name now.
async fn instance_id(source: &mut Side, marks: &Marks) -> Result<String, Error> {
    if let Some(id) = &marks.instance_id {
        return Ok(id.clone());
    }
    let fresh = uuid::Uuid::new_v4().to_string();
    source.set("instance_id", &fresh).await?;
    Ok(fresh)
}

#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// It begins.
    Empty,
    /// It goes on.
    Half,
    Moved,
}

/// Whether the one may go into the other. Nothing is changed before this says so.
async fn look_at_both(source: &Side, marks: &Marks, target: &mut Side) -> Result<Standing, Error> {
    let (from, to) = (&source.shown, &target.shown.clone());
    if marks.moving.is_some() {
        return refused(format!("{from} is itself half of a store: finish the move into it first"));
    }
    let there = target.marks().await?.unwrap_or_default();
    let is_ours = |id: &Option<String>| id.is_some() && *id == marks.instance_id;
    match (&there.moving, &there.moved_from) {
        (Some(_), _) if is_ours(&there.moving) => return Ok(Standing::Half),
        (Some(_), _) => {
            return refused(format!("{to} is half of another store: finish that move, or name an empty database"));
        }
        (None, Some(_)) if is_ours(&there.moved_from) => {
            if marks.moved_to.is_some() {
                return Ok(Standing::Moved);
            }
            return refused(format!(
                "{from} was moved to {to} before, and has been opened again since: each may hold what the other does \
                 not, and nothing is copied. Name an empty database to move it once more"
            ));
        }
        _ => {}
    }
    if is_ours(&there.instance_id) {
        return refused(format!("{to} is the same store as {from}, or a copy of it: name an empty database"));
    }
    refuse_filled(target).await?;
    if let Some(elsewhere) = &marks.moved_to {
        return refused(format!(
            "{from} was moved to {elsewhere}: move that one. If it is gone for good, {UNDO} in {from} lets this one be moved again"
        ));
    }
    Ok(Standing::Empty)
}

async fn refuse_filled(target: &mut Side) -> Result<(), Error> {
    let Some(table) = target.first_filled().await? else { return Ok(()) };
    refused(format!(
        "{} holds something already (see its table {table}): name an empty database that no service has used",
        target.shown
    ))
}

/// A store that is in use is not migrated under its service.
async fn expect_schema(source: &mut Side) -> Result<(), Error> {
    let (found, known) =
        (source.number("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").await?, schema::version());
    if found == known {
        return Ok(());
    }
    refused(format!(
        "{} has schema {found}, and this em-metrics has {known}: let the service run this version first, or stop it and \
         move without going ahead",
        source.shown
    ))
}

/// Makes a table the same, page by page.
async fn copy(
    source: &mut Side,
    target: &mut Side,
    (from, to): (&Layout, &Layout),
    tell: &mut (impl FnMut(Progress) + Send),
) -> Result<TableSum, Error> {
    let table = from.table;
    let of = count(source, from).await?;
    let (mut sum, mut written) = (Sum::default(), 0);
    let mut after: Option<Row> = None;
    loop {
        let page = source.page(from, after.as_deref(), None, table.page).await?;
        page.rows.iter().for_each(|row| sum.add(row));
        written += make_the_same(target, to, after.clone(), &page).await?;
        tell(Progress::Copying { table: table.name, done: sum.rows, of, written });
        after = page.end(table);
        if page.is_last {
            break;
        }
    }
    Ok(TableSum { table: table.name, rows: sum.rows, written, checksum: sum.digest() })
}

/// The target's rows behind `after` and up to the end of the page become those of the page; how many had to be written.
async fn make_the_same(target: &mut Side, to: &Layout, mut after: Option<Row>, page: &Page) -> Result<u64, Error> {
    let table = to.table;
    let key = table.key.len();
    let up_to = if page.is_last { None } else { page.end(table) };
    let (mut wanted, mut written) = (page.rows.as_slice(), 0);
    loop {
        // one more than there should be; what is too much comes page by page as well
        let there = target.page(to, after.as_deref(), up_to.as_deref(), table.page + 1).await?;
        let end = if there.is_last { None } else { there.end(table) };
        let reached = end.as_ref().map_or(wanted.len(), |end| wanted.partition_point(|row| row[..key] <= end[..]));
        let (now, later) = wanted.split_at(reached);
        let changes = Changes::between(now, &there.rows, key);
        if !changes.is_empty() {
            target.apply(to, &changes).await.map_err(|error| in_words(table.name, &target.shown, error))?;
        }
        written += changes.put.len() as u64;
        if there.is_last {
            return Ok(written);
        }
        (wanted, after) = (later, end);
    }
}

/// What one engine keeps the other may refuse; then the table is the least that is to be known.
fn in_words(table: &str, to: &str, error: Error) -> Error {
    match error {
        Error::Refused(_) => Error::Moving(format!("{to} refuses rows of {table}: {}", error.reason())),
        other => other,
    }
}

async fn count(side: &mut Side, layout: &Layout) -> Result<u64, Error> {
    let select = format!("SELECT COUNT(*) FROM {} WHERE {}", layout.table.name, layout.table.rows());
    Ok(u64::try_from(side.number(&select).await?).unwrap_or(0))
}

/// Reads the target once more, in another way than it was written: as many rows as the source counts, and the same.
async fn verify(source: &mut Side, target: &mut Side, copied: &TableSum) -> Result<(), Error> {
    let Some(table) = TABLES.iter().find(|table| table.name == copied.table) else { return Ok(()) };
    let (from, to) = (Layout::read(source, table).await?, Layout::read(target, table).await?);
    let mut sum = Sum::default();
    target
        .each(&to, None, None, None, |row| {
            sum.add(&row);
            true
        })
        .await?;
    let counted = count(source, &from).await?;
    if (counted, copied.rows, copied.checksum) == (sum.rows, sum.rows, sum.digest()) {
        return Ok(());
    }
    refused(format!(
        "{} is not the same: {counted} rows in {}, {} in {}. Is somebody else writing there? Run this again: it makes \
         them the same, or says so once more",
        table.name, source.shown, sum.rows, target.shown
    ))
}

impl Store {
    /// Why a move keeps services from using this store, if it does.
    pub(super) async fn moved(&self, shown: &str) -> Result<Option<String>, Error> {
        let select = "SELECT key, value FROM identity WHERE key IN ('moving', 'moved_to')";
        let rows: Vec<(String, String)> = on_engine!(self, |pool| sqlx::query_as(select).fetch_all(pool).await)?;
        Ok(Marks::from_rows(rows).in_the_way(shown))
    }
}

/// The same for a connection that has just been made: a replica that was cut off may come back after the move.
pub(super) async fn refuse_moved(connection: &mut PgConnection) -> Result<(), Error> {
    let select = "SELECT key, value FROM identity WHERE key IN ('moving', 'moved_to')";
    let rows: Vec<(String, String)> = sqlx::query_as(select).fetch_all(connection).await?;
    Marks::from_rows(rows).in_the_way("the PostgreSQL database").map_or(Ok(()), refused)
}
