//! One thing that a figure shows, and what the figure has to know of it: how far it reaches and how it is drawn.

use std::sync::Arc;

use super::axis::Axis;
use super::boxes::Summary;
use super::error::PlotError;
use super::numbers::Grid;
use super::scene::{Ink, Pixels, Point, Rect, Shape};
use super::{Figure, bars, boxes, guides, heat, histogram, lines, panel};

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// For the legend; empty for none. Layers of one label have one colour.
    pub(super) label: String,
    pub(super) mark: Mark,
}

#[derive(Debug, Clone)]
pub(crate) enum Mark {
    Line {
        xs: Vec<f64>,
        ys: Vec<f64>,
    },
    Points {
        xs: Vec<f64>,
        ys: Vec<f64>,
        class: Option<usize>,
    },
    Step {
        xs: Vec<f64>,
        ys: Vec<f64>,
    },
    Area {
        xs: Vec<f64>,
        ys: Vec<f64>,
    },
    Band {
        xs: Vec<f64>,
        low: Vec<f64>,
        high: Vec<f64>,
    },
    /// A bar at 0, 1, 2...
    Bars(Vec<f64>),
    /// Values to be counted.
    Histogram(Vec<f64>),
    /// A box at 0, 1, 2...
    Boxes(Vec<Summary>),
    /// Cells at the whole numbers, row 0 on top; or over an area, row 0 at the bottom.
    Heat {
        grid: Grid,
        over: Option<Span>,
    },
    /// A picture behind the data.
    Field {
        pixels: Arc<Pixels>,
        over: Span,
    },
    /// A picture without axes.
    Picture {
        pixels: Arc<Pixels>,
        /// Its size in units of what is drawn onto it.
        size: (f64, f64),
    },
    Horizontal(f64),
    Vertical(f64),
    Note {
        at: Point,
        text: String,
    },
}

/// An area in units of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
}

impl Span {
    pub(super) fn corners(self) -> Vec<Point> {
        vec![(self.x.0, self.y.0), (self.x.1, self.y.1)]
    }
}

/// What all layers of a figure share.
pub(super) struct Shared {
    /// How many layers of bars there are, which stand side by side.
    pub(super) groups: usize,
    /// Where the bins of all histograms begin and end.
    pub(super) edges: Vec<f64>,
    /// The values of the first and the last colour of a heat map.
    pub(super) heat_range: (f64, f64),
}

impl Shared {
    pub(super) fn of(figure: &Figure) -> Self {
        Self {
            groups: figure.layers.iter().filter(|layer| matches!(layer.mark, Mark::Bars(_))).count(),
            edges: histogram::shared_edges(figure),
            heat_range: heat::range(figure),
        }
    }
}

/// Where the axes lie on the page.
pub(super) struct Frame<'a> {
    pub(super) at: Rect,
    pub(super) x_axis: &'a Axis,
    pub(super) y_axis: &'a Axis,
    pub(super) figure: &'a Figure,
}

impl Frame<'_> {
    /// The pixel of a point in units of the data; NaN where it has none.
    pub(super) fn point(&self, (x, y): Point) -> Point {
        (self.x(x), self.y(y))
    }

    pub(super) fn x(&self, x: f64) -> f64 {
        self.at.left + self.x_axis.share(self.figure.place_x(x)) * self.at.width()
    }

    pub(super) fn y(&self, y: f64) -> f64 {
        self.at.bottom - self.y_axis.share(self.figure.place_y(y)) * self.at.height()
    }

    /// Where a bar begins: at 0, or at the end of an axis that does not hold 0.
    pub(super) fn base(&self) -> f64 {
        let zero = self.y(0.0);
        if zero.is_finite() { zero.clamp(self.at.top, self.at.bottom) } else { self.at.bottom }
    }

    /// More points than that for a line show no more.
    pub(super) fn most_points(&self) -> usize {
        lines::POINTS_PER_COLUMN * self.at.width().max(1.0) as usize
    }
}

impl Layer {
    pub(super) fn check(&self) -> Result<(), PlotError> {
        let (xs, ys) = match &self.mark {
            Mark::Line { xs, ys } | Mark::Points { xs, ys, .. } | Mark::Step { xs, ys } | Mark::Area { xs, ys } => {
                (xs, ys)
            }
            Mark::Band { xs, low, high } if low.len() == high.len() => (xs, low),
            Mark::Band { low, high, .. } => {
                let (label, lows, highs) = (&self.label, low.len(), high.len());
                let what =
                    format!("the band of {label:?} has {lows} lower and {highs} upper ends: each point needs both");
                return Err(PlotError::Counts { what });
            }
            _ => return Ok(()),
        };
        if xs.len() != ys.len() {
            return Err(PlotError::Lengths { label: self.label.clone(), xs: xs.len(), ys: ys.len() });
        }
        Ok(())
    }

