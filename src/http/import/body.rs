//! The whole body before the first line of it is recorded: an import that breaks off has left no trace. It is kept in
//! a file without a name while it comes, so that its size is no matter of memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use flate2::bufread::MultiGzDecoder;
use serde::de::IgnoredAny;
use tokio_util::sync::CancellationToken;

use super::super::AppState;
use super::super::error::{self, Problem};
use super::super::extract;
use super::lines::LONGEST;

/// What is in memory of a body; the rest of it is in a file.
const IN_MEMORY: usize = 2 * 1024 * 1024;

/// A body as it came.
#[derive(Debug)]
pub struct Body {
    kept: Kept,
    compressed: bool,
}

/// Where it is.
#[derive(Debug)]
enum Kept {
    Memory(Vec<u8>),
    File(File),
}

pub async fn read(request: Request, state: &AppState) -> Result<Body, Problem> {
    let headers = request.headers();
    if !is_ndjson(headers.get(header::CONTENT_TYPE)) {
        let detail = "send NDJSON, one JSON object a line, as Content-Type: application/x-ndjson; \
                      em-metrics import also reads CSV";
        return Err(Problem::new(&error::MEDIA_TYPE_UNSUPPORTED, detail));
    }
    let compressed = is_compressed(headers)?;
    let mut spool = Spool { folder: state.import_folder.clone(), last: Vec::new(), file: None };
    let bounds = extract::Bounds { bytes: state.import_limit, each_frame: true };
    let mut frames = extract::Frames::new(request, bounds, state)?;
    while let Some(frame) = frames.next().await? {
        spool.take(&frame).await?;
    }
    Ok(Body { kept: spool.end().await?, compressed })
}

impl Body {
    /// Known to be whole, also inside, and not to end in the middle of a line.
    pub async fn checked(self, limit: u64) -> Result<Self, Problem> {
        let stop = CancellationToken::new();
        let _nobody_waits = stop.clone().drop_guard();
        let checked = tokio::task::spawn_blocking(move || check(&self, limit, &stop).map(|()| self));
        checked.await.map_err(|_| Problem::new(&error::INTERNAL, error::INTERNAL.advice))?
    }

    /// From its start, inflated.
    pub fn open(&self) -> io::Result<Box<dyn BufRead + Send + '_>> {
        let raw: Box<dyn BufRead + Send + '_> = match &self.kept {
            Kept::Memory(bytes) => Box::new(bytes.as_slice()),
            Kept::File(file) => {
                let mut file = file;
                file.seek(SeekFrom::Start(0))?;
                Box::new(BufReader::with_capacity(64 * 1024, file))
            }
        };
        Ok(if self.compressed { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { raw })
    }
}

/// A body on its way.
struct Spool {
    folder: PathBuf,
    /// What is not in the file yet.
    last: Vec<u8>,
    file: Option<File>,
}

impl Spool {
    async fn take(&mut self, frame: &[u8]) -> Result<(), Problem> {
        self.last.extend_from_slice(frame);
        if self.last.len() < IN_MEMORY { Ok(()) } else { self.write().await }
    }

    async fn end(mut self) -> Result<Kept, Problem> {
        if self.file.is_some() {
            self.write().await?;
        }
        Ok(self.file.map_or(Kept::Memory(self.last), Kept::File))
    }

    async fn write(&mut self) -> Result<(), Problem> {
        let (folder, file, mut bytes) = (self.folder.clone(), self.file.take(), std::mem::take(&mut self.last));
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(|| nameless(&folder), Ok)?;
            file.write_all(&bytes)?;
            bytes.clear();
            Ok::<_, io::Error>((file, bytes))
        });
        let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        let (file, bytes) = written.map_err(|error| {
            tracing::error!(%error, folder = %self.folder.display(), "an import cannot be kept on the disk");
            Problem::unavailable("there is no room for so large an import now; nothing was recorded")
        })?;
        (self.file, self.last) = (Some(file), bytes);
        Ok(())
    }
}

/// Gone with its last reader, also after a crash.
fn nameless(folder: &Path) -> io::Result<File> {
    tempfile::tempfile_in(folder)
}

/// Reads it to its end once: its checksum stands there, and whether its last line is whole is seen there.
fn check(body: &Body, limit: u64, stop: &CancellationToken) -> Result<(), Problem> {
    let mut inflated = body.open().map_err(unreadable)?;
    let (mut buffer, mut length, mut last) = (vec![0; 64 * 1024], 0, Vec::new());
    while !stop.is_cancelled() {
        let read = match inflated.read(&mut buffer) {
            Ok(0) => return whole_line(&last),
            Ok(bytes) => &buffer[..bytes],
            Err(error) => return Err(Problem::field("", format!("the body is no whole gzip stream: {error}"))),
        };
        length += read.len() as u64;
        if length > limit {
            return Err(Problem::new(
                &error::TOO_LARGE,
                format!("the body is larger than {limit} bytes when inflated"),
            ));
        }
        match read.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => last = read[end + 1..].to_vec(),
            // what is longer is refused by itself
            None if last.len() as u64 > LONGEST => {}
            None => last.extend_from_slice(read),
        }
    }
    Ok(())
}

/// A sender that stopped writing may have left out more than the rest of that line.
fn whole_line(last: &[u8]) -> Result<(), Problem> {
    match serde_json::from_slice::<IgnoredAny>(last) {
        Err(error) if error.is_eof() && !last.trim_ascii().is_empty() => {
            Err(Problem::field("", "the body ends in the middle of a line; nothing was recorded"))
        }
        _ => Ok(()),
    }
}

/// What was kept a moment ago.
#[expect(clippy::needless_pass_by_value, reason = "what map_err hands over")]
pub fn unreadable(error: io::Error) -> Problem {
    tracing::error!(%error, "an import that was kept on the disk cannot be read");
    Problem::unavailable("the import was lost on its way; send it again, what is recorded does not count twice")
}

fn is_ndjson(content_type: Option<&HeaderValue>) -> bool {
    let essence = content_type.and_then(|value| value.to_str().ok()).and_then(|value| value.split(';').next());
    let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
    ["application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines", "application/json"]
        .contains(&essence.as_str())
}

fn is_compressed(headers: &HeaderMap) -> Result<bool, Problem> {
    match extract::encoding(headers) {
        None => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip") => Ok(true),
        Some(encoding) => {
            let detail = format!("the body is encoded ({encoding}), and only gzip and identity are read");
            Err(Problem::new(&error::ENCODING_UNSUPPORTED, detail)
                .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, identity")))
        }
    }
}
