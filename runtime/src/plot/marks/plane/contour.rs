//! Contours: lines of one value, and areas between two.

use std::sync::Arc;

use super::super::super::layout::axis::Axis;
use super::super::super::numbers::{Matrix, Numbers};
use super::super::super::write::scene::{Anchor, Ink, Point, Shape, Stroke, centered, picture};
use super::super::annotations::readable;
use super::super::heat::{field, range};
use super::super::{Axes, Figure, Frame, LeftOut, Mark, PlotError, Shared, Span};
use super::Lattice;
use super::isolines::isolines;

/// Lines over filled areas.
const OVER_AREAS: Ink = Ink::TEXT.on_data();
/// About how many levels there are where none were chosen.
const LEVELS: usize = 9;
/// How fine areas are drawn, in pixels of their own.
const FINE: (u32, u32) = (900, 600);
const SIZE: f64 = 10.5;

#[derive(Debug)]
pub(in crate::plot) struct Contours {
    lattice: Lattice,
    /// Areas rather than lines.
    is_filled: bool,
}

impl Figure {
    /// Adds the lines along which a function of a plane has one value, such as a loss over two parameters. `values` are
    /// `[y, x]`, with an x for each column and a y for each row, as Matplotlib's `contour`. [`Figure::levels`] chooses
    /// the values, [`Figure::annotate`] writes them onto the lines. Over [`Figure::contourf`] the lines are dark.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let xs = Tensor::linspace(-2, 2, 50, (Kind::Float, Device::Cpu));
    /// let ys = Tensor::linspace(-1, 3, 60, (Kind::Float, Device::Cpu));
    /// let (x, y) = (xs.unsqueeze(0), ys.unsqueeze(1));
    /// let rosenbrock = (&x - 1.0).square() + (&y - x.square()).square() * 100.0;
    /// let figure = Figure::new().contour(&xs, &ys, &rosenbrock).levels(&[1.0, 10.0, 100.0, 500.0]).annotate();
    /// assert!(figure.line_xy("descent", &[-1.0, 0.0, 1.0], &[1.0, 0.2, 1.0]).png().is_ok());
    /// ```
    pub fn contour(
        self,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        values: &(impl Matrix + ?Sized),
    ) -> Self {
        self.contours(Lattice::new("contour", xs, ys, values), false)
    }

    /// Adds the areas between two values of a function of a plane, as Matplotlib's `contourf`; else as
    /// [`Figure::contour`].
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let heights = [[0.0, 1.0, 2.0], [1.0, 3.0, 2.0]];
    /// let figure = Figure::new().contourf(&[0, 1, 2], &[0, 1], &heights).contour(&[0, 1, 2], &[0, 1], &heights);
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn contourf(
        self,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        values: &(impl Matrix + ?Sized),
    ) -> Self {
        self.contours(Lattice::new("contourf", xs, ys, values), true)
    }

    /// The values of [`Figure::contour`] and [`Figure::contourf`], in rising order. By default about nine round ones.
    pub fn levels(self, levels: &(impl Numbers + ?Sized)) -> Self {
        let levels = levels.numbers();
        self.attempt(|figure| {
            if levels.is_empty() || !levels.windows(2).all(|pair| pair[0] < pair[1]) {
                return Err(PlotError::counts(format!("levels {levels:?}: they have to rise from each to the next")));
            }
            figure.levels = levels;
            Ok(())
        })
    }

    fn contours(self, lattice: Result<Lattice, PlotError>, is_filled: bool) -> Self {
        self.attempt(|figure| {
            figure.add("", Contours { lattice: lattice?, is_filled });
            Ok(())
        })
    }

    /// As they were chosen, or round ones.
    fn contour_levels(&self, range: (f64, f64)) -> Vec<f64> {
        if self.levels.is_empty() {
            return Axis::linear(range, LEVELS, false).ticks.into_iter().map(|(level, _)| level).collect();
        }
        self.levels.clone()
    }
}

impl Mark for Contours {
    fn axes(&self) -> Axes {
        Axes { filled: true, ..Axes::default() }
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        self.lattice.corners()
    }

    fn colored(&self) -> &[f64] {
        &self.lattice.grid.values
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        let range = frame.shared.heat_range;
        let levels = frame.figure.contour_levels(range);
        let share = |value: f64| (value - range.0) / (range.1 - range.0);
        if self.is_filled {
            return vec![self.areas(frame, &levels, share)];
        }
        let is_over_areas = frame.figure.marks::<Self>().any(|contours| contours.is_filled);
        let map = frame.figure.heat.color_map();
        let ink = |level| if is_over_areas { OVER_AREAS } else { map.color(share(level)) };
        levels.iter().flat_map(|level| self.lines(frame, *level, ink(*level))).collect()
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        LeftOut::of_values(&self.lattice.grid.values)
    }
}

