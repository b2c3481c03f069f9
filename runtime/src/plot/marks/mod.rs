//! What a figure shows. A new kind of mark is a file in this folder: a type, [`Mark`] for it, and a method of
//! [`Figure`] that adds it.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::layout::axis::Axis;
use super::layout::legend::{Entries, Swatch};
use super::layout::remarks::LeftOut;
use super::write::scene::{Ink, Point, Rect, Shape};
use super::{Figure, PlotError};

mod annotations;
mod audio;
mod bars;
mod boundary;
mod boxes;
mod graph;
mod heat;
mod histogram;
mod lines;
mod picture;
mod plane;

pub(super) use bars::Bars;
pub use graph::{Graph, GraphLayout};
pub(super) use heat::{Heat, HeatStyle, square_cell};
pub(super) use histogram::Histogram;
pub use histogram::histogram;
pub(super) use lines::{Series, Style};
pub(super) use picture::Picture;
pub(super) use plane::{Contours, Surface};

/// What a figure has to know of something that it shows: how far it reaches and how it is drawn.
pub(crate) trait Mark: Any + fmt::Debug + Send + Sync {
    /// An error if its parts do not go together, or do not go with the rest of the figure.
    fn check(&self, _label: &str, _figure: &Figure) -> Result<(), PlotError> {
        Ok(())
    }

    /// How it uses the axes.
    fn axes(&self) -> Axes {
        Axes::default()
    }

    /// Points of the data that the axes have to hold. What says nothing of one of the axes is NaN there.
    fn outline(&self, figure: &Figure, shared: &Shared) -> Vec<Point>;

    /// What is drawn.
    fn shapes(&self, frame: &Frame<'_>, label: &str, ink: Ink) -> Vec<Shape>;

    /// What stands beside its label in the legend; `None` if it has no place there.
    fn swatch(&self) -> Option<Swatch> {
        None
    }

    /// The class that all of it is of, which then decides its color; else its label does.
    fn class(&self) -> Option<usize> {
        None
    }

    /// The values that it shows as colors of the color map.
    fn colored(&self) -> &[f64] {
        &[]
    }

    /// The whole figure within a rectangle, if it has no axes beside this.
    fn alone(
        &self,
        _figure: &Figure,
        _within: &Rect,
        _layers: &[(&Layer, Ink)],
        _entries: &Entries,
    ) -> Option<Vec<Shape>> {
        None
    }

    /// How many of its values are not shown.
    fn left_out(&self, _figure: &Figure) -> LeftOut {
        LeftOut::default()
    }

    /// The size of a figure that shows this well, if it is not the usual one.
    fn natural_size(&self, _figure: &Figure) -> Option<(u32, u32)> {
        None
    }
}

/// How a mark uses the axes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Axes {
    /// It begins at 0 along y.
    pub(super) from_zero: bool,
    /// It stands at 0, 1, 2... along x, and each place may have a name.
    pub(super) named: bool,
    /// It fills the plot to its rim.
    pub(super) filled: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    /// For the legend; empty for none. Layers of one label have one color.
    pub(super) label: String,
    pub(super) mark: Arc<dyn Mark>,
}

impl Layer {
    pub(super) fn new(label: impl Into<String>, mark: impl Mark) -> Self {
        Self { label: label.into(), mark: Arc::new(mark) }
    }

    /// The mark, if it is of this kind.
    pub(super) fn of<M: Mark>(&self) -> Option<&M> {
        let mark: &dyn Any = &*self.mark;
        mark.downcast_ref()
    }

    /// The same to be changed; a clone of the figure keeps what it had.
    pub(super) fn of_mut<M: Mark + Clone>(&mut self) -> Option<&mut M> {
        if Arc::get_mut(&mut self.mark).is_none() {
            self.mark = Arc::new(self.of::<M>()?.clone());
        }
        let mark: &mut dyn Any = Arc::get_mut(&mut self.mark)?;
        mark.downcast_mut()
    }
}

impl Figure {
    fn with(mut self, label: impl Into<String>, mark: impl Mark) -> Self {
        self.add(label, mark);
        self
    }

    fn add(&mut self, label: impl Into<String>, mark: impl Mark) {
        self.layers.push(Layer::new(label, mark));
    }

    /// All marks of a kind.
    pub(super) fn marks<M: Mark>(&self) -> impl Iterator<Item = &M> {
        self.layers.iter().filter_map(Layer::of)
    }

    pub(super) fn has<M: Mark>(&self) -> bool {
        self.marks::<M>().next().is_some()
    }

    /// Whether one of the marks uses the axes so.
    pub(super) fn any(&self, uses: fn(Axes) -> bool) -> bool {
        self.layers.iter().any(|layer| uses(layer.mark.axes()))
    }
}

/// An area in units of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Span {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Span {
    fn corners(self) -> Vec<Point> {
        vec![(self.x.0, self.y.0), (self.x.1, self.y.1)]
    }
}

/// What all marks of a figure share.
pub(super) struct Shared {
    /// Where the bins of all histograms begin and end.
    edges: Vec<f64>,
    /// The values of the first and the last color of a heat map.
    pub(super) heat_range: (f64, f64),
}

impl Shared {
    pub(super) fn of(figure: &Figure) -> Self {
        Self { edges: histogram::shared_edges(figure), heat_range: heat::range(figure) }
    }
}

/// Where the axes lie on the page.
pub(super) struct Frame<'a> {
    pub(super) at: Rect,
    pub(super) x_axis: &'a Axis,
    pub(super) y_axis: &'a Axis,
    pub(super) figure: &'a Figure,
    pub(super) shared: &'a Shared,
}

impl Frame<'_> {
    /// The pixel of a point in units of the data; NaN where it has none.
    fn point(&self, (x, y): Point) -> Point {
        (self.x(x), self.y(y))
    }

    pub(super) fn x(&self, x: f64) -> f64 {
        self.at.left + self.x_axis.share(self.figure.place_x(x)) * self.at.width()
    }

    pub(super) fn y(&self, y: f64) -> f64 {
        self.at.bottom - self.y_axis.share(self.figure.place_y(y)) * self.at.height()
    }

    /// Where a bar begins: at 0, or at the end of an axis that does not hold 0.
    fn base(&self) -> f64 {
        let zero = self.y(0.0);
        if zero.is_finite() { zero.clamp(self.at.top, self.at.bottom) } else { self.at.bottom }
    }
}

/// Whether each bar, box, column or row has a name, if there are names.
fn names_fit(axis: &str, names: &[String], what: &str, count: usize) -> Result<(), PlotError> {
    match names.len() {
        0 => Ok(()),
        given if given == count => Ok(()),
        given => Err(PlotError::counts(format!(
            "`{axis}_names` has {given} names for {count} {what}: each needs one, and \"\" leaves one without"
        ))),
    }
}
