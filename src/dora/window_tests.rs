use super::window::*;
use crate::domain::Timestamp;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn calendar(zone_name: &str, from: &str, to: &str, interval: Interval) -> Calendar {
    let zone = zone(zone_name);
    let edge = |text: &str| if text.len() == 10 { zone.midnight(text).unwrap() } else { time(text) };
    Calendar::new(Span { from: edge(from), to: edge(to), zone }, Some(interval)).unwrap()
}

/// Where the parts begin, and the end of the last one.
fn cuts(calendar: &Calendar) -> Vec<String> {
    let starts = calendar.buckets.iter().map(|bucket| bucket.start);
    let end = calendar.buckets.last().map(|bucket| bucket.end);
    starts.chain(end).map(|at| at.to_string()).collect()
}

fn hours(calendar: &Calendar) -> Vec<i64> {
    calendar.buckets.iter().map(|bucket| bucket.end.micros_since(bucket.start) / 3_600_000_000).collect()
}

fn lengths(calendar: &Calendar) -> Vec<f64> {
    calendar.buckets.iter().map(|bucket| calendar.length_in_days(*bucket)).collect()
}

#[test]
fn a_day_has_23_or_25_hours_when_clocks_change() {
    let spring = calendar("Europe/Berlin", "2026-03-28", "2026-03-31", Interval::Day);
    assert_eq!(hours(&spring), [24, 23, 24]);
    assert_eq!(
        cuts(&spring),
        ["2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z"]
    );
    assert_eq!(lengths(&spring), [1.0, 1.0, 1.0], "each is one day");
    let autumn = calendar("America/New_York", "2026-10-31", "2026-11-03", Interval::Day);
    assert_eq!(hours(&autumn), [24, 25, 24]);
    assert_eq!(autumn.buckets[1].start, time("2026-11-01T04:00:00Z"));
    assert_eq!(autumn.buckets[1].end, time("2026-11-02T05:00:00Z"));
}

#[test]
fn where_midnight_is_skipped_the_day_begins_when_clocks_go_on() {
    // 2018-11-04 in São Paulo and 2026-03-29 in Beirut began at 01:00
    let sao_paulo = calendar("America/Sao_Paulo", "2018-11-03", "2018-11-06", Interval::Day);
    assert_eq!(hours(&sao_paulo), [24, 23, 24]);
    assert_eq!(sao_paulo.buckets[1].start, time("2018-11-04T03:00:00Z"));
    let beirut = calendar("Asia/Beirut", "2026-03-28", "2026-03-31", Interval::Day);
    assert_eq!(hours(&beirut), [24, 23, 24]);
    assert_eq!(beirut.buckets[1].start, time("2026-03-28T22:00:00Z"));
}

#[test]
fn where_clocks_go_back_over_midnight_days_do_not_overlap() {
    // São Paulo 2018-02-18: 00:00 became 23:00 of the day before, which so had 25 hours
    let sao_paulo = calendar("America/Sao_Paulo", "2018-02-16", "2018-02-19", Interval::Day);
    assert_eq!(hours(&sao_paulo), [24, 25, 24]);
    // Havana 2026-11-01: 01:00 became 00:00; the day begins with the first of its two midnights
    let havana = calendar("America/Havana", "2026-10-31", "2026-11-03", Interval::Day);
    assert_eq!(hours(&havana), [24, 25, 24]);
    // St. John's 2006-10-29: 00:01 became 23:01 of the day before
    let st_johns = calendar("America/St_Johns", "2006-10-27", "2006-10-31", Interval::Day);
    assert_eq!(hours(&st_johns), [24, 24, 25, 24]);
    let inside = calendar("America/St_Johns", "2006-10-29T03:00:00Z", "2006-10-30", Interval::Day);
    assert_eq!(cuts(&inside), ["2006-10-29T03:00:00Z", "2006-10-30T03:30:00Z"], "the clock shows the 28th");
}

#[test]
fn a_day_that_a_zone_has_skipped_is_no_day() {
    // Samoa went from 2011-12-29 to 2011-12-31
    let samoa = calendar("Pacific/Apia", "2011-12-28", "2012-01-02", Interval::Day);
    assert_eq!(hours(&samoa), [24, 24, 24, 24]);
    assert_eq!(samoa.day_count(), 4);
    assert_eq!(zone("Pacific/Apia").midnight("2011-12-30"), zone("Pacific/Apia").midnight("2011-12-31"));
    let week = calendar("Pacific/Apia", "2011-12-26", "2012-01-02", Interval::Week);
    assert_eq!(lengths(&week), [6.0]);
    assert_eq!(week.weeks_of(week.buckets[0]).first(), Some(&(0..6)));
}

