//! Arrows: a direction and a length at each point.

use super::super::super::layout::legend::Swatch;
use super::super::super::numbers::Numbers;
use super::super::super::write::scene::{Ink, Point, Shape, Stroke};
use super::super::{Figure, Frame, LeftOut, Mark, PlotError, Shared};

/// The head of an arrow is at most so long, in pixels.
const HEAD: f64 = 7.0;

#[derive(Debug)]
struct Arrows {
    points: Vec<Point>,
    /// Along x and y.
    arrows: Vec<(f64, f64)>,
}

impl Figure {
    /// Adds an arrow at each point, along `us` to the right and `vs` upwards, such as the gradient of a function, as
    /// Matplotlib's `quiver`. The longest one is about as long as the points are apart. There are as many `us` and `vs`
    /// as points, or `[y, x]` of both over a grid of the places in `xs` and `ys`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let xs = Tensor::linspace(-2, 2, 12, (Kind::Float, Device::Cpu));
    /// let (x, y) = (xs.unsqueeze(0), xs.unsqueeze(1));
    /// // A vortex.
    /// let (us, vs) = (-(&y + &x * 0.0), &x + &y * 0.0);
    /// assert!(Figure::new().quiver("wind", &xs, &xs, &us, &vs).png().is_ok());
    /// ```
    pub fn quiver(
        self,
        label: impl Into<String>,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        us: &(impl Numbers + ?Sized),
        vs: &(impl Numbers + ?Sized),
    ) -> Self {
        let rows = [us.rows(), vs.rows()];
        let (xs, ys, us, vs) = (xs.numbers(), ys.numbers(), us.numbers(), vs.numbers());
        self.attempt(|figure| {
            let points: Vec<Point> = if xs.len() == us.len() && ys.len() == us.len() {
                xs.into_iter().zip(ys).collect()
            } else {
                if let Some(rows) = rows.into_iter().flatten().find(|rows| *rows != ys.len()) {
                    let (x, y) = (xs.len(), ys.len());
                    return Err(PlotError::counts(format!(
                        "quiver: {rows} rows of lengths for {x} x values and {y} y values: they are [y, x], [{y}, {x}] here"
                    )));
                }
                ys.iter().flat_map(|y| xs.iter().map(|x| (*x, *y))).collect()
            };
            if us.len() != vs.len() || points.len() != us.len() {
                let (points, us, vs) = (points.len(), us.len(), vs.len());
                return Err(PlotError::counts(format!(
                    "quiver: {us} lengths along x and {vs} along y for {points} points: each point needs one of each"
                )));
            }
            figure.add(label, Arrows { points, arrows: us.into_iter().zip(vs).collect() });
            Ok(())
        })
    }
}

impl Arrows {
    /// How far apart the points are, in pixels, if they are spread evenly.
    fn distance(&self, places: &[Point]) -> f64 {
        let ends = |of: fn(&Point) -> f64| {
            let values = places.iter().map(of).filter(|value| value.is_finite());
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (x, y) = (ends(|place| place.0), ends(|place| place.1));
        let distance = ((x.1 - x.0).max(1.0) * (y.1 - y.0).max(1.0) / places.len() as f64).sqrt();
        if distance.is_finite() { distance.clamp(8.0, 60.0) } else { 8.0 }
    }
}

impl Mark for Arrows {
    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        self.points.clone()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let places: Vec<Point> = self.points.iter().map(|point| frame.point(*point)).collect();
        let lengths = self.arrows.iter().map(|(u, v)| u.hypot(*v)).filter(|length| length.is_finite());
        let longest = lengths.fold(0.0, f64::max);
        let scale = if longest > 0.0 { 0.95 * self.distance(&places) / longest } else { 0.0 };
        let arrows = places.iter().zip(&self.arrows);
        arrows.flat_map(|(from, (u, v))| arrow(*from, (u * scale, -v * scale), ink)).collect()
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Line)
    }

    fn left_out(&self, figure: &Figure) -> LeftOut {
        // A point without a direction counts once.
        let arrows = self.points.iter().zip(&self.arrows);
        LeftOut::of_points(
            figure,
            arrows.map(|((x, y), (u, v))| if (u + v).is_finite() { (*x, *y) } else { (f64::NAN, *y) }),
        )
    }
}

/// In pixels. What has no length is a dot.
pub(in crate::plot::marks) fn arrow(from: Point, (right, down): (f64, f64), ink: Ink) -> Vec<Shape> {
    let length = right.hypot(down);
    if ![from.0, from.1, length].iter().all(|value| value.is_finite()) {
        return Vec::new();
    }
    if length < 1.0 {
        return vec![Shape::Dot { at: from, radius: 1.0, ink }];
    }
    let head = HEAD.min(0.45 * length);
    let (right, down) = (right / length, down / length);
    let at = |along: f64, beside: f64| (from.0 + right * along - down * beside, from.1 + down * along + right * beside);
    vec![
        Shape::Line { points: vec![from, at(length - 0.8 * head, 0.0)], stroke: Stroke::new(ink, 1.4) },
        Shape::Area {
            points: vec![at(length, 0.0), at(length - head, 0.42 * head), at(length - head, -0.42 * head)],
            ink,
        },
    ]
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn lengths_over_a_grid_are_rows_of_y() {
        let (xs, ys) = ([0, 1, 2], [0, 1]);
        let lengths = |shape: [i64; 2]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let drawn = |us: [i64; 2], vs| Figure::new().quiver("", &xs, &ys, &lengths(us), &lengths(vs)).png();
        assert!(drawn([2, 3], [2, 3]).is_ok());
        for (us, vs) in [([3, 2], [3, 2]), ([2, 3], [3, 2])] {
            let error = drawn(us, vs).expect_err("the rows are those of y").to_string();
            assert!(error.contains("3 rows of lengths") && error.contains("[2, 3] here"), "{error}");
        }
    }

    #[test]
    fn an_arrow_ends_in_a_head_that_points_where_it_goes() {
        let shapes = arrow((10.0, 10.0), (0.0, -20.0), Ink::TEXT);
        let [Shape::Line { points, .. }, Shape::Area { points: head, .. }] = &shapes[..] else {
            panic!("a line and a head: {shapes:?}")
        };
        assert_eq!((points[0], head[0]), ((10.0, 10.0), (10.0, -10.0)));
        assert!(head[1].1 > head[0].1 && (head[1].0 - 10.0) == -(head[2].0 - 10.0));
        assert!(matches!(arrow((0.0, 0.0), (0.0, 0.0), Ink::TEXT)[..], [Shape::Dot { .. }]));
        assert!(arrow((0.0, 0.0), (f64::NAN, 0.0), Ink::TEXT).is_empty());
    }

    #[test]
    fn points_and_grids_are_taken_and_others_refused() {
        let of = |us: &[f64]| Figure::new().quiver("wind", &[0, 1, 2], &[0, 1], us, us).svg();
        let svg = of(&[1.0; 6]).expect("draws");
        // And its place in the legend.
        assert_eq!(svg.matches("<polygon").count(), 6, "{svg}");
        assert!(svg.contains(">wind</text>"));
        assert!(
            of(&[1.0; 5]).expect_err("no figure").to_string().contains("5 lengths along x and 5 along y for 6 points")
        );
        assert!(Figure::new().quiver("", &[0, 1], &[0, 1], &[1.0, 1.0], &[0.0, f64::NAN]).png().is_ok());
        let none: [f64; 0] = [];
        assert!(Figure::new().quiver("", &none, &none, &none, &none).png().is_ok());
    }
}
