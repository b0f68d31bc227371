//! What holds for each vendor, whoever adds it: samples in any order make one fact, and no body makes a reader panic.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::testing::{at, read};
use super::{Fact, Happening, Sample, VENDORS, Vendor};
use crate::domain::incident::{Change, Command, Incident, Sighting, apply};
use crate::domain::teams::Teams;
use crate::domain::{Context, Name};

fn told(vendor: &Vendor, sample: &Sample) -> Vec<Happening> {
    let body: Value = serde_json::from_str(sample.body).unwrap();
    read(vendor, sample.headers, &body).unwrap_or_default()
}

fn heard(facts: &[Fact<Sighting>]) -> Incident {
    let (production, teams) = (Name::parse("production").unwrap(), Teams::default());
    let context = Context { now: at("2027-01-01T00:00:00Z"), production: &production, teams: &teams };
    let project = Name::parse("shop").unwrap();
    let mut incident = None;
    for fact in facts {
        let change = Change::Sighted(Box::new(fact.sighting.clone()));
        let command = Command { id: Some(fact.id.clone()), project_id: Some(project.clone()), change };
        incident = Some(apply(incident.as_ref(), &fact.id, &command, None, &context).unwrap());
    }
    incident.unwrap()
}

/// Every order of a few things.
fn orders<T: Clone>(things: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = things.split_first() else { return vec![vec![]] };
    let places = |order: Vec<T>| {
        (0..=order.len()).map(move |place| [&order[..place], std::slice::from_ref(first), &order[place..]].concat())
    };
    orders(rest).into_iter().flat_map(places).collect()
}

#[test]
fn samples_in_any_order_and_twice_make_the_same_incidents() {
    for vendor in VENDORS {
        let mut by_id: BTreeMap<String, Vec<Fact<Sighting>>> = BTreeMap::new();
        for happening in vendor.samples.iter().flat_map(|sample| told(vendor, sample)) {
            if let Happening::Incident(fact) = happening {
                by_id.entry(fact.id.as_str().to_owned()).or_default().push(fact);
            }
        }
        for (id, facts) in by_id {
            let straight = heard(&facts);
            for order in orders(&facts) {
                assert_eq!(heard(&order), straight, "{id}");
                assert_eq!(heard(&[order, facts.clone()].concat()), straight, "{id}");
            }
        }
    }
}

/// The body once for each of its parts, with that part gone wrong.
fn damaged(whole: &Value) -> Vec<Value> {
    fn places(value: &Value, here: &str, found: &mut Vec<String>) {
        found.push(here.to_owned());
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{here}/{name}"), found);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(i, value)| places(value, &format!("{here}/{i}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    places(whole, "", &mut found);
    let wrong = [json!(null), json!(-1e300), json!("\u{0}ß:/."), json!([[]]), json!({"": 0}), json!("x".repeat(3000))];
    let damage = |place: String| {
        wrong.clone().map(|value| {
            let mut body = whole.clone();
            *body.pointer_mut(&place).unwrap() = value;
            body
        })
    };
    found.into_iter().flat_map(damage).collect()
}

#[test]
fn no_damaged_body_makes_a_reader_panic_or_be_silent() {
    for vendor in VENDORS {
        for sample in vendor.samples {
            let whole: Value = serde_json::from_str(sample.body).unwrap();
            for body in damaged(&whole) {
                match read(vendor, sample.headers, &body) {
                    Ok(told) => assert!(!told.is_empty(), "{} says nothing of {body}", vendor.name),
                    Err(ignored) => assert!(!ignored.0.trim().is_empty(), "{} gives no reason: {body}", vendor.name),
                }
            }
        }
    }
}
