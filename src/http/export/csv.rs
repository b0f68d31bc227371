//! A fact a row; the first row names the columns.

use axum::body::Bytes;
use csv::{ReaderBuilder, WriterBuilder};
use serde::Serialize;

use super::super::streamed::Failure;
use crate::domain::cell;

pub fn page<T: Serialize>(facts: Vec<T>, is_first: bool) -> Result<Bytes, Failure> {
    let mut plain = WriterBuilder::new().has_headers(is_first).from_writer(Vec::new());
    for fact in facts {
        plain.serialize(fact)?;
    }
    let plain = plain.into_inner()?;
    let mut table = WriterBuilder::new().from_writer(Vec::new());
    for row in ReaderBuilder::new().has_headers(false).from_reader(plain.as_slice()).records() {
        table.write_record(row?.iter().map(|text| cell::guarded(text).into_owned()))?;
    }
    Ok(table.into_inner()?.into())
}
