//! Statistics on whole microseconds: exact, and the same whatever the order of the values.

use super::keys::{Durations, Share};

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// n, median, p75, p90 and mean; reorders the values.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 microseconds, and rounded once beyond")]
pub fn durations(values: &mut [i64]) -> Durations {
    if values.is_empty() {
        return Durations::default();
    }
    let sum: i128 = values.iter().copied().map(i128::from).sum();
    let mean_seconds = Some(sum as f64 / (values.len() as f64 * 1e6));
    let n = values.len() as u64;
    // from above: what is below a quantile that has been found is all that the next one needs
    let mut rest = values.len();
    let mut quantile = |numerator, denominator| {
        let (value, used) = quantile(&mut values[..rest], n, numerator, denominator);
        rest = used;
        Some(value)
    };
    let p90_seconds = quantile(9, 10);
    let p75_seconds = quantile(3, 4);
    let median_seconds = quantile(1, 2);
    Durations { n, median_seconds, p75_seconds, p90_seconds, mean_seconds }
}

/// The quantile of `n` values of which the lowest are given (at least as many as it takes), by linear
/// interpolation between closest ranks (type 7), in seconds; and how many of the lowest values now stand
/// in front. Computed in integers, rounded once.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, and rounded once beyond")]
#[expect(clippy::cast_possible_truncation, reason = "a rank is below the number of values")]
fn quantile(lowest: &mut [i64], n: u64, numerator: u64, denominator: u64) -> (f64, usize) {
    let rank = (n - 1) * numerator;
    let (index, part) = ((rank / denominator) as usize, rank % denominator);
    let (_, &mut low, above) = lowest.select_nth_unstable(index);
    let mut scaled = i128::from(low) * i128::from(denominator);
    let mut used = index + 1;
    if part > 0
        && let Some(next) = (0..above.len()).min_by_key(|i| above[*i])
    {
        above.swap(0, next);
        scaled += i128::from(part) * (i128::from(above[0]) - i128::from(low));
        used += 1;
    }
    (scaled as f64 / (denominator as f64 * 1e6), used)
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
        durations(&mut seconds.iter().map(|s| s * 1_000_000).collect::<Vec<_>>())
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
        let found = durations(&mut [longest; 1000]);
        assert_eq!(found.mean_seconds, found.median_seconds);
        assert!(found.mean_seconds.is_some_and(|s| (s - 253_402_300_800.0).abs() < 1.0));
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
