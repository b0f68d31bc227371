//! The process-behaviour chart for single values and their moving ranges (XmR): what values a process may be
//! expected to have if nothing about it changes. After Wheeler, Understanding Variation (SPC Press).

/// "Useful limits may be constructed with as few as five or six values": the more careful of the two.
pub const MIN_POINTS: usize = 6;
/// So many values in a row on one side of the centre line are a signal.
pub const RUN: usize = 8;
/// Limits of values lie so many mean moving ranges away from the centre: three sigma, estimated from ranges of two.
const VALUE_FACTOR: f64 = 2.66;
/// The same for the moving ranges themselves.
const RANGE_FACTOR: f64 = 3.267;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The values they were drawn from.
    pub n: usize,
    /// Their mean.
    pub centre: f64,
    /// The natural process limits; never beyond what a value can be.
    pub lower: f64,
    pub upper: f64,
    pub mean_moving_range: f64,
    pub moving_range_limit: f64,
}

/// Why no limits can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoLimits {
    /// So many values, and it takes [`MIN_POINTS`].
    TooFew(usize),
    /// All values are the same.
    NoVariation,
}

/// What says that a value is more than noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    AboveLimit,
    BelowLimit,
    RunAbove,
    RunBelow,
    /// It differs too much from the value before.
    Jump,
}

impl Limits {
    /// From values in the order of time, none of which is above `greatest` or below 0.
    #[expect(clippy::cast_precision_loss, reason = "at most as many values as a window has parts")]
    pub fn of(values: &[f64], greatest: f64) -> Result<Self, NoLimits> {
        let n = values.len();
        if n < MIN_POINTS {
            return Err(NoLimits::TooFew(n));
        }
        let centre = values.iter().sum::<f64>() / n as f64;
        let ranges = values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        let mean_moving_range = ranges.sum::<f64>() / (n - 1) as f64;
        if mean_moving_range <= 0.0 {
            return Err(NoLimits::NoVariation);
        }
        let reach = VALUE_FACTOR * mean_moving_range;
        Ok(Self {
            n,
            centre,
            lower: (centre - reach).max(0.0),
            upper: (centre + reach).min(greatest),
            mean_moving_range,
            moving_range_limit: RANGE_FACTOR * mean_moving_range,
        })
    }

    /// Of values that are all the same: there is no noise, so whatever differs from them has changed. `None` of too few.
    pub fn of_one_value(values: &[f64]) -> Option<Self> {
        let centre = *values.first().filter(|_| values.len() >= MIN_POINTS)?;
        Some(Self {
            n: values.len(),
            centre,
            lower: centre,
            upper: centre,
            mean_moving_range: 0.0,
            moving_range_limit: 0.0,
        })
    }

    /// What each of the values signals, in the order of time.
    pub fn signals(&self, values: &[f64]) -> Vec<Vec<Rule>> {
        let mut signals: Vec<Vec<Rule>> = values.iter().map(|value| self.outside(*value)).collect();
        let side = |value: f64| value.total_cmp(&self.centre);
        let mut start = 0;
        for run in values.chunk_by(|a, b| side(*a) == side(*b)) {
            let rule = match side(run[0]) {
                std::cmp::Ordering::Greater => Some(Rule::RunAbove),
                std::cmp::Ordering::Less => Some(Rule::RunBelow),
                std::cmp::Ordering::Equal => None,
            };
            if let Some(rule) = rule.filter(|_| run.len() >= RUN) {
                signals[start..start + run.len()].iter_mut().for_each(|of_value| of_value.push(rule));
            }
            start += run.len();
        }
        for (index, pair) in values.windows(2).enumerate() {
            if (pair[1] - pair[0]).abs() > self.moving_range_limit {
                signals[index + 1].push(Rule::Jump);
            }
        }
        signals
    }

