//! The service's own instruments, declared once: whoever records one makes it from here, the docs loop over [`ALL`].
//! Names are OpenTelemetry's where it has one; `em_metrics.` begins the others. Record attributes in sorted key order.

use std::borrow::Cow;

use opentelemetry::global;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, UpDownCounter};

pub const SCOPE: &str = "em-metrics";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    UpDownCounter,
    Gauge,
    /// With its bucket bounds, in the instrument's unit.
    Histogram(&'static [f64]),
}

/// One of our own instruments as the world sees it.
#[derive(Debug)]
pub struct Own {
    pub name: &'static str,
    pub kind: Kind,
    /// In UCUM.
    pub unit: &'static str,
    pub help: &'static str,
    /// Sorted.
    pub attributes: &'static [&'static str],
}

/// As the semantic conventions for HTTP advise.
const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// A commit may well take less than a millisecond.
const SHORT_SECONDS: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

pub static HTTP_SERVER_REQUEST_DURATION: Own = Own {
    name: "http.server.request.duration",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    help: "Duration of HTTP server requests.",
    attributes: &["error.type", "http.request.method", "http.response.status_code", "http.route", "url.scheme"],
};

pub static HTTP_SERVER_ACTIVE_REQUESTS: Own = Own {
    name: "http.server.active_requests",
    kind: Kind::UpDownCounter,
    unit: "{request}",
    help: "HTTP requests being served.",
    attributes: &["http.request.method", "url.scheme"],
};

pub static HTTP_CONNECTIONS: Own = Own {
    name: "em_metrics.http.connections",
    kind: Kind::UpDownCounter,
    unit: "{connection}",
    help: "Open connections of callers.",
    attributes: &[],
};

pub static WRITER_QUEUE_LENGTH: Own = Own {
    name: "em_metrics.writer.queue.length",
    kind: Kind::Gauge,
    unit: "{command}",
    help: "Commands waiting for the writer.",
    attributes: &[],
};

pub static WRITER_BATCH_SIZE: Own = Own {
    name: "em_metrics.writer.batch.size",
    kind: Kind::Histogram(BATCH),
    unit: "{command}",
    help: "Commands written in one transaction.",
    attributes: &[],
};

pub static WRITER_COMMIT_DURATION: Own = Own {
    name: "em_metrics.writer.commit.duration",
    kind: Kind::Histogram(SHORT_SECONDS),
    unit: "s",
    help: "From the start of a batch's transaction until it was on disk, or failed.",
    attributes: &["error.type"],
};

/// `outcome`: `accepted`, `refused`, `overloaded` (given up unwritten), `unavailable` (the database failed).
pub static WRITER_COMMANDS: Own = Own {
    name: "em_metrics.writer.commands",
    kind: Kind::Counter,
    unit: "{command}",
    help: "Commands answered.",
    attributes: &["outcome"],
};

/// `outcome`: `success`, `failure` (the collector or the store), `skipped` (another process exports the totals).
pub static EXPORT_CYCLES: Own = Own {
    name: "em_metrics.export.cycles",
    kind: Kind::Counter,
    unit: "{cycle}",
    help: "Cycles of the OTLP export.",
    attributes: &["outcome"],
};

pub static EXPORT_DURATION: Own = Own {
    name: "em_metrics.export.duration",
    kind: Kind::Histogram(SECONDS),
    unit: "s",
    help: "Duration of an OTLP export cycle.",
    attributes: &["outcome"],
};

pub static INDEX_FACTS: Own = Own {
    name: "em_metrics.index.facts",
    kind: Kind::Gauge,
    unit: "{fact}",
    help: "Deployments and incidents in the index in memory that `/dora` answers from.",
    attributes: &[],
};

pub static INDEX_MEMORY: Own = Own {
    name: "em_metrics.index.memory",
    kind: Kind::Gauge,
    unit: "By",
    help: "Memory of that index.",
    attributes: &[],
};

