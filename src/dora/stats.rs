//! Statistics on whole microseconds: exact, and the same whatever the order of the values.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{Durations, Share};

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Up to so many values are sorted out as they are.
const FEW: usize = 2048;
/// Bins of [`bin`].
const BINS: usize = (64 - FINE as usize) << FINE;
/// Bits behind the first that tell bins apart: a bin is at most 1.6 % wide.
const FINE: u32 = 6;
/// No duration is longer than all of time, and so many of them can be added up.
const SUMMABLE: usize = 32;

/// n, median, p75, p90 and mean of the values, wherever they lie.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 microseconds, and rounded once beyond")]
pub fn durations(values: &[&[i64]]) -> Durations {
    let n: usize = values.iter().map(|values| values.len()).sum();
    if n == 0 {
        return Durations::default();
    }
    let sums = values.iter().flat_map(|values| values.chunks(SUMMABLE)).map(|few| i128::from(few.iter().sum::<i64>()));
    let mean_seconds = Some(sums.sum::<i128>() as f64 / (n as f64 * 1e6));
    // by linear interpolation between closest ranks (type 7)
    let places = [(1, 2), (3, 4), (9, 10)].map(|(numerator, denominator)| {
        let rank = (n - 1) * numerator;
        (rank / denominator, rank % denominator, denominator)
    });
    let ranks: BTreeSet<_> = places.iter().flat_map(|(rank, part, _)| [*rank, rank + usize::from(*part > 0)]).collect();
    let found = at_ranks(values, n, ranks);
    let [median_seconds, p75_seconds, p90_seconds] = places.map(|(rank, part, denominator)| {
        let (low, high) = (found.get(&rank)?, found.get(&(rank + usize::from(part > 0)))?);
        // computed in integers, rounded once
        let scaled = i128::from(*low) * denominator as i128 + part as i128 * (i128::from(*high) - i128::from(*low));
        Some(scaled as f64 / (denominator as f64 * 1e6))
    });
    Durations { n: n as u64, median_seconds, p75_seconds, p90_seconds, mean_seconds }
}

/// The values that would stand at these places, were all `n` sorted. Two runs through many values, which only
/// takes note of those near the places, instead of sorting a copy of them all.
fn at_ranks(values: &[&[i64]], n: usize, ranks: BTreeSet<usize>) -> BTreeMap<usize, i64> {
    if n <= FEW {
        return select(&mut values.concat(), 0, ranks.into_iter()).collect();
    }
    let mut counts = vec![0_u32; BINS];
    for values in values {
        for value in *values {
            counts[bin(*value)] += 1;
        }
    }
    // the bins that places lie in: how many values lie below each, and the places
    let mut wanted: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut number_of = vec![u8::MAX; BINS];
    let (mut below, mut ranks) = (0, ranks.into_iter().peekable());
    for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let count = *count as usize;
        let mut here = Vec::new();
        while let Some(rank) = ranks.next_if(|rank| *rank < below + count) {
            here.push(rank);
        }
        if let Some(number) = u8::try_from(wanted.len()).ok().filter(|_| !here.is_empty()) {
            number_of[bin] = number;
            wanted.push((below, here));
        }
        below += count;
    }
    let mut near: Vec<Vec<i64>> = vec![Vec::new(); wanted.len()];
    for values in values {
        for value in *values {
            if let Some(near) = near.get_mut(usize::from(number_of[bin(*value)])) {
                near.push(*value);
            }
        }
    }
    let wanted = wanted.into_iter().zip(&mut near);
    wanted.flat_map(|((below, ranks), near)| select(near, below, ranks.into_iter())).collect()
}

/// The values at ascending places; so many others are smaller than all of these.
fn select(
    values: &mut [i64],
    below: usize,
    ranks: impl DoubleEndedIterator<Item = usize>,
) -> impl Iterator<Item = (usize, i64)> {
    // from above: what is below a place that has been found is all that the next one needs
    let mut rest = values.len();
    ranks.rev().map(move |rank| {
        let (_, value, _) = values[..rest].select_nth_unstable(rank - below);
        rest = rank - below;
        (rank, *value)
    })
}

/// A coarse view of a value that keeps the order: the place of its first bit, and the bits behind that.
#[expect(clippy::cast_sign_loss, reason = "not below 0")]
#[expect(clippy::cast_possible_truncation, reason = "below the number of bins")]
fn bin(value: i64) -> usize {
    let shifted = value.max(0) as u64 + (1 << FINE);
    let scale = shifted.ilog2() - FINE;
    ((scale << FINE) as usize) + ((shifted >> scale) as usize & ((1 << FINE) - 1))
}

/// The median of some small whole numbers.
#[expect(clippy::cast_precision_loss, reason = "numbers of days")]
pub fn median(values: &mut [u32]) -> Option<f64> {
    values.sort_unstable();
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(f64::from(values[middle])),
        _ => Some(u64::from(values[middle - 1]).wrapping_add(u64::from(values[middle])) as f64 / 2.0),
    }
}

