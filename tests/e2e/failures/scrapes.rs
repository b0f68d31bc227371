//! The page of every replica, looked at all the time as a Prometheus would: no total ever falls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

/// From one look at a replica to the next.
const PAUSE: Duration = Duration::from_millis(250);

pub struct Scrapes {
    stop: Arc<AtomicBool>,
    watching: Vec<JoinHandle<Seen>>,
}

/// Of one replica, or of all.
#[derive(Default)]
pub struct Seen {
    pages: Vec<usize>,
    samples: usize,
    unanswered: usize,
}

impl Scrapes {
    pub fn start(replicas: Vec<String>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let watching = replicas.into_iter().map(|replica| tokio::spawn(watch(replica, stop.clone()))).collect();
        Self { stop, watching }
    }

    /// Panics when a total fell.
    pub async fn finish(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Seen::default();
        for watching in self.watching {
            let seen = watching.await.unwrap();
            all.pages.extend(seen.pages);
            all.samples += seen.samples;
            all.unanswered += seen.unanswered;
        }
        assert!(all.pages.iter().all(|pages| *pages > 20), "hardly anything was looked at: {:?}", all.pages);
        all
    }
}

impl Seen {
    pub fn tell(&self) {
        let Self { pages, samples, unanswered } = self;
        println!("/metrics of the replicas: {pages:?} pages, {samples} samples, none fell; {unanswered} not answered");
    }
}

async fn watch(replica: String, stop: Arc<AtomicBool>) -> Seen {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build().unwrap();
    let (mut last, mut seen) = (BTreeMap::<String, f64>::new(), Seen { pages: vec![0], ..Seen::default() });
    while !stop.load(Ordering::SeqCst) {
        match page(&client, &replica).await {
            Some(page) => {
                let found = totals(&page);
                for (series, total) in &found {
                    let before = last.get(series).copied().unwrap_or_default();
                    assert!(*total >= before, "{replica}: {series} falls from {before} to {total}");
                }
                // what is not there any more would be a gap, and what comes back a fall that nobody sees
                let missing = last.keys().find(|series| !found.contains_key(*series));
                assert!(missing.is_none(), "{replica} does not show {missing:?} any more");
                (seen.pages[0], seen.samples) = (seen.pages[0] + 1, seen.samples + found.len());
                last = found;
            }
            None => seen.unanswered += 1,
        }
        tokio::time::sleep(PAUSE).await;
    }
    seen
}

/// `None`: it is dead, frozen, cut off, or without its database.
async fn page(client: &reqwest::Client, replica: &str) -> Option<String> {
    let answer = client
        .get(format!("{replica}/metrics"))
        .header("x-prometheus-scrape-timeout-seconds", "3")
        .send()
        .await
        .ok()?;
    if answer.status() != 200 {
        assert_eq!(answer.status(), 503, "{replica}");
        return None;
    }
    answer.text().await.ok()
}

/// The totals of a page, by series, without what the process says about itself.
pub fn totals(page: &str) -> BTreeMap<String, f64> {
    let totals = page.lines().filter(|line| line.contains("project_id=")).map(|line| {
        let (series, total) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), total.parse().unwrap())
    });
    totals.collect()
}