    /// Whether it counts places along x and along y, which a logarithmic axis has not.
    pub(super) fn counts_places(&self) -> (bool, bool) {
        match &self.mark {
            Mark::Bars(_) | Mark::Boxes(_) => (true, false),
            Mark::Heat { .. } | Mark::Field { .. } => (true, true),
            _ => (false, false),
        }
    }

    /// Points of the data that the axes have to hold. What says nothing of one of the axes is NaN there.
    pub(super) fn outline(&self, shared: &Shared, group: usize, density: bool) -> Vec<Point> {
        let pairs = |xs: &[f64], ys: &[f64]| xs.iter().copied().zip(ys.iter().copied()).collect::<Vec<_>>();
        match &self.mark {
            Mark::Line { xs, ys } | Mark::Points { xs, ys, .. } | Mark::Step { xs, ys } => pairs(xs, ys),
            Mark::Area { xs, ys } => {
                let feet = xs.iter().map(|x| (*x, 0.0));
                pairs(xs, ys).into_iter().chain(feet).collect()
            }
            Mark::Band { xs, low, high } => {
                let mut points = pairs(xs, low);
                points.extend(pairs(xs, high));
                points
            }
            Mark::Bars(values) => bars::outline(values, group, shared.groups),
            Mark::Histogram(values) => histogram::outline(values, &shared.edges, density),
            Mark::Boxes(boxes) => boxes::outline(boxes),
            Mark::Heat { grid, over: None } => heat::span(grid).corners(),
            Mark::Heat { over: Some(over), .. } | Mark::Field { over, .. } => over.corners(),
            Mark::Picture { .. } => Vec::new(),
            Mark::Horizontal(y) => vec![(f64::NAN, *y)],
            Mark::Vertical(x) => vec![(*x, f64::NAN)],
            Mark::Note { at, .. } => vec![*at],
        }
    }

    pub(super) fn shapes(&self, frame: &Frame<'_>, shared: &Shared, group: usize, ink: Ink) -> Vec<Shape> {
        match &self.mark {
            Mark::Line { xs, ys } => lines::line(frame, xs, ys, ink),
            Mark::Points { xs, ys, class } => lines::points(frame, xs, ys, *class, ink),
            Mark::Step { xs, ys } => lines::step(frame, xs, ys, ink),
            Mark::Area { xs, ys } => lines::area(frame, xs, ys, ink),
            Mark::Band { xs, low, high } => lines::band(frame, xs, low, high, ink),
            Mark::Bars(values) => bars::shapes(frame, values, group, shared.groups, ink),
            Mark::Histogram(values) => histogram::shapes(frame, values, &shared.edges, ink),
            Mark::Boxes(boxes) => boxes::shapes(frame, boxes, ink),
            Mark::Heat { grid, over } => heat::shapes(frame, grid, *over, shared.heat_range),
            Mark::Field { pixels, over } => vec![heat::field(frame, pixels, *over)],
            Mark::Picture { .. } => Vec::new(),
            Mark::Horizontal(y) => guides::horizontal(frame, *y, &self.label),
            Mark::Vertical(x) => guides::vertical(frame, *x, &self.label),
            Mark::Note { at, text } => guides::note(frame, *at, text),
        }
    }

    /// The size of a figure that shows this well, where it is not the usual one.
    pub(super) fn natural_size(&self, figure: &Figure) -> Option<(u32, u32)> {
        match &self.mark {
            Mark::Heat { grid, over: None } => Some(heat::natural_size(grid, figure)),
            Mark::Picture { pixels, .. } => {
                let around = panel::around(figure);
                let (width, height) = (pixels.width + around.left as u32, pixels.height + around.height() as u32);
                Some((width.clamp(160, 4000), height.clamp(120, 4000)))
            }
            _ => None,
        }
    }

    /// Whether it has a colour by its label.
    pub(super) fn is_series(&self) -> bool {
        !matches!(
            self.mark,
            Mark::Points { class: Some(_), .. }
                | Mark::Heat { .. }
                | Mark::Field { .. }
                | Mark::Picture { .. }
                | Mark::Horizontal(_)
                | Mark::Vertical(_)
                | Mark::Note { .. }
        )
    }
}
