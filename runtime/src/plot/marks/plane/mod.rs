//! What has a value or a direction at each place of a plane: contours, arrows, and surfaces in space.

use super::super::PlotError;
use super::super::numbers::{Grid, Matrix, Numbers};

mod contour;
mod isolines;
mod quiver;
mod surface;

pub(in crate::plot) use contour::Contours;
pub(super) use quiver::arrow;
pub(in crate::plot) use surface::Surface;

/// Values over a plane: `grid.at(row, column)` stands at `(xs[column], ys[row])`.
#[derive(Debug, Clone)]
struct Lattice {
    xs: Vec<f64>,
    ys: Vec<f64>,
    grid: Grid,
}

impl Lattice {
    /// An error if there is not one x for each column and one y for each row, in rising order.
    fn new(
        what: &str,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        values: &(impl Matrix + ?Sized),
    ) -> Result<Self, PlotError> {
        let (xs, ys, grid) = (xs.numbers(), ys.numbers(), values.matrix()?);
        if (ys.len(), xs.len()) != (grid.rows, grid.columns) || grid.rows < 2 || grid.columns < 2 {
            let (rows, columns, x, y) = (grid.rows, grid.columns, xs.len(), ys.len());
            return Err(PlotError::counts(format!(
                "{what}: {x} x values and {y} y values for values of {rows} by {columns}: they are [y, x], with two \
                 of each at least"
            )));
        }
        let rises = |values: &[f64]| values.windows(2).all(|pair| pair[0] < pair[1] && (pair[1] - pair[0]).is_finite());
        if !rises(&xs) || !rises(&ys) {
            return Err(PlotError::counts(format!("{what}: x values and y values have to rise from each to the next")));
        }
        Ok(Self { xs, ys, grid })
    }

    fn corners(&self) -> Vec<(f64, f64)> {
        let ends = |values: &[f64]| (values[0], values[values.len() - 1]);
        let (x, y) = (ends(&self.xs), ends(&self.ys));
        vec![(x.0, y.0), (x.1, y.1)]
    }

    /// Between four values, linear along each axis.
    fn between(&self, x: f64, y: f64) -> f64 {
        let ((column, right), (row, above)) = (place(&self.xs, x), place(&self.ys, y));
        let along = |row: usize| {
            let (from, to) = (self.grid.at(row, column), self.grid.at(row, column + 1));
            // The part alone of a value at the place itself: what is beside it may be NaN.
            if right == 0.0 { from } else { from + (to - from) * right }
        };
        let from = along(row);
        if above == 0.0 { from } else { from + (along(row + 1) - from) * above }
    }
}

/// The place before a value, and how far it is to the next one, from 0 to 1.
fn place(places: &[f64], value: f64) -> (usize, f64) {
    let before = places.partition_point(|place| *place <= value).clamp(1, places.len() - 1) - 1;
    (before, ((value - places[before]) / (places[before + 1] - places[before])).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_between_places_are_linear_along_each_axis() {
        let lattice =
            Lattice::new("", &[0.0, 1.0, 3.0], &[0.0, 2.0], &[[0.0, 1.0, 5.0], [2.0, 3.0, 7.0]]).expect("fits");
        for (x, y, value) in [(0.0, 0.0, 0.0), (3.0, 2.0, 7.0), (2.0, 0.0, 3.0), (0.5, 1.0, 1.5)] {
            assert_eq!(lattice.between(x, y), value);
        }
    }

    #[test]
    fn places_that_do_not_fit_are_refused() {
        let error = |xs: &[f64], ys: &[f64]| {
            Lattice::new("contour", xs, ys, &[[0.0, 1.0], [2.0, 3.0]]).expect_err("does not fit").to_string()
        };
        assert!(error(&[0.0, 1.0, 2.0], &[0.0, 1.0]).contains("3 x values and 2 y values for values of 2 by 2"));
        assert!(error(&[0.0, 0.0], &[0.0, 1.0]).contains("have to rise"));
    }
}
