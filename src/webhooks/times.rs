//! Times as vendors write them: RFC 3339 and its relatives, and numbers of seconds down to nanoseconds.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::domain::Timestamp;

/// With an offset; `%#z` takes `+01:00`, `+0100` and `+01`.
const WITH_OFFSET: &[&str] = &["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z", "%Y-%m-%d %H:%M:%S%.f%#z"];
/// Without one: UTC.
const IN_UTC: &[&str] =
    &["%Y-%m-%dT%H:%M:%S%.fZ", "%Y-%m-%d %H:%M:%S%.f UTC", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];

/// `None` for what is no time, and for the zero that some senders mean "unset" by.
pub fn read(value: &Value) -> Option<Timestamp> {
    let micros = match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => micros_of(whole),
            None => micros_of_seconds(number.as_f64()?),
        },
        Value::String(text) => written(text.trim())?,
        _ => return None,
    };
    Timestamp::from_micros(micros).filter(|time| *time > Timestamp::EPOCH)
}

fn written(text: &str) -> Option<i64> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(micros_of(whole));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    if let Some(time) = WITH_OFFSET.iter().find_map(|format| DateTime::parse_from_str(text, format).ok()) {
        return Some(time.timestamp_micros());
    }
    if let Some(time) = IN_UTC.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()) {
        return Some(time.and_utc().timestamp_micros());
    }
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(time.with_timezone(&Utc).timestamp_micros());
    }
    text.parse::<f64>().ok().map(micros_of_seconds)
}

/// By its size: seconds until the year 5138, then milli-, micro- and nanoseconds, each from March 1973 on.
fn micros_of(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.saturating_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => number.saturating_mul(1000),
        100_000_000_000_000..100_000_000_000_000_000 => number,
        _ => number / 1000,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and what is out of range is refused after it")]
fn micros_of_seconds(seconds: f64) -> i64 {
    // beyond the numbers that are whole, infinity too: no time
    if !seconds.is_finite() || seconds.abs() >= 9.2e18 {
        return i64::MIN;
    }
    if seconds.abs() >= 1e11 {
        return micros_of(seconds as i64);
    }
    (seconds * 1e6).round() as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_moment_in_every_spelling() {
        for value in [
            json!("2021-04-28T19:50:00Z"),
            json!("2021-04-28T19:50:00.000Z"),
            json!("2021-04-28T19:50:00.000000Z"),
            json!("2021-04-28T19:50:00.000000000Z"),
            json!("2021-04-28T19:50:00.000000000+00:00"),
            json!("2021-04-29T01:20:00+05:30"),
            json!("2021-04-28T17:20:00-02:30"),
            json!("2021-04-28T20:50:00+0100"),
            json!("2021-04-28T21:50:00.000+0200"),
            json!("2021-04-28 21:50:00 +0200"),
            json!("2021-04-28 19:50:00 UTC"),
            json!("2021-04-28 19:50:00"),
            json!("2021-04-28T19:50:00"),
            json!("Wed, 28 Apr 2021 19:50:00 +0000"),
            json!(1_619_639_400),
            json!(1_619_639_400_000_i64),
            json!(1_619_639_400_000_000_i64),
            json!(1_619_639_400_000_000_000_i64),
            json!(1_619_639_400.0),
            json!("1619639400"),
            json!("1619639400.0"),
            json!("1619639400000"),
        ] {
            assert_eq!(read(&value).map(|at| at.to_string()).as_deref(), Some("2021-04-28T19:50:00Z"), "{value}");
        }
        assert_eq!(read(&json!(1_417_566_161.25)).unwrap().to_string(), "2014-12-03T00:22:41.250Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for value in [
            json!("0001-01-01T00:00:00Z"),
            json!("1970-01-01T00:00:00Z"),
            json!(0),
            json!(-1),
            json!(""),
            json!("soon"),
            json!(null),
            json!(true),
            json!("NaN"),
            json!("inf"),
            json!(1e300),
            json!("2021-13-01T00:00:00Z"),
            json!({"at": 1}),
        ] {
            assert_eq!(read(&value), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".{0,40}", number in any::<i64>(), float in any::<f64>()) {
            read(&json!(text));
            read(&json!(number));
            read(&json!(float));
        }
    }
}
