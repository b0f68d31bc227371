//! The lines of an import, each read for itself.

use std::io::{BufRead, BufReader, Read as _};

use flate2::bufread::MultiGzDecoder;
use serde::Deserialize;

use super::super::corrections::{CorrectDeployment, CorrectIncident};
use super::super::error::Problem;
use super::super::extract;
use super::body::Body;
use super::{RefusedLine, told};
use crate::domain::deployment::Details;
use crate::domain::{FieldProblem, Name, Refusal, deployment, incident};
use crate::ingest::Action;

/// A line longer than this is no fact.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Deployment,
    Incident,
}

#[derive(Deserialize)]
struct Head {
    kind: Option<Kind>,
    project_id: Option<Name>,
    id: Option<Name>,
}

/// A body that is read line by line, as often as is needed.
#[derive(Debug)]
pub struct Lines<'a>(&'a Body);

/// One line with something on it.
#[derive(Debug)]
pub struct Line {
    /// From 1.
    number: u64,
    text: Text,
}

#[derive(Debug)]
enum Text {
    Whole(Vec<u8>),
    TooLong,
}

impl<'a> Lines<'a> {
    pub fn new(body: &'a Body) -> Self {
        Self(body)
    }

    pub fn read(&self) -> impl Iterator<Item = Result<Line, Problem>> + Send + use<'a> {
        let bytes = self.0.bytes.as_slice();
        let mut reader: Box<dyn BufRead + Send + 'a> =
            if self.0.compressed { Box::new(BufReader::new(MultiGzDecoder::new(bytes))) } else { Box::new(bytes) };
        let mut number = 0;
        std::iter::from_fn(move || {
            loop {
                number += 1;
                match next(&mut *reader) {
                    Ok(None) => return None,
                    Ok(Some(Text::Whole(text))) if text.iter().all(u8::is_ascii_whitespace) => {}
                    Ok(Some(text)) => return Some(Ok(Line { number, text })),
                    // it was read to its end before
                    Err(error) => return Some(Err(Problem::field("", error.to_string()))),
                }
            }
        })
    }
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

impl Line {
    /// The command of a line of this kind, and nothing for one of the other. Of what kind a line is that cannot be
    /// read nobody knows: it is told with the deployments.
    pub fn command(self, wanted: Kind) -> Result<Option<(u64, Action)>, Vec<RefusedLine>> {
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
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
        let head = extract::parse(text);
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
        let action = match kind {
            Kind::Deployment => {
                let body: CorrectDeployment = extract::parse(text).map_err(refused)?;
                let change = deployment::Change::Imported(Box::new(body.into()));
                Action::Deployment(deployment::Command { id, project_id, details: Details::default(), change })
            }
            Kind::Incident => {
                let body: CorrectIncident = extract::parse(text).map_err(refused)?;
                let change = incident::Change::Imported(Box::new(body.into()));
                Action::Incident(incident::Command { id: Some(id), project_id, change })
            }
        };
        Ok(Some((number, action)))
    }
}
