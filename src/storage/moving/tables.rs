//! What a store consists of: each table, the key that its rows are found and ordered by, and its columns as the
//! database itself knows them, so that a column that is added later is not forgotten.

use sqlx::AssertSqlSafe;

use super::super::Error;
use super::side::{Connection, Side};

/// Kept in `identity` for the time of a move and after it; of one store, and never copied.
pub const MARKS: [&str; 3] = ["moving", "moved_from", "moved_to"];

#[derive(Debug)]
pub struct Table {
    pub name: &'static str,
    /// Of its rows; there is a unique index on it.
    pub key: &'static [&'static str],
    /// Rows that are in memory at once, at the most.
    pub page: usize,
}

const fn table(name: &'static str, key: &'static [&'static str]) -> Table {
    Table { name, key, page: 2000 }
}

/// All tables, one that refers to another after it.
pub const TABLES: &[Table] = &[
    table("deployments", &["id", "project_id"]),
    table("incidents", &["id", "project_id"]),
    table("journal", &["seq"]),
    table("series", &["id"]),
    table("series_bucket", &["series_id", "bucket"]),
    table("announced", &["consumer"]),
    // bodies are large
    Table { name: "inbox", key: &["id"], page: 100 },
    table("webhook_sources", &["source"]),
    table("pushes", &["repository", "after_sha", "before_sha"]),
    table("commits", &["repository", "sha"]),
    table("changes", &["kind", "place", "id"]),
    table("backfills", &["key"]),
    table("turns", &["what"]),
    table("first_commits_asked", &["project_id", "deployment_id"]),
    table("identity", &["key"]),
];

impl Table {
    /// Which of its rows are copied.
    pub fn rows(&self) -> String {
        if self.name != "identity" {
            return "TRUE".to_owned();
        }
        let marks: Vec<_> = MARKS.iter().map(|mark| format!("'{mark}'")).collect();
        format!("key NOT IN ({})", marks.join(", "))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Bytes,
    /// Travels as an integer.
    Boolean,
    /// Travels as a text.
    Json,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    /// The database numbers the rows by it.
    pub is_numbered: bool,
}

/// A table as one side has it: the columns of the key first, the others by name, without those that are computed.
#[derive(Debug)]
pub struct Layout {
    pub table: &'static Table,
    pub columns: Vec<Column>,
}

impl Layout {
    pub async fn read(side: &mut Side, table: &'static Table) -> Result<Self, Error> {
        let select = match side.connection {
            Connection::Sqlite(_) => "SELECT name, type, 0 AS is_numbered FROM pragma_table_xinfo($1) WHERE hidden = 0",
            Connection::Postgres(_) => {
                "SELECT CAST(column_name AS TEXT), CAST(data_type AS TEXT), \
                 CAST(CASE WHEN is_identity = 'YES' THEN 1 ELSE 0 END AS BIGINT) FROM information_schema.columns \
                 WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER'"
            }
        };
        let found: Vec<(String, String, i64)> =
            on_side!(side, |connection| sqlx::query_as(select).bind(table.name).fetch_all(connection).await)?;
        let mut columns = Vec::with_capacity(found.len());
        for (name, declared, is_numbered) in found {
            let kind = match declared.to_ascii_lowercase().as_str() {
                "text" => Kind::Text,
                "integer" | "bigint" => Kind::Integer,
                "blob" | "bytea" => Kind::Bytes,
                "boolean" => Kind::Boolean,
                "json" => Kind::Json,
                other => return Err(Error::Unreadable(format!("{}.{name} is of type {other}", table.name))),
            };
            columns.push(Column { name, kind, is_numbered: is_numbered != 0 });
        }
        let place = |column: &Column| table.key.iter().position(|key| *key == column.name).unwrap_or(usize::MAX);
        columns.sort_by(|a, b| (place(a), &a.name).cmp(&(place(b), &b.name)));
        Ok(Self { table, columns })
    }

    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    pub fn key(&self) -> &[Column] {
        &self.columns[..self.table.key.len().min(self.columns.len())]
    }
}

/// Lets the numbers of new rows go on behind those of the rows that were copied, and behind those that the other side
/// has given out and taken back.
pub async fn go_on_numbering(
    source: &mut Side,
    target: &mut Side,
    (from, to): (&Layout, &Layout),
) -> Result<(), Error> {
    let name = to.table.name;
    let given_out = last_number(source, from).await?;
    match &mut target.connection {
        Connection::Sqlite(connection) => {
            let automatic = "SELECT COUNT(*) FROM sqlite_schema WHERE name = $1 AND sql LIKE '%AUTOINCREMENT%'";
            let automatic: i64 = sqlx::query_scalar(automatic).bind(name).fetch_one(&mut *connection).await?;
            if automatic > 0 {
                let delete = "DELETE FROM sqlite_sequence WHERE name = $1 AND seq < $2";
                sqlx::query(delete).bind(name).bind(given_out).execute(&mut *connection).await?;
                let insert = "INSERT INTO sqlite_sequence (name, seq) SELECT $1, $2 \
                              WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = $1)";
                sqlx::query(insert).bind(name).bind(given_out).execute(connection).await?;
            }
        }
        Connection::Postgres(connection) => {
            for column in to.columns.iter().filter(|column| column.is_numbered) {
                let set = format!(
                    "SELECT setval(pg_get_serial_sequence('{name}', '{0}'), GREATEST(last, $1, 1), GREATEST(last, $1) > 0) \
                     FROM (SELECT COALESCE(MAX({0}), 0) AS last FROM {name}) AS rows",
                    column.name
                );
                sqlx::query(AssertSqlSafe(set)).bind(given_out).execute(&mut *connection).await?;
            }
        }
    }
    Ok(())
}

/// The last number that the database has given to a row of it; 0 when it keeps none.
async fn last_number(side: &mut Side, layout: &Layout) -> Result<i64, Error> {
    let name = layout.table.name;
    match &mut side.connection {
        Connection::Sqlite(connection) => {
            let select = "SELECT MAX(seq) FROM sqlite_sequence WHERE name = $1";
            let last: Option<i64> = sqlx::query_scalar(select).bind(name).fetch_one(connection).await?;
            Ok(last.unwrap_or(0))
        }
        Connection::Postgres(connection) => {
            let Some(column) = layout.columns.iter().find(|column| column.is_numbered) else { return Ok(0) };
            let select = "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence($1, $2) AS REGCLASS))";
            let last: Option<i64> =
                sqlx::query_scalar(select).bind(name).bind(&column.name).fetch_one(connection).await?;
            Ok(last.unwrap_or(0))
        }
    }
}