/// A share with its 95 % Wilson score interval (Wilson 1927); nothing of nothing is unknown.
#[expect(clippy::cast_precision_loss, reason = "counts of facts are far below 2^53")]
pub fn share(part: u64, whole: u64) -> Share {
    if whole == 0 {
        return Share { ratio: None, interval95: None };
    }
    let (n, p) = (whole as f64, part as f64 / whole as f64);
    let z2n = Z * Z / n;
    let centre = (p + z2n / 2.0) / (1.0 + z2n);
    let half = Z / (1.0 + z2n) * (p * (1.0 - p) / n + z2n / (4.0 * n)).sqrt();
    // at the ends the formula gives 0 and 1, but for the last digit
    let low = if part == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if part == whole { 1.0 } else { (centre + half).min(1.0) };
    Share { ratio: Some(p), interval95: Some([low, high]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seconds: &[i64]) -> Durations {
        durations(&[&seconds.iter().map(|s| s * 1_000_000).collect::<Vec<_>>()])
    }

    #[test]
    fn quantiles_are_those_of_numpy_and_excel() {
        // numpy.quantile([1, 2, 3, 4], [.5, .75, .9]) = [2.5, 3.25, 3.7]
        let four = of(&[4, 1, 3, 2]);
        assert_eq!((four.n, four.median_seconds, four.p75_seconds), (4, Some(2.5), Some(3.25)));
        assert_eq!((four.p90_seconds, four.mean_seconds), (Some(3.7), Some(2.5)));
        // numpy.quantile([10, 20, 30, 40, 1000], ...) = [30, 40, 616]
        let five = of(&[1000, 10, 40, 20, 30]);
        assert_eq!((five.median_seconds, five.p75_seconds, five.p90_seconds), (Some(30.0), Some(40.0), Some(616.0)));
        let one = of(&[7]);
        assert_eq!((one.median_seconds, one.p90_seconds, one.mean_seconds), (Some(7.0), Some(7.0), Some(7.0)));
        assert_eq!(of(&[]), Durations::default());
        let same = of(&[5, 5, 5, 5, 5, 5]);
        assert_eq!((same.median_seconds, same.p90_seconds), (Some(5.0), Some(5.0)));
    }

    #[test]
    fn the_greatest_possible_durations_do_not_overflow() {
        let longest = 253_402_300_799_999_999;
        let found = durations(&[&vec![longest; 1000], &[], &vec![longest; 3000]]);
        assert_eq!(found.mean_seconds, found.median_seconds);
        assert!(found.mean_seconds.is_some_and(|s| (s - 253_402_300_800.0).abs() < 1.0));
    }

    proptest::proptest! {
        #[test]
        fn quantiles_are_those_of_sorted_values_however_they_are_cut(
            seed in proptest::prelude::any::<u64>(), n in 1..6000_usize, spread in 0..58_u32, cut in 0..6000_usize,
        ) {
            use rand::{RngExt as _, SeedableRng as _};
            let mut random = rand::rngs::StdRng::seed_from_u64(seed);
            let values: Vec<i64> = (0..n).map(|_| random.random_range(-2..1_i64 << spread)).collect();
            let (front, back) = values.split_at(cut.min(n));
            let found = durations(&[front, back]);
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let ranks = (0..n).step_by(1 + n / 20).collect();
            for (rank, value) in at_ranks(&[front, back], n, ranks) {
                assert_eq!(value, sorted[rank]);
            }
            #[expect(clippy::cast_precision_loss, reason = "of a test")]
            let middle = (sorted[(n - 1) / 2] as f64 + sorted[n / 2] as f64) / 2e6;
            assert!(found.median_seconds.is_some_and(|median| (median - middle).abs() <= 1e-9 * middle.abs()));
        }

        #[test]
        fn bins_keep_the_order(a in 0..=i64::MAX, b in 0..=i64::MAX) {
            assert!(bin(a) < BINS);
            assert!(bin(a) == bin(b) || (a < b) == (bin(a) < bin(b)));
        }
    }

    #[test]
    fn wilson_intervals_are_those_of_the_textbooks() {
        let close = |share: Share, ratio: f64, low: f64, high: f64| {
            let Some([l, h]) = share.interval95 else { panic!("no interval") };
            assert_eq!(share.ratio, Some(ratio));
            assert!((l - low).abs() < 5e-5 && (h - high).abs() < 5e-5, "{l} {h}");
        };
        // Newcombe 1998, table I, method 3: 81/263, 15/148, 0/20, 1/29
        close(share(81, 263), 81.0 / 263.0, 0.2553, 0.3662);
        close(share(15, 148), 15.0 / 148.0, 0.0624, 0.1605);
        close(share(0, 20), 0.0, 0.0, 0.1611);
        close(share(1, 29), 1.0 / 29.0, 0.0061, 0.1718);
        assert_eq!(share(3, 3).interval95.map(|[_, high]| high), Some(1.0));
        assert_eq!(share(0, 0), Share { ratio: None, interval95: None });
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3, 1, 2]), Some(2.0));
        assert_eq!(median(&mut [5, 0, 2, 1]), Some(1.5));
    }
}
