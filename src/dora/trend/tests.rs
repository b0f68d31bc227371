use super::*;
use crate::domain::Timestamp;
use crate::dora::{Deployment, Reached, Recovery, Span, Tally, Zone};

const DAY: i64 = 86_400_000_000;
/// A Monday.
const START: i64 = 4 * DAY;

/// A window of days from the n-th on, with so many deployments on each; and the answers about it.
fn window(first: usize, deployments: &[usize]) -> (Calendar, Answer) {
    let day = |n: usize| Timestamp::from_micros(START + DAY * i64::try_from(n).unwrap()).unwrap();
    let span = Span { from: day(first), to: day(first + deployments.len()), zone: Zone::UTC };
    let calendar = Calendar::new(span, Some(Interval::Day)).unwrap();
    let mut tally = Tally::new(&calendar);
    for (n, count) in deployments.iter().enumerate() {
        let reached = Reached { lead_time: None, unplanned: false, failure: None };
        for _ in 0..*count {
            tally.deployment((), &Deployment { at: day(first + n), reached: Some(reached) });
        }
    }
    let (all, _) = tally.finish().unwrap();
    (calendar.clone(), all)
}

fn of(before: &[usize], this: &[usize]) -> Trend {
    let (calendar_before, answer_before) = window(0, before);
    let (calendar, answer) = window(before.len(), this);
    trend(
        Metric::DeploymentFrequency,
        Interval::Day,
        Side { calendar: &calendar_before, answer: &answer_before },
        Side { calendar: &calendar, answer: &answer },
    )
}

fn signals(trend: &Trend) -> Vec<&'static str> {
    let word = |point: &Point| point.signals.iter().map(|rule| rule.name()).collect::<Vec<_>>();
    trend.points.iter().flat_map(word).collect()
}

#[test]
fn what_the_window_before_lets_expect_is_noise() {
    // mean 4, ranges 2 2 2 2 2: limits 4 - 5.32 and 4 + 5.32
    let found = of(&[3, 5, 3, 5, 3, 5], &[9, 3, 5, 4, 3, 3]);
    let (limits, from) = found.limits.unwrap();
    assert_eq!((from, limits.centre, limits.lower), (Window::Before, 4.0, 0.0));
    assert!((limits.upper - 9.32).abs() < 1e-9 && (limits.moving_range_limit - 6.534).abs() < 1e-9, "{limits:?}");
    assert_eq!(
        (found.verdict, found.better, found.reason.as_str()),
        (
            Verdict::Noise,
            None,
            "no signal in 6 whole days, held against the limits drawn from the window before: differences between them are noise",
        )
    );
    assert_eq!((found.before.value, found.this.value, found.difference), (Some(4.0), Some(4.5), Some(0.5)));
    assert_eq!(found.relative_difference, Some(0.125));
    let ranges: Vec<_> = found.points.iter().map(|point| point.moving_range).collect();
    assert_eq!(ranges[..3], [None, Some(2.0), Some(2.0)]);
    assert_eq!(ranges[6], Some(4.0), "over the border of the windows");
}

#[test]
fn what_is_not_to_be_expected_is_a_signal() {
    let found = of(&[3, 5, 3, 5, 3, 5], &[5, 10, 5, 4, 3, 3]);
    assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(true)));
    assert_eq!(signals(&found), ["above_limit"]);
    assert_eq!(
        found.reason,
        "1 of 6 whole days stands out from the limits drawn from the window before, upwards, which is better: more than noise"
    );
}

#[test]
fn a_small_change_that_stays_is_a_signal_too() {
    let found = of(&[3, 5, 3, 5, 3, 5, 3, 5], &[3, 3, 2, 3, 3, 2, 3, 3]);
    assert_eq!(signals(&found), ["run_below_centre"; 8]);
    assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(false)), "{}", found.reason);
    assert!(found.stands_out.unwrap().lasting && found.reason.contains("as a run of at least 8"), "{}", found.reason);
    // seven are not, but one of the window before may be the first of eight
    assert_eq!(of(&[3, 5, 3, 5, 3, 5], &[3, 3, 2, 3, 3, 2, 3]).verdict, Verdict::Noise);
    assert_eq!(of(&[5, 3, 5, 3, 5, 3], &[3, 3, 2, 3, 3, 2, 3]).verdict, Verdict::Signal);
}

#[test]
fn days_that_are_worse_are_not_said_of_a_window_that_is_better() {
    // mean 4: one day with none is far below, the others make more of it than there were before
    let before = [4, 3, 4, 5, 4, 3, 4, 5];
    let found = of(&before, &[0, 6, 5, 5, 6, 5, 5, 6]);
    assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(false)));
    assert!(found.difference.unwrap() > 0.0);
    let only_way_back = StandsOut { of: 8, better: 0, worse: 1, jumps: 1, lasting: false };
    assert_eq!(found.stands_out, Some(only_way_back));
    assert_eq!(
        found.reason,
        "1 of 8 whole days stands out from the limits drawn from the window before, downwards, which is worse: more \
         than noise; the window as a whole is better than the one before"
    );
    // where both agree there is nothing to add
    let found = of(&before, &[0, 3, 4, 4, 4, 3, 4, 4]);
    assert!(found.reason.ends_with("which is worse: more than noise"), "{}", found.reason);
}

#[test]
fn what_stands_out_both_ways_is_counted_for_each() {
    let found = of(&[3, 5, 3, 5, 3, 5, 3, 5, 3, 5, 4, 4], &[11, 4, 4, 12, 4, 4]);
    assert_eq!(found.stands_out.unwrap().better, 2);
    let found = of(&[13, 15, 13, 15, 13, 15], &[14, 2, 14, 25, 14, 26]);
    let stands_out = found.stands_out.unwrap();
    assert_eq!((stands_out.better, stands_out.worse, stands_out.lasting, found.better), (2, 1, false, None));
    assert!(found.reason.contains("3 of 6 whole days stand out"), "{}", found.reason);
    assert!(found.reason.contains(", 2 upwards and 1 downwards: more than noise"), "{}", found.reason);
}

