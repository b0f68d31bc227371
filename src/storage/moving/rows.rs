//! Rows on their way: read in the order of their keys, compared, written, and summed up.

use futures_util::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, ColumnIndex, Decode, Type};

use super::super::Error;
use super::side::{Connection, Side};
use super::tables::{Column, Kind, Layout, Table};

/// Bytes of a page, at the most, but for its last row.
const PAGE_BYTES: usize = 8 << 20;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a row, those of the key first.
pub type Row = Vec<Value>;

/// Rows that follow each other.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    pub is_last: bool,
}

impl Page {
    /// The key of its last row.
    pub fn end(&self, table: &Table) -> Option<Row> {
        self.rows.last().map(|row| row[..table.key.len()].to_vec())
    }
}

/// What makes one page the same as another.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes<'a> {
    /// Keys.
    pub remove: Vec<&'a [Value]>,
    pub put: Vec<&'a Row>,
}

impl<'a> Changes<'a> {
    /// Both in the order of their keys, of `key` columns.
    pub fn between(wanted: &'a [Row], there: &'a [Row], key: usize) -> Self {
        let mut changes = Self::default();
        let mut there = there.iter().peekable();
        for row in wanted {
            while let Some(surplus) = there.next_if(|other| other[..key] < row[..key]) {
                changes.remove.push(&surplus[..key]);
            }
            match there.next_if(|other| other[..key] == row[..key]) {
                Some(same) if same == row => {}
                _ => changes.put.push(row),
            }
        }
        changes.remove.extend(there.map(|surplus| &surplus[..key]));
        changes
    }

    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.put.is_empty()
    }
}

/// How many rows, and what is in them, the same on both engines.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    pub rows: u64,
    hash: Sha256,
}

impl Sum {
    pub fn add(&mut self, row: &Row) {
        self.rows += 1;
        for value in row {
            let (tag, number);
            let bytes: &[u8] = match value {
                Value::Null => {
                    tag = 0_u8;
                    &[]
                }
                Value::Integer(integer) => {
                    tag = 1;
                    number = integer.to_be_bytes();
                    &number
                }
                Value::Text(text) => {
                    tag = 2;
                    text.as_bytes()
                }
                Value::Bytes(bytes) => {
                    tag = 3;
                    bytes
                }
            };
            self.hash.update([tag]);
            self.hash.update((bytes.len() as u64).to_be_bytes());
            self.hash.update(bytes);
        }
    }

    pub fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }
}

impl Side {
    /// The rows behind one key, up to another and with it; no more than `limit`.
    pub async fn page(
        &mut self,
        layout: &Layout,
        after: Option<&[Value]>,
        up_to: Option<&[Value]>,
        limit: usize,
    ) -> Result<Page, Error> {
        let mut page = Page { rows: Vec::new(), is_last: true };
        let mut bytes = 0;
        self.each(layout, after, up_to, Some(limit), |row| {
            bytes += row.iter().map(Value::len).sum::<usize>();
            page.rows.push(row);
            page.is_last = page.rows.len() < limit && bytes < PAGE_BYTES;
            page.is_last
        })
        .await?;
        Ok(page)
    }

    /// Hands over rows in the order of the key until it is told to stop.
    pub async fn each(
        &mut self,
        layout: &Layout,
        after: Option<&[Value]>,
        up_to: Option<&[Value]>,
        limit: Option<usize>,
        mut take: impl FnMut(Row) -> bool,
    ) -> Result<(), Error> {
        let select = self.select(layout, after.map(<[_]>::len), up_to.map(<[_]>::len), limit);
        let keys: Vec<Value> = after.into_iter().chain(up_to).flatten().cloned().collect();
        on_side!(self, |connection| {
            let mut query = sqlx::query(AssertSqlSafe(select));
            for value in keys {
                query = match value {
                    Value::Integer(integer) => query.bind(integer),
                    Value::Text(text) => query.bind(text),
                    Value::Bytes(bytes) => query.bind(bytes),
                    Value::Null => query.bind(None::<i64>),
                };
            }
            let mut rows = query.fetch(connection);
            while let Some(row) = rows.try_next().await? {
                if !take(read(&row, &layout.columns)?) {
                    break;
                }
            }
        });
        Ok(())
    }

