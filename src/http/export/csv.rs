//! A fact a row; the first row names the columns.

use axum::body::Bytes;
use csv::WriterBuilder;
use serde::Serialize;

use super::Failure;

pub fn page<T: Serialize>(facts: Vec<T>, is_first: bool) -> Result<Bytes, Failure> {
    let mut table = WriterBuilder::new().has_headers(is_first).from_writer(Vec::new());
    for fact in facts {
        table.serialize(fact)?;
    }
    Ok(table.into_inner()?.into())
}
