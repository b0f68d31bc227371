//! The lines of an import, each read for itself.

use std::io::{BufRead, Read as _};

use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::corrections::{CorrectDeployment, CorrectIncident};
use super::super::error::{self, Problem};
use super::super::extract;
use super::body::{Body, unreadable};
use super::{RefusedLine, told};
use crate::domain::deployment::Details;
use crate::domain::{FieldProblem, Name, Refusal, deployment, incident};
use crate::ingest::Action;

/// Lines in one transaction, when each stands for itself.
const CHUNK: usize = 500;
/// A line longer than this is no fact.
pub const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Deployment,
    Incident,
}

#[derive(Deserialize)]
struct Head {
    kind: Option<Kind>,
    project_id: Option<Name>,
    id: Option<Name>,
}

/// One line with something on it.
#[derive(Debug)]
struct Line {
    /// From 1.
    number: u64,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Whole(Vec<u8>),
    TooLong,
}

/// What some lines of a kind say.
#[derive(Debug, Default)]
pub struct Chunk {
    /// By the numbers of the lines.
    pub taken: Vec<(u64, Action)>,
    /// Lines that cannot be read, and all that is wrong with each.
    pub refused: Vec<Vec<RefusedLine>>,
    /// Of the lines that were taken.
    pub bytes: usize,
}

/// The lines of a body, in chunks, read ahead by one: deployments first, because an incident may stand before the
/// deployment that it names.
#[derive(Debug)]
pub struct Chunks {
    ready: mpsc::Receiver<Chunk>,
    reading: JoinHandle<Result<(), Problem>>,
}

impl Chunks {
    /// Reads and parses beside the threads that answer others.
    pub fn of(body: Body) -> Self {
        let (sender, ready) = mpsc::channel(1);
        Self { ready, reading: tokio::task::spawn_blocking(move || read(&body, &sender)) }
    }

    /// `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Chunk>, Problem> {
        if let Some(chunk) = self.ready.recv().await {
            return Ok(Some(chunk));
        }
        // whether it came to its end
        let read = (&mut self.reading).await;
        read.map_err(|_| Problem::new(&error::INTERNAL, error::INTERNAL.advice))?.map(|()| None)
    }
}

fn read(body: &Body, to: &mpsc::Sender<Chunk>) -> Result<(), Problem> {
    for kind in [Kind::Deployment, Kind::Incident] {
        let mut reader = body.open().map_err(unreadable)?;
        let (mut number, mut chunk) = (0, Chunk::default());
        while let Some(text) = next(&mut *reader).map_err(unreadable)? {
            number += 1;
            // nobody waits any more, and a body may hold nothing but ends of lines
            if to.is_closed() {
                return Ok(());
            }
            if matches!(&text, Text::Whole(text) if text.iter().all(u8::is_ascii_whitespace)) {
                continue;
            }
            let bytes = text.len();
            match (Line { number, text }).command(kind) {
                Ok(None) => continue,
                Ok(Some(taken)) => {
                    chunk.taken.push(taken);
                    chunk.bytes += bytes;
                }
                Err(refused) => chunk.refused.push(refused),
            }
            if chunk.taken.len() + chunk.refused.len() == CHUNK && to.blocking_send(std::mem::take(&mut chunk)).is_err()
            {
                return Ok(());
            }
        }
        if to.blocking_send(chunk).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// `None`: the end.
fn next(reader: &mut dyn BufRead) -> std::io::Result<Option<Text>> {
    let mut text = Vec::new();
    if (&mut *reader).take(LONGEST).read_until(b'\n', &mut text)? == 0 {
        return Ok(None);
    }
    if text.len() as u64 == LONGEST && text.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
        return Ok(Some(Text::TooLong));
    }
    Ok(Some(Text::Whole(text)))
}

impl Text {
    fn len(&self) -> usize {
        match self {
            Self::Whole(text) => text.len(),
            Self::TooLong => 0,
        }
    }
}

impl Line {
    /// The command of a line of this kind, and nothing for one of the other. Of what kind a line is that cannot be
    /// read nobody knows: it is told with the deployments.
    fn command(self, wanted: Kind) -> Result<Option<(u64, Action)>, Vec<RefusedLine>> {
        let Self { number, text } = self;
        let refused = |problem: Problem| -> Vec<RefusedLine> {
            let whole = FieldProblem::new("", problem.detail.into_owned());
            let errors = if problem.errors.is_empty() { vec![whole] } else { problem.errors };
            told(number, Refusal::Invalid(errors))
        };
        let Text::Whole(text) = text else {
            if wanted != Kind::Deployment {
                return Ok(None);
            }
            return Err(refused(Problem::field("", format!("the line is longer than {LONGEST} bytes"))));
        };
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text).trim_ascii();
        let head = extract::parse_line(text);
        if wanted != Kind::Deployment && !matches!(head, Ok(Head { kind: Some(Kind::Incident), .. })) {
            return Ok(None);
        }
        let Head { kind, project_id, id } = head.map_err(refused)?;
        let mut missing = Vec::new();
        if kind.is_none() {
            missing.push(FieldProblem::new("/kind", "required: deployment or incident"));
        }
        if project_id.is_none() {
            missing.push(FieldProblem::new("/project_id", "required"));
        }
        if id.is_none() {
            missing.push(FieldProblem::new("/id", "required"));
        }
        if kind.is_some_and(|kind| kind != wanted) {
            return Ok(None);
        }
        let (Some(kind), Some(id), Some(_)) = (kind, id, &project_id) else {
            return Err(told(number, Refusal::Invalid(missing)));
        };
        let id = super::super::resource::new_id(id).map_err(refused)?;
        let action = match kind {
            Kind::Deployment => {
                let body: CorrectDeployment = extract::parse_line(text).map_err(refused)?;
                let change = deployment::Change::Imported(Box::new(body.try_into().map_err(refused)?));
                Action::Deployment(deployment::Command { id, project_id, details: Details::default(), change })
            }
            Kind::Incident => {
                let body: CorrectIncident = extract::parse_line(text).map_err(refused)?;
                let change = incident::Change::Imported(Box::new(body.into()));
                Action::Incident(incident::Command { id: Some(id), project_id, change })
            }
        };
        Ok(Some((number, action)))
    }
}