    fn select(&self, layout: &Layout, after: Option<usize>, up_to: Option<usize>, limit: Option<usize>) -> String {
        let is_postgres = matches!(self.connection, Connection::Postgres(_));
        let fields = layout.columns.iter().map(|column| match (column.kind, is_postgres) {
            (Kind::Boolean, true) => format!("CAST(CAST({} AS INT) AS BIGINT)", column.name),
            (Kind::Json, true) => format!("CAST({} AS TEXT)", column.name),
            _ => column.name.clone(),
        });
        let fields = fields.collect::<Vec<_>>().join(", ");
        // by bytes, as the other engine does and as we compare
        let key = layout.key().iter().map(|column| match column.kind {
            Kind::Text if is_postgres => format!("{} COLLATE \"C\"", column.name),
            _ => column.name.clone(),
        });
        let key = key.collect::<Vec<_>>().join(", ");
        let mut bound = 0;
        let mut values = |n: usize| {
            let values: Vec<_> = (1..=n).map(|i| format!("${}", bound + i)).collect();
            bound += n;
            values.join(", ")
        };
        let after = after.map(|n| format!(" AND ({key}) > ({})", values(n))).unwrap_or_default();
        let up_to = up_to.map(|n| format!(" AND ({key}) <= ({})", values(n))).unwrap_or_default();
        let limit = limit.map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
        let (table, rows) = (layout.table.name, layout.table.rows());
        format!("SELECT {fields} FROM {table} WHERE {rows}{after}{up_to} ORDER BY {key}{limit}")
    }

    /// All of it or nothing.
    pub async fn apply(&mut self, layout: &Layout, changes: &Changes<'_>) -> Result<(), Error> {
        self.execute("BEGIN").await?;
        for key in &changes.remove {
            let on: Vec<_> = layout.table.key.iter().zip(1..).map(|(name, n)| format!("{name} = ${n}")).collect();
            let delete = format!("DELETE FROM {} WHERE {}", layout.table.name, on.join(" AND "));
            on_side!(self, |connection| {
                let mut query = sqlx::query(AssertSqlSafe(delete));
                for value in *key {
                    query = match value {
                        Value::Integer(integer) => query.bind(*integer),
                        Value::Text(text) => query.bind(text.as_str()),
                        Value::Bytes(bytes) => query.bind(bytes.as_slice()),
                        Value::Null => query.bind(None::<i64>),
                    };
                }
                query.execute(connection).await.map(drop)
            })?;
        }
        self.put(layout, &changes.put).await?;
        self.execute("COMMIT").await
    }

