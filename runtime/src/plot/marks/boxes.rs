//! Box plots: the quartiles of samples side by side.

use super::super::numbers::Numbers;
use super::super::write::scene::{Ink, Point, Rect, Shape, Stroke};
use super::{Axes, Figure, Frame, LeftOut, Mark, PlotError, Shared, Swatch, names_fit};

const HALF: f64 = 0.27;

/// What a box shows of a sample.
#[derive(Debug, Clone, PartialEq)]
struct Summary {
    quartiles: [f64; 3],
    /// The outermost values within 1.5 times the height of the box.
    whiskers: (f64, f64),
    outliers: Vec<f64>,
    /// How many values there are, those that are not finite included.
    count: usize,
    not_finite: usize,
}

impl Summary {
    fn of(mut values: Vec<f64>) -> Self {
        let count = values.len();
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let not_finite = count - values.len();
        if values.is_empty() {
            let whiskers = (f64::NAN, f64::NAN);
            return Self { quartiles: [f64::NAN; 3], whiskers, outliers: Vec::new(), count, not_finite };
        }
        let quartiles = [0.25, 0.5, 0.75].map(|share| percentile(&values, share));
        let [lower, _, upper] = quartiles;
        let reach = 1.5 * (upper - lower);
        let within = |value: &&f64| (lower - reach..=upper + reach).contains(*value);
        let ends = (values.iter().find(within), values.iter().rev().find(within));
        let whiskers = (ends.0.copied().unwrap_or(lower).min(lower), ends.1.copied().unwrap_or(upper).max(upper));
        let outliers = values.into_iter().filter(|value| !within(&value)).collect();
        Self { quartiles, whiskers, outliers, count, not_finite }
    }
}

/// A box at 0, 1, 2...
#[derive(Debug)]
struct Boxes(Vec<Summary>);

impl Figure {
    /// Adds a box for each sample, under its name: from the lower to the upper quartile, with a line at the median. The
    /// whiskers reach to the outermost values within 1.5 times the height of the box (J. Tukey, Exploratory Data
    /// Analysis, 1977); dots are what lies beyond.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let figure = Figure::new().boxes(&["a", "b"], &[vec![1.0, 2.0, 3.0, 9.0], vec![2.0, 4.0]]).y_label("loss");
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn boxes<S: ToString>(self, names: &[S], samples: &[impl Numbers]) -> Self {
        self.attempt(|figure| {
            if names.len() != samples.len() {
                let (names, samples) = (names.len(), samples.len());
                return Err(PlotError::counts(format!("{names} names and {samples} samples: each box needs both")));
            }
            figure.name_x("the boxes", names.iter().map(S::to_string).collect())?;
            figure.add("", Boxes(samples.iter().map(|sample| Summary::of(sample.numbers())).collect()));
            Ok(())
        })
    }
}

/// The value below which that share of the sorted values lies, in between two of them linearly, as NumPy has it.
pub(super) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let below = place as usize;
    let (Some(low), part) = (sorted.get(below), place - below as f64) else { return f64::NAN };
    let high = sorted.get(below + 1).unwrap_or(low);
    low + (high - low) * part
}

impl Mark for Boxes {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        names_fit("x", &figure.x_names, "boxes", self.0.len())
    }

    fn axes(&self) -> Axes {
        Axes { named: true, ..Axes::default() }
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        let mut points = Vec::new();
        for (place, summary) in self.0.iter().enumerate() {
            let ends = [summary.whiskers.0, summary.whiskers.1];
            let ends = ends.into_iter().chain(summary.outliers.iter().copied());
            points.extend(ends.flat_map(|y| [(place as f64 - 0.5, y), (place as f64 + 0.5, y)]));
        }
        points
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for (place, summary) in self.0.iter().enumerate() {
            let middle = place as f64;
            let [lower, median, upper] = summary.quartiles.map(|value| frame.y(value));
            let whiskers = (frame.y(summary.whiskers.0), frame.y(summary.whiskers.1));
            if ![lower, median, upper, whiskers.0, whiskers.1].iter().all(|y| y.is_finite()) {
                continue;
            }
            let (left, x, right) = (frame.x(middle - HALF), frame.x(middle), frame.x(middle + HALF));
            let cap = (right - left) / 4.0;
            let line =
                |points: &[Point], width| Shape::Line { points: points.to_vec(), stroke: Stroke::new(ink, width) };
            shapes.push(Shape::Rect { at: Rect::new(left, upper, right, lower), ink: ink.mix(0.25) });
            let corners = [(left, lower), (left, upper), (right, upper), (right, lower), (left, lower)];
            shapes.push(line(&corners, 1.3));
            shapes.push(line(&[(left, median), (right, median)], 2.5));
            for (from, to) in [(lower, whiskers.0), (upper, whiskers.1)] {
                shapes.push(line(&[(x, from), (x, to)], 1.3));
                shapes.push(line(&[(x - cap, to), (x + cap, to)], 1.3));
            }
            let outliers = summary.outliers.iter().map(|value| frame.y(*value)).filter(|y| y.is_finite());
            shapes.extend(outliers.map(|y| Shape::Dot { at: (x, y), radius: 2.4, ink: ink.mix(0.7) }));
        }
        shapes
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Square(0.25))
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        let counts = self.0.iter().map(|summary| (summary.count, summary.not_finite));
        let (of, not_finite) = counts.fold((0, 0), |all, (of, left)| (all.0 + of, all.1 + left));
        LeftOut { of, not_finite, not_positive: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn boxes_are_those_of_matplotlib() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/plot.json"));
        for name in ["normal", "skewed", "constant"] {
            let summary = Summary::of(reference.numbers(&format!("/histogram/{name}/values")));
            let expected = reference.numbers(&format!("/boxes/{name}/summary"));
            let [lower, median, upper] = summary.quartiles;
            let actual = [summary.whiskers.0, lower, median, upper, summary.whiskers.1];
            for (actual, expected) in actual.iter().zip(expected) {
                assert!((actual - expected).abs() < 1e-9, "{name}: {summary:?}, {expected}");
            }
            let outliers = reference.numbers(&format!("/boxes/{name}/outliers"));
            assert_eq!(summary.outliers.len(), outliers.len(), "{name}");
        }
    }

    #[test]
    fn a_sample_without_values_leaves_its_place_empty() {
        assert!(Summary::of(vec![f64::NAN]).quartiles[1].is_nan());
        let svg = Figure::new().boxes(&["none", "one"], &[vec![], vec![1.0]]).svg().expect("draws");
        assert!(svg.contains(">none</text>"), "{svg}");
        let error = Figure::new().boxes(&["a"], &[vec![1.0], vec![2.0]]).svg().expect_err("no figure").to_string();
        assert!(error.contains("1 names and 2 samples"), "{error}");
    }
}
