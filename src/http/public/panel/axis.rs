//! The axis of values: from 0 to a round number, in a unit that keeps its numbers small.

use crate::dora::{Measured, words};

/// Ticks of an axis lie at least so many pixels apart.
const APART: f64 = 34.0;

#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What the top stands for, as the values are given.
    pub top: f64,
    /// From 0 upwards.
    pub ticks: Vec<Tick>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

impl Axis {
    /// Over all values up to `greatest`, on so many pixels.
    pub fn new(measured: Measured, greatest: f64, pixels: f64) -> Self {
        let (unit, suffix, least_step) = match measured {
            // what is counted has no halves
            Measured::PerDay | Measured::StartedPerDay => (1.0, "", 1.0),
            Measured::Ratio => (0.01, " %", 0.01),
            Measured::Median => {
                let (unit, suffix) = unit_of_time(greatest);
                (unit, suffix, 0.01)
            }
        };
        let greatest = match greatest {
            some if some > 0.0 => some / unit,
            _ if measured == Measured::Ratio => 10.0,
            _ => 4.0,
        };
        let most = (pixels / APART).floor().clamp(1.0, 6.0);
        let step = round_step(greatest / most).max(least_step);
        let count = (greatest / step - 1e-9).ceil().max(1.0);
        let decimals = if step < 0.1 { 2 } else { usize::from(step < 1.0) };
        let mut ticks = Vec::new();
        let mut index = 0.0;
        while index <= count {
            let value = index * step;
            ticks.push(Tick { value: value * unit, label: format!("{}{suffix}", words::trimmed(value, decimals)) });
            index += 1.0;
        }
        Self { top: count * step * unit, ticks }
    }
}

fn unit_of_time(greatest: f64) -> (f64, &'static str) {
    match greatest {
        s if s <= 120.0 => (1.0, " s"),
        s if s <= 2.0 * 3600.0 => (60.0, " min"),
        s if s <= 72.0 * 3600.0 => (3600.0, " h"),
        _ => (86_400.0, " d"),
    }
}

/// The least of 1, 2, 5 and their tenfolds that is not below it.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(measured: Measured, greatest: f64, pixels: f64) -> Vec<String> {
        let axis = Axis::new(measured, greatest, pixels);
        assert!(axis.top >= greatest, "{axis:?}");
        assert!((axis.ticks.last().unwrap().value - axis.top).abs() < 1e-9, "{axis:?}");
        axis.ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_and_reach_over_the_greatest_value() {
        for (measured, greatest, expected) in [
            (Measured::PerDay, 17.0, &["0", "5", "10", "15", "20"][..]),
            (Measured::PerDay, 5.0, &["0", "1", "2", "3", "4", "5"]),
            (Measured::PerDay, 1.0, &["0", "1"]),
            (Measured::StartedPerDay, 0.0, &["0", "1", "2", "3", "4"]),
            (Measured::Ratio, 0.081, &["0 %", "2 %", "4 %", "6 %", "8 %", "10 %"]),
            (Measured::Ratio, 1.0, &["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
            (Measured::Ratio, 0.0, &["0 %", "2 %", "4 %", "6 %", "8 %", "10 %"]),
            (Measured::Ratio, 1.0 / 3000.0, &["0 %", "0.01 %", "0.02 %", "0.03 %", "0.04 %"]),
            (Measured::Ratio, 0.012, &["0 %", "0.5 %", "1 %", "1.5 %"]),
            (Measured::Median, 45.0, &["0 s", "10 s", "20 s", "30 s", "40 s", "50 s"]),
            (Measured::Median, 5400.0, &["0 min", "20 min", "40 min", "60 min", "80 min", "100 min"]),
            (Measured::Median, 30_000.0, &["0 h", "2 h", "4 h", "6 h", "8 h", "10 h"]),
            (Measured::Median, 1_000_000.0, &["0 d", "5 d", "10 d", "15 d"]),
        ] {
            assert_eq!(labels(measured, greatest, 190.0), expected, "{measured:?} {greatest}");
        }
    }

    #[test]
    fn a_low_panel_has_fewer_of_them() {
        assert_eq!(labels(Measured::PerDay, 17.0, 70.0), ["0", "10", "20"]);
        assert_eq!(labels(Measured::PerDay, 17.0, 10.0), ["0", "20"]);
    }
}
