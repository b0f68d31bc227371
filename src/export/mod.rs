//! The series totals as others read them: pushed by OTLP, scraped as Prometheus text.
//! Pure parts: [`snapshot`] (what a consumer is shown), [`otlp`] (the wire form), [`prometheus`] (the text form).

pub mod otlp;
pub mod prometheus;
pub mod snapshot;

#[cfg(test)]
mod fixtures;
