//! Deliveries that tell of several facts, and incidents that end in two steps.

use super::{Body, Fact, Happening, Ignored, Reading};
use crate::domain::incident::{Sighting, State};
use crate::domain::{Name, Timestamp};

/// Each item for itself: nothing is told only if none tells anything, for the first one's reason.
pub fn each<'a>(
    items: impl Iterator<Item = Body<'a>>,
    none: &str,
    read: impl Fn(Body<'a>) -> Result<Happening, Ignored>,
) -> Reading {
    let (mut told, mut why) = (Vec::new(), None);
    for item in items {
        match read(item) {
            Ok(happening) => told.push(happening),
            Err(ignored) => why = why.or(Some(ignored)),
        }
    }
    if told.is_empty() { Err(why.unwrap_or_else(|| Ignored::because(none))) } else { Ok(told) }
}

/// One incident and all that a message says of how it stands.
pub fn stands(fact: Fact<Sighting>, states: &[State]) -> Vec<Happening> {
    if states.is_empty() {
        return vec![Happening::Incident(fact)];
    }
    let told = |state: &State| {
        let sighting = Sighting { state: Some(*state), ..fact.sighting.clone() };
        Happening::incident(fact.id.clone(), fact.project.clone(), sighting)
    };
    states.iter().map(told).collect()
}

/// Restored first and over later, where a tool tells the two apart.
pub fn ended(restored: Option<Timestamp>, finished: Timestamp) -> Vec<State> {
    let restored = restored.filter(|restored| *restored != finished).map(State::Restored);
    restored.into_iter().chain([State::Finished(finished)]).collect()
}

/// Of what is written in a list of names, the first.
pub fn first_name(list: Body<'_>) -> Option<Name> {
    list.items().find_map(|item| item.at("/name").name().or_else(|| item.at("/slug").name()))
}
