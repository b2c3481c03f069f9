//! Lines, points, steps, areas and bands over two number axes.

use std::collections::BTreeSet;

use super::super::numbers::Numbers;
use super::super::write::scene::{Ink, Point, Shape, Stroke};
use super::boundary::Field;
use super::{Axes, Figure, Frame, LeftOut, Mark, PlotError, Shared, Swatch};

/// Lines with more points than that for each column of pixels are thinned: no screen shows more, and an SVG would take
/// megabytes.
const POINTS_PER_COLUMN: usize = 2;
const LINE: f64 = 2.0;
const DOT: f64 = 3.2;

/// Points that are drawn as one stroke.
type Piece = Vec<Point>;

/// Points, and how they are drawn.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(in crate::plot) xs: Vec<f64>,
    pub(in crate::plot) ys: Vec<f64>,
    pub(in crate::plot) style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Line,
    /// Dots, all of one class if there are classes.
    Points(Option<usize>),
    /// A line that keeps each y until the next x.
    Step,
    /// What lies between 0 and a line.
    Area,
}

impl Series {
    pub(super) fn new(style: Style, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        Self { xs, ys, style }
    }

    pub(in crate::plot) fn is_line(&self) -> bool {
        self.style == Style::Line
    }

    pub(super) fn points(&self) -> impl Iterator<Item = Point> {
        self.xs.iter().copied().zip(self.ys.iter().copied())
    }
}

/// What lies between two lines.
#[derive(Debug)]
struct Band {
    xs: Vec<f64>,
    low: Vec<f64>,
    high: Vec<f64>,
}

impl Figure {
    /// Adds a line through `ys` at x = 0, 1, 2... An empty label stays out of the legend.
    pub fn line(self, label: impl Into<String>, ys: &(impl Numbers + ?Sized)) -> Self {
        let ys = ys.numbers();
        self.with(label, Series::new(Style::Line, counted(ys.len()), ys))
    }

    /// Adds a line through the points of `xs` and `ys`, in their order.
    pub fn line_xy(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with(label, Series::new(Style::Line, xs.numbers(), ys.numbers()))
    }

    /// Adds a line through `ys` and a band from `low` to `high` around it, at x = 0, 1, 2...: a mean and its spread, as
    /// over several runs.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mean = [1.0, 0.6, 0.4, 0.3];
    /// let (least, most) = ([0.9, 0.5, 0.3, 0.2], [1.2, 0.8, 0.5, 0.4]);
    /// let figure = Figure::new().line_with_band("loss of 5 runs", &mean, &least, &most);
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn line_with_band(
        self,
        label: impl Into<String>,
        ys: &(impl Numbers + ?Sized),
        low: &(impl Numbers + ?Sized),
        high: &(impl Numbers + ?Sized),
    ) -> Self {
        let (label, ys) = (label.into(), ys.numbers());
        let xs = counted(ys.len());
        let band = Band { xs: xs.clone(), low: low.numbers(), high: high.numbers() };
        self.with(label.clone(), band).with(label, Series::new(Style::Line, xs, ys))
    }

    /// Adds a band between `low` and `high` over `xs`.
    pub fn band(
        self,
        label: impl Into<String>,
        xs: &(impl Numbers + ?Sized),
        low: &(impl Numbers + ?Sized),
        high: &(impl Numbers + ?Sized),
    ) -> Self {
        self.with(label, Band { xs: xs.numbers(), low: low.numbers(), high: high.numbers() })
    }

    /// Adds a line that keeps each of `ys` until the next x: a learning rate, say.
    pub fn step(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with(label, Series::new(Style::Step, xs.numbers(), ys.numbers()))
    }

    /// Adds the area between 0 and the line through the points of `xs` and `ys`.
    pub fn area(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with(label, Series::new(Style::Area, xs.numbers(), ys.numbers()))
    }

    /// Adds a dot for each point of `xs` and `ys`.
    pub fn scatter(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with(label, Series::new(Style::Points(None), xs.numbers(), ys.numbers()))
    }

    /// Adds a dot for each point of `xs` and `ys`, in the color of its class: whole numbers from 0, as labels are in a
    /// data set. The legend calls them by [`Figure::class_names`], or by their number.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let iris = iris();
    /// let figure = Figure::new()
    ///     .scatter_by_class(&iris.features.i((.., 2)), &iris.features.i((.., 3)), &iris.labels)
    ///     .class_names(&iris.classes);
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn scatter_by_class(
        self,
        xs: &(impl Numbers + ?Sized),
        ys: &(impl Numbers + ?Sized),
        classes: &(impl Numbers + ?Sized),
    ) -> Self {
        self.attempt(|figure| figure.add_classes(&xs.numbers(), &ys.numbers(), &classes.numbers()))
    }

