//! `/metrics`: the totals and our own metrics as text. Scrapers see a new series as 0 first, each for itself;
//! a person sees what is true and changes nothing for anyone.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::otlp::{self, Identity, Requests};
use super::prometheus::{Format, Renderer};
use super::{blocking, snapshot};
use crate::domain::Timestamp;
use crate::metrics::SeriesTotal;
use crate::storage::{self, Store};
use crate::telemetry::OwnMetrics;

/// All scrapers are one consumer to the store: its mark is the greatest that any of them has surely read.
const CONSUMER: &str = "scrape";

/// A page is known to have been read when its connection asks again. A scraper that opens a new connection each
/// time never does; its pages count as read after this.
const READ_AFTER_MICROS: i64 = 60 * 1_000_000;

/// At once: each holds all totals for as long as its reader takes.
const PAGES: usize = 4;

/// Bytes of OTLP that become one piece of a page.
const PIECE: usize = 64 * 1024;

/// What answers `GET /metrics`. Cheap to clone; clones share what they know of the scrapers.
#[derive(Debug, Clone)]
pub struct Totals {
    store: Store,
    own: OwnMetrics,
    scrapers: Arc<Mutex<Scrapers>>,
    /// For more pages at once.
    slots: Arc<Semaphore>,
}

/// What one scrape is answered with, made piece by piece: with many series the whole text takes many times the room of
/// the totals.
#[derive(Debug)]
pub struct Page {
    totals: Requests,
    /// The service's own, as they were when it was asked for. They come last.
    own: Option<ExportMetricsServiceRequest>,
    renderer: Renderer,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Page {
    /// The next piece, and what is left.
    pub async fn piece(mut self) -> (Option<String>, Self) {
        blocking(move || (self.next(), self)).await
    }

    fn next(&mut self) -> Option<String> {
        if let Some(request) = self.totals.next() {
            return Some(self.renderer.add(&[request]));
        }
        Some(self.renderer.add(&[self.own.take()?]) + self.renderer.end())
    }
}

impl Totals {
    pub fn new(store: Store, own: OwnMetrics) -> Self {
        Self { store, own, scrapers: Arc::default(), slots: Arc::new(Semaphore::new(PAGES)) }
    }

    /// `scraper` tells one scraper from another (its address and agent); `None` is a person.
    pub async fn page(&self, scraper: Option<&str>, format: Format, now: Timestamp) -> Result<Page, storage::Error> {
        // never closed
        let slot = self.slots.clone().acquire_owned().await.ok();
        let mut series = self.store.series().await?;
        if let Some(scraper) = scraper {
            let mark = self.mark(scraper, &series, now).await?;
            let shown = snapshot::show(series, mark);
            self.scrapers().remember(scraper, shown.mark, now);
            series = shown.series;
        }
        // Neither the time nor the identity is part of the text: both are the scraper's own.
        let totals = blocking(move || otlp::encode(series, Identity::default(), 0, PIECE)).await;
        let own = Some(ExportMetricsServiceRequest::from(&self.own.collect()));
        Ok(Page { totals, own, renderer: Renderer::new(format), _slot: slot })
    }

    /// What this scraper has surely read; the store remembers it for those it does not know.
    async fn mark(&self, scraper: &str, series: &[SeriesTotal], now: Timestamp) -> Result<i64, storage::Error> {
        let read = self.scrapers().read(scraper, now);
        // asked each time: behind a balancer another replica may have shown the same scraper more than this one did, and
        // what was shown as more than 0 once is never 0 again
        let persisted = self.store.announced(CONSUMER).await?;
        let mark = read.max(persisted).unwrap_or_else(|| snapshot::first_mark(series, now));
        if persisted.is_none_or(|persisted| persisted < mark) {
            self.store.set_announced(CONSUMER, mark).await?;
        }
        Ok(mark)
    }

    fn scrapers(&self) -> MutexGuard<'_, Scrapers> {
        self.scrapers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pages that this process has handed out.
#[derive(Debug, Default)]
struct Scrapers {
    /// The least recently asked for comes first.
    pages: Vec<LastPage>,
    hasher: RandomState,
}

/// The last page of one scraper.
#[derive(Debug)]
struct LastPage {
    /// Hashed, because the caller chooses how long its name is.
    scraper: u64,
    mark: i64,
    at: Timestamp,
}

impl Scrapers {
    const MOST: usize = 64;

    /// What has been read: by this scraper, or else by others.
    fn read(&self, scraper: &str, now: Timestamp) -> Option<i64> {
        let key = self.hasher.hash_one(scraper);
        // it asks again: so it got the page before
        let own = self.pages.iter().find(|page| page.scraper == key).map(|page| page.mark);
        let old = self.pages.iter().filter(|page| now.micros_since(page.at) >= READ_AFTER_MICROS);
        own.or_else(|| old.map(|page| page.mark).max())
    }

