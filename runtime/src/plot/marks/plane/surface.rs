//! Surfaces in space: a function of a plane as heights, what is far behind what is near.

use super::super::super::layout::axis::{Axis, around};
use super::super::super::layout::legend::Entries;
use super::super::super::layout::names::{LABEL, TICK, fitted, title_of};
use super::super::super::numbers::{Matrix, Numbers};
use super::super::super::write::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, Text, centered};
use super::super::{Figure, Frame, Layer, LeftOut, Mark, PlotError, Shared, heat};
use super::Lattice;

/// From where it is seen, in degrees: above the plane, and around it, as in Matplotlib.
const VIEW: (f64, f64) = (30.0, -60.0);
/// More patches than that along an axis show no more.
const MOST_PATCHES: usize = 60;
/// The box is as wide as it is deep, and less high.
const HALF: [f64; 3] = [1.0, 1.0, 0.75];
/// How far the numbers stand from the box, in pixels.
const BESIDE: f64 = 16.0;
/// A number on an axis takes that much of it, in pixels.
const ROOM: f64 = 26.0;
const PANE: Ink = Ink::of_page(246, 246, 246);

type Place = [f64; 3];

#[derive(Debug)]
pub(in crate::plot) struct Surface {
    lattice: Lattice,
}

impl Figure {
    /// Draws a function of a plane as a surface in space, as Matplotlib's `plot_surface`: `heights` are `[y, x]`, with
    /// an x for each column and a y for each row. It has the colors of [`Figure::colors`], and is seen from where
    /// [`Figure::view`] says.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let xs = Tensor::linspace(-3, 3, 40, (Kind::Float, Device::Cpu));
    /// let radius = (xs.square().unsqueeze(0) + xs.square().unsqueeze(1)).sqrt();
    /// let figure = Figure::new().surface(&xs, &xs, &radius.cos()).view(40.0, -50.0).z_label("height");
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn surface(
        self,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        heights: &(impl Matrix + ?Sized),
    ) -> Self {
        let lattice = Lattice::new("surface", xs, ys, heights);
        self.attempt(|figure| {
            figure.add("", Surface { lattice: lattice? });
            Ok(())
        })
    }

    /// From where a surface is seen, in degrees: `elevation` above the plane of x and y, `azimuth` around it, as
    /// Matplotlib's `view_init`. Default 30 and -60.
    pub fn view(mut self, elevation: f64, azimuth: f64) -> Self {
        self.view = Some((elevation, azimuth));
        self
    }

    /// What the height of a surface measures, with its unit.
    pub fn z_label(mut self, label: impl Into<String>) -> Self {
        self.z_label = label.into();
        self
    }
}

impl Mark for Surface {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        if figure.layers.len() > 1 {
            return Err(PlotError::counts(
                "a surface is alone in its figure; `Figures::row([a, b])` puts two figures side by side",
            ));
        }
        let has_names = !(figure.x_names.is_empty() && figure.y_names.is_empty());
        if figure.log_x || figure.log_y || figure.x_range.is_some() || figure.y_range.is_some() || has_names {
            return Err(PlotError::counts(
                "the axes of a surface are those of its x and y values, without logarithms, ranges or names: choose \
                 the values",
            ));
        }
        let (elevation, azimuth) = figure.view.unwrap_or(VIEW);
        if !(elevation.is_finite() && azimuth.is_finite()) {
            return Err(PlotError::counts(format!(
                "a view from {elevation} and {azimuth} degrees: they must be finite"
            )));
        }
        Ok(())
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        Vec::new()
    }

    fn shapes(&self, _frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        Vec::new()
    }

    fn colored(&self) -> &[f64] {
        &self.lattice.grid.values
    }

    fn alone(&self, figure: &Figure, within: &Rect, _: &[(&Layer, Ink)], _: &Entries) -> Option<Vec<Shape>> {
        let top = within.top + if figure.title.is_empty() { 6.0 } else { 32.0 };
        let room = Rect::new(within.left + 56.0, top, within.right - 64.0, within.bottom - 46.0);
        let camera = Camera::new(figure.view.unwrap_or(VIEW), &room);
        let ranges = self.ranges();
        let mut shapes = camera.panes(&ranges);
        shapes.extend(self.patches(figure, &camera, &ranges));
        shapes.extend(camera.axes(&ranges, [&figure.x_label, &figure.y_label, &figure.z_label]));
        let middle = within.left + within.width() / 2.0;
        shapes.extend(title_of(&figure.title, middle, within.top + 20.0, within.width()));
        Some(shapes)
    }

    fn natural_size(&self, _figure: &Figure) -> Option<(u32, u32)> {
        Some((640, 480))
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        LeftOut::of_values(&self.lattice.grid.values)
    }
}