    /// What the classes of [`Figure::scatter_by_class`] are called, from class 0 on.
    pub fn class_names<S: ToString>(mut self, names: &[S]) -> Self {
        self.class_names = names.iter().map(S::to_string).collect();
        self
    }

    /// Adds a line for each column of a training's record, at epoch 1, 2, 3...
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (train, validation) = ([1.2, 0.6, 0.4], vec![1.3f32, 0.8, 0.7]);
    /// let figure = Figure::new().curves(&[("train", &train), ("validation", &validation)]).y_label("loss");
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn curves(mut self, columns: &[(&str, &dyn Numbers)]) -> Self {
        if self.x_label.is_empty() {
            self.x_label = "epoch".to_owned();
        }
        for (label, ys) in columns {
            let ys = ys.numbers();
            let xs = (1..=ys.len()).map(|epoch| epoch as f64).collect();
            self = self.with(*label, Series::new(Style::Line, xs, ys));
        }
        self
    }

    fn add_classes(&mut self, xs: &[f64], ys: &[f64], classes: &[f64]) -> Result<(), PlotError> {
        if xs.len() != ys.len() || xs.len() != classes.len() {
            let (xs, ys, classes) = (xs.len(), ys.len(), classes.len());
            return Err(PlotError::counts(format!(
                "{xs} x values, {ys} y values and {classes} classes: each point needs one of each"
            )));
        }
        let wrong = classes.iter().find(|class| !(class.fract() == 0.0 && (0.0..1e6).contains(*class)));
        if let Some(class) = wrong {
            return Err(PlotError::counts(format!("{class} is not a class: classes are whole numbers from 0")));
        }
        let known: BTreeSet<usize> = classes.iter().map(|class| *class as usize).collect();
        for class in known {
            let of_class = |values: &[f64]| {
                let pairs = values.iter().zip(classes).filter(|(_, other)| **other as usize == class);
                pairs.map(|(value, _)| *value).collect()
            };
            self.add("", Series::new(Style::Points(Some(class)), of_class(xs), of_class(ys)));
        }
        Ok(())
    }
}

fn counted(count: usize) -> Vec<f64> {
    (0..count).map(|x| x as f64).collect()
}

/// The points in pixels, divided where a value is not finite.
fn pieces(frame: &Frame<'_>, points: impl Iterator<Item = Point>) -> Vec<Piece> {
    let points: Vec<Point> = points.map(|point| frame.point(point)).collect();
    divided(&points)
}

fn divided(points: &[Point]) -> Vec<Piece> {
    let whole = points.split(|(x, y)| !(x.is_finite() && y.is_finite()));
    whole.filter(|piece| !piece.is_empty()).map(<[Point]>::to_vec).collect()
}

fn stroked(pieces: Vec<Piece>, most: usize, ink: Ink) -> Vec<Shape> {
    let shape = |piece: Piece| match piece[..] {
        [at] => Shape::Dot { at, radius: DOT, ink },
        _ => Shape::Line { points: thinned(&piece, most), stroke: Stroke::new(ink, LINE) },
    };
    pieces.into_iter().map(shape).collect()
}

/// More points than that for a line show no more.
fn most_points(frame: &Frame<'_>) -> usize {
    POINTS_PER_COLUMN * frame.at.width().max(1.0) as usize
}

impl Mark for Series {
    fn check(&self, label: &str, _figure: &Figure) -> Result<(), PlotError> {
        let (xs, ys) = (self.xs.len(), self.ys.len());
        if xs == ys { Ok(()) } else { Err(PlotError::Lengths { label: label.to_owned(), xs, ys }) }
    }

    fn axes(&self) -> Axes {
        Axes { from_zero: self.style == Style::Area, ..Axes::default() }
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        let feet = self.xs.iter().filter(|_| self.style == Style::Area).map(|x| (*x, 0.0));
        self.points().chain(feet).collect()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        match self.style {
            Style::Line => stroked(pieces(frame, self.points()), most_points(frame), ink),
            Style::Points(_) => dots(frame, self.points(), ink),
            Style::Step => {
                let corners = self.points().zip(self.xs.iter().skip(1)).flat_map(|((x, y), next)| [(x, y), (*next, y)]);
                let corners = corners.chain(self.points().last());
                stroked(pieces(frame, corners), 2 * most_points(frame), ink)
            }
            Style::Area => area(frame, self.points(), ink),
        }
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(match self.style {
            Style::Line | Style::Step => Swatch::Line,
            Style::Points(_) => Swatch::Dot,
            Style::Area => Swatch::Square(0.3),
        })
    }

