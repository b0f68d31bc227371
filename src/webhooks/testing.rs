//! For the tests of vendors: a delivery in, what it tells out.

use serde_json::Value;

use super::{Body, Event, Happening, Headers, Reading, Settings, Vendor};
use crate::domain::Timestamp;
use crate::domain::incident::{Sighting, State};

/// When every delivery of the tests arrives.
pub const RECEIVED: &str = "2026-06-15T12:00:00Z";

pub fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn read(vendor: &Vendor, headers: &[(&str, &str)], body: &Value) -> Reading {
    let headers: Headers = headers.iter().copied().collect();
    let event = (vendor.about)(&headers, Body(body)).event;
    let settings = Settings::default();
    let received_at = at(RECEIVED);
    (vendor.read)(&Event { event: &event, headers: &headers, body: Body(body), received_at, settings: &settings })
}

/// Why nothing comes of it.
pub fn ignored(vendor: &Vendor, body: &Value) -> String {
    match read(vendor, &[], body) {
        Err(ignored) => ignored.0,
        Ok(told) => panic!("{body} tells {told:?}"),
    }
}

/// The sightings of incidents, of a delivery that tells of nothing else.
pub fn incidents(vendor: &Vendor, body: &Value) -> Vec<(String, Sighting)> {
    let told = read(vendor, &[], body).unwrap_or_else(|ignored| panic!("{body} is ignored: {ignored:?}"));
    let incident = |happening| match happening {
        Happening::Incident(fact) => (fact.id.as_str().to_owned(), fact.sighting),
        other => panic!("{other:?} is no incident"),
    };
    told.into_iter().map(incident).collect()
}

/// How the incident stands after this delivery, step by step.
pub fn states(vendor: &Vendor, body: &Value) -> Vec<Option<State>> {
    incidents(vendor, body).into_iter().map(|(_, sighting)| sighting.state).collect()
}
