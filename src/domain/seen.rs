//! What tools have said of one fact, in whatever order and however often: kept as a set, and what follows from it
//! worked out anew each time, so that the order of arrival never matters.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{Timestamp, time};

/// Steps of one fact at most. No tool of this world takes a deployment through more.
const MOST_STEPS: usize = 64;

/// A value, and when it was so. A later one wins, of two at one moment the greater: anything that needs no order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Said<T> {
    #[serde(with = "time::micros")]
    pub at: Timestamp,
    pub value: T,
}

/// Takes what a message says of a field into what is known of it.
pub fn hear<T: Ord>(known: &mut Option<Said<T>>, at: Timestamp, value: Option<T>) {
    let said = value.map(|value| Said { at, value });
    if said > *known {
        *known = said;
    }
}

/// What is known of a field.
pub fn known<T: Clone>(said: Option<&Said<T>>) -> Option<T> {
    said.map(|said| said.value.clone())
}

/// The earlier of the two that are known.
pub fn earliest(known: Option<Timestamp>, said: Option<Timestamp>) -> Option<Timestamp> {
    known.into_iter().chain(said).min()
}

/// What it went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Steps<T: Ord>(BTreeSet<Said<T>>);

impl<T: Ord> Default for Steps<T> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<T: Ord> Steps<T> {
    pub fn add(&mut self, at: Timestamp, value: T) {
        self.0.insert(Said { at, value });
        if self.0.len() > MOST_STEPS {
            self.0.pop_first();
        }
    }

    /// In the order in which they happened.
    pub fn iter(&self) -> impl Iterator<Item = &Said<T>> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
