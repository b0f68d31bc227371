//! The series totals as others read them: pushed by OTLP, scraped as Prometheus text.
//! Pure parts: [`snapshot`] (what a consumer is shown), [`otlp`] (the wire form), [`prometheus`] (the text form).

pub mod otlp;
pub mod prometheus;
mod run;
mod scrape;
pub mod snapshot;
pub mod transport;

#[cfg(test)]
mod fixtures;

pub use prometheus::{Format, asks_like_a_scraper};
pub use run::Push;
pub use scrape::{Page, Totals};

/// For work that grows with the number of series: megabytes must not be written on an async thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Cancelled: the runtime is ending, and we with it.
            Err(_) => std::future::pending().await,
        },
    }
}
