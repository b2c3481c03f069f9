//! Pictures of tensors as a figure, beside others for one, and what is drawn onto them.

use std::sync::Arc;

use super::super::layout::axis::Axis;
use super::super::layout::data;
use super::super::layout::legend::{Entries, Legend};
use super::super::layout::names::labels;
use super::super::write::scene::{Ink, Pixels, Point, Rect, Shape};
use super::heat::field;
use super::{Axes, Figure, Frame, Layer, Mark, PlotError, Shared, Span};
use crate::picture::Image;

/// The room that a title takes.
const TITLE: f64 = 32.0;
/// The room that a label of an axis takes.
const LABEL: f64 = 26.0;

/// A picture without axes.
#[derive(Debug)]
pub(crate) struct Picture {
    pixels: Arc<Pixels>,
    /// Its size in units of what is drawn onto it.
    size: (f64, f64),
}

impl Figure {
    /// Shows a picture, or a grid of them with captions, in place of a plot: for a place among
    /// [`Figures`](crate::plot::Figures). What else is in the figure is drawn onto it, placed as Matplotlib's `imshow`
    /// has it: in pixels of the tensor, (0, 0) the middle of the upper left one and y downwards. In a grid, or with
    /// captions, these are the pixels of the whole picture.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let digits = digits();
    /// let picture = image(&digits.images.narrow(0, 0, 6))?.columns(3).caption(&[0, 1, 2, 3, 4, 5]);
    /// assert!(Figure::new().title("Digits").picture(&picture).png().is_ok());
    /// let one = image(&digits.images.get(0))?;
    /// let (xs, ys) = ([1.5, 5.5, 5.5, 1.5, 1.5], [0.5, 0.5, 6.5, 6.5, 0.5]);
    /// assert!(Figure::new().picture(&one).line_xy("a box", &xs, &ys).png().is_ok());
    /// # anyhow::Ok(())
    /// ```
    pub fn picture(self, picture: &Image) -> Self {
        self.attempt(|figure| {
            let drawn = picture.draw().map_err(|error| PlotError::Draw(error.to_string()))?;
            let (width, height) = drawn.dimensions();
            let size = picture.one().unwrap_or((width, height));
            let pixels = Pixels { width, height, rgba: drawn.into_raw() }.into();
            figure.add("", Picture { pixels, size: (size.0.into(), size.1.into()) });
            Ok(())
        })
    }
}

impl Mark for Picture {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        if figure.marks::<Self>().count() > 1 {
            return Err(PlotError::counts(
                "two pictures in one figure: the second would cover the first; `Figures::row([a, b])` puts two figures side by side",
            ));
        }
        if figure.heat.extent.is_some() {
            return Ok(());
        }
        let has_ranges = figure.x_range.is_some() || figure.y_range.is_some();
        let has_names = !(figure.x_names.is_empty() && figure.y_names.is_empty());
        if figure.log_x || figure.log_y || has_ranges || has_names {
            return Err(PlotError::counts(
                "a picture has no axes, unless `extent` gives it some: what is drawn onto it is placed by its pixels, from \
                 the upper left corner",
            ));
        }
        Ok(())
    }

    fn axes(&self) -> Axes {
        Axes { filled: true, ..Axes::default() }
    }

    fn outline(&self, figure: &Figure, _shared: &Shared) -> Vec<Point> {
        figure.heat.extent.map(Span::corners).unwrap_or_default()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        let over = frame.figure.heat.extent;
        over.map(|over| field(frame, &self.turned(over), over)).into_iter().collect()
    }

    fn alone(&self, figure: &Figure, within: &Rect, layers: &[(&Layer, Ink)], entries: &Entries) -> Option<Vec<Shape>> {
        figure.heat.extent.is_none().then(|| self.draw(figure, within, layers, entries))
    }

    fn natural_size(&self, figure: &Figure) -> Option<(u32, u32)> {
        if figure.heat.extent.is_some() {
            return None;
        }
        let [left, top, bottom] = around(figure);
        let (width, height) = (self.pixels.width + left as u32, self.pixels.height + (top + bottom) as u32);
        Some((width.clamp(160, 4000), height.clamp(120, 4000)))
    }
}

/// How much room the words around a picture take: on the left, above and below.
fn around(figure: &Figure) -> [f64; 3] {
    let room = |text: &str, size: f64| if text.is_empty() { 0.0 } else { size };
    [room(&figure.y_label, LABEL), room(&figure.title, TITLE), room(&figure.x_label, LABEL)]
}

