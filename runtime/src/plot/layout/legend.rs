//! The legend: which label has which color, where it covers no data.

use super::super::Figure;
use super::super::marks::Layer;
use super::super::write::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, centered};

const SIZE: f64 = 12.0;
const ROW: f64 = 19.0;
const SWATCH: f64 = 20.0;
const PADDING: f64 = 8.0;
/// From the axes.
const MARGIN: f64 = 9.0;
/// The steps between the corners in which a free place is looked for.
const ACROSS: usize = 4;
const DOWN: usize = 8;

/// Where the legend of a figure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Legend {
    /// Where it covers no data: in a corner, else elsewhere in the plot; beside the plot where there is no such place.
    #[default]
    Auto,
    /// Nowhere.
    Off,
    /// In the plot.
    UpperRight,
    /// In the plot.
    UpperLeft,
    /// In the plot.
    LowerRight,
    /// In the plot.
    LowerLeft,
    /// To the right of the plot.
    Outside,
}

/// What stands beside a label.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::plot) enum Swatch {
    Line,
    Dot,
    /// Of this opacity.
    Square(f64),
}

/// What there is to be said.
pub(in crate::plot) struct Entries(Vec<(String, Ink, Swatch)>);

impl Entries {
    pub(in crate::plot) fn of(figure: &Figure, layers: &[(&Layer, Ink)]) -> Self {
        let mut entries: Vec<(String, Ink, Swatch)> = Vec::new();
        if figure.legend == Legend::Off {
            return Self(entries);
        }
        for (layer, ink) in layers {
            let Some(swatch) = layer.mark.swatch() else { continue };
            let label = match layer.mark.class() {
                Some(class) => figure.class_names.get(class).cloned().unwrap_or_else(|| class.to_string()),
                None => layer.label.clone(),
            };
            if label.is_empty() {
                continue;
            }
            // A line says more than the band around it.
            match entries.iter_mut().find(|(known, ..)| *known == label) {
                Some(entry) => *entry = (label, *ink, swatch),
                None => entries.push((label, *ink, swatch)),
            }
        }
        Self(entries)
    }

