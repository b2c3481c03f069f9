//! The arithmetic of an axis: its range, where its ticks stand and how they are written.

use plotters::coord::ranged1d::{BoldPoints, Ranged};
use plotters::coord::types::RangedCoordf64;

use crate::font;

/// An axis with its ticks. On a logarithmic one, values are the exponents of ten.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plot) struct Axis {
    from: f64,
    to: f64,
    pub(in crate::plot) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// At most `count` ticks; only whole ones where the data are `whole`.
    pub(in crate::plot) fn linear((low, high): (f64, f64), count: usize, whole: bool) -> Self {
        let ticks = linear_ticks((low, high), count, whole);
        let names = ticks.iter().map(|tick| (*tick, name(*tick, &ticks))).collect();
        Self { from: low, to: high, ticks: names }
    }

    /// From `10^low` to `10^high`.
    pub(in crate::plot) fn logarithmic((low, high): (f64, f64)) -> Self {
        let ticks = log_ticks((low, high));
        let value = |tick: &f64| 10f64.powf(*tick);
        // Powers of ten differ too much in size to share a number of digits, but all are written in the same way.
        let plain: Vec<String> = ticks.iter().map(|tick| name(value(tick), &[value(tick)])).collect();
        let are_powers = ticks.iter().all(|tick| tick.fract() == 0.0);
        let are_long = are_powers && ticks.iter().any(|tick| !(-4.0..5.0).contains(tick));
        let names = if are_long || plain.iter().any(|name| name.contains('e')) {
            ticks.iter().map(|tick| exponential(value(tick))).collect()
        } else {
            plain
        };
        Self { from: low, to: high, ticks: ticks.into_iter().zip(names).collect() }
    }

    /// A tick with each name, at 0, 1, 2...
    pub(in crate::plot) fn named((low, high): (f64, f64), names: &[String]) -> Self {
        let ticks = names.iter().enumerate().map(|(place, name)| (place as f64, name.clone())).collect();
        Self { from: low, to: high, ticks }
    }

    /// The same axis with its values counting the other way.
    pub(in crate::plot) fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }

    /// Where a value lies: 0 at the beginning, 1 at the end.
    pub(in crate::plot) fn share(&self, value: f64) -> f64 {
        let range = self.to - self.from;
        value / range - self.from / range
    }

    /// How wide the widest name of a tick is at a font size of 1.
    pub(in crate::plot) fn widest_name(&self) -> f64 {
        self.ticks.iter().map(|(_, name)| font::width(name)).fold(0.0, f64::max)
    }
}

/// A range that holds all finite values, with a `margin` (as a fraction of it) at either end.
pub(in crate::plot) fn around(values: impl Iterator<Item = f64>, margin: f64) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    // One value alone, or several that rounding cannot tell apart.
    let smallest = low.abs().max(high.abs()) * 1e-9;
    if high - low <= smallest {
        let half = if low == 0.0 { 0.5 } else { low.abs() * 0.1 };
        return (low - half, high + half);
    }
    let margin = (high / 2.0 - low / 2.0) * 2.0 * margin;
    ((low - margin).max(f64::MIN / 4.0), (high + margin).min(f64::MAX / 4.0))
}

/// At most `count` round values within a range; only whole ones where the data are whole.
fn linear_ticks((low, high): (f64, f64), count: usize, whole: bool) -> Vec<f64> {
    let mut ticks = RangedCoordf64::from(low..high).key_points(BoldPoints(count));
    if whole && ticks.iter().any(|tick| tick.fract() == 0.0) {
        ticks.retain(|tick| tick.fract() == 0.0);
    }
    ticks
}

/// Ticks of a logarithmic axis over `10^low` to `10^high`, as exponents: powers of ten, or fewer or more of them so
/// that there are some and not too many.
fn log_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let powers: Vec<f64> = (low.ceil() as i64..=high.floor() as i64).map(|power| power as f64).collect();
    if powers.len() > 8 {
        let step = powers.len().div_ceil(8);
        return powers.into_iter().filter(|power| *power as i64 % step as i64 == 0).collect();
    }
    if powers.len() >= 3 {
        return powers;
    }
    let within = |tick: &f64| (low..=high).contains(tick);
    for digits in [&[1.0f64, 2.0, 5.0][..], &[1.0, 2.0, 3.0, 5.0, 7.0]] {
        let ticks: Vec<f64> = (low.floor() as i64..=high.ceil() as i64)
            .flat_map(|power| digits.iter().map(move |digit| power as f64 + digit.log10()))
            .filter(within)
            .collect();
        if ticks.len() >= 3 {
            return ticks;
        }
    }
    // Less than a decade: round values, as on a linear axis.
    let linear = linear_ticks((10f64.powf(low), 10f64.powf(high)), 5, false);
    linear.into_iter().filter(|tick| *tick > 0.0).map(f64::log10).filter(within).collect()
}