#[test]
fn a_signal_of_the_window_before_is_not_one_of_this() {
    // mean 4, ranges 0 0 0 0 12 12 0 0 0 0 (24 / 10)
    let found = of(&[3, 3, 3, 3, 3, 14, 3, 3, 3, 3, 3], &[3, 4, 5]);
    assert_eq!(found.verdict, Verdict::Noise, "{}", found.reason);
    assert!(found.points[5].signals.contains(&Rule::AboveLimit));
}

#[test]
fn without_enough_before_the_window_is_held_against_itself() {
    for before in [&[0_usize; 8][..], &[3, 5, 3, 5, 3]] {
        let found = of(before, &[3, 5, 3, 5, 3, 5, 3, 14]);
        assert_eq!(found.limits.unwrap().1, Window::This);
        assert_eq!(signals(&found), ["above_limit", "jump"], "and none of the window before");
        assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(true)));
        assert!(found.reason.contains("drawn from this window itself"), "{}", found.reason);
    }
}

#[test]
fn too_few_points_are_not_judged() {
    let found = of(&[3, 5, 3, 5, 3], &[3, 50, 3, 5, 3]);
    assert_eq!((found.verdict, found.limits), (Verdict::NotEnoughData, None));
    assert_eq!(
        found.reason,
        "limits take at least 6 whole days with values that differ: the window before has 5, this one 5"
    );
    assert!(signals(&found).is_empty());
    assert_eq!(of(&[2; 7], &[2; 2]).verdict, Verdict::Noise, "what never changes has not changed");
}

#[test]
fn what_differs_from_what_was_always_the_same_is_a_signal() {
    for (before, this, better) in [(1, 3, true), (10, 1, false)] {
        let found = of(&[before; 12], &[this; 12]);
        assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(better)), "{before} to {this}");
        let (limits, from) = found.limits.unwrap();
        assert_eq!((from, limits.lower, limits.upper), (Window::Before, limits.centre, limits.centre));
        assert!(found.stands_out.unwrap().lasting, "{}", found.reason);
    }
    let found = of(&[2; 8], &[2, 2, 1, 2]);
    assert_eq!((found.verdict, found.better), (Verdict::Signal, Some(false)), "{}", found.reason);
    assert_eq!(of(&[2; 5], &[3; 5]).verdict, Verdict::NotEnoughData, "but it takes six");
}

#[test]
fn where_nothing_happens_nothing_is_judged() {
    let found = of(&[0; 12], &[0; 12]);
    assert_eq!((found.verdict, found.better), (Verdict::NotEnoughData, None));
    assert_eq!(found.reason, "nothing has happened, in this window and in the one before");
}

#[test]
fn too_few_facts_are_not_judged_however_they_are_spread() {
    let failed = |n: usize| Reached { lead_time: None, unplanned: false, failure: (n == 0).then_some(Recovery::Open) };
    // each day so many deployments, of which the first of every third day fails
    let window = |first: usize, days: usize, each: usize| {
        let (calendar, _) = window(first, &vec![0; days]);
        let mut tally = Tally::new(&calendar);
        for (day, bucket) in calendar.buckets.iter().enumerate() {
            for n in 0..each {
                tally.deployment((), &Deployment { at: bucket.start, reached: Some(failed(day % 3 + n)) });
            }
        }
        let (all, _) = tally.finish().unwrap();
        (calendar.clone(), all)
    };
    let of = |before: (Calendar, Answer), this: (Calendar, Answer)| {
        let (before, this) = ((&before.0, &before.1), (&this.0, &this.1));
        let side = |(calendar, answer)| Side { calendar, answer };
        trend(Metric::ChangeFailureRate, Interval::Day, side(before), side(this))
    };
    let found = of(window(0, 12, 25), window(12, 12, 1));
    assert_eq!((found.verdict, found.better), (Verdict::NotEnoughData, None), "{}", found.reason);
    assert_eq!(found.reason, "the whole window is made of too little to be judged (n = 12)");
    let found = of(window(0, 12, 1), window(12, 12, 25));
    assert_eq!((found.verdict, found.limits.unwrap().1), (Verdict::Noise, Window::This), "{}", found.reason);
    assert!(found.reason.contains("the one before is made of too little"), "{}", found.reason);
}

#[test]
fn a_part_that_is_cut_is_shown_and_not_judged() {
    let half_days = |n| Timestamp::from_micros(START + n * DAY / 2).unwrap();
    let (calendar_before, answer_before) = window(0, &[3, 5, 3, 5, 3, 5]);
    let span = Span { from: half_days(12), to: half_days(15), zone: Zone::UTC };
    let calendar = Calendar::new(span, Some(Interval::Day)).unwrap();
    let (answer, _) = Tally::<()>::new(&calendar).finish().unwrap();
    let before = Side { calendar: &calendar_before, answer: &answer_before };
    let this = Side { calendar: &calendar, answer: &answer };
    let found = trend(Metric::DeploymentFrequency, Interval::Day, before, this);
    assert_eq!(found.points.iter().map(|point| point.whole).collect::<Vec<_>>()[6..], [true, false]);
    assert_eq!(found.points[7].moving_range, None);
    assert!(found.reason.starts_with("no signal in 1 whole day,"), "{}", found.reason);
    let found = trend(Metric::LeadTimeForChanges, Interval::Day, before, this);
    assert_eq!((found.this.value, found.difference, found.verdict), (None, None, Verdict::NotEnoughData));
}
