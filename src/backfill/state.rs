//! How far a backfill has come, so that the next one goes on there, and what need not be read again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::Timestamp;
use crate::forges::List;

/// Pages of a list whose tags are kept: what changes is on the first ones.
const MOST_PAGES: usize = 20;

/// Of one repository.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Nothing before that was wanted so far.
    since: Option<Timestamp>,
    lists: BTreeMap<List, Progress>,
}

/// Of one list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    /// When the walk began that has not come to its end.
    pub(super) began: Option<Timestamp>,
    /// Where it goes on.
    pub(super) next: Option<String>,
    /// What is done of the page there.
    pub(super) done: BTreeSet<String>,
    /// What has not come to its end, by id, and what it is sorted by.
    pub(super) open: BTreeMap<String, Timestamp>,
    /// What has changed before that is known.
    pub(super) until: Option<Timestamp>,
    pages: BTreeMap<String, Page>,
}

/// A page that was read to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) etag: Option<String>,
    pub(super) next: Option<String>,
    /// What its last item is sorted by.
    pub(super) oldest: Option<Timestamp>,
}

impl State {
    /// What was not wanted before is not known: then everything is asked for again.
    #[must_use]
    pub fn for_since(self, since: Timestamp) -> Self {
        match self.since {
            Some(known) if known <= since => self,
            _ => Self { since: Some(since), lists: BTreeMap::new() },
        }
    }

    /// Whether a walk has begun that has not come to its end.
    pub fn is_under_way(&self) -> bool {
        self.lists.values().any(|progress| progress.began.is_some())
    }

    pub(super) fn of(&mut self, list: List) -> &mut Progress {
        self.lists.entry(list).or_default()
    }
}

impl Progress {
    pub(super) fn page(&self, url: &Url) -> Option<&Page> {
        self.pages.get(url.as_str())
    }

    /// Remembers a page, and goes on to what follows it.
    pub(super) fn turn(&mut self, url: &Url, page: &Page) {
        let is_known = self.pages.contains_key(url.as_str());
        if page.etag.is_none() {
            self.pages.remove(url.as_str());
        } else if is_known || self.pages.len() < MOST_PAGES {
            self.pages.insert(url.to_string(), page.clone());
        }
        self.done.clear();
        self.next.clone_from(&page.next);
    }

    /// The walk has come to its end; what is older is not looked at again.
    pub(super) fn finish(&mut self, oldest: Timestamp) {
        self.open.retain(|_, listed_by| *listed_by >= oldest);
        self.until = self.began.take().or(self.until);
        self.next = None;
        self.done.clear();
    }
}
