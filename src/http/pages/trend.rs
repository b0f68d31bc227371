//! This window against the one before it, which is as long.

use super::text::{ENOUGH, Figure, count, percent as percent_text, short};
use crate::domain::Timestamp;
use crate::dora::Keys;
use crate::http::AppState;
use crate::http::error::Problem;
use crate::report::Question;

/// The answers of the window before.
pub async fn before(state: &AppState, question: &Question) -> Result<Keys, Problem> {
    let mut earlier = question.clone();
    let length = question.span.to.micros_since(question.span.from);
    earlier.span.to = question.span.from;
    earlier.span.from = Timestamp::from_micros(question.span.from.micros() - length).unwrap_or(Timestamp::EPOCH);
    earlier.interval = None;
    earlier.group_by = None;
    Ok(state.answers.answer(&earlier).await?.all.total)
}

/// A number of one window, and how many facts it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// `None`: it cannot be known.
    pub value: Option<(f64, Figure)>,
    pub n: u64,
    /// Of a share: where it may as well be, in 95 of 100 cases.
    pub interval: Option<[f64; 2]>,
    /// A count is exact however small; a median or a share of a few facts is not worth much.
    pub exact: bool,
}

impl Measured {
    pub fn n_text(&self) -> String {
        count(self.n)
    }

    /// What may be shown as the answer.
    pub fn answer(&self) -> Option<&(f64, Figure)> {
        self.value.as_ref().filter(|_| self.exact || self.n >= ENOUGH)
    }
}

/// A smaller change of a frequency or a duration is called none.
const NOTICEABLE_PERCENT: f64 = 10.0;

/// What became of a number.
#[derive(Debug, PartialEq)]
pub struct Trend {
    /// Where the number went.
    pub arrow: char,
    /// For example `12 % more`.
    pub change: String,
    /// Whether that is good; `None`: it is the same.
    pub good: Option<bool>,
    pub was: Figure,
    pub was_n: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    More,
    Less,
}

/// `None`: one of the two windows has too little to say. A share has changed when it was not, before, where it may
/// as well be now.
pub fn compare(now: &Measured, before: &Measured, better: Better) -> Option<Trend> {
    let ((value, _), (then, was)) = (now.answer()?, before.answer()?);
    let difference = value - then;
    let percent = difference.abs() / then * 100.0;
    let same = match now.interval {
        Some([low, high]) => (low..=high).contains(then),
        None if difference == 0.0 => true,
        // from nothing there is no percentage
        None if !percent.is_finite() => return None,
        None => percent < NOTICEABLE_PERCENT,
    };
    let (arrow, word, good) = if difference > 0.0 {
        ('↑', "more", better == Better::More)
    } else {
        ('↓', "less", better == Better::Less)
    };
    // in points, because "50 % more" of 2 % frightens without need
    let size = match now.interval {
        Some(_) => format!("{} points", percent_text(difference.abs())),
        None => format!("{} %", short(percent.round())),
    };
    let trend = Trend { arrow, change: format!("{size} {word}"), good: Some(good), was: was.clone(), was_n: before.n };
    Some(if same { Trend { arrow: '→', change: "No clear change".to_owned(), good: None, ..trend } } else { trend })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(ratio: f64, n: u64) -> Measured {
        let interval = Some([ratio - 0.02, ratio + 0.02]);
        Measured { value: Some((ratio, Figure::share(ratio))), n, interval, exact: false }
    }

    #[test]
    fn a_trend_needs_enough_on_both_sides_and_a_change_that_is_clear() {
        let less = |now, before| compare(&now, &before, Better::Less);
        let trend = less(share(0.1, 50), share(0.125, 40)).unwrap();
        assert_eq!((trend.change.as_str(), trend.good, trend.was_n), ("2.5 points less", Some(true), 40));
        assert_eq!(less(share(0.2, 50), share(0.125, 40)).unwrap().good, Some(false));
        assert_eq!(less(share(0.1, 50), share(0.119, 40)).unwrap().change, "No clear change");
        assert_eq!(less(share(0.1, 4), share(0.125, 40)), None);
        assert_eq!(less(share(0.1, 50), share(0.125, 4)), None);
    }

    #[test]
    fn a_count_is_compared_however_small_but_not_with_nothing() {
        let count = |n: u64, value: f64| {
            let value = Some((value, Figure::count(n)));
            Measured { value, n, interval: None, exact: true }
        };
        let more = |now, before| compare(&now, &before, Better::More);
        assert_eq!(more(count(3, 3.0), count(0, 0.0)), None);
        assert_eq!(more(count(0, 0.0), count(0, 0.0)).unwrap().change, "No clear change");
        assert_eq!(more(count(3, 3.0), count(2, 2.0)).unwrap().change, "50 % more");
        assert_eq!(more(count(21, 21.0), count(20, 20.0)).unwrap().change, "No clear change");
    }
}
