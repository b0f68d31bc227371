//! From how many facts on a number says something about the work, and not only about these facts. Below that it
//! is still shown, with its n; but nobody should act on it, and it is not held against anything.

/// For a median. With 6 values, and not with 5, the true median lies between the least and the greatest in more
/// than 95 % of all samples (1 - 2 / 2^n: the interval of the sign test).
pub const MIN_FOR_MEDIAN: u64 = 6;

/// For a share. From 20 on, one fact more or less moves it by no more than 5 points of a hundred.
pub const MIN_FOR_SHARE: u64 = 20;

pub fn for_median(n: u64) -> bool {
    n >= MIN_FOR_MEDIAN
}

/// For the median of those that are over, of which some are not: while as many are open, which take longer, it is
/// no median of all.
pub fn for_recovery(recovered: u64, open: u64) -> bool {
    for_median(recovered) && open < recovered
}

pub fn for_share(whole: u64) -> bool {
    whole >= MIN_FOR_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_the_least_that_keep_their_promise() {
        let missed = |n: u64| 2.0 / 2_f64.powi(i32::try_from(n).unwrap());
        assert!(missed(MIN_FOR_MEDIAN) < 0.05 && missed(MIN_FOR_MEDIAN - 1) > 0.05);
        let step = |n: u32| 1.0 / f64::from(n);
        assert!(step(20) <= 0.05 && step(19) > 0.05);
        assert!(for_recovery(6, 5) && !for_recovery(6, 6) && !for_recovery(5, 0));
        assert!(for_median(6) && !for_median(5) && for_share(20) && !for_share(19));
    }
}