/// A tick's text, with as many digits as it takes to tell the `ticks` apart.
fn name(tick: f64, ticks: &[f64]) -> String {
    let largest = ticks.iter().fold(0.0, |largest: f64, tick| largest.max(tick.abs()));
    // A tick that should be 0 can come out of a subtraction as a little more.
    let tick = if tick.abs() < largest * 1e-9 { 0.0 } else { tick };
    let round = |tick: f64, decimals: i32| {
        let shifted = tick * 10f64.powi(decimals);
        (shifted - shifted.round()).abs() < 1e-6 * shifted.abs().max(1e-3)
    };
    match (0..=5).find(|decimals| ticks.iter().all(|tick| round(*tick, *decimals))) {
        Some(decimals) if largest < 1e6 => format!("{tick:.*}", decimals as usize),
        _ if tick == 0.0 => "0".to_owned(),
        _ => exponential(tick),
    }
}

/// `2e-7`, `1.25e6`; `1` without its exponent of 0.
fn exponential(value: f64) -> String {
    let text = format!("{value:.5e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
            if exponent == "0" { mantissa.to_owned() } else { format!("{mantissa}e{exponent}") }
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_the_finite_values_and_is_never_empty() {
        let cases: [(&[f64], (f64, f64)); 6] = [
            (&[], (0.0, 1.0)),
            (&[f64::NAN, f64::INFINITY], (0.0, 1.0)),
            (&[0.0, f64::NAN, 10.0], (-1.0, 11.0)),
            (&[5.0], (4.5, 5.5)),
            (&[-5.0, -5.0], (-5.5, -4.5)),
            (&[0.0], (-0.5, 0.5)),
        ];
        for (values, expected) in cases {
            assert_eq!(around(values.iter().copied(), 0.1), expected, "{values:?}");
        }
    }

    #[test]
    fn the_widest_range_stays_finite() {
        let (low, high) = around([f64::MIN, f64::MAX].into_iter(), 0.1);
        assert!((high - low).is_finite());
    }

    #[test]
    fn whole_data_get_whole_ticks() {
        assert_eq!(linear_ticks((-0.1, 3.1), 9, true), [0.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn ticks_are_written_with_the_digits_they_need() {
        let bar = Axis::linear((-1.0, 1.0), 6, false);
        assert!(bar.ticks.iter().any(|(_, name)| name == "0.0"), "{bar:?}");
        let cases: [(&[f64], &[&str]); 6] = [
            (&[0.0, 1.0, 2.0], &["0", "1", "2"]),
            (&[0.0, 0.25, 0.5], &["0.00", "0.25", "0.50"]),
            (&[-1e-17, 0.1, 0.2], &["0.0", "0.1", "0.2"]),
            (&[0.0, 500_000.0, 1_000_000.0], &["0", "5e5", "1e6"]),
            (&[1e-7, 2e-7], &["1e-7", "2e-7"]),
            (&[-20.0, 0.0], &["-20", "0"]),
        ];
        for (ticks, expected) in cases {
            let names: Vec<_> = ticks.iter().map(|tick| name(*tick, ticks)).collect();
            assert_eq!(names, expected);
        }
    }

    #[test]
    fn the_ticks_of_a_logarithmic_axis_are_all_written_in_one_way() {
        let names = |range| Axis::logarithmic(range).ticks.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names((-2.0, 1.0)), ["0.01", "0.1", "1", "10"]);
        assert_eq!(names((3.0, 7.0)), ["1e3", "1e4", "1e5", "1e6", "1e7"]);
        assert_eq!(names((-5.0, -2.0)), ["1e-5", "1e-4", "1e-3", "1e-2"]);
        assert_eq!(names((-8.0, 2.0)), ["1e-8", "1e-6", "1e-4", "1e-2", "1", "1e2"]);
        assert_eq!(names((5.1, 5.8)), ["200000", "300000", "500000"]);
        assert_eq!(names((5.8, 6.8)), ["1e6", "2e6", "5e6"]);
        let narrow = names((5.0, 100_100f64.log10()));
        assert!(
            narrow.len() > 2 && narrow.iter().all(|name| name.starts_with("1000") && name.len() == 6),
            "{narrow:?}"
        );
    }

    #[test]
    fn values_lie_between_the_ends() {
        let axis = Axis::linear((-1.0, 3.0), 5, true);
        assert_eq!([-1.0, 1.0, 3.0].map(|value| axis.share(value)), [0.0, 0.5, 1.0]);
        assert_eq!(axis.clone().reversed().share(-1.0), 1.0);
        let widest = Axis::linear((f64::MIN / 4.0, f64::MAX / 4.0), 5, false);
        assert!(widest.share(f64::MAX).is_finite());
        assert_eq!(Axis::named((-0.5, 1.5), &["cat".to_owned(), "dog".to_owned()]).ticks[1], (1.0, "dog".to_owned()));
    }

    #[test]
    fn a_logarithmic_axis_has_ticks_whatever_it_spans() {
        assert_eq!(log_ticks((-2.1, 1.1)), [-2.0, -1.0, 0.0, 1.0]);
        for range in [(-300.0, 300.0), (0.01, 0.02), (0.9, 1.1), (-4.5, -3.9), (0.0, 1.0)] {
            let ticks = log_ticks(range);
            assert!((2..=9).contains(&ticks.len()), "{range:?}: {ticks:?}");
            assert!(ticks.iter().all(|tick| (range.0..=range.1).contains(tick)));
        }
    }
}
