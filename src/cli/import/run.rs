//! One import from its first part to its last.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{LineWriter, Write as _};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, bail};
use reqwest::StatusCode;
use serde_json::json;

use super::super::client::{Failure, Request};
use super::super::output::say;
use super::parts::Part;
use super::progress::Progress;
use super::records::{Lines, Record, Records};
use super::source::Source;
use super::state::{self, State};
use super::table::{Reading, Table};
use super::tally::{Report, Tally};
use super::{Fault, Format, Import, Kind, MOST_AT_ONCE};

/// Reasons shown on the terminal.
const MOST_SHOWN: usize = 20;

pub(super) struct Run<'a> {
    import: &'a Import,
    format: Format,
    /// Bytes of the input.
    length: u64,
    tally: Tally,
    progress: Progress,
    shown: usize,
    errors: Option<LineWriter<File>>,
    state: Option<(PathBuf, State)>,
    /// Whether the state is on disk.
    is_kept: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(import: &'a Import, source: &Source, format: Format) -> anyhow::Result<Self> {
        let service = import.service.access.shown();
        let (mut state, mut is_kept) = (None, false);
        if let Some((file, identity)) = source.file.as_ref().filter(|_| !import.at_once()) {
            let path = state::beside(file);
            let earlier = if import.resume { State::load(&path, &service, identity)? } else { None };
            is_kept = earlier.is_some();
            let start =
                || State { service, input: identity.clone(), kind: Kind::Deployment, line: 0, tally: Tally::default() };
            state = Some((path, earlier.unwrap_or_else(start)));
        }
        let errors = import.errors.as_ref().map(|path| {
            let mut options = OpenOptions::new();
            options.create(true).write(true).append(is_kept).truncate(!is_kept);
            options.open(path).with_context(|| format!("cannot write {}", path.display()))
        });
        let passes = if import.at_once() { 1 } else { 2 };
        Ok(Self {
            import,
            format,
            tally: state.as_ref().map(|(_, state)| state.tally).unwrap_or_default(),
            progress: Progress::new(source.length * passes),
            length: source.length,
            shown: 0,
            errors: errors.transpose()?.map(LineWriter::new),
            state,
            is_kept,
        })
    }

    pub(super) async fn all(&mut self, source: &mut Source) -> anyhow::Result<()> {
        if self.is_kept {
            self.progress.complain(&format!("going on after {} lines", self.tally.lines));
        }
        if self.import.at_once() {
            return self.at_once(source).await;
        }
        let first = self.state.as_ref().map_or(Kind::Deployment, |(_, state)| state.kind);
        for kind in [Kind::Deployment, Kind::Incident].into_iter().filter(|kind| *kind >= first) {
            let after = self.state.as_ref().map_or(0, |(_, state)| if state.kind == kind { state.line } else { 0 });
            self.pass(source, kind, after).await?;
        }
        Ok(())
    }

    /// The lines of one kind, but for those that are done already.
    async fn pass(&mut self, source: &mut Source, kind: Kind, after: u64) -> anyhow::Result<()> {
        let (meter, before) = (source.meter(), if kind == Kind::Incident { self.length } else { 0 });
        let mut part = Part::default();
        let mut line = after;
        for record in records(source, self.format, self.import)? {
            let record = record.context("cannot read on")?;
            if record.kind != kind || record.line <= after {
                continue;
            }
            line = record.line;
            self.put(record, &mut part)?;
            if part.is_full(self.import.lines_per_part as usize) {
                self.send(std::mem::take(&mut part)).await?;
                self.keep(kind, line);
                self.progress.at(before + meter.load(Ordering::Relaxed), self.tally);
            }
        }
        if !part.is_empty() {
            self.send(part).await?;
        }
        if line > after {
            self.keep(kind, line);
        }
        Ok(())
    }

    async fn at_once(&mut self, source: &mut Source) -> anyhow::Result<()> {
        let mut part = Part::default();
        for record in records(source, self.format, self.import)? {
            self.put(record.context("cannot read on")?, &mut part)?;
            if part.len() > MOST_AT_ONCE {
                let option = if self.import.atomic { "--atomic" } else { "--dry-run" };
                bail!("{option} is for {MOST_AT_ONCE} lines at the most, and there are more: split the file");
            }
        }
        if !part.is_empty() {
            self.send(part).await?;
        }
        Ok(())
    }

    fn put(&mut self, record: Record, part: &mut Part) -> anyhow::Result<()> {
        match record.json {
            Ok(json) => part.push(record.line, &json),
            Err(fault) => {
                self.tally.add(Tally { lines: 1, refused: 1, ..Tally::default() });
                self.tell(record.line, &fault)?;
            }
        }
        Ok(())
    }

    /// What the service, or a proxy before it, finds too large is sent in halves, unless it has to be one.
    async fn send(&mut self, part: Part) -> anyhow::Result<()> {
        let mut parts = vec![part];
        while let Some(part) = parts.pop() {
            match self.send_whole(&part).await {
                Err(error) if matches!(error.downcast_ref(), Some(Failure::TooLarge(_))) => match part.halves() {
                    Some([first, second]) if !self.import.at_once() => parts.extend([second, first]),
                    _ => return Err(error),
                },
                sent => sent?,
            }
        }
        Ok(())
    }

    async fn send_whole(&mut self, part: &Part) -> anyhow::Result<()> {
        // a line that cannot even be sent settles an import that is all or nothing; the others are tried, to tell all
        let only_tried = self.import.dry_run || (self.import.atomic && self.tally.refused > 0);
        let Report { mut tally, faults } = self.post(part, only_tried).await?;
        let mut named = self.tell_all(part, &faults)?;
        if self.import.atomic {
            // the others are right, and not recorded because of these
            tally.refused = named.len() as u64;
        }
        self.tally.add(tally);
        // the service names a thousand at once
        while self.errors.is_some() && !self.import.at_once() && (named.len() as u64) < tally.refused {
            let rest = part.without(&named);
            let Report { faults, .. } = self.post(&rest, true).await?;
            let more = self.tell_all(&rest, &faults)?;
            if more.is_empty() {
                break;
            }
            named.extend(more);
        }
        Ok(())
    }

    async fn post(&self, part: &Part, dry_run: bool) -> anyhow::Result<Report> {
        let flag = |set: bool| set.then(|| "true".to_owned());
        let request = Request::post_lines("/import", part.gzipped()?)
            .query("dry_run", &flag(dry_run))
            .query("atomic", &flag(self.import.atomic && !dry_run))
            .or_answered_with(StatusCode::UNPROCESSABLE_ENTITY);
        let answer = self.import.service.access.send(&request).await?;
        let report = answer.json().and_then(|answer| Report::read(answer, part.len()));
        report.ok_or_else(|| self.import.service.access.stranger().into())
    }

    /// The lines of the file that were named.
    fn tell_all(&mut self, part: &Part, faults: &[(u64, Fault)]) -> anyhow::Result<BTreeSet<u64>> {
        let mut named = BTreeSet::new();
        for (n, fault) in faults {
            let Some(number) = part.number(*n) else { continue };
            named.insert(number);
            self.tell(number, fault)?;
        }
        Ok(named)
    }

    fn tell(&mut self, line: u64, fault: &Fault) -> anyhow::Result<()> {
        let Fault { pointer, detail } = fault;
        if let Some(errors) = &mut self.errors {
            let told = json!({"line": line, "pointer": pointer, "detail": detail});
            writeln!(errors, "{told}").context("cannot write the file of --errors")?;
        }
        self.shown += 1;
        if self.shown <= MOST_SHOWN {
            let field = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
            self.progress.complain(&format!("line {line}: {field}{detail}"));
        } else if self.shown == MOST_SHOWN + 1 && self.errors.is_none() {
            self.progress.complain("... and more; --errors FILE keeps them all");
        }
        Ok(())
    }

    /// Remembers how far it is. Where that cannot be written, the import goes on: it can be repeated as well.
    fn keep(&mut self, kind: Kind, line: u64) {
        let Some((path, state)) = &mut self.state else { return };
        (state.kind, state.line, state.tally) = (kind, line, self.tally);
        match state.save(path) {
            Ok(()) => self.is_kept = true,
            Err(error) => {
                let shown = path.display();
                self.progress
                    .complain(&format!("warning: --resume will not work, {shown} cannot be written: {error:#}"));
                self.state = None;
                self.is_kept = false;
            }
        }
    }

    pub(super) fn can_resume(&self) -> bool {
        self.is_kept
    }

    /// Says what became of it. An error when a line was refused.
    pub(super) fn conclude(&mut self) -> anyhow::Result<()> {
        let seconds = self.progress.end();
        if let Some((path, _)) = self.state.as_ref().filter(|_| self.is_kept) {
            let _ = std::fs::remove_file(path);
        }
        self.is_kept = false;
        let (tally, Import { dry_run, atomic, .. }) = (self.tally, self.import);
        if self.import.service.json {
            say(&serde_json::to_string(&tally)?);
        } else if *atomic && tally.refused > 0 {
            say(&format!("{} lines: nothing was recorded", tally.lines));
        } else {
            say(&format!("{} ({seconds:.1} s)", tally.words(*dry_run)));
        }
        if tally.refused > 0 {
            return Err(Failure::Refused(format!("{} of {} lines are refused", tally.refused, tally.lines)).into());
        }
        Ok(())
    }
}

fn records<'a>(source: &'a mut Source, format: Format, import: &Import) -> anyhow::Result<Records<'a>> {
    let reader = source.rewound().context("cannot read the file")?;
    let Import { kind, empty_is_null, ignore_unknown, .. } = *import;
    Ok(match format {
        Format::Ndjson => Records::Lines(Lines::new(reader)),
        Format::Csv => Records::Table(Table::new(reader, Reading { kind, empty_is_null, ignore_unknown })?),
    })
}
