//! Times as people read them at a glance.

use chrono::{DateTime, Utc};

use crate::domain::Timestamp;

/// `15 Jun 2026, 12:00 UTC`
pub fn moment(at: Timestamp) -> String {
    utc(at).format("%-d %b %Y, %H:%M UTC").to_string()
}

/// `15 Jun`
pub fn day(at: Timestamp) -> String {
    utc(at).format("%-d %b").to_string()
}

/// `Jun 2026`
pub fn month(at: Timestamp) -> String {
    utc(at).format("%b %Y").to_string()
}

fn utc(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc() {
        let at = Timestamp::parse("2026-06-05T01:02:03+02:00").unwrap();
        assert_eq!((moment(at).as_str(), day(at).as_str()), ("4 Jun 2026, 23:02 UTC", "4 Jun"));
        assert_eq!(month(at), "Jun 2026");
    }
}
