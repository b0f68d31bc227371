//! Windows of time, half open, cut into days, weeks and months of a time zone.

use std::fmt;
use std::ops::Range;
use std::str::FromStr as _;

use chrono::{
    DateTime, Datelike as _, Days, MappedLocalTime, Months, NaiveDate, NaiveDateTime, TimeZone as _, Weekday,
};
use chrono_tz::{GapInfo, Tz};

use crate::domain::{Timestamp, abridged};

/// The longest span that is answered.
pub const MAX_YEARS: i64 = 10;
/// The most parts that a window is cut into.
pub const MAX_BUCKETS: usize = 1500;
const DAY: i64 = 86_400_000_000;
const MAX_SPAN: i64 = MAX_YEARS * 366 * DAY;

/// A time zone of the IANA database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

/// `[from, to)`, as days of a time zone see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
    pub zone: Zone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interval {
    Day,
    /// From Monday (ISO 8601).
    Week,
    Month,
}

impl Interval {
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Why a window is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooWide {
    #[error("the window is longer than {MAX_YEARS} years")]
    Span,
    #[error("the window would be cut into {0} parts, and {MAX_BUCKETS} are the most: ask for a longer interval")]
    Buckets(usize),
}

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    pub fn parse(name: &str) -> Result<Self, String> {
        Tz::from_str(name).map(Self).map_err(|_| {
            format!("expected a time zone of the IANA database, such as Europe/Berlin, got {:?}", abridged(name))
        })
    }

    /// A date such as 2026-01-31 as its midnight here: the first instant of that day.
    pub fn midnight(self, date: &str) -> Result<Timestamp, String> {
        let expected = || format!("expected a date such as 2026-01-31, got {:?}", abridged(date));
        let day: Option<NaiveDate> = Some(date).filter(|date| date.len() == 10).and_then(|date| date.parse().ok());
        let day = day.ok_or_else(expected)?;
        Timestamp::from_micros(self.start_of(day))
            .ok_or_else(|| format!("expected a date that lies in the years 1970 to 9999 of UTC, got {date:?}"))
    }

    /// The same time of day, some days before; where the clock skipped that time, the next there was.
    pub fn days_before(self, at: Timestamp, days: u64) -> Timestamp {
        let local = self.local(at.micros());
        let before = local.checked_sub_days(Days::new(days)).map(|local| self.first_instant(local));
        before.and_then(Timestamp::from_micros).unwrap_or(Timestamp::EPOCH)
    }

    /// Where the day, week or month begins that is `back` before the one that an instant lies in.
    pub fn start_of_part(self, at: Timestamp, interval: Interval, back: u32) -> Timestamp {
        let today = self.local(at.micros()).date();
        let start = match interval {
            Interval::Day => today.checked_sub_days(Days::new(back.into())),
            Interval::Week => {
                let days = u64::from(today.weekday().num_days_from_monday()) + 7 * u64::from(back);
                today.checked_sub_days(Days::new(days))
            }
            Interval::Month => today.with_day(1).and_then(|first| first.checked_sub_months(Months::new(back))),
        };
        start.and_then(|day| Timestamp::from_micros(self.start_of(day))).unwrap_or(Timestamp::EPOCH)
    }

    /// What calendar and clock show there.
    pub fn shown(self, at: Timestamp) -> NaiveDateTime {
        self.local(at.micros())
    }

    fn local(self, micros: i64) -> NaiveDateTime {
        let utc = DateTime::from_timestamp_micros(micros).unwrap_or_default();
        utc.with_timezone(&self.0).naive_local()
    }

    /// Microseconds of the first instant of a day. Where clocks skip midnight, the day begins when they go on;
    /// where they show midnight twice, at the first.
    fn start_of(self, day: NaiveDate) -> i64 {
        self.first_instant(day.and_time(chrono::NaiveTime::MIN))
    }

    fn first_instant(self, local: NaiveDateTime) -> i64 {
        let instant = match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => Some(at),
            MappedLocalTime::None => GapInfo::new(&local, &self.0).and_then(|gap| gap.end),
        };
        instant.map_or_else(|| local.and_utc().timestamp_micros(), |at| at.timestamp_micros())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl Span {
    /// The window just before, as long as this one: of whole months as many months, of others as long by the
    /// clock on the wall, so that days stay whole when a day has 23 hours. `None`: it would begin before 1970.
    pub fn before(self) -> Option<Self> {
        let zone = self.zone;
        let (from, to) = (zone.local(self.from.micros()), zone.local(self.to.micros()));
        let begins_month = |at| zone.start_of_part(at, Interval::Month, 0) == at;
        let start = if begins_month(self.from) && begins_month(self.to) {
            let months = 12 * (to.year() - from.year()) + to.month().cast_signed() - from.month().cast_signed();
            from.checked_sub_months(Months::new(months.unsigned_abs()))
        } else {
            from.checked_sub_signed(to - from)
        };
        let start = zone.first_instant(start?);
        // within the hour that clocks show twice, the wall says nothing
        let start = if start < self.from.micros() { start } else { 2 * self.from.micros() - self.to.micros() };
        Some(Self { from: Timestamp::from_micros(start)?, to: self.from, zone })
    }
}

/// A part of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub start: Timestamp,
    pub end: Timestamp,
}

