//! Pictures of tensors as a figure, beside others for one.

use std::sync::Arc;

use image::RgbaImage;

use super::layer::Mark;
use super::scene::{Rect, Shape};
use super::{Figure, PlotError};
use crate::picture::Image;

impl Figure {
    /// Shows a picture, or a grid of them with captions, in place of a plot: for a place among [`Figures`](super::Figures).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let digits = digits();
    /// let picture = image(&digits.images.narrow(0, 0, 6))?.columns(3).caption(&[0, 1, 2, 3, 4, 5]);
    /// assert!(Figure::new().title("Digits").picture(&picture).png().is_ok());
    /// # anyhow::Ok(())
    /// ```
    pub fn picture(self, picture: &Image) -> Self {
        match picture.draw() {
            Ok(pixels) => self.with("", Mark::Picture(Arc::new(pixels))),
            Err(error) => self.with_fault(PlotError::Draw(error.to_string())),
        }
    }

    /// The picture that the figure shows instead of a plot.
    pub(super) fn shown_picture(&self) -> Option<&Arc<RgbaImage>> {
        self.layers.iter().find_map(|layer| match &layer.mark {
            Mark::Picture(pixels) => Some(pixels),
            _ => None,
        })
    }
}

/// The picture as large as it can be, in whole steps where it is enlarged, in the middle.
pub(super) fn placed(pixels: &Arc<RgbaImage>, within: &Rect) -> Shape {
    let (width, height) = (f64::from(pixels.width()), f64::from(pixels.height()));
    let fitting = (within.width() / width).min(within.height() / height);
    let scale = if fitting >= 1.0 { fitting.floor() } else { fitting };
    let (width, height) = (width * scale, height * scale);
    let left = within.left + ((within.width() - width) / 2.0).floor();
    let top = within.top + ((within.height() - height) / 2.0).floor();
    Shape::Picture { at: Rect::new(left, top, left + width, top + height), pixels: Arc::clone(pixels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_fills_its_place_and_keeps_its_shape() {
        let pixels = Arc::new(RgbaImage::new(10, 5));
        let place = |width, height| match placed(&pixels, &Rect::new(0.0, 0.0, width, height)) {
            Shape::Picture { at, .. } => at,
            other => panic!("no picture: {other:?}"),
        };
        assert_eq!(place(25.0, 100.0), Rect::new(2.0, 45.0, 22.0, 55.0));
        assert_eq!(place(5.0, 10.0), Rect::new(0.0, 3.0, 5.0, 5.5));
    }
}