    fn remember(&mut self, scraper: &str, mark: i64, at: Timestamp) {
        let scraper = self.hasher.hash_one(scraper);
        // Of two answers given at once the earlier may come to be remembered last.
        let before = self.pages.iter().find(|page| page.scraper == scraper).map_or(0, |page| page.mark);
        self.pages.retain(|page| page.scraper != scraper);
        if self.pages.len() == Self::MOST {
            self.pages.remove(0);
        }
        self.pages.push(LastPage { scraper, mark: mark.max(before), at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixtures::{Bench, at};

    fn value(text: &str) -> Option<&str> {
        let line = text.lines().find(|line| line.starts_with("deployment_frequency_total{"));
        line.and_then(|line| line.rsplit(' ').next())
    }

    async fn text(page: &Totals, scraper: Option<&str>, format: Format, now: Timestamp) -> String {
        let mut page = page.page(scraper, format, now).await.unwrap();
        let mut text = String::new();
        while let (Some(piece), rest) = page.piece().await {
            text += &piece;
            page = rest;
        }
        text
    }

    async fn shown(page: &Totals, scraper: Option<&str>) -> Option<String> {
        value(&text(page, scraper, Format::Text, at(1_000)).await).map(str::to_owned)
    }

    #[tokio::test]
    async fn each_scraper_sees_a_new_series_as_0_first_and_a_person_sees_the_truth() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        assert_eq!(shown(&page, Some("a")).await, None);
        bench.deploy("shop").await;
        assert_eq!(shown(&page, None).await.as_deref(), Some("1"));
        assert_eq!(shown(&page, Some("a")).await.as_deref(), Some("0"));
        assert_eq!(shown(&page, Some("a")).await.as_deref(), Some("1"));
        // Another replica, or the same after a restart, knows that someone was shown the 0.
        let restarted = Totals::new(bench.store.clone(), bench.own.clone());
        assert_eq!(shown(&restarted, Some("a")).await.as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn a_second_scraper_known_before_gets_its_own_0() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        shown(&page, Some("a")).await;
        shown(&page, Some("b")).await;
        bench.deploy("shop").await;
        assert_eq!(shown(&page, Some("a")).await.as_deref(), Some("0"));
        assert_eq!(shown(&page, Some("b")).await.as_deref(), Some("0"));
        assert_eq!(shown(&page, Some("b")).await.as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn what_was_there_long_before_the_first_scraper_is_history() {
        let bench = Bench::new().await;
        bench.deploy("shop").await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        let text = text(&page, Some("a"), Format::Text, at(1_000 + 30 * 86_400)).await;
        assert_eq!(value(&text), Some("1"));
    }

    #[tokio::test]
    async fn our_own_metrics_are_on_the_page() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        crate::telemetry::instruments::EXPORT_CYCLES.counter_of(&bench.own.meter()).add(2, &[]);
        let text = text(&page, None, Format::OpenMetrics, at(1_000)).await;
        assert!(text.contains("# TYPE em_metrics_export_cycles counter\n"), "{text}");
        assert!(text.contains("em_metrics_export_cycles_total 2\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[tokio::test]
    async fn a_page_of_many_series_is_made_in_pieces_and_few_pages_at_once() {
        let bench = Bench::new().await;
        let totals = Totals::new(bench.store.clone(), bench.own.clone());
        for n in 0..100 {
            bench.deploy(&format!("shop-{n}")).await;
        }
        let mut pages = Vec::new();
        for _ in 0..PAGES {
            pages.push(totals.page(None, Format::Text, at(1_000)).await.unwrap());
        }
        let mut one_more = std::pin::pin!(totals.page(None, Format::Text, at(1_000)));
        assert!(futures_util::poll!(&mut one_more).is_pending());
        let (mut page, mut lengths) = (pages.pop().unwrap(), Vec::new());
        while let (Some(piece), rest) = page.piece().await {
            lengths.push(piece.len());
            page = rest;
        }
        assert!(lengths.len() > 3 && lengths.iter().all(|length| *length < 16 * PIECE), "{lengths:?}");
        // what is not there any more makes room
        one_more.await.unwrap();
    }

    #[tokio::test]
    async fn a_page_that_was_perhaps_not_read_does_not_take_the_0_from_the_next_connection() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        shown(&page, Some("first connection")).await;
        bench.deploy("shop").await;
        assert_eq!(shown(&page, Some("first connection")).await.as_deref(), Some("0"));
        // it timed out, and the scraper connects anew
        assert_eq!(shown(&page, Some("second connection")).await.as_deref(), Some("0"));
        assert_eq!(shown(&page, Some("second connection")).await.as_deref(), Some("1"));
        assert_eq!(shown(&page, Some("third connection")).await.as_deref(), Some("1"));
    }

    #[tokio::test]
    async fn a_scraper_with_a_new_connection_each_time_sees_the_value_after_a_minute() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        shown(&page, Some("0")).await;
        bench.deploy("shop").await;
        let mut seen = Vec::new();
        for scrape in 1..=6 {
            let text = text(&page, Some(&scrape.to_string()), Format::Text, at(1_000 + 15 * scrape)).await;
            seen.push(value(&text).unwrap().to_owned());
        }
        assert_eq!(seen, ["0", "0", "0", "0", "1", "1"]);
    }

    #[test]
    fn only_so_many_scrapers_are_remembered() {
        let mut scrapers = Scrapers::default();
        for i in 0..64 {
            scrapers.remember(&i.to_string(), i, at(0));
        }
        scrapers.remember("0", 70, at(0));
        scrapers.remember("0", 5, at(0));
        scrapers.remember("new", 71, at(0));
        assert_eq!(scrapers.pages.len(), 64);
        let read = |scraper| scrapers.read(scraper, at(1));
        assert_eq!((read("0"), read("1"), read("2")), (Some(70), None, Some(2)));
    }
}
