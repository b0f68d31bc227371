//! Walks the lists of a repository from the newest to what is known, and hands over what it finds. What is interrupted
//! goes on at the page where it was; an object that changes meanwhile moves to the front, where the next walk finds it.

use std::time::Duration;

use url::Url;

use super::client::{Api, Got, Trouble};
use super::state::{Page, State};
use crate::domain::{Clock, Timestamp};
use crate::forges::{Delivery, Item, List, Place};

/// What has changed so long before the last walk is looked at again: clocks differ.
const OVERLAP: Duration = Duration::from_hours(1);
/// What is listed by when it was made may have changed so much later: a deployment may wait for somebody's approval.
const SLACK: Duration = Duration::from_hours(30 * 24);

/// What is to be read.
#[derive(Debug, Clone)]
pub struct Job {
    /// As its owner writes it, such as `acme/shop`.
    pub project: String,
    pub since: Timestamp,
    pub lists: Vec<List>,
}

/// Where it goes, and where is kept how far it is.
pub trait Outlet: Sync {
    /// Takes deliveries; on disk when this returns `Ok`.
    fn take(&self, deliveries: Vec<Delivery>) -> impl Future<Output = anyhow::Result<Taken>> + Send;
    fn keep(&self, state: &State) -> impl Future<Output = anyhow::Result<()>> + Send;
    fn tell(&self, event: Event<'_>);
}

/// What people may want to know while it runs.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Something went wrong, or has to be waited for.
    Notice(&'a str),
    /// So far.
    Progress(&'a Tally),
}

/// What became of some deliveries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    pub new: u64,
    /// Were there already.
    pub known: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub deployments: u64,
    pub changes: u64,
    pub releases: u64,
    /// Deliveries that were made of them, and are new.
    pub new: u64,
    pub known: u64,
    /// Pages that were as they were when they were last read.
    pub unchanged_pages: u64,
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            deployments: self.deployments + other.deployments,
            changes: self.changes + other.changes,
            releases: self.releases + other.releases,
            new: self.new + other.new,
            known: self.known + other.known,
            unchanged_pages: self.unchanged_pages + other.unchanged_pages,
        }
    }
}

/// Why it stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Api(#[from] Trouble),
    #[error("{0:?} is no project: expected a path such as acme/shop")]
    NoProject(String),
    #[error("{0} does not describe the project as expected: is this the address of the API?")]
    Stranger(&'static str),
    /// What was read could not be handed over.
    #[error(transparent)]
    Outlet(#[from] anyhow::Error),
}

/// Reads what is wanted, going on where `state` was left.
pub async fn run<O: Outlet>(
    job: &Job,
    api: &Api,
    state: State,
    outlet: &O,
    clock: &Clock,
) -> Result<(Tally, State), Error> {
    let notice = |text: &str| outlet.tell(Event::Notice(text));
    let no_project = || Error::NoProject(job.project.clone());
    let about = (api.forge.about)(&api.base, job.project.trim_matches('/')).ok_or_else(no_project)?;
    let Got::Page { value, .. } = api.get(&about, None, &notice).await? else { return Err(no_project()) };
    let place = (api.forge.place)(&value).ok_or(Error::Stranger(api.forge.title))?;
    let mut walk = Walk { api, outlet, clock, place, state: state.for_since(job.since), tally: Tally::default() };
    for list in &job.lists {
        walk.list(*list, job.since).await?;
    }
    Ok((walk.tally, walk.state))
}

struct Walk<'a, O> {
    api: &'a Api,
    outlet: &'a O,
    clock: &'a Clock,
    place: Place,
    state: State,
    tally: Tally,
}