/// A window with all the days it touches and the parts it is cut into.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub span: Span,
    pub buckets: Vec<Bucket>,
    /// The first instant of each day that the window touches (the first may begin before the window), and
    /// the end of the last one. None are empty: a day that a zone has skipped is not here.
    days: Vec<i64>,
    /// At which of these instants a week begins.
    weeks: Vec<bool>,
}

impl Calendar {
    /// `interval`: `None` leaves the window in one part. The first and the last part are as long as the window
    /// leaves them; all others are whole.
    pub fn new(span: Span, interval: Option<Interval>) -> Result<Self, TooWide> {
        let (from, to) = (span.from.micros(), span.to.micros());
        if to - from > MAX_SPAN {
            return Err(TooWide::Span);
        }
        let (mut days, mut weeks, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut week, mut month) = (false, false);
        let mut date = span.zone.local(from).date();
        let mut next = span.zone.start_of(date);
        while days.is_empty() || next < to {
            let start = next;
            week |= date.weekday() == Weekday::Mon;
            month |= date.day() == 1;
            date = date + Days::new(1);
            next = span.zone.start_of(date);
            // a day that the zone has skipped, or one that ended before the window although the clock, gone back
            // over midnight, shows it once more
            if next <= start || next <= from {
                continue;
            }
            let cut = match interval {
                None => false,
                Some(Interval::Day) => true,
                Some(Interval::Week) => week,
                Some(Interval::Month) => month,
            };
            if cut && start > from {
                cuts.push(start);
            }
            days.push(start);
            weeks.push(week);
            (week, month) = (false, false);
        }
        days.push(next);
        weeks.push(date.weekday() == Weekday::Mon);
        if cuts.len() >= MAX_BUCKETS {
            return Err(TooWide::Buckets(cuts.len() + 1));
        }
        let mut buckets = Vec::with_capacity(cuts.len() + 1);
        let mut start = span.from;
        for end in cuts.into_iter().filter_map(Timestamp::from_micros).chain([span.to]) {
            buckets.push(Bucket { start, end });
            start = end;
        }
        Ok(Self { span, buckets, days, weeks })
    }

    /// The window as one part.
    pub fn whole(&self) -> Bucket {
        Bucket { start: self.span.from, end: self.span.to }
    }

    /// Whether a part is a whole day, week or month.
    pub fn is_whole(&self, bucket: Bucket, interval: Interval) -> bool {
        let edge = |at| self.span.zone.start_of_part(at, interval, 0) == at;
        bucket.start < bucket.end && edge(bucket.start) && edge(bucket.end)
    }

    /// The part that an instant lies in; those before the window count to the first, those behind it to the last.
    pub fn bucket_of(&self, at: Timestamp) -> usize {
        self.buckets.partition_point(|bucket| bucket.end <= at).min(self.buckets.len() - 1)
    }

    /// How many days the window touches.
    pub fn day_count(&self) -> usize {
        self.days.len() - 1
    }

    /// Which day of the window an instant of it lies in.
    pub fn day_of(&self, at: Timestamp) -> usize {
        self.days[1..].partition_point(|end| *end <= at.micros()).min(self.day_count() - 1)
    }

    /// Which day of the window an instant lies in, if it lies in the window.
    pub fn day_within(&self, micros: i64) -> Option<usize> {
        let inside = (self.span.from.micros()..self.span.to.micros()).contains(&micros);
        inside.then(|| self.day_of(Timestamp::from_micros(micros).unwrap_or(self.span.from)))
    }

    /// The first instant behind a day.
    pub fn end_of_day(&self, day: usize) -> i64 {
        self.days[day + 1]
    }

    /// The days that a part of the window touches.
    pub fn days_of(&self, bucket: Bucket) -> Range<usize> {
        if bucket.start >= bucket.end {
            return 0..0;
        }
        let end = self.days[..self.day_count()].partition_point(|start| *start < bucket.end.micros());
        self.day_of(bucket.start)..end
    }

    /// How many days long a part is: whole days count one, however many hours they have, others their part.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of a day")]
    pub fn length_in_days(&self, bucket: Bucket) -> f64 {
        let (mut whole, mut parts) = (0_u32, 0.0);
        for day in self.days_of(bucket) {
            let (start, end) = (self.days[day], self.days[day + 1]);
            let inside = end.min(bucket.end.micros()) - start.max(bucket.start.micros());
            if inside == end - start {
                whole += 1;
            } else {
                parts += inside as f64 / (end - start) as f64;
            }
        }
        f64::from(whole) + parts
    }

    /// The days of each week that lies wholly in a part.
    pub fn weeks_of(&self, bucket: Bucket) -> Vec<Range<usize>> {
        let days = self.days_of(bucket);
        let inside =
            |day: &usize| self.weeks[*day] && (bucket.start.micros()..=bucket.end.micros()).contains(&self.days[*day]);
        let mondays: Vec<_> = (days.start..=days.end).filter(inside).collect();
        mondays.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}