pub static INDEX_READY: Own = Own {
    name: "em_metrics.index.ready",
    kind: Kind::Gauge,
    unit: "{index}",
    help: "1 while that index is fit to answer; else the store is asked.",
    attributes: &[],
};

/// `source`: `memory` (the index), `store`, `journal` (for a moment of the past).
pub static ANSWERS_DURATION: Own = Own {
    name: "em_metrics.answers.duration",
    kind: Kind::Histogram(SHORT_SECONDS),
    unit: "s",
    help: "Time taken to compute an answer of `/dora`.",
    attributes: &["source"],
};

/// `source`: the vendor, or `vendor/name`.
pub static WEBHOOK_SILENCE: Own = Own {
    name: "em_metrics.webhook.silence",
    kind: Kind::Gauge,
    unit: "s",
    help: "Time since a source that has ever sent a webhook sent its last one.",
    attributes: &["source"],
};

/// `state`: `received` (it waits to be read), `failed` (what it says cannot be).
pub static WEBHOOK_DELIVERIES: Own = Own {
    name: "em_metrics.webhook.deliveries",
    kind: Kind::Gauge,
    unit: "{delivery}",
    help: "Deliveries in the inbox that are not done.",
    attributes: &["state"],
};

pub static ALL: [&Own; 15] = [
    &HTTP_SERVER_REQUEST_DURATION,
    &HTTP_SERVER_ACTIVE_REQUESTS,
    &HTTP_CONNECTIONS,
    &WRITER_QUEUE_LENGTH,
    &WRITER_BATCH_SIZE,
    &WRITER_COMMIT_DURATION,
    &WRITER_COMMANDS,
    &EXPORT_CYCLES,
    &EXPORT_DURATION,
    &INDEX_FACTS,
    &INDEX_MEMORY,
    &INDEX_READY,
    &ANSWERS_DURATION,
    &WEBHOOK_SILENCE,
    &WEBHOOK_DELIVERIES,
];

/// Make an instrument once and keep it: looking it up costs a lock.
impl Own {
    pub fn counter(&self) -> Counter<u64> {
        self.counter_of(&global::meter(SCOPE))
    }

    pub fn up_down_counter_of(&self, meter: &Meter) -> UpDownCounter<i64> {
        meter.i64_up_down_counter(self.name).with_unit(self.unit).with_description(self.help).build()
    }

    pub fn gauge(&self) -> Gauge<u64> {
        global::meter(SCOPE).u64_gauge(self.name).with_unit(self.unit).with_description(self.help).build()
    }

    pub fn histogram(&self) -> Histogram<f64> {
        self.histogram_of(&global::meter(SCOPE))
    }

    pub fn counter_of(&self, meter: &Meter) -> Counter<u64> {
        meter.u64_counter(self.name).with_unit(self.unit).with_description(self.help).build()
    }

    pub fn histogram_of(&self, meter: &Meter) -> Histogram<f64> {
        let builder = meter.f64_histogram(self.name).with_unit(self.unit).with_description(Cow::Borrowed(self.help));
        match self.kind {
            Kind::Histogram(bounds) => builder.with_boundaries(bounds.to_vec()).build(),
            _ => builder.build(),
        }
    }
}

/// The service's own instruments as the README shows them.
pub fn table_markdown() -> String {
    let mut lines =
        vec!["| instrument | unit | attributes | what |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
    lines.extend(ALL.iter().map(|own| {
        let attributes: Vec<_> = own.attributes.iter().map(|attribute| format!("`{attribute}`")).collect();
        format!("| `{}` | `{}` | {} | {} |", own.name, own.unit, attributes.join(", "), own.help)
    }));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_bounds_are_sorted() {
        for own in ALL {
            assert!(own.attributes.is_sorted(), "{}", own.name);
            if let Kind::Histogram(bounds) = own.kind {
                assert!(bounds.is_sorted(), "{}", own.name);
            }
        }
    }
}
