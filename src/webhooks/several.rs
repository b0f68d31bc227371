//! Deliveries that tell of several facts.

use super::{Body, Happening, Ignored, Reading};

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