impl Contours {
    fn lines(&self, frame: &Frame<'_>, level: f64, ink: Ink) -> Vec<Shape> {
        let place = |line: Vec<Point>| line.into_iter().map(|point| frame.point(point)).collect::<Vec<Point>>();
        let lines: Vec<Vec<Point>> = isolines(&self.lattice, level).into_iter().map(place).collect();
        let longest = lines.iter().max_by(|a, b| length(a).total_cmp(&length(b)));
        let at =
            longest.filter(|line| frame.figure.heat.annotated && length(line) > 60.0).map(|line| line[line.len() / 2]);
        let stroke = Stroke::new(ink, if ink == OVER_AREAS { 0.9 } else { 1.5 });
        let label = at.map(|at| readable(centered(at, format!("{level}"), SIZE, Anchor::Middle)));
        let lines = lines.iter().map(|line| Shape::Line { points: line.clone(), stroke });
        lines.collect::<Vec<_>>().into_iter().chain(label.into_iter().flatten()).collect()
    }

    /// What is between two levels has the color of their middle. A picture: areas side by side would show seams.
    fn areas(&self, frame: &Frame<'_>, levels: &[f64], share: impl Fn(f64) -> f64) -> Shape {
        let (low, high) = range(frame.figure);
        let ends = [vec![low.min(levels[0])], levels.to_vec(), vec![high.max(levels[levels.len() - 1])]].concat();
        let map = frame.figure.heat.color_map();
        let page = frame.figure.theme_or_usual().ink(Ink::WHITE);
        let color = |value: f64| {
            if !value.is_finite() {
                return page.rgb;
            }
            let above = levels.partition_point(|level| *level <= value);
            map.color(share((ends[above] + ends[above + 1]) / 2.0)).rgb
        };
        let corners = self.lattice.corners();
        let over = Span { x: (corners[0].0, corners[1].0), y: (corners[0].1, corners[1].1) };
        let (width, height) = FINE;
        let at = |from: f64, to: f64, pixel: u32, count: u32| {
            from + (to - from) * (f64::from(pixel) + 0.5) / f64::from(count)
        };
        let pixels = picture(width, height, |x, y| {
            color(self.lattice.between(at(over.x.0, over.x.1, x, width), at(over.y.1, over.y.0, y, height)))
        });
        field(frame, &Arc::new(pixels), over)
    }
}

fn length(line: &[Point]) -> f64 {
    line.windows(2).map(|pair| (pair[1].0 - pair[0].0).hypot(pair[1].1 - pair[0].1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEIGHTS: [[f64; 3]; 3] = [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]];

    fn contour(figure: Figure) -> Figure {
        figure.contour(&[0, 1, 2], &[0, 1, 2], &HEIGHTS)
    }

    #[test]
    fn each_level_is_a_line_of_its_color_with_its_value() {
        let svg = contour(Figure::new()).levels(&[0.5, 2.5]).annotate().svg().expect("draws");
        assert!(svg.contains(">0.5</text>") && svg.contains(">2.5</text>"), "{svg}");
        let color = |level: f64| {
            let [red, green, blue] = crate::plot::ColorMap::Viridis.color(level / 4.0).rgb;
            format!("stroke=\"#{red:02x}{green:02x}{blue:02x}\"")
        };
        assert!(svg.contains(&color(0.5)) && svg.contains(&color(2.5)) && !svg.contains(&color(1.0)), "{svg}");
    }

    #[test]
    fn areas_are_a_picture_below_dark_lines() {
        let figure = contour(Figure::new().contourf(&[0, 1, 2], &[0, 1, 2], &HEIGHTS).levels(&[1.0, 3.0]));
        let svg = figure.svg().expect("draws");
        assert!(svg.contains("<image") && svg.matches("stroke=\"#3c3c3c\" stroke-width=\"0.9\"").count() == 2, "{svg}");
    }

    #[test]
    fn levels_have_to_rise() {
        let error = contour(Figure::new()).levels(&[2.0, 1.0]).svg().expect_err("no figure").to_string();
        assert!(error.contains("levels [2.0, 1.0]"), "{error}");
        let constant = Figure::new().contour(&[0, 1], &[0, 1], &[[1.0, 1.0], [1.0, 1.0]]);
        assert!(constant.png().is_ok());
        assert!(Figure::new().contourf(&[0, 1], &[0, 1], &[[f64::NAN; 2]; 2]).png().is_ok());
    }
}
