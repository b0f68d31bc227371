//! Lines that are sent together.

use std::collections::BTreeSet;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Of lines as they are before compression; far below what the service takes.
const MOST_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Part {
    text: Vec<u8>,
    /// Of each line its number in the file, and where it ends in the text.
    lines: Vec<(u64, usize)>,
}

impl Part {
    pub(super) fn push(&mut self, number: u64, json: &[u8]) {
        self.text.extend_from_slice(json);
        self.text.push(b'\n');
        self.lines.push((number, self.text.len()));
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn is_full(&self, lines: usize) -> bool {
        self.len() >= lines || self.text.len() >= MOST_BYTES
    }

    /// The number in the file of its `n`th line, from 1.
    pub(super) fn number(&self, n: u64) -> Option<u64> {
        let index = usize::try_from(n).ok()?.checked_sub(1)?;
        self.lines.get(index).map(|(number, _)| *number)
    }

    /// Without these lines of the file.
    pub(super) fn without(&self, numbers: &BTreeSet<u64>) -> Self {
        let mut rest = Self::default();
        let mut start = 0;
        for (number, end) in &self.lines {
            if !numbers.contains(number) {
                rest.push(*number, &self.text[start..end - 1]);
            }
            start = *end;
        }
        rest
    }

    /// `None`: it is one line, and cannot be less.
    pub(super) fn halves(&self) -> Option<[Self; 2]> {
        let (first, second) = self.lines.split_at(self.len() / 2);
        let of = |lines: &[(u64, usize)]| lines.iter().map(|(number, _)| *number).collect::<BTreeSet<_>>();
        (!first.is_empty()).then(|| [self.without(&of(second)), self.without(&of(first))])
    }

    pub(super) fn gzipped(&self) -> io::Result<Vec<u8>> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.text)?;
        encoder.finish()
    }
}