    fn class(&self) -> Option<usize> {
        if let Style::Points(class) = self.style { class } else { None }
    }

    fn left_out(&self, figure: &Figure) -> LeftOut {
        LeftOut::of_points(figure, self.points())
    }
}

fn dots(frame: &Frame<'_>, points: impl Iterator<Item = Point>, ink: Ink) -> Vec<Shape> {
    let visible = points.map(|point| frame.point(point)).filter(|(x, y)| x.is_finite() && y.is_finite());
    let over_a_field = frame.figure.has::<Field>();
    visible
        .flat_map(|at| {
            // On a colored ground a white rim tells a point from it.
            let rim = over_a_field.then_some(Shape::Dot { at, radius: DOT + 1.0, ink: Ink::WHITE.on_data() });
            let ink = ink.mix(if over_a_field { 1.0 } else { 0.75 });
            rim.into_iter().chain([Shape::Dot { at, radius: DOT, ink }])
        })
        .collect()
}

fn area(frame: &Frame<'_>, points: impl Iterator<Item = Point>, ink: Ink) -> Vec<Shape> {
    let base = frame.base();
    let pieces = pieces(frame, points);
    let mut shapes = Vec::new();
    for piece in &pieces {
        let line = thinned(piece, most_points(frame));
        if let (Some(first), Some(last)) = (line.first().copied(), line.last().copied()) {
            let points = line.into_iter().chain([(last.0, base), (first.0, base)]).collect();
            shapes.push(Shape::Area { points, ink: ink.mix(0.3) });
        }
    }
    shapes.extend(stroked(pieces, most_points(frame), ink));
    shapes
}

impl Mark for Band {
    fn check(&self, label: &str, _figure: &Figure) -> Result<(), PlotError> {
        let (xs, lows, highs) = (self.xs.len(), self.low.len(), self.high.len());
        if lows != highs {
            return Err(PlotError::counts(format!(
                "the band of {label:?} has {lows} lower and {highs} upper ends: each point needs both"
            )));
        }
        if xs == lows { Ok(()) } else { Err(PlotError::Lengths { label: label.to_owned(), xs, ys: lows }) }
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        let ends = |ys: &[f64]| self.xs.iter().copied().zip(ys.to_vec());
        ends(&self.low).chain(ends(&self.high)).collect()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let ends = self.xs.iter().zip(self.low.iter().zip(&self.high));
        let ends: Vec<[f64; 3]> = ends.map(|(x, (low, high))| [frame.x(*x), frame.y(*low), frame.y(*high)]).collect();
        let stretch = ends.len().div_ceil(most_points(frame).max(1)).max(1);
        let pieces = ends.split(|ends| !ends.iter().all(|end| end.is_finite())).filter(|piece| !piece.is_empty());
        let shape = |piece: &[[f64; 3]]| {
            let points = |end: usize, pick: fn(f64, f64) -> f64| {
                let ends = piece.chunks(stretch).filter_map(move |ends| {
                    let value = ends.iter().map(|ends| ends[end]).reduce(pick)?;
                    Some((ends.first()?[0], value))
                });
                ends.collect::<Vec<Point>>()
            };
            // In pixels the lower end is the greater number.
            let (lower, upper) = (points(1, f64::max), points(2, f64::min));
            Shape::Area { points: lower.into_iter().chain(upper.into_iter().rev()).collect(), ink: ink.mix(0.22) }
        };
        pieces.map(shape).collect()
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Square(0.22))
    }

    fn left_out(&self, figure: &Figure) -> LeftOut {
        let of = |ys: &[f64]| LeftOut::of_points(figure, self.xs.iter().copied().zip(ys.to_vec()));
        let (low, high) = (of(&self.low), of(&self.high));
        LeftOut {
            of: low.of,
            not_finite: low.not_finite.max(high.not_finite),
            not_positive: low.not_positive.max(high.not_positive),
        }
    }
}

