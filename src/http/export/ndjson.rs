//! A fact a line.

use axum::body::Bytes;
use serde::Serialize;

use super::super::streamed::Failure;

pub fn page<T: Serialize>(facts: Vec<T>) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    for fact in facts {
        serde_json::to_writer(&mut bytes, &fact)?;
        bytes.push(b'\n');
    }
    Ok(bytes.into())
}