impl Surface {
    fn ranges(&self) -> [(f64, f64); 3] {
        let Lattice { xs, ys, grid } = &self.lattice;
        [around(xs.iter().copied(), 0.0), around(ys.iter().copied(), 0.0), around(grid.values.iter().copied(), 0.0)]
    }

    /// The patches between four heights, the farthest first.
    fn patches(&self, figure: &Figure, camera: &Camera, ranges: &[(f64, f64); 3]) -> Vec<Shape> {
        let Lattice { xs, ys, grid } = &self.lattice;
        let (low, high) = heat::range(figure);
        let map = figure.heat.color_map();
        let (columns, rows) = (thinned(xs.len()), thinned(ys.len()));
        let mut patches: Vec<(f64, Vec<Point>, Ink)> = Vec::new();
        for row in rows.windows(2) {
            for column in columns.windows(2) {
                let corners = [(row[0], column[0]), (row[0], column[1]), (row[1], column[1]), (row[1], column[0])];
                let heights = corners.map(|(row, column)| grid.at(row, column));
                if !heights.iter().all(|height| height.is_finite()) {
                    continue;
                }
                let places = corners.map(|(row, column)| in_box([xs[column], ys[row], grid.at(row, column)], ranges));
                let depth = places.iter().map(|place| dot(place, &camera.towards)).sum::<f64>();
                let mean = heights.iter().sum::<f64>() / 4.0;
                let ink = map.color((mean - low) / (high - low));
                patches.push((depth, places.iter().map(|place| camera.point(place)).collect(), ink));
            }
        }
        patches.sort_by(|a, b| a.0.total_cmp(&b.0));
        let shapes = patches.into_iter().flat_map(|(_, points, ink)| {
            let rim = Ink { rgb: ink.rgb.map(|value| (f64::from(value) * 0.82) as u8), ..ink };
            let closed = points.iter().chain(&points[..1]).copied().collect();
            [Shape::Area { points, ink }, Shape::Line { points: closed, stroke: Stroke::new(rim, 0.6) }]
        });
        shapes.collect()
    }
}

/// At most so many places, with the last one.
fn thinned(count: usize) -> Vec<usize> {
    let step = count.div_ceil(MOST_PATCHES).max(1);
    let mut places: Vec<usize> = (0..count).step_by(step).collect();
    if places.last() != Some(&(count - 1)) {
        places.push(count - 1);
    }
    places
}

fn dot(a: &Place, b: &Place) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// From units of the data to the box around 0.
fn in_box(values: Place, ranges: &[(f64, f64); 3]) -> Place {
    std::array::from_fn(|axis| {
        let (low, high) = ranges[axis];
        HALF[axis] * (2.0 * (values[axis] - low) / (high - low) - 1.0)
    })
}

/// Looks at the box from far away, so that lines in one direction stay so.
struct Camera {
    right: Place,
    up: Place,
    towards: Place,
    middle: Point,
    scale: f64,
}

impl Camera {
    fn new((elevation, azimuth): (f64, f64), room: &Rect) -> Self {
        let ((sin_e, cos_e), (sin_a, cos_a)) = (elevation.to_radians().sin_cos(), azimuth.to_radians().sin_cos());
        let (right, up) = ([-sin_a, cos_a, 0.0], [-sin_e * cos_a, -sin_e * sin_a, cos_e]);
        let towards = [cos_e * cos_a, cos_e * sin_a, sin_e];
        let reach = |direction: &Place| direction.iter().zip(HALF).map(|(part, half)| part.abs() * half).sum::<f64>();
        let scale = (room.width() / (2.0 * reach(&right))).min(room.height() / (2.0 * reach(&up))).max(1.0);
        let middle = (room.left + room.width() / 2.0, room.top + room.height() / 2.0);
        Self { right, up, towards, middle, scale }
    }

