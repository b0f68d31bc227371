//! Why a command was not taken. The one vocabulary of refusals; what status they get is `http`'s business.

use std::borrow::Cow;

use super::names::Name;

/// How much of a value that cannot be taken is said back.
const SAID_BACK: usize = 100;

/// The beginning of what somebody sent, for a message.
pub fn abridged(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SAID_BACK) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// One bad field: a JSON pointer into the body and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    pub pointer: Cow<'static, str>,
    pub detail: String,
}

impl FieldProblem {
    pub fn new(pointer: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A field that this command needs is missing or malformed.
    #[error("{}", list(.0))]
    Invalid(Vec<FieldProblem>),
    /// It contradicts what is stored.
    #[error("{}", list(.0))]
    Conflict(Vec<FieldProblem>),
    /// Well formed, but it cannot have happened.
    #[error("{}", list(.0))]
    Impossible(Vec<FieldProblem>),
    #[error("there is no {kind} {id:?}{}", .hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    NotFound { kind: &'static str, id: Name, hint: Option<Cow<'static, str>> },
    #[error("{kind} {id:?} exists in several projects ({}): add ?project_id=", projects.join(", "))]
    Ambiguous { kind: &'static str, id: Name, projects: Vec<String> },
}

fn list(problems: &[FieldProblem]) -> String {
    problems
        .iter()
        .map(|p| format!("{}: {}", p.pointer.trim_start_matches('/'), p.detail))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Collects what is wrong, to be told all at once.
#[derive(Debug, Default)]
pub struct Findings(Vec<FieldProblem>);

impl Findings {
    pub fn add(&mut self, pointer: &'static str, detail: impl Into<String>) {
        self.0.push(FieldProblem::new(pointer, detail));
    }

    /// `Ok` when nothing was found.
    pub fn or(self, refusal: impl FnOnce(Vec<FieldProblem>) -> Refusal) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(refusal(self.0)) }
    }
}