    async fn put(&mut self, layout: &Layout, rows: &[&Row]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let (table, names) = (layout.table.name, layout.names());
        let (key, others) = names.split_at(layout.key().len());
        let others: Vec<_> = others.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let conflict = match others.as_slice() {
            [] => "DO NOTHING".to_owned(),
            others => format!("DO UPDATE SET {}", others.join(", ")),
        };
        let conflict = format!("ON CONFLICT ({}) {conflict}", key.join(", "));
        let (columns, places): (_, Vec<_>) = (names.join(", "), (1..=names.len()).map(|n| format!("${n}")).collect());
        match &mut self.connection {
            Connection::Sqlite(connection) => {
                let insert = format!("INSERT INTO {table} ({columns}) VALUES ({}) {conflict}", places.join(", "));
                let insert: std::sync::Arc<str> = insert.into();
                for row in rows {
                    let mut query = sqlx::query(AssertSqlSafe(insert.clone()));
                    for value in *row {
                        query = match value {
                            Value::Null => query.bind(None::<i64>),
                            Value::Integer(integer) => query.bind(*integer),
                            Value::Text(text) => query.bind(text.clone()),
                            Value::Bytes(bytes) => query.bind(bytes.clone()),
                        };
                    }
                    query.execute(&mut *connection).await?;
                }
            }
            Connection::Postgres(connection) => {
                let batch = layout.columns.iter().zip(&places).map(|(column, place)| match column.kind {
                    Kind::Text | Kind::Json => format!("{place}::text[]"),
                    Kind::Integer | Kind::Boolean => format!("{place}::bigint[]"),
                    Kind::Bytes => format!("{place}::bytea[]"),
                });
                let fields = layout.columns.iter().map(|column| match column.kind {
                    Kind::Json => format!("CAST({} AS JSON)", column.name),
                    Kind::Boolean => format!("{} <> 0", column.name),
                    _ => column.name.clone(),
                });
                let insert = format!(
                    "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {} \
                     FROM UNNEST({}) AS batch ({columns}) {conflict}",
                    fields.collect::<Vec<_>>().join(", "),
                    batch.collect::<Vec<_>>().join(", ")
                );
                let mut query = sqlx::query(AssertSqlSafe(insert));
                for (at, column) in layout.columns.iter().enumerate() {
                    let values = rows.iter().map(|row| &row[at]);
                    query = match column.kind {
                        Kind::Text | Kind::Json => query.bind(values.map(Value::text).collect::<Vec<_>>()),
                        Kind::Integer | Kind::Boolean => query.bind(values.map(Value::integer).collect::<Vec<_>>()),
                        Kind::Bytes => query.bind(values.map(Value::bytes).collect::<Vec<_>>()),
                    };
                }
                query.execute(connection).await?;
            }
        }
        Ok(())
    }
}

impl Value {
    fn len(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) => 8,
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn integer(&self) -> Option<i64> {
        if let Self::Integer(integer) = self { Some(*integer) } else { None }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

fn read<R>(row: &R, columns: &[Column]) -> sqlx::Result<Row>
where
    R: sqlx::Row,
    usize: ColumnIndex<R>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let value = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            Kind::Text | Kind::Json => row.try_get::<Option<String>, _>(at)?.map_or(Value::Null, Value::Text),
            Kind::Integer | Kind::Boolean => row.try_get::<Option<i64>, _>(at)?.map_or(Value::Null, Value::Integer),
            Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(at)?.map_or(Value::Null, Value::Bytes),
        })
    };
    columns.iter().enumerate().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, text: &str) -> Row {
        vec![Value::Integer(key), Value::Text(text.to_owned())]
    }

    #[test]
    fn only_what_differs_is_changed() {
        let wanted = [row(1, "a"), row(2, "b"), row(4, "d"), row(6, "f")];
        let there = [row(0, "x"), row(1, "a"), row(2, "other"), row(3, "c"), row(6, "f"), row(7, "g")];
        let changes = Changes::between(&wanted, &there, 1);
        assert_eq!(changes.put, [&wanted[1], &wanted[2]]);
        assert_eq!(changes.remove, [&there[0][..1], &there[3][..1], &there[5][..1]]);
        assert!(Changes::between(&wanted, &wanted, 1).is_empty());
        assert_eq!(Changes::between(&[], &there, 1).remove.len(), there.len());
    }

    #[test]
    fn a_sum_tells_rows_apart_that_read_alike() {
        let sum = |rows: &[Row]| {
            let mut sum = Sum::default();
            for row in rows {
                sum.add(row);
            }
            sum.digest()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_ne!(sum(&[vec![text("ab"), text("c")]]), sum(&[vec![text("a"), text("bc")]]));
        assert_ne!(sum(&[vec![Value::Null]]), sum(&[vec![text("")]]));
        assert_ne!(sum(&[row(1, "a"), row(2, "b")]), sum(&[row(2, "b"), row(1, "a")]));
        assert_eq!(sum(&[row(1, "a")]), sum(&[row(1, "a")]));
    }
}
