//! The lines of NDJSON and the rows of CSV, as they are sent: one JSON object each.

use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;

use super::table::Table;
use super::{Fault, Kind};

/// A line longer than this is no fact; the service refuses it as well.
pub(super) const LONGEST: usize = 64 * 1024;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Something that stands in the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Of the file, from 1.
    pub(super) line: u64,
    /// What cannot be read goes with the deployments.
    pub(super) kind: Kind,
    /// Without its end of line.
    pub(super) json: Result<Vec<u8>, Fault>,
}

pub(super) enum Records<'a> {
    Lines(Lines<'a>),
    Table(Table<'a>),
}

impl Iterator for Records<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Lines(lines) => lines.next(),
            Self::Table(table) => table.next(),
        }
    }
}

pub(super) struct Lines<'a> {
    reader: BufReader<Box<dyn Read + Send + 'a>>,
    line: u64,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(reader: Box<dyn Read + Send + 'a>) -> Self {
        Self { reader: BufReader::new(reader), line: 0 }
    }
}

impl Iterator for Lines<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut text = Vec::new();
            let limit = LONGEST as u64 + 1;
            match (&mut self.reader).take(limit).read_until(b'\n', &mut text) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            self.line += 1;
            if text.len() > LONGEST {
                if text.last() != Some(&b'\n')
                    && let Err(error) = self.reader.skip_until(b'\n')
                {
                    return Some(Err(error));
                }
                return Some(Ok(Record { line: self.line, kind: Kind::Deployment, json: Err(too_long()) }));
            }
            let json = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&text).trim_ascii();
            if json.is_empty() {
                continue;
            }
            return Some(Ok(Record { line: self.line, kind: kind_of(json), json: Ok(json.to_vec()) }));
        }
    }
}

pub(super) fn too_long() -> Fault {
    Fault { pointer: String::new(), detail: format!("the line is longer than {LONGEST} bytes") }
}

fn kind_of(json: &[u8]) -> Kind {
    let kind = serde_json::from_slice(json).ok().and_then(|head: Head| head.kind);
    if kind.as_deref() == Some(Kind::Incident.name()) { Kind::Incident } else { Kind::Deployment }
}
