//! What one consumer is shown of the totals: a new series as 0 first, its value from the next time on.
//! Pure. A counter that first appears with a value has no earlier sample, so that value is lost to `increase`.
//!
//! A consumer's *mark* is the greatest series id it has been shown; ids grow with age, so one number is enough.

use crate::domain::Timestamp;
use crate::metrics::SeriesTotal;

/// What is older than this at the first contact with a consumer is history.
const HISTORY_MICROS: i64 = 3_600 * 1_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub series: Vec<SeriesTotal>,
    /// The consumer's mark, once it has got them.
    pub mark: i64,
}

/// The mark of a consumer that has never been shown anything. History lies below it and is shown with its value
/// at once: a collector connected a month later must not see a month of deployments in one spike.
pub fn first_mark(series: &[SeriesTotal], now: Timestamp) -> i64 {
    let history = series.iter().filter(|series| now.micros_since(series.started_at) > HISTORY_MICROS);
    history.map(|series| series.id).max().unwrap_or(0)
}

/// The totals for a consumer with this mark.
pub fn show(mut series: Vec<SeriesTotal>, mark: i64) -> Shown {
    let mut next = mark;
    for series in series.iter_mut().filter(|series| series.id > mark) {
        next = next.max(series.id);
        series.count = 0;
        series.sum_micros = 0;
        series.buckets.fill(0);
    }
    Shown { series, mark: next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixtures::{at, counter, histogram};

    #[test]
    fn a_new_series_is_shown_as_0_and_with_its_value_the_next_time() {
        let totals = vec![counter(1, 3), histogram(2, &[30_000_000, 90_000_000])];
        let first = show(totals.clone(), 1);
        assert_eq!(first.mark, 2);
        assert_eq!(first.series[0], totals[0]);
        assert_eq!((first.series[1].count, first.series[1].sum_micros), (0, 0));
        assert_eq!(first.series[1].buckets, vec![0; totals[1].buckets.len()]);
        assert_eq!(show(totals.clone(), first.mark), Shown { series: totals, mark: 2 });
    }

    #[test]
    fn a_mark_never_falls() {
        assert_eq!(show(vec![], 7).mark, 7);
        assert_eq!(show(vec![counter(3, 1)], 7).mark, 7);
    }

    #[test]
    fn at_first_contact_history_keeps_its_value_and_the_young_start_at_0() {
        let old = counter(1, 40);
        let mut young = counter(2, 1);
        young.started_at = at(100_000);
        let now = at(100_000 + 3_600);
        assert_eq!(first_mark(&[old.clone(), young.clone()], now), 1);
        let shown = show(vec![old, young], 1);
        assert_eq!(shown.series.iter().map(|series| series.count).collect::<Vec<_>>(), [40, 0]);
    }

    #[test]
    fn an_empty_store_leaves_nothing_that_could_ever_count_as_history() {
        assert_eq!(first_mark(&[], at(1_000_000)), 0);
    }
}
