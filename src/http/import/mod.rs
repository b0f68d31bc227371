//! `POST /import`: many facts at once, one JSON object a line.

mod body;
mod lines;

use std::sync::Arc;

use axum::extract::{Request, State};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::AppState;
use super::access::Writer;
use super::error::{self, Problem};
use super::extract::Query;
use crate::auth::Identity;
use crate::domain::{FieldProblem, Refusal, Timestamp};
use crate::ingest::{self, Command, Effect, Mode};
use lines::{Chunk, Chunks};

/// Lines of an import that is all or nothing, or only tried: they are held in memory and written at once.
const MOST_AT_ONCE: usize = 100_000;
/// Their text.
const MOST_BYTES_AT_ONCE: usize = 64 * 1024 * 1024;
/// Refused lines that a report names; the rest is only counted.
const MOST_NAMED: usize = 1000;

/// At once: each keeps a thread busy with reading.
const IMPORTS: usize = 2;

/// How many more imports may run.
pub fn slots() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(IMPORTS))
}

pub fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import))
}

/// What can be asked for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read only by the macro that describes it")]
struct ImportParams {
    /// Only say what would become of each line; record nothing. 100,000 lines and 64 MiB at the most.
    dry_run: Option<bool>,
    /// Record all lines, or none when one is refused. 100,000 lines and 64 MiB at the most.
    atomic: Option<bool>,
}

/// What became of the lines.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct ImportReport {
    /// Lines with something on them.
    lines: u64,
    /// Facts that were not known.
    created: u64,
    /// Facts of which a line said something new.
    changed: u64,
    /// Lines that said nothing new.
    unchanged: u64,
    /// Lines that left no trace.
    refused: u64,
    /// Why, for the first 1,000 refused lines.
    errors: Vec<RefusedLine>,
    /// Nothing was recorded, it was only tried.
    dry_run: bool,
}

/// One field of a line that cannot be.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RefusedLine {
    /// From 1.
    line: u64,
    /// A JSON pointer into the line.
    pointer: String,
    detail: String,
}

/// Record many facts.
///
/// NDJSON: on each line a deployment or an incident with its `kind`, its `project_id` and `id`, and the fields of
/// `PATCH`. A fact that is not known is made; of one that is known, what is sent replaces what is stored, as with
/// `PATCH`. In whatever order: deployments are recorded before the incidents that name them. Sent again, it changes
/// nothing. `Content-Encoding: gzip` is accepted. A refused line does not hold up the others, unless `atomic=true`;
/// when all are refused, the answer is 422. Nothing is recorded before all of it has arrived, whole; after a 503 that says
/// so the first lines are: send all of it again.
#[utoipa::path(post, path = "/import", tag = "import and export", params(ImportParams),
    request_body(content = String, content_type = "application/x-ndjson",
        example = r#"{"kind": "deployment", "project_id": "shop", "id": "1", "first_commit_at": "2026-01-31T12:00:00Z", "deployed_at": "2026-01-31T15:00:00Z"}"#),
    responses((status = 200, body = ImportReport)))]
async fn import(
    Writer(identity): Writer,
    State(state): State<AppState>,
    mut query: Query,
    request: Request,
) -> Result<axum::Json<ImportReport>, Problem> {
    let dry_run = query.one("dry_run", flag)?.unwrap_or(false);
    let atomic = query.one("atomic", flag)?.unwrap_or(false);
    query.done()?;
    let body = body::read(request, &state).await?;
    let _slot = slot(&state).await?;
    let body = body.checked(state.import_limit as u64).await?;
    let import = Import { state: &state, identity, now: state.clock.now(), report: ImportReport::default() };
    let chunks = Chunks::of(body);
    let report = match (dry_run, atomic) {
        (true, _) => import.at_once(chunks, Mode::Try).await?,
        (false, true) => import.at_once(chunks, Mode::All).await?,
        (false, false) => import.in_chunks(chunks).await?,
    };
    let nothing_taken = report.refused > 0 && report.refused == report.lines;
    if !dry_run && (nothing_taken || (atomic && report.refused > 0)) {
        return Err(refused(report));
    }
    Ok(axum::Json(report))
}

/// Waits for as long as a request may.
async fn slot(state: &AppState) -> Result<OwnedSemaphorePermit, Problem> {
    let slot = tokio::time::timeout(state.request_timeout, state.imports.clone().acquire_owned()).await;
    let slot = slot.ok().and_then(Result::ok);
    slot.ok_or_else(|| Problem::unavailable("other imports are running; nothing was recorded"))
}

fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "expected true or false".to_owned())
}

