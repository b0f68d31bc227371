//! What became of the lines, as the service tells of a part, and added up.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Fault;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) created: u64,
    pub(super) changed: u64,
    pub(super) unchanged: u64,
    pub(super) refused: u64,
}

/// The service's word on a part.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) tally: Tally,
    /// With the line's number in the part.
    pub(super) faults: Vec<(u64, Fault)>,
}

#[derive(Deserialize)]
struct Taken {
    #[serde(flatten)]
    tally: Tally,
    errors: Vec<RefusedLine>,
}

#[derive(Deserialize)]
struct RefusedLine {
    line: u64,
    #[serde(flatten)]
    fault: Fault,
}

/// Of the problem document that answers when nothing was taken.
#[derive(Deserialize)]
struct Refused {
    r#type: String,
    #[serde(default)]
    errors: Vec<Fault>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.lines += other.lines;
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.refused += other.refused;
    }

    pub(super) fn words(self, dry_run: bool) -> String {
        let Self { lines, created, changed, unchanged, refused } = self;
        let would = if dry_run { "nothing was recorded; it would be " } else { "" };
        format!("{lines} lines: {would}{created} created, {changed} changed, {unchanged} unchanged, {refused} refused")
    }
}

impl Report {
    /// Of a part with so many lines; `None` when the answer is something else.
    pub(super) fn read(answer: Value, lines: usize) -> Option<Self> {
        if answer.get("type").is_none() {
            let Taken { tally, errors } = serde_json::from_value(answer).ok()?;
            return Some(Self { tally, faults: errors.into_iter().map(|e| (e.line, e.fault)).collect() });
        }
        let Refused { r#type, errors } = serde_json::from_value(answer).ok()?;
        if r#type != "/problems/import-refused" {
            return None;
        }
        let lines = u64::try_from(lines).ok()?;
        Some(Self {
            tally: Tally { lines, refused: lines, ..Tally::default() },
            faults: errors.into_iter().filter_map(in_line).collect(),
        })
    }
}

/// The pointer begins with the line.
fn in_line(fault: Fault) -> Option<(u64, Fault)> {
    let (line, pointer) = match fault.pointer.strip_prefix('/')?.split_once('/') {
        Some((line, rest)) => (line, format!("/{rest}")),
        None => (&fault.pointer[1..], String::new()),
    };
    Some((line.parse().ok()?, Fault { pointer, detail: fault.detail }))
}
