//! Numbers and times as people read them. Pure.

use chrono::NaiveDateTime;

use crate::domain::Prose;
use crate::dora::Interval;

/// A value and how it is written; the exact value goes along for scripts and for whoever asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub value: String,
    pub text: String,
}

impl Figure {
    pub fn count(n: u64) -> Self {
        Self { value: n.to_string(), text: count(n) }
    }

    pub fn seconds(seconds: f64) -> Self {
        Self { value: seconds.to_string(), text: duration(seconds) }
    }

    pub fn share(ratio: f64) -> Self {
        Self { value: ratio.to_string(), text: format!("{} %", percent(ratio)) }
    }

    /// A frequency, in the unit that makes it at least one.
    pub fn per_day(per_day: f64) -> Self {
        let (times, unit) = if per_day >= 1.0 || per_day == 0.0 {
            (per_day, "a day")
        } else if per_day * 7.0 >= 1.0 {
            (per_day * 7.0, "a week")
        } else {
            (per_day * 365.25 / 12.0, "a month")
        };
        Self { value: per_day.to_string(), text: format!("{} {unit}", short(times)) }
    }
}

/// Thousands apart, by a space that does not break.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A part of a whole in hundredths of it.
pub fn percent(ratio: f64) -> String {
    short((ratio * 1000.0).round() / 10.0)
}

/// As many decimals as tell something.
pub fn short(number: f64) -> String {
    let decimals = match number.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{number:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A unit in seconds, and the one below it.
const UNITS: [(u64, &str, u64, &str); 3] = [(86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")];

/// The two largest units, rounded to the smaller.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds of at most some centuries")]
pub fn duration(seconds: f64) -> String {
    if seconds < 59.5 {
        return if seconds < 1.0 && seconds > 0.0 { "under 1 s".to_owned() } else { format!("{seconds:.0} s") };
    }
    for (large, large_name, small, small_name) in UNITS {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let rounded = (seconds / small as f64).round() as u64 * small;
        if rounded >= large {
            let (whole, rest) = (rounded / large, rounded % large / small);
            let whole = count(whole);
            return match rest {
                0 => format!("{whole} {large_name}"),
                // from ten days on, hours say nothing any more
                _ if large == 86_400 && rounded >= 10 * large => format!("{whole} {large_name}"),
                rest => format!("{whole} {large_name} {rest} {small_name}"),
            };
        }
    }
    format!("{seconds:.0} s")
}

pub fn moment(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M").to_string()
}

/// When something was written down: to the second.
pub fn precise_moment(at: NaiveDateTime) -> String {
    at.format("%-d %b %Y, %H:%M:%S").to_string()
}

/// A part of a window: by its first day, and whether it is a whole one.
pub fn part(start: NaiveDateTime, interval: Interval, whole: bool) -> String {
    let label = match interval {
        Interval::Day => start.format("%a %-d %b %Y").to_string(),
        Interval::Week => format!("Week of {}", start.format("%-d %b %Y")),
        Interval::Month => start.format("%b %Y").to_string(),
    };
    if whole { label } else { format!("{label} (part)") }
}

/// The same as short as an axis needs it.
pub fn tick(start: NaiveDateTime, interval: Interval) -> String {
    let format = if interval == Interval::Month { "%b %y" } else { "%-d %b" };
    start.format(format).to_string()
}

/// An address that a sender chose, where it is nothing that a browser would run.
pub fn web_address(url: Option<Prose>) -> Option<String> {
    let url = url?.to_string();
    url::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_and_never_sixty_of_the_smaller() {
        for (seconds, text) in [
            (0.0, "0 s"),
            (0.2, "under 1 s"),
            (59.4, "59 s"),
            (59.6, "1 min"),
            (61.0, "1 min 1 s"),
            (3599.7, "1 h"),
            (7500.0, "2 h 5 min"),
            (7529.0, "2 h 5 min"),
            (86_390.0, "1 d"),
            (90_000.0, "1 d 1 h"),
            (10.4 * 86_400.0, "10 d"),
            (9.96 * 86_400.0, "9 d 23 h"),
            (1_234.0 * 86_400.0, "1\u{202f}234 d"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn numbers_are_as_long_as_they_tell_something() {
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(count(123), "123");
        for (number, text) in [(0.0, "0"), (3.0, "3"), (3.456, "3.46"), (34.56, "34.6"), (345.6, "346"), (0.1, "0.1")] {
            assert_eq!(short(number), text);
        }
        assert_eq!(Figure::share(0.125).text, "12.5 %");
        for (per_day, text) in [(3.2, "3.2 a day"), (0.5, "3.5 a week"), (0.1, "3.04 a month"), (0.0, "0 a day")] {
            assert_eq!(Figure::per_day(per_day).text, text);
        }
    }
}
