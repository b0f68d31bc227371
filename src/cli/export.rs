//! `em-metrics export`: the facts, or their totals as Prometheus reads its past, to standard output or a file.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::client::{Access, Request};
use super::output::complain;

#[derive(Debug, Args)]
pub(super) struct Export {
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Only these; needed for csv [default: both]
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only these; may repeat
    #[arg(long, alias = "project-id")]
    project: Vec<String>,
    /// Only these; may repeat
    #[arg(long, alias = "team-id")]
    team: Vec<String>,
    /// Only there; may repeat
    #[arg(long, value_name = "NAME")]
    environment: Vec<String>,
    /// A time or a date, inclusive
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// A time or a date, exclusive
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// Of openmetrics: how far samples are apart, 1m to 1d [default: 1h]
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Write it there, whole or not at all, instead of to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A fact a line, as `import` reads it
    Ndjson,
    /// A table of one kind
    Csv,
    /// The totals by event time, for `promtool tsdb create-blocks-from openmetrics`
    Openmetrics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    Deployment,
    Incident,
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Openmetrics => "application/openmetrics-text",
        }
    }
}

pub(super) async fn run(export: Export) -> anyhow::Result<()> {
    let request = export.request();
    let media_type = export.format.media_type();
    let Some(path) = &export.output else {
        let mut to = std::io::BufWriter::new(std::io::stdout());
        export.access.stream(&request, media_type, &mut to).await?;
        return to.flush().context("cannot write to standard output");
    };
    let shown = path.display();
    let mut file = beside(path).with_context(|| format!("cannot write {shown}"))?;
    let bytes = export.access.stream(&request, media_type, &mut file).await?;
    let kept = file.as_file().sync_all().and_then(|()| file.persist(path).map_err(|error| error.error));
    kept.with_context(|| format!("cannot write {shown}"))?;
    complain(&format!("{bytes} bytes in {shown}"));
    Ok(())
}

/// A file in the same folder that is removed unless it is given its name.
fn beside(path: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // as any new file: what the umask leaves of it
    tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)
}

impl Export {
    fn request(&self) -> Request {
        Request::get("/export")
            .query("format", &word(Some(self.format)))
            .query("kind", &word(self.kind))
            .query("project_id", &self.project)
            .query("team_id", &self.team)
            .query("environment", &self.environment)
            .query("from", &self.from)
            .query("to", &self.to)
            .query("step", &self.step)
    }
}

/// As it is typed.
fn word(value: Option<impl ValueEnum>) -> Option<String> {
    Some(value?.to_possible_value()?.get_name().to_owned())
}