impl<O: Outlet> Walk<'_, O> {
    async fn list(&mut self, list: List, since: Timestamp) -> Result<(), Error> {
        let now = self.clock.now();
        let progress = self.state.of(list);
        progress.began.get_or_insert(now);
        let horizon = progress.until.map_or(since, |until| until.earlier(OVERLAP).max(since));
        // whoever can write down how far it is must not choose who is told the token
        let ours = |url: &String| Url::parse(url).ok().filter(|url| self.api.base.is_ours(url));
        let first = || (self.api.forge.list)(&self.api.base, &self.place, list);
        let first = progress.next.as_ref().and_then(ours).or_else(first);
        let mut next = Some(first.ok_or_else(|| Error::NoProject(self.place.path.clone()))?);
        let slack = if self.api.forge.by_change.contains(&list) { Duration::ZERO } else { SLACK };
        while let Some(url) = next {
            let page = self.page(list, &url, horizon).await?;
            let progress = self.state.of(list);
            progress.turn(&url, &page);
            let goes_on = page.oldest.is_none_or(|oldest| oldest >= horizon.earlier(slack));
            next = progress.next.as_ref().filter(|_| goes_on).and_then(ours);
            if next.is_none() {
                progress.finish(horizon.earlier(slack));
            }
            self.outlet.keep(&self.state).await?;
            self.outlet.tell(Event::Progress(&self.tally));
        }
        Ok(())
    }

    /// Hands over what has changed on a page.
    async fn page(&mut self, list: List, url: &Url, horizon: Timestamp) -> Result<Page, Error> {
        let outlet = self.outlet;
        let notice = |text: &str| outlet.tell(Event::Notice(text));
        let known = self.state.of(list).page(url).cloned();
        let etag = known.as_ref().and_then(|page| page.etag.as_deref());
        let (value, following, mut etag) = match (self.api.get(url, etag, &notice).await?, known) {
            (Got::Page { value, next, etag }, _) => (value, next, etag),
            (Got::Unchanged, Some(known)) => {
                self.tally.unchanged_pages += 1;
                return Ok(known);
            }
            // nobody was asked whether it has changed
            (Got::Unchanged, None) => return Err(Error::Stranger(self.api.forge.title)),
        };
        if !value.is_array() {
            return Err(Error::Stranger(self.api.forge.title));
        }
        let items = (self.api.forge.items)(list, &value);
        let now = self.clock.now();
        for item in &items {
            let progress = self.state.of(list);
            if item.changed_at > now.later(OVERLAP) {
                // announced: to be read when it has come
                etag = None;
                continue;
            }
            let is_wanted = item.changed_at >= horizon || progress.open.contains_key(&item.id);
            if is_wanted && !progress.done.contains(&item.key()) {
                self.item(list, item).await?;
            }
            if self.state.of(list).open.contains_key(&item.id) {
                // what is said of it next may not be seen on the page
                etag = None;
            }
        }
        Ok(Page { etag, next: following.map(String::from), oldest: items.iter().map(|item| item.listed_by).min() })
    }

    async fn item(&mut self, list: List, item: &Item) -> Result<(), Error> {
        let (forge, outlet) = (self.api.forge, self.outlet);
        let notice = |text: &str| outlet.tell(Event::Notice(text));
        let addresses = (forge.details)(&self.api.base, &self.place, list, item);
        let mut details = Vec::new();
        for url in &addresses {
            details.push(match self.api.all(url, &notice).await {
                // gone since it was listed
                Err(Trouble::Absent { .. }) => Vec::new(),
                answered => answered?,
            });
        }
        let deliveries = (forge.deliveries)(&self.place, list, item, &details);
        let taken = outlet.take(deliveries).await?;
        self.tally.new += taken.new;
        self.tally.known += taken.known;
        match list {
            List::Deployments => self.tally.deployments += 1,
            List::Changes => self.tally.changes += 1,
            List::Releases => self.tally.releases += 1,
        }
        let progress = self.state.of(list);
        progress.done.insert(item.key());
        if (forge.is_open)(list, &details) {
            progress.open.insert(item.id.clone(), item.listed_by);
        } else {
            progress.open.remove(&item.id);
        }
        if !addresses.is_empty() {
            outlet.keep(&self.state).await?;
            outlet.tell(Event::Progress(&self.tally));
        }
        Ok(())
    }
}