#[test]
fn weeks_begin_on_monday_and_the_ends_of_a_window_are_kept() {
    // 2026-06-10 is a Wednesday
    let weeks = calendar("UTC", "2026-06-10", "2026-06-24T12:00:00Z", Interval::Week);
    assert_eq!(
        cuts(&weeks),
        ["2026-06-10T00:00:00Z", "2026-06-15T00:00:00Z", "2026-06-22T00:00:00Z", "2026-06-24T12:00:00Z"]
    );
    assert_eq!(lengths(&weeks), [5.0, 7.0, 2.5]);
    let whole: Vec<_> = weeks.buckets.iter().map(|bucket| weeks.weeks_of(*bucket).len()).collect();
    assert_eq!(whole, [0, 1, 0], "whole weeks of each part");
}

#[test]
fn months_have_their_own_lengths() {
    let months = calendar("Europe/Berlin", "2026-01-15", "2026-05-01", Interval::Month);
    assert_eq!(lengths(&months), [17.0, 28.0, 31.0, 30.0]);
    assert_eq!(hours(&months)[2], 31 * 24 - 1, "March lost an hour");
    assert_eq!(months.weeks_of(months.buckets[1]).len(), 3, "February 2026 begins on a Sunday");
}

#[test]
fn part_of_a_day_counts_as_such() {
    let part = calendar("UTC", "2026-06-15T06:00:00Z", "2026-06-16T18:00:00Z", Interval::Month);
    assert_eq!(lengths(&part), [1.5]);
    // noon to noon over the day of 23 hours: 12 of its 23, and 12 of 24 of the next
    let spring = calendar("Europe/Berlin", "2026-03-29T09:00:00Z", "2026-03-30T10:00:00Z", Interval::Month);
    assert!((lengths(&spring)[0] - (13.0 / 23.0 + 0.5)).abs() < 1e-12);
}

#[test]
fn a_window_without_length_has_no_days() {
    let empty = calendar("Europe/Berlin", "2026-06-15T06:00:00Z", "2026-06-15T06:00:00Z", Interval::Day);
    assert_eq!((empty.buckets.len(), lengths(&empty)), (1, vec![0.0]));
    assert!(empty.weeks_of(empty.buckets[0]).is_empty());
}

#[test]
fn instants_fall_into_the_part_that_holds_them() {
    let days = calendar("Asia/Kathmandu", "2026-06-15", "2026-06-18", Interval::Day);
    for (at, bucket) in [
        ("2026-06-14T18:15:00Z", 0),
        ("2026-06-15T18:14:59.999999Z", 0),
        ("2026-06-15T18:15:00Z", 1),
        ("2026-06-17T18:14:59Z", 2),
    ] {
        assert_eq!((days.bucket_of(time(at)), days.day_of(time(at))), (bucket, bucket), "{at}");
    }
}

#[test]
fn what_is_too_wide_is_refused() {
    let span = |to: &str| Span { from: time("2016-01-01T00:00:00Z"), to: time(to), zone: Zone::UTC };
    assert!(Calendar::new(span("2026-01-01T00:00:00Z"), None).is_ok());
    assert_eq!(Calendar::new(span("2216-01-01T00:00:00Z"), None).err(), Some(TooWide::Span));
    let days = Calendar::new(span("2026-01-01T00:00:00Z"), Some(Interval::Day));
    assert_eq!(days.err(), Some(TooWide::Buckets(3653)));
    let most = Calendar::new(span("2020-02-09T00:00:00Z"), Some(Interval::Day)).unwrap();
    assert_eq!(most.buckets.len(), MAX_BUCKETS);
    assert!(Calendar::new(span("2020-02-09T00:00:00.000001Z"), Some(Interval::Day)).is_err());
}

