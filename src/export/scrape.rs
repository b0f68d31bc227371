//! `/metrics`: the totals and our own metrics as text. Scrapers see a new series as 0 first, each for itself;
//! a person sees what is true and changes nothing for anyone.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use super::otlp::{self, Identity};
use super::prometheus::{Format, render};
use super::{blocking, snapshot};
use crate::domain::Timestamp;
use crate::metrics::SeriesTotal;
use crate::storage::{self, Store};
use crate::telemetry::OwnMetrics;

/// All scrapers are one consumer to the store: its mark is the greatest that any of them has been shown.
const CONSUMER: &str = "scrape";

/// What answers `GET /metrics`. Cheap to clone; clones share what they know of the scrapers.
#[derive(Debug, Clone)]
pub struct Totals {
    store: Store,
    own: OwnMetrics,
    scrapers: Arc<Mutex<Scrapers>>,
}

impl Totals {
    pub fn new(store: Store, own: OwnMetrics) -> Self {
        Self { store, own, scrapers: Arc::default() }
    }

    /// The whole page. `scraper` tells one scraper from another (its address and agent); `None` is a person.
    pub async fn text(&self, scraper: Option<&str>, format: Format, now: Timestamp) -> Result<String, storage::Error> {
        let mut series = self.store.series().await?;
        if let Some(scraper) = scraper {
            let mark = self.mark(scraper, &series, now).await?;
            let shown = snapshot::show(series, mark);
            if self.scrapers().persisted.is_none_or(|persisted| persisted < shown.mark) {
                self.store.set_announced(CONSUMER, shown.mark).await?;
            }
            self.scrapers().remember(scraper, shown.mark);
            series = shown.series;
        }
        let own = self.own.clone();
        let text = move || {
            // Neither the time nor the identity is part of the text: both are the scraper's own.
            let nobody = Identity::default();
            let mut requests = otlp::encode(&series, &nobody, 0, usize::MAX);
            requests.push(ExportMetricsServiceRequest::from(&own.collect()));
            render(&requests, format)
        };
        Ok(blocking(text).await)
    }

    async fn mark(&self, scraper: &str, series: &[SeriesTotal], now: Timestamp) -> Result<i64, storage::Error> {
        let known = self.scrapers().mark(scraper);
        if let Some(mark) = known {
            return Ok(mark);
        }
        let persisted = self.store.announced(CONSUMER).await?;
        Ok(persisted.unwrap_or_else(|| snapshot::first_mark(series, now)))
    }

    fn scrapers(&self) -> MutexGuard<'_, Scrapers> {
        self.scrapers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The marks of the scrapers that this process has seen.
#[derive(Debug, Default)]
struct Scrapers {
    /// Hashed, because the caller chooses how long its name is. The least recently seen comes first.
    marks: Vec<(u64, i64)>,
    hasher: RandomState,
    /// The store's mark is at least this.
    persisted: Option<i64>,
}

impl Scrapers {
    const MOST: usize = 64;

    fn mark(&self, scraper: &str) -> Option<i64> {
        let key = self.hasher.hash_one(scraper);
        self.marks.iter().find(|(known, _)| *known == key).map(|(_, mark)| *mark)
    }

    fn remember(&mut self, scraper: &str, mark: i64) {
        let key = self.hasher.hash_one(scraper);
        // Of two answers given at once the earlier may come to be remembered last.
        let mark = mark.max(self.mark(scraper).unwrap_or(0));
        self.marks.retain(|(known, _)| *known != key);
        if self.marks.len() == Self::MOST {
            self.marks.remove(0);
        }
        self.marks.push((key, mark));
        self.persisted = self.persisted.max(Some(mark));
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

    async fn shown(page: &Totals, scraper: Option<&str>) -> Option<String> {
        value(&page.text(scraper, Format::Text, at(1_000)).await.unwrap()).map(str::to_owned)
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
        let text = page.text(Some("a"), Format::Text, at(1_000 + 30 * 86_400)).await.unwrap();
        assert_eq!(value(&text), Some("1"));
    }

    #[tokio::test]
    async fn our_own_metrics_are_on_the_page() {
        let bench = Bench::new().await;
        let page = Totals::new(bench.store.clone(), bench.own.clone());
        crate::telemetry::instruments::EXPORT_CYCLES.counter_of(&bench.own.meter()).add(2, &[]);
        let text = page.text(None, Format::OpenMetrics, at(1_000)).await.unwrap();
        assert!(text.contains("# TYPE em_metrics_export_cycles counter\n"), "{text}");
        assert!(text.contains("em_metrics_export_cycles_total 2\n") && text.ends_with("# EOF\n"), "{text}");
    }

    #[test]
    fn only_so_many_scrapers_are_remembered() {
        let mut scrapers = Scrapers::default();
        for i in 0..64 {
            scrapers.remember(&i.to_string(), i);
        }
        scrapers.remember("0", 70);
        scrapers.remember("0", 5);
        scrapers.remember("new", 71);
        assert_eq!(scrapers.marks.len(), 64);
        assert_eq!((scrapers.mark("0"), scrapers.mark("1"), scrapers.mark("2")), (Some(70), None, Some(2)));
        assert_eq!(scrapers.persisted, Some(71));
    }
}