    pub(in crate::plot) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::plot) fn width(&self) -> f64 {
        let widest = self.0.iter().map(|(label, ..)| crate::font::width(label)).fold(0.0, f64::max);
        2.0 * PADDING + SWATCH + 7.0 + widest * SIZE
    }

    fn height(&self) -> f64 {
        ROW * self.0.len() as f64 + PADDING
    }

    /// How much room it takes to the right of a plot.
    pub(in crate::plot) fn room(&self) -> f64 {
        self.width() + MARGIN
    }

    /// The places in the corners of a plot, the best one first.
    fn corners(&self, plot: &Rect) -> [(Legend, Rect); 4] {
        let (width, height) = (self.width(), self.height());
        let inner = plot.grown(-MARGIN);
        let left = Rect::new(inner.left, inner.top, inner.left + width, inner.top + height);
        let right = Rect::new(inner.right - width, inner.top, inner.right, inner.top + height);
        let lower = |at: Rect| Rect { top: inner.bottom - height, bottom: inner.bottom, ..at };
        [
            (Legend::UpperRight, right),
            (Legend::UpperLeft, left),
            (Legend::LowerRight, lower(right)),
            (Legend::LowerLeft, lower(left)),
        ]
    }

    /// Where a legend may stand of its own accord, the best places first: the corners, then from the right to the left,
    /// each from the top down.
    fn places(&self, plot: &Rect) -> impl Iterator<Item = Rect> {
        let corners = self.corners(plot).map(|(_, at)| at);
        let (width, height) = (self.width(), self.height());
        let free = (plot.width() - 2.0 * MARGIN - width, plot.height() - 2.0 * MARGIN - height);
        let shares = |count: usize| (0..=count).map(move |place| place as f64 / count as f64);
        let between = shares(ACROSS).flat_map(move |x| shares(DOWN).map(move |y| (x, y)));
        let plot = *plot;
        let between = between.map(move |(x, y)| {
            let (left, top) = (plot.right - MARGIN - width - x * free.0, plot.top + MARGIN + y * free.1);
            Rect::new(left, top, left + width, top + height)
        });
        corners.into_iter().chain(between)
    }

    /// Where the legend stands in a plot whose data are drawn as `shapes`; `None` where `Auto` finds no place that is
    /// free.
    pub(in crate::plot) fn place(&self, place: Legend, plot: &Rect, shapes: &[Shape]) -> Option<Rect> {
        let (width, height) = (self.width(), self.height());
        let mut corners = self.corners(plot).into_iter();
        match place {
            Legend::Off => None,
            Legend::Outside => {
                let start = plot.right + MARGIN;
                Some(Rect::new(start, plot.top, start + width, plot.top + height))
            }
            Legend::Auto => {
                let drawn = touched(shapes);
                let fits = width < 0.6 * plot.width() && height < 0.6 * plot.height();
                let free = |place: &Rect| !drawn.iter().any(|point| place.grown(4.0).holds(*point));
                self.places(plot).find(|place| fits && free(place))
            }
            chosen => corners.find(|(corner, _)| *corner == chosen).map(|(_, at)| at),
        }
    }

    /// The place that covers least.
    pub(in crate::plot) fn least(&self, plot: &Rect, shapes: &[Shape]) -> Option<Rect> {
        let drawn = touched(shapes);
        self.places(plot).min_by_key(|place| drawn.iter().filter(|point| place.holds(**point)).count())
    }

    pub(in crate::plot) fn shapes(&self, at: &Rect) -> Vec<Shape> {
        let corners = at.corners();
        let rim = corners.into_iter().chain([corners[0]]).collect();
        let mut shapes = vec![
            Shape::Rect { at: *at, ink: Ink::WHITE.mix(0.85) },
            Shape::Line { points: rim, stroke: Stroke::new(Ink::GRID, 1.0) },
        ];
        for (row, (label, ink, swatch)) in self.0.iter().enumerate() {
            let y = at.top + PADDING / 2.0 + ROW * (row as f64 + 0.5);
            let x = at.left + PADDING;
            shapes.push(match swatch {
                Swatch::Line => Shape::Line { points: vec![(x, y), (x + SWATCH, y)], stroke: Stroke::new(*ink, 2.0) },
                Swatch::Dot => Shape::Dot { at: (x + SWATCH / 2.0, y), radius: 3.6, ink: *ink },
                Swatch::Square(opacity) => {
                    Shape::Rect { at: Rect::new(x + 2.0, y - 5.5, x + SWATCH - 2.0, y + 5.5), ink: ink.mix(*opacity) }
                }
            });
            shapes.push(centered((x + SWATCH + 7.0, y), label, SIZE, Anchor::Start).into());
        }
        shapes
    }
}

/// The room to the right of a plot that is full of data, where its legend will stand.
pub(in crate::plot) fn room_beside(figure: &Figure) -> f64 {
    let layers: Vec<(&Layer, Ink)> = figure.layers.iter().map(|layer| (layer, Ink::TEXT)).collect();
    let entries = Entries::of(figure, &layers);
    let is_beside = matches!(figure.legend, Legend::Auto | Legend::Outside) && !entries.is_empty();
    if is_beside { entries.room() } else { 0.0 }
}

/// Points that the shapes cover, close enough together that no legend slips in between.
fn touched(shapes: &[Shape]) -> Vec<Point> {
    let mut points = Vec::new();
    shapes.iter().for_each(|shape| touch(shape, &mut points));
    points
}

fn touch(shape: &Shape, points: &mut Vec<Point>) {
    const STEP: f64 = 8.0;
    let mut walk = |from: Point, to: Point| {
        let steps = ((to.0 - from.0).hypot(to.1 - from.1) / STEP).ceil().clamp(1.0, 500.0);
        let along = |step: f64| (from.0 + (to.0 - from.0) * step / steps, from.1 + (to.1 - from.1) * step / steps);
        points.extend((0..=steps as usize).map(|step| along(step as f64)));
    };
    match shape {
        Shape::Dot { at, .. } => points.push(*at),
        Shape::Line { points: line, .. } => line.windows(2).for_each(|ends| walk(ends[0], ends[1])),
        Shape::Area { points: rim, .. } => {
            let xs = rim.iter().map(|(x, _)| *x);
            let (left, right) = xs.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
            let columns = ((right - left) / STEP).ceil().clamp(1.0, 200.0);
            for column in 0..columns as usize {
                let x = left + (right - left) * (column as f64 + 0.5) / columns;
                let mut crossed = crossings(rim, x);
                crossed.sort_by(f64::total_cmp);
                crossed.chunks_exact(2).for_each(|ends| walk((x, ends[0]), (x, ends[1])));
            }
        }
        Shape::Rect { at, .. } => {
            let columns = (at.width() / STEP).ceil().clamp(1.0, 200.0);
            for column in 0..=columns as usize {
                let x = at.left + at.width() * column as f64 / columns;
                walk((x, at.top), (x, at.bottom));
            }
        }
        Shape::Text(text) => {
            let start = text.at.0 + text.start();
            walk((start, text.at.1 - text.size / 2.0), (start + text.width, text.at.1 - text.size / 2.0));
        }
        Shape::Clipped { shapes, .. } => shapes.iter().for_each(|shape| touch(shape, points)),
        // What lies behind all data may be covered.
        Shape::Picture { .. } => {}
    }
}