#[test]
fn zones_and_dates_are_read_strictly() {
    assert_eq!(zone("Europe/Berlin").to_string(), "Europe/Berlin");
    for bad in ["", "Berlin", "Europe/Atlantis", "+02:00", "Europe/Berlin "] {
        assert!(Zone::parse(bad).is_err(), "{bad}");
    }
    for bad in ["", "2026-02-30", "2026-6-1", "1969-12-31", "9999-99-99", "today"] {
        assert!(Zone::UTC.midnight(bad).is_err(), "{bad}");
    }
    assert!(zone("America/New_York").midnight("1970-01-01").is_ok());
    assert!(zone("Europe/Berlin").midnight("1970-01-01").is_err(), "its midnight was in 1969");
}

#[test]
fn days_before_keeps_the_time_of_day() {
    let berlin = zone("Europe/Berlin");
    assert_eq!(berlin.days_before(time("2026-04-10T10:00:00Z"), 30), time("2026-03-11T11:00:00Z"));
    // 02:30 did not exist on 2026-03-29: 03:00 is the next there was
    assert_eq!(berlin.days_before(time("2026-03-30T00:30:00Z"), 1), time("2026-03-29T01:00:00Z"));
    assert_eq!(berlin.days_before(time("1970-01-02T00:00:00Z"), 30), Timestamp::EPOCH);
}

fn span(zone_name: &str, from: &str, to: &str) -> Span {
    calendar(zone_name, from, to, Interval::Day).span
}

#[test]
fn the_window_before_is_as_long_by_the_calendar() {
    let before = |zone, from, to| {
        let span = span(zone, from, to);
        let before = span.before().unwrap();
        assert_eq!(before.to, span.from);
        before.from.to_string()
    };
    // a month, a quarter, a year; in February there are 28 days
    assert_eq!(before("UTC", "2026-03-01", "2026-04-01"), "2026-02-01T00:00:00Z");
    assert_eq!(before("UTC", "2026-01-01", "2026-04-01"), "2025-10-01T00:00:00Z");
    assert_eq!(before("UTC", "2024-01-01", "2025-01-01"), "2023-01-01T00:00:00Z");
    // whole days, over a change of clocks
    assert_eq!(before("Europe/Berlin", "2026-04-06", "2026-04-13"), "2026-03-29T22:00:00Z");
    assert_eq!(before("Europe/Berlin", "2026-03-30", "2026-04-06"), "2026-03-22T23:00:00Z");
    // until noon: from noon, by the clock on the wall
    assert_eq!(before("Europe/Berlin", "2026-03-30", "2026-04-01T10:00:00Z"), "2026-03-27T11:00:00Z");
    // ten minutes of the hour that was there twice
    assert_eq!(before("Europe/Berlin", "2026-10-25T00:55:00Z", "2026-10-25T01:05:00Z"), "2026-10-25T00:45:00Z");
    assert_eq!(span("UTC", "1970-01-02", "1970-01-10").before(), None);
}

#[test]
fn a_part_that_the_window_cuts_is_not_whole() {
    let whole = |from, to, interval| {
        let calendar = calendar("Europe/Berlin", from, to, interval);
        calendar.buckets.iter().map(|bucket| calendar.is_whole(*bucket, interval)).collect::<Vec<_>>()
    };
    assert_eq!(whole("2026-03-25", "2026-04-06", Interval::Week), [false, true]);
    assert_eq!(whole("2026-03-23", "2026-04-07", Interval::Week), [true, true, false]);
    assert_eq!(whole("2026-03-01", "2026-04-01", Interval::Month), [true]);
    assert_eq!(whole("2026-03-28", "2026-03-30T10:00:00Z", Interval::Day), [true, true, false]);
    assert_eq!(whole("2026-03-28", "2026-03-28", Interval::Day), [false], "nothing is not a day");
}

#[test]
fn parts_begin_where_the_calendar_says() {
    let start = |at, interval, back| zone("Europe/Berlin").start_of_part(time(at), interval, back).to_string();
    // a Wednesday
    let at = "2026-04-01T12:00:00Z";
    assert_eq!(start(at, Interval::Day, 0), "2026-03-31T22:00:00Z");
    assert_eq!(start(at, Interval::Week, 0), "2026-03-29T22:00:00Z");
    assert_eq!(start(at, Interval::Week, 1), "2026-03-22T23:00:00Z");
    assert_eq!(start(at, Interval::Month, 2), "2026-01-31T23:00:00Z");
    assert_eq!(start(at, Interval::Month, 12 * 200), "1970-01-01T00:00:00Z", "as far as there is time");
}
