//! What holds for the fields and times of every fact.

use super::refusal::{Findings, Refusal};
use super::time::{CLOCK_SKEW_MICROS, FUTURE_LIMIT_MICROS};
use super::{Context, Timestamp, abridged};

/// One field of a repeat: unknown so far = taken over, known and equal = fine, known and different = a conflict.
pub fn settle<T: Clone + PartialEq + std::fmt::Display>(
    pointer: &'static str,
    stored: &mut Option<T>,
    sent: Option<&T>,
    conflicts: &mut Findings,
) {
    match (&stored, sent) {
        (Some(known), Some(sent)) if known != sent => {
            let (sent, known) = (sent.to_string(), known.to_string());
            conflicts.add(pointer, format!("sent {}, but {} is stored", abridged(&sent), abridged(&known)));
        }
        (None, Some(sent)) => *stored = Some(sent.clone()),
        _ => {}
    }
}

/// A repeat may leave the time out; another time than the stored one is a conflict.
pub fn same_time(
    pointer: &'static str,
    stored: &mut Option<Timestamp>,
    sent: Option<Timestamp>,
) -> Result<(), Refusal> {
    let mut conflicts = Findings::default();
    settle(pointer, stored, sent.as_ref(), &mut conflicts);
    conflicts.or(Refusal::Conflict)
}

/// Now, as a default: where the sender's clock is a little ahead of ours, its own earlier step is the
/// floor, so that a fast pipeline is not refused for a few seconds of skew.
pub fn not_before(floor: Option<Timestamp>, now: Timestamp) -> Timestamp {
    match floor {
        Some(floor) if floor > now && floor.micros_since(now) <= CLOCK_SKEW_MICROS => floor,
        _ => now,
    }
}

pub fn in_order(
    pointer: &'static str,
    later: Option<Timestamp>,
    earlier_name: &str,
    earlier: Option<Timestamp>,
    findings: &mut Findings,
) {
    if let (Some(later), Some(earlier)) = (later, earlier)
        && later < earlier
    {
        findings.add(pointer, format!("{later} is before {earlier_name} {earlier}"));
    }
}

pub fn not_in_the_future(
    pointer: &'static str,
    time: Option<Timestamp>,
    context: &Context<'_>,
    findings: &mut Findings,
) {
    if let Some(time) = time
        && time.micros_since(context.now) > FUTURE_LIMIT_MICROS
    {
        findings.add(pointer, format!("{time} is more than 24 h in the future"));
    }
}
