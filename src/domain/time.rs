//! Instants and the clock. The only place that asks the machine what time it is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::abridged;

/// An instant in microseconds since 1970-01-01T00:00:00Z. Never before it, never after the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// 9999-12-31T23:59:59.999999Z
const LAST: i64 = 253_402_300_799_999_999;
const SECOND: i64 = 1_000_000;

/// How far ahead of our own clock a sent time may lie.
pub const FUTURE_LIMIT_MICROS: i64 = 24 * 3600 * SECOND;
/// Differences between two machines' clocks that are forgiven where a time is ours to choose.
pub const CLOCK_SKEW_MICROS: i64 = 5 * 60 * SECOND;

impl Timestamp {
    /// 1970-01-01T00:00:00Z
    pub const EPOCH: Self = Self(0);
    /// The last moment there is.
    pub const LAST: Self = Self(LAST);

    /// `None` outside 1970..=9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (0..=LAST).contains(&micros).then_some(Self(micros))
    }

    pub fn micros(self) -> i64 {
        self.0
    }

    /// Microseconds from `earlier` to `self`; negative when `self` is the earlier one.
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// So much later; the last moment there is, where it would be after that.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(LAST);
        Self(self.0.saturating_add(micros).min(LAST))
    }

    /// So much earlier; the first moment there is, where it would be before that.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap_or(LAST);
        Self(self.0.saturating_sub(micros).max(0))
    }

    /// RFC 3339 with an offset; anything finer than a microsecond is cut off.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| {
            let got = abridged(text);
            format!("expected an RFC 3339 time with an offset, such as 2026-01-31T13:45:00Z, got {got:?}")
        })?;
        Self::from_micros(parsed.timestamp_micros())
            .ok_or_else(|| format!("expected a time between the years 1970 and 9999, got {:?}", abridged(text)))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// As [`serde`]'s `with`: a time as a whole number of microseconds, the form of the store.
pub mod micros {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        time.micros().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Timestamp::from_micros(i64::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("time out of range"))
    }

    pub mod option {
        use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};
        use serde::de::Error as _;

        pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
            time.map(Timestamp::micros).serialize(serializer)
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
            Option::<i64>::deserialize(deserializer)?
                .map(|micros| Timestamp::from_micros(micros).ok_or_else(|| D::Error::custom("time out of range")))
                .transpose()
        }
    }
}

/// Where "now" comes from: the machine, or a test.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still until [`Clock::set`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.0))))
    }

    /// Moves a manual clock; a system clock cannot be moved.
    pub fn set(&self, to: Timestamp) {
        if let Some(manual) = &self.0 {
            manual.store(to.0, Ordering::SeqCst);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that may ask the machine")]
    pub fn now(&self) -> Timestamp {
        Timestamp(match &self.0 {
            Some(manual) => manual.load(Ordering::SeqCst),
            None => Utc::now().timestamp_micros().clamp(0, LAST),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_in_utc_and_as_short_as_they_are() {
        let shown = |text: &str| Timestamp::parse(text).map(|time| time.to_string());
        assert_eq!(shown("2026-01-31T13:45:00+01:00").as_deref(), Ok("2026-01-31T12:45:00Z"));
        assert_eq!(shown("2026-01-31T13:45:00.120Z").as_deref(), Ok("2026-01-31T13:45:00.120Z"));
        assert_eq!(shown("2026-01-31T13:45:00.1234567Z").as_deref(), Ok("2026-01-31T13:45:00.123456Z"));
    }

    #[test]
    fn times_without_offset_or_out_of_range_are_refused() {
        for text in
            ["2026-01-31T13:45:00", "2026-01-31", "", "yesterday", "0001-01-01T00:00:00Z", "2026-02-30T00:00:00Z"]
        {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }
}
