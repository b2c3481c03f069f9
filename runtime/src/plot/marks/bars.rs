//! Bars for categories, side by side where there are several series.

use super::super::numbers::Numbers;
use super::super::write::scene::{Anchor, Ink, Point, Rect, Shape, centered};
use super::heat::{decimals, written};
use super::{Axes, Figure, Frame, LeftOut, Mark, PlotError, Shared, Swatch, names_fit};
use crate::font;

/// How much of the room of a category its bars take.
const FILLED: f64 = 0.8;

/// A bar at 0, 1, 2...
#[derive(Debug)]
pub(crate) struct Bars(Vec<f64>);

impl Figure {
    /// Adds a bar for each of `names`. A second series of bars stands beside the first.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let models = ["linear", "MLP", "CNN"];
    /// let figure = Figure::new()
    ///     .bar("train", &models, &[0.91, 0.98, 0.995])
    ///     .bar("test", &models, &[0.90, 0.96, 0.989])
    ///     .y_label("accuracy");
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn bar<S: ToString>(self, label: impl Into<String>, names: &[S], values: &(impl Numbers + ?Sized)) -> Self {
        let (label, values) = (label.into(), values.numbers());
        self.attempt(|figure| {
            let (names, count) = (names.iter().map(S::to_string).collect::<Vec<_>>(), values.len());
            if names.len() != count {
                let names = names.len();
                return Err(PlotError::counts(format!(
                    "{label:?} has {names} names and {count} values: each bar needs both"
                )));
            }
            figure.name_x(&format!("the bars of {label:?}"), names)?;
            figure.add(label, Bars(values));
            Ok(())
        })
    }
}

/// Where the bars of a group begin and end, around their category.
fn reach(group: usize, groups: usize) -> (f64, f64) {
    let width = FILLED / groups.max(1) as f64;
    let left = -FILLED / 2.0 + group as f64 * width;
    (left, left + width)
}

impl Bars {
    /// Which group of bars these are, and of how many that stand side by side.
    fn group(&self, figure: &Figure) -> (usize, usize) {
        let place = figure.marks::<Self>().position(|bars| std::ptr::eq(bars, self));
        (place.unwrap_or_default(), figure.marks::<Self>().count())
    }
}

impl Mark for Bars {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        names_fit("x", &figure.x_names, "bars", self.0.len())
    }

    fn axes(&self) -> Axes {
        Axes { from_zero: true, named: true, filled: false }
    }

    fn outline(&self, figure: &Figure, _shared: &Shared) -> Vec<Point> {
        let (group, groups) = self.group(figure);
        let (left, right) = reach(group, groups);
        let tops = self.0.iter().enumerate();
        tops.flat_map(|(place, value)| [(place as f64 + left, 0.0), (place as f64 + right, *value)]).collect()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let (group, groups) = self.group(frame.figure);
        let (left, right) = reach(group, groups);
        let base = frame.base();
        let decimals = decimals(&self.0);
        let mut shapes = Vec::new();
        for (place, value) in self.0.iter().enumerate() {
            let top = frame.y(*value);
            if !top.is_finite() {
                continue;
            }
            let (left, right) = (frame.x(place as f64 + left), frame.x(place as f64 + right));
            let gap = if groups > 1 { 0.5 } else { 0.0 };
            let at = Rect::new(left + gap, top.min(base), right - gap, top.max(base));
            shapes.push(Shape::Rect { at, ink: ink.mix(0.9) });
            if frame.figure.heat.annotated {
                let text = written(*value, decimals);
                let size = (1.1 * at.width() / font::width(&text).max(0.1)).min(11.0);
                let beyond = if top > base { 8.0 } else { -8.0 };
                let at = ((at.left + at.right) / 2.0, (top + beyond).max(frame.at.top + 5.0));
                shapes.extend((size >= 6.0).then(|| centered(at, text, size, Anchor::Middle).into()));
            }
        }
        shapes
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Square(0.9))
    }

    fn left_out(&self, figure: &Figure) -> LeftOut {
        let x = if figure.log_x { 1.0 } else { 0.0 };
        LeftOut::of_points(figure, self.0.iter().map(|value| (x, *value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_of_several_series_stand_side_by_side() {
        assert_eq!(reach(0, 1), (-0.4, 0.4));
        assert_eq!((reach(0, 2), reach(1, 2)), ((-0.4, 0.0), (0.0, 0.4)));
        let figure = Figure::new().bar("a", &["x", "y"], &[1.0, 2.0]).bar("b", &["x", "y"], &[3.0, -1.0]);
        let svg = figure.svg().expect("draws");
        for color in ["#1f77b4", "#ff7f0e"] {
            let bars = svg.matches(&format!("fill=\"{color}\" fill-opacity=\"0.9\"")).count();
            assert!(bars >= 2, "{bars} bars of {color}: {svg}");
        }
        assert!(svg.contains(">x</text>") && svg.contains(">y</text>"));
    }

    #[test]
    fn values_stand_on_the_bars_where_asked_for() {
        let figure = Figure::new().bar("a", &["x", "y"], &[0.25, 0.5]);
        assert!(!figure.svg().expect("draws").contains(">0.25<"));
        assert!(figure.annotate().svg().expect("draws").contains(">0.25<"));
    }

    #[test]
    fn bars_of_other_names_are_refused() {
        let figure = Figure::new().bar("a", &["x"], &[1.0]).bar("b", &["y"], &[1.0]);
        assert!(figure.svg().expect_err("no figure").to_string().contains("\"b\" have other names"));
    }
}
