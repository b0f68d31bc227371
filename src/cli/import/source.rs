//! What is imported, read from its start as often as is needed.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Format;

/// Standard input is kept in memory up to here, and in a file beyond.
const IN_MEMORY: usize = 16 * 1024 * 1024;
/// Of the start of a file, what it is known again by.
const HEAD: u64 = 64 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

pub(super) struct Source {
    input: Box<dyn Input>,
    /// Bytes, as they are stored.
    pub(super) length: u64,
    is_compressed: bool,
    read: Arc<AtomicU64>,
    /// Whose content can be known again.
    pub(super) file: Option<(PathBuf, Identity)>,
}

trait Input: Read + Seek + Send {}
impl<T: Read + Seek + Send> Input for T {}

/// By what a file is known again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: Option<u64>,
    head_sha256: String,
}

/// By the ending of its name, of which `.gz` is no part.
pub(super) fn format_of(file: &Path) -> anyhow::Result<Format> {
    let name = file.to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match Path::new(name).extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("ndjson" | "jsonl" | "json") => Ok(Format::Ndjson),
        _ => bail!("{} ends neither in .ndjson, .jsonl, .json nor .csv: say --format", file.display()),
    }
}

impl Source {
    pub(super) fn file(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
        let metadata = file.metadata().with_context(|| format!("cannot read {shown}"))?;
        if !metadata.is_file() {
            ensure!(!metadata.is_dir(), "{shown} is a folder");
            // a pipe, which cannot be read twice
            return Self::spooled(file);
        }
        let mut head = Vec::new();
        file.by_ref().take(HEAD).read_to_end(&mut head).with_context(|| format!("cannot read {shown}"))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let identity = Identity {
            bytes: metadata.len(),
            modified: modified.and_then(|time| u64::try_from(time.as_nanos()).ok()),
            head_sha256: BASE64_STANDARD.encode(Sha256::digest(&head)),
        };
        Ok(Self { file: Some((path.to_owned(), identity)), ..Self::new(Box::new(file), metadata.len(), &head) })
    }

    pub(super) fn spooled(mut from: impl Read) -> anyhow::Result<Self> {
        let mut kept = tempfile::spooled_tempfile(IN_MEMORY);
        let length = io::copy(&mut from, &mut kept).context("cannot read standard input")?;
        let mut head = Vec::new();
        kept.seek(SeekFrom::Start(0))?;
        kept.by_ref().take(GZIP.len() as u64).read_to_end(&mut head)?;
        Ok(Self::new(Box::new(kept), length, &head))
    }

    fn new(input: Box<dyn Input>, length: u64, head: &[u8]) -> Self {
        Self { input, length, is_compressed: head.starts_with(&GZIP), read: Arc::default(), file: None }
    }

    /// From the start, inflated.
    pub(super) fn rewound(&mut self) -> io::Result<Box<dyn Read + Send + '_>> {
        self.input.seek(SeekFrom::Start(0))?;
        self.read.store(0, Ordering::Relaxed);
        let counted = BufReader::new(Counted { inner: &mut *self.input, read: self.read.clone() });
        Ok(if self.is_compressed { Box::new(MultiGzDecoder::new(counted)) } else { Box::new(counted) })
    }

    /// Tells how many bytes of [`Source::length`] were read since it was last rewound.
    pub(super) fn meter(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }
}

struct Counted<'a> {
    inner: &'a mut dyn Input,
    read: Arc<AtomicU64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