impl Picture {
    /// The pixels with the upper row at the greater y.
    fn turned(&self, over: Span) -> Arc<Pixels> {
        if over.y.0 < over.y.1 {
            return Arc::clone(&self.pixels);
        }
        let rows = self.pixels.rgba.chunks(4 * self.pixels.width as usize);
        let rgba = rows.rev().flatten().copied().collect();
        Pixels { rgba, ..*self.pixels }.into()
    }

    /// The figure as this picture with what lies on it.
    fn draw(&self, figure: &Figure, within: &Rect, layers: &[(&Layer, Ink)], entries: &Entries) -> Vec<Shape> {
        let [left, top, bottom] = around(figure);
        let room = Rect::new(within.left + left, within.top + top, within.right, within.bottom - bottom);
        let at = place(&self.pixels, &room);
        let axis = |size: f64| Axis::linear((-0.5, size - 0.5), 2, true);
        let (x_axis, y_axis) = (axis(self.size.0), axis(self.size.1).reversed());
        let shared = Shared::of(figure);
        let frame = Frame { at, x_axis: &x_axis, y_axis: &y_axis, figure, shared: &shared };
        let data = data(&frame, layers);
        let legend = (!entries.is_empty()).then(|| match figure.legend {
            // Beside the picture there is no room.
            Legend::Auto | Legend::Outside => {
                entries.place(Legend::Auto, &at, &data).or_else(|| entries.place(Legend::UpperRight, &at, &data))
            }
            chosen => entries.place(chosen, &at, &data),
        });
        let picture = Shape::Picture { at, pixels: Arc::clone(&self.pixels) };
        let mut shapes = vec![picture, Shape::Clipped { to: at, shapes: data }];
        shapes.extend(legend.flatten().map(|at| entries.shapes(&at)).unwrap_or_default());
        let middle = within.left + within.width() / 2.0;
        shapes.extend(labels(figure, within, &at, (middle, at.bottom + 13.0, at.left - 9.0)));
        shapes
    }
}

/// Where a picture is as large as it can be, in whole steps where it is enlarged, in the middle.
fn place(pixels: &Pixels, within: &Rect) -> Rect {
    let (width, height) = (f64::from(pixels.width), f64::from(pixels.height));
    let fitting = (within.width() / width).min(within.height() / height);
    let scale = if fitting >= 1.0 { fitting.floor() } else { fitting };
    let (width, height) = (width * scale, height * scale);
    let left = within.left + ((within.width() - width) / 2.0).floor();
    let top = within.top + ((within.height() - height) / 2.0).floor();
    Rect::new(left, top, left + width, top + height)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::picture::image;

    #[test]
    fn a_picture_fills_its_place_and_keeps_its_shape() {
        let pixels = Pixels { width: 10, height: 5, rgba: Vec::new() };
        let place = |width, height| place(&pixels, &Rect::new(0.0, 0.0, width, height));
        assert_eq!(place(25.0, 100.0), Rect::new(2.0, 45.0, 22.0, 55.0));
        assert_eq!(place(5.0, 10.0), Rect::new(0.0, 3.0, 5.0, 5.5));
    }

    #[test]
    fn what_is_added_is_drawn_onto_the_picture_by_its_pixels() {
        let tensor = Tensor::zeros([10, 20], (Kind::Float, Device::Cpu));
        let picture = image(&tensor).expect("a picture").scale(20);
        let figure =
            Figure::new().picture(&picture).line_xy("box", &[-0.5, 9.5, 19.5], &[-0.5, 4.5, 9.5]).size(400, 200);
        let svg = figure.svg().expect("draws");
        // From corner to corner, over the middle.
        assert!(svg.contains("0,0 200,100 400,200"), "{svg}");
        assert!(svg.contains(">box</text>"), "{svg}");
        let labelled = Figure::new().picture(&picture).title("t").x_label("below").y_label("beside");
        assert_eq!(labelled.pixels(), (426, 258));
        let svg = labelled.svg().expect("draws");
        assert!(svg.contains(">below</text>") && svg.contains(">beside</text>"), "{svg}");
    }

    #[test]
    fn what_a_picture_has_no_place_for_is_refused() {
        let picture = image(&Tensor::zeros([4, 4], (Kind::Float, Device::Cpu))).expect("a picture");
        let one = || Figure::new().picture(&picture);
        for (figure, expected) in [
            (one().x_range(0.0, 1.0), "a picture has no axes"),
            (one().log_y(), "a picture has no axes"),
            (one().picture(&picture), "two pictures in one figure"),
        ] {
            assert!(figure.svg().expect_err("no figure").to_string().contains(expected), "{expected}");
        }
    }
}