fn refused(report: ImportReport) -> Problem {
    let ImportReport { lines, refused, errors, .. } = report;
    let errors = errors
        .into_iter()
        .map(|RefusedLine { line, pointer, detail }| FieldProblem::new(format!("/{line}{pointer}"), detail));
    let mut problem = Problem::fields(&error::IMPORT_REFUSED, errors.collect());
    problem.detail = format!("{refused} of {lines} lines are refused, and nothing was recorded").into();
    problem
}

/// An import on its way.
struct Import<'a> {
    state: &'a AppState,
    identity: Identity,
    now: Timestamp,
    report: ImportReport,
}

impl Import<'_> {
    async fn in_chunks(mut self, mut chunks: Chunks) -> Result<ImportReport, Problem> {
        while let Some(Chunk { mut taken, refused, .. }) = chunks.next().await? {
            self.refuse_all(refused);
            self.hand_in(&mut taken, Mode::Each).await?;
        }
        Ok(self.finish())
    }

    async fn at_once(mut self, mut chunks: Chunks, mode: Mode) -> Result<ImportReport, Problem> {
        let (mut all, mut text) = (Vec::new(), 0);
        while let Some(Chunk { taken, refused, bytes }) = chunks.next().await? {
            self.refuse_all(refused);
            all.extend(taken);
            text += bytes;
            if all.len() > MOST_AT_ONCE || text > MOST_BYTES_AT_ONCE {
                let detail = format!(
                    "more than {MOST_AT_ONCE} lines, or {MOST_BYTES_AT_ONCE} bytes of them, cannot be done at once: send them in parts"
                );
                return Err(Problem::new(&error::TOO_LARGE, detail));
            }
        }
        // when all or nothing is wanted, a line that cannot be read settles it; the others are tried, to tell all
        let mode = if self.report.refused > 0 { Mode::Try } else { mode };
        self.report.dry_run = mode == Mode::Try;
        self.hand_in(&mut all, mode).await?;
        Ok(self.finish())
    }

    async fn hand_in(&mut self, lines: &mut Vec<(u64, ingest::Action)>, mode: Mode) -> Result<(), Problem> {
        if lines.is_empty() {
            return Ok(());
        }
        let (numbers, commands): (Vec<_>, Vec<_>) = lines
            .drain(..)
            .map(|(number, action)| {
                (number, Command { actor: self.identity.name.clone(), received_at: self.now, action })
            })
            .unzip();
        let outcomes = self.state.ingest.many(commands, mode).await.map_err(|error| self.broken_off(error))?;
        for (line, outcome) in numbers.into_iter().zip(outcomes) {
            match outcome {
                Ok(Effect::Created) => self.report.created += 1,
                Ok(Effect::Changed) => self.report.changed += 1,
                Ok(Effect::Unchanged) => self.report.unchanged += 1,
                Err(refusal) => self.refuse(told(line, refusal)),
            }
        }
        Ok(())
    }

    /// Of an import in parts the first may be on disk: nobody may be told that nothing is.
    fn broken_off(&self, error: ingest::Error) -> Problem {
        let is_first = self.report.created + self.report.changed + self.report.unchanged == 0;
        match error {
            ingest::Error::Overloaded | ingest::Error::Unavailable(_) if !is_first => Problem::unavailable(
                "the first lines are recorded, the rest is not; send it again, what is recorded does not count twice",
            ),
            ingest::Error::Failed if !is_first => Problem::new(
                &error::INTERNAL,
                "the database refused to store some of the lines; those before them are recorded",
            ),
            error => error.into(),
        }
    }

    fn refuse_all(&mut self, lines: Vec<Vec<RefusedLine>>) {
        for told in lines {
            self.refuse(told);
        }
    }

    /// A line without a trace, and all that is wrong with it.
    fn refuse(&mut self, told: Vec<RefusedLine>) {
        self.report.refused += 1;
        let room = MOST_NAMED.saturating_sub(self.report.errors.len());
        self.report.errors.extend(told.into_iter().take(room));
    }

    fn finish(mut self) -> ImportReport {
        let ImportReport { created, changed, unchanged, refused, .. } = self.report;
        self.report.lines = created + changed + unchanged + refused;
        self.report.errors.sort_by_key(|error| error.line);
        self.report
    }
}

fn told(line: u64, refusal: Refusal) -> Vec<RefusedLine> {
    let problem = Problem::from(refusal);
    if problem.errors.is_empty() {
        return vec![RefusedLine { line, pointer: String::new(), detail: problem.detail.into_owned() }];
    }
    let told = |error: FieldProblem| RefusedLine { line, pointer: error.pointer.into_owned(), detail: error.detail };
    problem.errors.into_iter().map(told).collect()
}