/// A long line with the lowest and highest point of each stretch alone, and its last one, which looks the same.
fn thinned(line: &[Point], most: usize) -> Piece {
    if line.len() <= most {
        return line.to_vec();
    }
    let stretch = line.len().div_ceil((most / 2).max(1));
    let by_y = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
    let ends = line.chunks(stretch).flat_map(|points| {
        let low = points.iter().min_by(by_y);
        let high = points.iter().max_by(by_y);
        let mut ends: Vec<_> = low.into_iter().chain(high).copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends
    });
    ends.chain(line.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_finite_leave_a_gap() {
        let ys = [1.0, f64::NAN, 2.0, 3.0, f64::INFINITY];
        let points: Vec<Point> = counted(5).into_iter().zip(ys).collect();
        assert_eq!(divided(&points), [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        let svg = Figure::new().line("", &ys).svg().expect("draws");
        assert_eq!(svg.matches("stroke=\"#1f77b4\"").count(), 1, "{svg}");
        assert_eq!(svg.matches("<circle").count(), 1, "{svg}");
    }

    #[test]
    fn a_long_line_keeps_its_extremes() {
        let line: Vec<Point> =
            (0..100_000).map(|step| (f64::from(step), if step == 54_321 { 9.0 } else { 0.0 })).collect();
        let piece = thinned(&line, 1280);
        assert!(piece.len() <= 1281);
        assert!(piece.contains(&(54_321.0, 9.0)));
        assert_eq!(piece.last(), Some(&(99_999.0, 0.0)));
    }

    #[test]
    fn points_have_the_color_of_their_class() {
        let figure = Figure::new()
            .scatter_by_class(&[0.0, 1.0, 2.0], &[0.0, 1.0, 0.0], &[2, 0, 2])
            .class_names(&["a", "b", "c"]);
        let svg = figure.svg().expect("draws");
        let dots = |color: &str| svg.matches(&format!("r=\"3.2\" fill=\"{color}\" fill-opacity")).count();
        assert_eq!((dots("#1f77b4"), dots("#ff7f0e"), dots("#2ca02c")), (1, 0, 2), "{svg}");
        assert!(svg.contains(">a</text>") && svg.contains(">c</text>") && !svg.contains(">b</text>"), "{svg}");
        for (classes, expected) in
            [(&[0.5, 0.0, 0.0][..], "0.5 is not a class"), (&[0.0], "3 x values, 3 y values and 1 classes")]
        {
            let error =
                Figure::new().scatter_by_class(&[0.0; 3], &[0.0; 3], classes).svg().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_band_has_the_color_of_its_line_and_one_place_in_the_legend() {
        let svg = Figure::new().line_with_band("loss", &[1.0, 2.0], &[0.5, 1.5], &[1.5, 2.5]).svg().expect("draws");
        assert!(svg.contains("fill=\"#1f77b4\" fill-opacity=\"0.22\""), "{svg}");
        assert_eq!(svg.matches(">loss</text>").count(), 1, "{svg}");
        let error =
            Figure::new().line_with_band("loss", &[1.0], &[0.5], &[1.5, 2.5]).svg().expect_err("no figure").to_string();
        assert!(error.contains("1 lower and 2 upper ends"), "{error}");
    }

    #[test]
    fn a_long_band_keeps_its_extremes_and_stays_small() {
        let high: Vec<f64> = (0..100_000).map(|step| if step == 54_321 { 9.0 } else { 1.0 }).collect();
        let figure = Figure::new().band("", &counted(100_000), &vec![0.0; 100_000], &high).y_range(0.0, 9.0);
        let svg = figure.svg().expect("draws");
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
        let polygon = svg.split("<polygon points=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a band");
        let highest =
            polygon.split([' ', ',']).skip(1).step_by(2).filter_map(|y| y.parse().ok()).fold(f64::MAX, f64::min);
        assert!(highest < 30.0, "{highest}");
    }

    #[test]
    fn steps_and_areas_and_curves_are_drawn() {
        let figure = Figure::new().step("rate", &[0.0, 1.0, 2.0], &[0.1, 0.01, 0.001]).log_y();
        assert!(figure.svg().expect("draws").matches("<polyline").count() >= 1);
        let figure = Figure::new().area("share", &[0.0, 1.0], &[2.0, 3.0]);
        assert!(figure.svg().expect("draws").contains("fill-opacity=\"0.3\""));
        let figure = Figure::new().curves(&[("train", &[1.0, 0.5]), ("validation", &[2.0f32, 1.5])]);
        let svg = figure.svg().expect("draws");
        assert!(svg.contains(">epoch</text>") && svg.contains(">validation</text>"), "{svg}");
        assert_eq!(figure.marks::<Series>().next().map(|line| line.xs.as_slice()), Some(&[1.0, 2.0][..]));
    }
}
