//! CSV: a header with the names of the fields, then a fact in each row.

use std::io::{self, Chain, Read};

use anyhow::{bail, ensure};
use csv::{ByteRecord, ReaderBuilder, Terminator};
use serde_json::{Map, Value};

use super::records::{LONGEST, Record, too_long};
use super::{Fault, Kind};
use crate::domain::cell::unguarded;

/// What a fact may have; of `unplanned` the value is true or false.
const FIELDS: [&str; 23] = [
    "kind",
    "project_id",
    "id",
    "team_id",
    "environment",
    "first_commit_at",
    "deploy_start_at",
    "deployed_at",
    "failed_at",
    "rolled_back_at",
    "reason",
    "username",
    "commit_sha",
    "version",
    "url",
    "unplanned",
    "deployment_id",
    "link_method",
    "severity",
    "title",
    "started_at",
    "restored_at",
    "finished_at",
];

/// How rows are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reading {
    /// Of rows that do not say it.
    pub(super) kind: Option<Kind>,
    pub(super) empty_is_null: bool,
    pub(super) ignore_unknown: bool,
}

pub(super) struct Table<'a> {
    reader: csv::Reader<Chain<Box<dyn Read + Send + 'a>, &'static [u8]>>,
    /// Of each column; `None` when it is left out.
    columns: Vec<Option<String>>,
    reading: Reading,
    row: ByteRecord,
}

impl<'a> Table<'a> {
    pub(super) fn new(from: Box<dyn Read + Send + 'a>, reading: Reading) -> anyhow::Result<Self> {
        // so that every row ends with a line feed, by which lines are counted
        let from = from.chain(b"\n".as_slice());
        let mut reader = ReaderBuilder::new().flexible(true).terminator(Terminator::Any(b'\n')).from_reader(from);
        let header = reader.byte_headers()?.clone();
        let mut columns: Vec<Option<String>> = Vec::new();
        for cell in &header {
            let Ok(name) = std::str::from_utf8(cell) else { bail!("the header is not UTF-8") };
            let name = name.trim().trim_start_matches('\u{feff}');
            ensure!(!columns.iter().flatten().any(|known| known == name), "the column {name:?} is there twice");
            if FIELDS.contains(&name) {
                columns.push(Some(name.to_owned()));
                continue;
            }
            if !reading.ignore_unknown {
                bail!("no fact has a field {name:?}{}; --ignore-unknown leaves such columns out", did_you_mean(name));
            }
            columns.push(None);
        }
        let has = |name: &str| columns.iter().flatten().any(|known| known == name);
        for name in ["project_id", "id"] {
            ensure!(has(name), "there is no column {name}: the first line must name the fields");
        }
        ensure!(
            has("kind") || reading.kind.is_some(),
            "there is no column kind: say --kind deployment or --kind incident"
        );
        Ok(Self { reader, columns, reading, row: ByteRecord::new() })
    }

    fn record(&self, line: u64) -> Record {
        let fault = |detail: String| Err(Fault { pointer: String::new(), detail });
        let unreadable = |json| Record { line, kind: Kind::Deployment, json };
        let (found, expected) = (self.row.len(), self.columns.len());
        if self.row.as_slice().len() > LONGEST {
            let Fault { detail, .. } = too_long();
            return unreadable(fault(format!("{detail}: is a quotation mark not closed?")));
        }
        if found != expected {
            return unreadable(fault(format!("the row has {found} cells, and the header has {expected}")));
        }
        let mut fields = Map::new();
        for (name, cell) in self.columns.iter().zip(&self.row) {
            let Some(name) = name else { continue };
            let Ok(cell) = std::str::from_utf8(cell) else {
                return unreadable(Err(Fault { pointer: format!("/{name}"), detail: "not UTF-8".to_owned() }));
            };
            let cell = unguarded(cell.strip_suffix('\r').unwrap_or(cell));
            let value = match (name.as_str(), cell) {
                ("kind", "") => continue,
                (_, "") if self.reading.empty_is_null => Value::Null,
                (_, "") => continue,
                ("unplanned", "true") => true.into(),
                ("unplanned", "false") => false.into(),
                _ => cell.into(),
            };
            fields.insert(name.clone(), value);
        }
        if let Some(kind) = self.reading.kind {
            fields.entry("kind").or_insert_with(|| kind.name().into());
        }
        let is_incident = fields.get("kind").is_some_and(|kind| kind == Kind::Incident.name());
        let kind = if is_incident { Kind::Incident } else { Kind::Deployment };
        Record { line, kind, json: Ok(Value::Object(fields).to_string().into_bytes()) }
    }
}

impl Iterator for Table<'_> {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.reader.read_byte_record(&mut self.row) {
                Ok(false) => return None,
                // an empty line that ends as on Windows
                Ok(true) if self.row.as_slice() == b"\r" => {}
                Ok(true) => return Some(Ok(self.record(self.line()))),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

impl Table<'_> {
    /// Where the row that was read last begins. The reader says where the one before ended, above empty lines.
    fn line(&self) -> u64 {
        let within = self.row.as_slice().split(|byte| *byte == b'\n').skip(1).count() as u64;
        let by_its_end = self.reader.position().line().saturating_sub(1 + within);
        self.row.position().map_or(0, csv::Position::line).max(by_its_end)
    }
}

fn did_you_mean(name: &str) -> String {
    let near = FIELDS.iter().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let near = near.filter(|near| strsim::jaro_winkler(near, name) > 0.8);
    near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default()
}