    fn point(&self, place: &Place) -> Point {
        let (x, y) = (dot(place, &self.right), dot(place, &self.up));
        (self.middle.0 + self.scale * x, self.middle.1 - self.scale * y)
    }

    /// The end of an axis that is nearer to the eye.
    fn near(&self, axis: usize) -> f64 {
        if self.towards[axis] < 0.0 { -HALF[axis] } else { HALF[axis] }
    }

    /// The far sides of the box, with lines where the ticks are.
    fn panes(&self, ranges: &[(f64, f64); 3]) -> Vec<Shape> {
        let mut shapes = Vec::new();
        for axis in 0..3 {
            let (a, b) = ((axis + 1) % 3, (axis + 2) % 3);
            let at = |on_a: f64, on_b: f64| {
                let mut place = [0.0; 3];
                (place[axis], place[a], place[b]) = (-self.near(axis), on_a, on_b);
                self.point(&place)
            };
            let ends = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)];
            let points = ends.map(|(on_a, on_b)| at(on_a * HALF[a], on_b * HALF[b])).to_vec();
            shapes.push(Shape::Area { points, ink: PANE });
            let stroke = Stroke::new(Ink::GRID, 1.0);
            for (place, _) in self.ticks(a, ranges) {
                shapes.push(Shape::Line { points: vec![at(place, -HALF[b]), at(place, HALF[b])], stroke });
            }
            for (place, _) in self.ticks(b, ranges) {
                shapes.push(Shape::Line { points: vec![at(-HALF[a], place), at(HALF[a], place)], stroke });
            }
        }
        shapes
    }

    /// The edges that have the numbers: x and y below in front, z on the right.
    fn axes(&self, ranges: &[(f64, f64); 3], names: [&str; 3]) -> Vec<Shape> {
        let below = -self.near(2);
        let on_x = |x: f64| [x, self.near(1), below];
        let on_y = |y: f64| [self.near(0), y, below];
        // Of the two upright edges between a near and a far side, the right one.
        let sides = [[self.near(0), -self.near(1)], [-self.near(0), self.near(1)]];
        let is_right = self.point(&[sides[0][0], sides[0][1], 0.0]).0 >= self.point(&[sides[1][0], sides[1][1], 0.0]).0;
        let side = sides[usize::from(!is_right)];
        let on_z = |z: f64| [side[0], side[1], z];
        let edges: [&dyn Fn(f64) -> Place; 3] = [&on_x, &on_y, &on_z];
        (0..3).flat_map(|axis| self.axis(edges[axis], &self.ticks(axis, ranges), HALF[axis], names[axis])).collect()
    }

    /// The places of an axis's ticks in the box, and their numbers: as many as there is room for.
    fn ticks(&self, axis: usize, ranges: &[(f64, f64); 3]) -> Vec<(f64, String)> {
        let range = ranges[axis];
        let length = 2.0 * HALF[axis] * self.scale * self.right[axis].hypot(self.up[axis]);
        let count = ((length / ROOM) as usize).clamp(2, 6);
        let ticks = Axis::linear(range, count, false).ticks.into_iter();
        let within = ticks.filter(|(tick, _)| (range.0..=range.1).contains(tick));
        within.map(|(tick, number)| (in_box([tick; 3], &[range; 3])[axis], number)).collect()
    }

    fn axis(&self, edge: &dyn Fn(f64) -> Place, ticks: &[(f64, String)], half: f64, name: &str) -> Vec<Shape> {
        let stroke = Stroke::new(Ink::TEXT, 1.0);
        let (from, to) = (self.point(&edge(-half)), self.point(&edge(half)));
        let mut shapes = vec![Shape::Line { points: vec![from, to], stroke }];
        // Away from the box, across the edge.
        let along = ((to.0 - from.0), (to.1 - from.1));
        let length = along.0.hypot(along.1);
        if length < 1.0 {
            return Vec::new();
        }
        let mut away = (-along.1 / length, along.0 / length);
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        if away.0 * (middle.0 - self.middle.0) + away.1 * (middle.1 - self.middle.1) < 0.0 {
            away = (-away.0, -away.1);
        }
        let beside = |(x, y): Point, by: f64| (x + away.0 * by, y + away.1 * by);
        let anchor = match away.0 {
            x if x > 0.75 => Anchor::Start,
            x if x < -0.75 => Anchor::End,
            _ => Anchor::Middle,
        };
        let gap = if anchor == Anchor::Middle { BESIDE } else { 9.0 };
        for (place, number) in ticks {
            let at = self.point(&edge(*place));
            shapes.push(Shape::Line { points: vec![at, beside(at, 4.0)], stroke });
            shapes.push(centered(beside(at, gap), number.as_str(), TICK, anchor).into());
        }
        if !name.is_empty() {
            let widest = ticks.iter().map(|(_, number)| crate::font::width(number)).fold(0.0, f64::max) * TICK;
            let beyond = if anchor == Anchor::Middle { 2.2 * BESIDE } else { 9.0 + widest + LABEL };
            let at = beside(middle, beyond);
            let text = centered(at, fitted(name, LABEL, 4.0 * length.max(60.0)), LABEL, Anchor::Middle);
            let turned = if anchor == Anchor::Middle { text } else { Text { turn: -90.0, ..text } };
            shapes.push(turned.into());
        }
        shapes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface() -> Figure {
        Figure::new().surface(&[0, 1], &[0, 1], &[[0.0, 1.0], [1.0, 4.0]])
    }

    #[test]
    fn what_is_near_is_drawn_last() {
        let (xs, heights): (Vec<f64>, Vec<Vec<f64>>) = ((0..3).map(f64::from).collect(), vec![vec![1.0, 2.0, 3.0]; 3]);
        let figure = Figure::new().surface(&xs, &xs, &heights);
        let surface = figure.marks::<Surface>().next().expect("a surface");
        let camera = Camera::new((30.0, 0.0), &Rect::new(0.0, 0.0, 100.0, 100.0));
        let shapes = surface.patches(&figure, &camera, &surface.ranges());
        let inks: Vec<Ink> = shapes
            .iter()
            .filter_map(|shape| if let Shape::Area { ink, .. } = shape { Some(*ink) } else { None })
            .collect();
        // Seen along x, where greater heights are nearer: those of one x follow each other.
        assert_eq!(inks.len(), 4);
        assert_eq!((inks[0], inks[2]), (inks[1], inks[3]));
        assert_ne!(inks[0], inks[2]);
    }

    #[test]
    fn a_surface_has_three_axes_with_numbers_and_labels() {
        let svg = surface().title("t").x_label("weight").y_label("bias").z_label("loss").svg().expect("draws");
        for text in [">weight</text>", ">bias</text>", ">loss</text>", ">t</text>", ">4</text>"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
        assert!(svg.matches("<polygon").count() == 4, "{svg}");
        for view in [(90.0, 0.0), (0.0, 45.0), (-30.0, 200.0)] {
            assert!(surface().view(view.0, view.1).png().is_ok());
        }
    }

    #[test]
    fn a_surface_of_many_places_stays_small() {
        let places: Vec<f64> = (0..1000).map(f64::from).collect();
        let figure = Figure::new().surface(&places, &places, &vec![vec![0.5; 1000]; 1000]);
        assert!(figure.svg().expect("draws").len() < 2_000_000);
        assert_eq!((thinned(2), thinned(61).len(), thinned(61).last().copied()), (vec![0, 1], 31, Some(60)));
    }

    #[test]
    fn what_has_no_place_beside_a_surface_is_refused() {
        let cases = [
            (surface().line("", &[1.0]), "alone in its figure"),
            (surface().log_y(), "without logarithms"),
            (surface().view(f64::NAN, 0.0), "NaN and 0 degrees"),
        ];
        for (figure, expected) in cases {
            let error = figure.svg().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert!(Figure::new().surface(&[0, 1], &[0, 1], &[[f64::NAN; 2]; 2]).png().is_ok());
    }
}
