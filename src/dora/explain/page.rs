//! Lines in pages, newest first, kept while they come by: no more of them in memory than a page has.

use super::lines::Line;
use crate::domain::{Name, Timestamp};

/// The last line of a page: time, project, id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct After(pub Timestamp, pub Name, pub Name);

/// Collects the lines of one page.
#[derive(Debug)]
pub struct Pages {
    after: Option<After>,
    limit: usize,
    only: Option<bool>,
    kept: Vec<Line>,
    counted: u64,
    left_out: u64,
}

#[derive(Debug)]
pub struct Page {
    pub lines: Vec<Line>,
    pub next: Option<After>,
    /// On all pages.
    pub counted: u64,
    pub left_out: u64,
}

impl Pages {
    /// `only`: the counted lines, or those left out.
    pub fn new(after: Option<After>, limit: u16, only: Option<bool>) -> Self {
        Self { after, limit: usize::from(limit), only, kept: Vec::new(), counted: 0, left_out: 0 }
    }

    pub fn add(&mut self, line: Line) {
        let counted = !line.counts_as.is_empty();
        *(if counted { &mut self.counted } else { &mut self.left_out }) += 1;
        let wanted = self.only.is_none_or(|only| only == counted);
        if wanted && self.after.as_ref().is_none_or(|after| key(&line) < *after) {
            self.kept.push(line);
            if self.kept.len() >= 2 * self.limit + 1000 {
                self.shrink();
            }
        }
    }

    /// One more than the page has tells whether there is another.
    fn shrink(&mut self) {
        self.kept.sort_by_cached_key(|line| std::cmp::Reverse(key(line)));
        self.kept.truncate(self.limit + 1);
    }

    pub fn finish(mut self) -> Page {
        self.shrink();
        let more = self.kept.len() > self.limit;
        self.kept.truncate(self.limit);
        let next = if more { self.kept.last().map(key) } else { None };
        Page { lines: self.kept, next, counted: self.counted, left_out: self.left_out }
    }
}

fn key(line: &Line) -> After {
    After(line.at, line.project_id.clone(), line.id.clone())
}