/// Where the rim of an area crosses a vertical line.
fn crossings(rim: &[Point], x: f64) -> Vec<f64> {
    let ends = rim.iter().zip(rim.iter().cycle().skip(1));
    let crossing = ends.filter(|(from, to)| (from.0 <= x) != (to.0 <= x));
    crossing.map(|(from, to)| from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Entries {
        Entries(vec![("train".to_owned(), Ink::TEXT, Swatch::Line)])
    }

    const PLOT: Rect = Rect::new(50.0, 10.0, 450.0, 310.0);

    #[test]
    fn a_legend_stands_where_no_data_are() {
        let dot = |x, y| Shape::Dot { at: (x, y), radius: 3.0, ink: Ink::TEXT };
        let corners = [dot(430.0, 25.0), dot(70.0, 25.0), dot(430.0, 295.0), dot(70.0, 295.0)];
        let place =
            |shapes: &[Shape]| entries().place(Legend::Auto, &PLOT, shapes).map(|at| (at.left > 250.0, at.top < 160.0));
        assert_eq!(place(&[]), Some((true, true)));
        assert_eq!(place(&corners[..1]), Some((false, true)));
        assert_eq!(place(&corners[..2]), Some((true, false)));
        assert_eq!(place(&corners[..3]), Some((false, false)));
        let all = entries().place(Legend::Auto, &PLOT, &corners).expect("the middle of the right is free");
        assert!(all.right > 430.0 && all.top > 30.0 && all.bottom < 290.0);
        let everywhere = Shape::Rect { at: PLOT, ink: Ink::TEXT };
        assert_eq!(place(&[everywhere]), None);
    }

    #[test]
    fn the_inside_of_bars_and_areas_counts_as_data() {
        let bar = Shape::Rect { at: Rect::new(300.0, 15.0, 449.0, 310.0), ink: Ink::TEXT };
        let at = entries().place(Legend::Auto, &PLOT, &[bar]).expect("the left is free");
        assert!(at.right < 300.0);
        let points = vec![(50.0, 12.0), (450.0, 12.0), (450.0, 150.0), (50.0, 150.0)];
        let area = Shape::Area { points, ink: Ink::TEXT };
        let at = entries().place(Legend::Auto, &PLOT, &[area]).expect("the bottom is free");
        assert!(at.top > 150.0);
    }

    #[test]
    fn a_matrix_is_as_large_with_a_legend_beside_it() {
        let matrix = Figure::new().heat_map(&[[0.0, 1.0], [1.0, 2.0]]);
        let (width, height) = matrix.pixels();
        let marked = matrix.line_xy("way", &[0.0, 1.0], &[0.0, 1.0]);
        assert!(marked.pixels().0 > width + 50 && marked.pixels().1 == height);
        assert_eq!(marked.legend(Legend::LowerLeft).pixels(), (width, height));
    }

    #[test]
    fn a_legend_can_be_turned_off_and_put_beside_the_plot() {
        let figure = Figure::new().line("train", &[1.0, 2.0]);
        assert!(figure.clone().svg().expect("draws").contains(">train<"));
        assert!(!figure.clone().legend(Legend::Off).svg().expect("draws").contains(">train<"));
        let at = entries().place(Legend::Outside, &PLOT, &[]).expect("a place");
        assert!(at.left > PLOT.right);
        assert!(figure.legend(Legend::Outside).svg().expect("draws").contains(">train<"));
    }
}
