//! This window against the one before it, which is as long.

use super::text::{ENOUGH, Figure, count, short};
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

/// Anything smaller is called the same.
const NOTICEABLE_PERCENT: f64 = 5.0;
const NOTICEABLE_POINTS: f64 = 1.0;

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

/// `None`: one of the two windows has too little to say.
pub fn compare(now: &Measured, before: &Measured, better: Better, is_share: bool) -> Option<Trend> {
    let ((now, _), (then, was)) = (now.answer()?, before.answer()?);
    let difference = now - then;
    // a part of a whole: in points, because "50 % more" of 2 % frightens without need
    let (size, unit) =
        if is_share { (difference.abs() * 100.0, "points") } else { (difference.abs() / then * 100.0, "%") };
    if !size.is_finite() {
        return None;
    }
    if size < if is_share { NOTICEABLE_POINTS } else { NOTICEABLE_PERCENT } {
        return Some(Trend {
            arrow: '→',
            change: "About the same".to_owned(),
            good: None,
            was: was.clone(),
            was_n: before.n,
        });
    }
    let size = short(if size >= 10.0 { size.round() } else { (size * 10.0).round() / 10.0 });
    let (arrow, word, good) = if difference > 0.0 {
        ('↑', "more", better == Better::More)
    } else {
        ('↓', "less", better == Better::Less)
    };
    Some(Trend { arrow, change: format!("{size} {unit} {word}"), good: Some(good), was: was.clone(), was_n: before.n })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(ratio: f64, n: u64) -> Measured {
        Measured { value: Some((ratio, Figure::share(ratio))), n, exact: false }
    }

    #[test]
    fn a_trend_needs_enough_on_both_sides() {
        let less = |now, before| compare(&now, &before, Better::Less, true);
        let trend = less(share(0.1, 50), share(0.125, 40)).unwrap();
        assert_eq!((trend.change.as_str(), trend.good, trend.was_n), ("2.5 points less", Some(true), 40));
        assert_eq!(less(share(0.2, 50), share(0.125, 40)).unwrap().good, Some(false));
        assert_eq!(less(share(0.1, 50), share(0.1, 40)).unwrap().change, "About the same");
        assert_eq!(less(share(0.1, 4), share(0.125, 40)), None);
        assert_eq!(less(share(0.1, 50), share(0.125, 4)), None);
    }

    #[test]
    fn from_nothing_there_is_no_percentage() {
        let count = |n: u64, value: f64| Measured { value: Some((value, Figure::count(n))), n, exact: true };
        assert_eq!(compare(&count(3, 3.0), &count(0, 0.0), Better::More, false), None);
        assert_eq!(compare(&count(3, 3.0), &count(2, 2.0), Better::More, false).unwrap().change, "50 % more");
    }
}