    fn outside(&self, value: f64) -> Vec<Rule> {
        if value > self.upper {
            vec![Rule::AboveLimit]
        } else if value < self.lower {
            vec![Rule::BelowLimit]
        } else {
            Vec::new()
        }
    }
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::AboveLimit => "above_limit",
            Self::BelowLimit => "below_limit",
            Self::RunAbove => "run_above_centre",
            Self::RunBelow => "run_below_centre",
            Self::Jump => "jump",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: f64 = f64::INFINITY;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
    }

    #[test]
    fn limits_are_worked_out_by_hand() {
        // sum 58; ranges 2 4 1 3 5, sum 15
        let limits = Limits::of(&[10.0, 12.0, 8.0, 9.0, 12.0, 7.0], ANY).unwrap();
        close(limits.centre, 58.0 / 6.0);
        close(limits.mean_moving_range, 3.0);
        close(limits.upper, 58.0 / 6.0 + 7.98);
        close(limits.lower, 58.0 / 6.0 - 7.98);
        close(limits.moving_range_limit, 9.801);
        assert_eq!(limits.n, 6);
    }

    #[test]
    fn limits_are_those_of_the_handbook() {
        // NIST/SEMATECH e-Handbook 6.3.2.2: 50.81, mean moving range 1.8778, limits 45.8159 and 55.8041 (there 3 / 1.128
        // is not rounded to 2.66)
        let flow = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1];
        let limits = Limits::of(&flow, ANY).unwrap();
        close(limits.centre, 50.81);
        close(limits.mean_moving_range, 16.9 / 9.0);
        assert!((limits.lower - 45.8159).abs() < 2e-3 && (limits.upper - 55.8041).abs() < 2e-3, "{limits:?}");
        assert!(limits.signals(&flow).concat().is_empty(), "it says: no point is out of control");
    }

    #[test]
    fn limits_do_not_lie_beyond_what_can_be() {
        // mean 0.5, mean moving range 1
        let limits = Limits::of(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 1.0).unwrap();
        assert_eq!((limits.centre, limits.lower, limits.upper), (0.5, 0.0, 1.0));
        close(Limits::of(&[0.0, 1.0, 0.0, 1.0, 0.0, 1.0], ANY).unwrap().upper, 3.16);
    }

    #[test]
    fn too_little_gives_no_limits() {
        assert_eq!(Limits::of(&[], ANY), Err(NoLimits::TooFew(0)));
        assert_eq!(Limits::of(&[1.0, 2.0, 1.0, 2.0, 1.0], ANY), Err(NoLimits::TooFew(5)));
        assert_eq!(Limits::of(&[3.0; 6], ANY), Err(NoLimits::NoVariation));
    }

    fn limits() -> Limits {
        Limits { n: 10, centre: 5.0, lower: 2.0, upper: 8.0, mean_moving_range: 1.0, moving_range_limit: 4.0 }
    }

    #[test]
    fn only_what_lies_outside_the_limits_is_outside() {
        let signals = limits().signals(&[8.0, 8.1, 5.0, 2.0, 1.9]);
        let expected: [&[Rule]; 5] = [&[], &[Rule::AboveLimit], &[], &[], &[Rule::BelowLimit]];
        assert_eq!(signals, expected);
    }

    #[test]
    fn eight_in_a_row_on_one_side_are_a_signal() {
        assert!(limits().signals(&[6.0; 7]).concat().is_empty());
        assert_eq!(limits().signals(&[6.0; 8]).concat(), [Rule::RunAbove; 8]);
        let mut values = vec![4.0; 9];
        values.insert(0, 6.0);
        let signals = limits().signals(&values);
        assert!(signals[0].is_empty());
        assert_eq!(signals[1..].concat(), [Rule::RunBelow; 9]);
        // one on the line, or on the other side, ends it
        for end in [5.0, 6.0] {
            let mut values = vec![4.0; 14];
            values[7] = end;
            assert!(limits().signals(&values).concat().is_empty());
        }
        assert!(limits().signals(&[5.0; 20]).concat().is_empty(), "on the line is on no side");
    }

    #[test]
    fn a_jump_is_a_signal_of_the_value_after_it() {
        let expected: [&[Rule]; 4] = [&[], &[], &[Rule::Jump], &[]];
        assert_eq!(limits().signals(&[3.0, 7.0, 2.9, 6.9]), expected);
    }
}
