//! Pictures of tensors as a figure, beside others for one, and what is drawn onto them.

use std::sync::Arc;

use super::axis::Axis;
use super::layer::{Frame, Layer, Mark};
use super::legend::{Entries, Legend};
use super::names::{LABEL, fitted, title_of};
use super::scene::{Anchor, Ink, Pixels, Rect, Shape, Text, centered};
use super::{Figure, PlotError, remarks};
use crate::picture::Image;

impl Figure {
    /// Shows a picture, or a grid of them with captions, in place of a plot: for a place among
    /// [`Figures`](super::Figures). What else is in the figure is drawn onto it, placed as Matplotlib's `imshow` has
    /// it: in pixels of the tensor, (0, 0) the middle of the upper left one and y downwards. In a grid, or with
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
        match picture.draw() {
            Ok(drawn) => {
                let (width, height) = drawn.dimensions();
                let pixels = Pixels { width, height, rgba: drawn.into_raw() };
                let drawn = (f64::from(width), f64::from(height));
                let size = picture.one().map_or(drawn, |(width, height)| (f64::from(width), f64::from(height)));
                self.with("", Mark::Picture { pixels: Arc::new(pixels), size })
            }
            Err(error) => self.with_fault(PlotError::Draw(error.to_string())),
        }
    }
}

/// How much room the words around a picture take: on the left, above and below.
pub(super) fn around(figure: &Figure) -> Rect {
    let room = |text: &str, size: f64| if text.is_empty() { 0.0 } else { size };
    let (top, bottom) = (room(&figure.title, 32.0), room(&figure.x_label, 26.0));
    Rect::new(room(&figure.y_label, 26.0), 0.0, 0.0, top + bottom)
}

/// The figure as a picture with what lies on it; `None` where it has none.
pub(super) fn draw(figure: &Figure, within: Rect, layers: &[(&Layer, Ink)], entries: &Entries) -> Option<Vec<Shape>> {
    let (pixels, size) = figure.layers.iter().find_map(|layer| match &layer.mark {
        Mark::Picture { pixels, size } => Some((pixels, *size)),
        _ => None,
    })?;
    let around = around(figure);
    let title = if figure.title.is_empty() { 0.0 } else { 32.0 };
    let room = Rect::new(
        within.left + around.left,
        within.top + title,
        within.right,
        within.bottom - (around.height() - title),
    );
    let at = place(pixels, &room);
    let mut shapes = vec![Shape::Picture { at, pixels: Arc::clone(pixels) }];
    let (x_axis, y_axis) =
        (Axis::linear((-0.5, size.0 - 0.5), 2, true), Axis::linear((-0.5, size.1 - 0.5), 2, true).reversed());
    let frame = Frame { at, x_axis: &x_axis, y_axis: &y_axis, figure };
    let shared = super::layer::Shared::of(figure);
    let mut data = Vec::new();
    let mut group = 0;
    for (layer, ink) in layers {
        data.extend(layer.shapes(&frame, &shared, group, *ink));
        group += usize::from(matches!(layer.mark, Mark::Bars(_)));
    }
    data.extend(remarks::shapes(&frame));
    let legend = (!entries.is_empty()).then(|| match figure.legend {
        // Beside the picture there is no room.
        Legend::Auto | Legend::Outside => {
            entries.place(Legend::Auto, &at, &data).or_else(|| entries.place(Legend::UpperRight, &at, &data))
        }
        chosen => entries.place(chosen, &at, &data),
    });
    shapes.push(Shape::Clipped { to: at, shapes: data });
    shapes.extend(legend.flatten().map(|at| entries.shapes(&at)).unwrap_or_default());
    shapes.extend(title_of(&figure.title, within.left + within.width() / 2.0, within.top + 20.0, within.width()));
    if !figure.x_label.is_empty() {
        let middle = (at.left + at.width() / 2.0, at.bottom + 13.0);
        let label = fitted(&figure.x_label, LABEL, within.width());
        shapes.push(centered(middle, label, LABEL, Anchor::Middle).into());
    }
    if !figure.y_label.is_empty() {
        let middle = (at.left - 9.0, at.top + at.height() / 2.0);
        let label = fitted(&figure.y_label, LABEL, within.height());
        shapes.push(Text { at: middle, turn: -90.0, ..centered(middle, label, LABEL, Anchor::Middle) }.into());
    }
    Some(shapes)
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
