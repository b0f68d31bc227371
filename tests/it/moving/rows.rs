//! Every row of every table as text, by what the database itself says that it has: a table or a column that is added
//! later is in it too.

use std::collections::BTreeMap;

use crate::engine::Database;

/// Rows by table, sorted; without what a move writes about itself.
pub async fn rows(database: &Database) -> BTreeMap<String, Vec<String>> {
    let is_sqlite = matches!(database, Database::Sqlite { .. });
    let tables = if is_sqlite {
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> '_sqlx_migrations'"
    } else {
        "SELECT table_name::text FROM information_schema.tables \
         WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND table_name <> '_sqlx_migrations'"
    };
    let mut all = BTreeMap::new();
    for table in database.texts(tables).await {
        let columns = if is_sqlite {
            format!("SELECT name || ' ' || lower(type) FROM pragma_table_xinfo('{table}') ORDER BY name")
        } else {
            format!(
                "SELECT column_name || ' ' || data_type FROM information_schema.columns \
                 WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY column_name COLLATE \"C\""
            )
        };
        let fields: Vec<_> = database.texts(&columns).await.iter().map(|column| field(column)).collect();
        let of = format!("SELECT {} FROM {table}", fields.join(" || '|' || "));
        let mut rows = database.texts(&of).await;
        rows.retain(|row| table != "identity" || !row.starts_with("key=mov"));
        rows.sort();
        all.insert(table, rows);
    }
    all
}

/// `name type` as a text.
fn field(column: &str) -> String {
    let (name, kind) = column.split_once(' ').unwrap();
    let text = match kind {
        "blob" => format!("lower(hex({name}))"),
        "bytea" => format!("encode({name}, 'hex')"),
        "boolean" => format!("CAST(CAST({name} AS INT) AS TEXT)"),
        _ => format!("CAST({name} AS TEXT)"),
    };
    format!("'{name}=' || COALESCE({text}, 'NULL')")
}

/// Fails with the first row that only one of them has.
pub async fn expect_same(database: &Database, expected: &BTreeMap<String, Vec<String>>) {
    let found = rows(database).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (table, rows) in expected {
        let only = |a: &[String], b: &[String]| a.iter().find(|row| b.binary_search(row).is_err()).cloned();
        let (missing, surplus) = (only(rows, &found[table]), only(&found[table], rows));
        assert!(missing.is_none() && surplus.is_none(), "{table}:\nexpected {missing:?}\nfound {surplus:?}");
        assert_eq!(rows.len(), found[table].len(), "{table}");
    }
}
