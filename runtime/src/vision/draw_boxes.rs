//! Boxes over a picture, with labels.

use std::ops::Range;

use image::RgbaImage;
use tch::{Kind, Tensor};

use super::boxes::{check, corners};
use super::canvas::{Color, check_colors, color_of, in_color, like};
use crate::font;
use crate::plot::cut;
use crate::plot::scene::{Anchor, Ink, Rect, Shape, Text, centered, pixels, scene};

/// How [`draw_bounding_boxes`] draws them.
///
/// ```
/// use oxtorch::prelude::*;
/// let photo = Tensor::zeros([3, 40, 60], (Kind::Uint8, device()));
/// let boxes = Tensor::from_slice2(&[[5f32, 18.0, 25.0, 35.0], [30.0, 20.0, 55.0, 38.0]]);
/// let style = vision::BoxStyle::new().labels(&["cat 0.9", "dog 0.7"]).colors(&[[255, 200, 0]]).width(2);
/// image(&vision::draw_bounding_boxes(&photo, &boxes, style))?
/// # ;
/// # anyhow::Ok(())
/// ```
#[derive(Debug, Clone)]
pub struct BoxStyle {
    labels: Vec<String>,
    colors: Vec<Color>,
    width: i64,
    font_size: f64,
}

impl Default for BoxStyle {
    fn default() -> Self {
        Self { labels: Vec::new(), colors: Vec::new(), width: 1, font_size: 12.0 }
    }
}

impl BoxStyle {
    /// Lines of 1 pixel in the colors of plots, without labels, which would be 12 pixels high.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is written at each box. Boxes of the same label get the same color.
    pub fn labels<S: ToString>(mut self, labels: &[S]) -> Self {
        self.labels = labels.iter().map(S::to_string).collect();
        self
    }

    /// Red, green and blue, from 0 to 255: one for each box, or one for all.
    pub fn colors(mut self, colors: &[[u8; 3]]) -> Self {
        self.colors = colors.to_vec();
        self
    }

    /// How thick lines are, in pixels, inwards from the box.
    pub fn width(mut self, width: i64) -> Self {
        self.width = width.max(1);
        self
    }

    /// How large labels are, in pixels.
    pub fn font_size(mut self, font_size: f64) -> Self {
        self.font_size = font_size.max(1.0);
        self
    }

    fn color(&self, number: usize) -> Color {
        let first = self.labels.get(number).and_then(|label| self.labels.iter().position(|other| other == label));
        let number = if self.colors.is_empty() { first.unwrap_or(number) } else { number };
        color_of(&self.colors, number)
    }
}

/// A copy of an image with boxes `[N, 4]` of `x1, y1, x2, y2` in pixels drawn over it. Lines of a box that reaches
/// beyond the image are drawn at its rim.
///
/// The image is `[3, H, W]`, or `[1, H, W]` in gray, `uint8` or floating point from 0 to 1; the result is `[3, H, W]`
/// of the same kind, to be shown by [`image(&drawn)?`](crate::picture::image()).
///
/// ```
/// use oxtorch::prelude::*;
/// let photo = Tensor::zeros([3, 5, 5], (Kind::Float, device()));
/// let boxes = Tensor::from_slice2(&[[1f32, 1.0, 3.0, 3.0]]);
/// let drawn = vision::draw_bounding_boxes(&photo, &boxes, Default::default());
/// assert_eq!(drawn.i(2).gt(0.0).sum(Kind::Int64).int64_value(&[]), 8); // the rim of 3 by 3 pixels
/// ```
///
/// # Panics
///
/// Where the image or the boxes have other shapes or kinds, `x1 > x2` or `y1 > y2`, there are labels but not one for
/// each box, or more than one color but not one for each box.
#[track_caller]
pub fn draw_bounding_boxes(image: &Tensor, boxes: &Tensor, style: BoxStyle) -> Tensor {
    let what = "draw_bounding_boxes";
    let image = in_color(what, image);
    check(what, boxes);
    let (count, labels) = (boxes.size()[0] as usize, style.labels.len());
    assert!(labels == 0 || labels == count, "{what}: {labels} labels for {count} boxes; give one for each, or none");
    check_colors(what, &style.colors, count, "boxes");
    for (number, corners) in corners(boxes).into_iter().enumerate() {
        let [x1, y1, x2, y2] = corners;
        assert!(
            x1 <= x2 && y1 <= y2,
            "{what}: a box of {corners:?}; a box is x1, y1, x2, y2 with x1 <= x2 and y1 <= y2, and \
             `box_convert` makes such ones"
        );
        let place = Place::within(&image, corners);
        let color = style.color(number);
        place.draw_rim(&image, style.width, &like(&image, color));
        if let Some(label) = style.labels.get(number) {
            place.write(&image, label, style.font_size, color);
        }
    }
    image
}

/// Rows and columns of an image.
struct Place {
    rows: Range<i64>,
    columns: Range<i64>,
}

impl Place {
    /// The pixels that the corners of a box are in, and those between.
    fn within(image: &Tensor, corners: [f64; 4]) -> Self {
        let [_, height, width] = image.size()[..] else { unreachable!("`in_color` returns [3, H, W]") };
        let [left, top, right, bottom] = corners.map(|corner| corner as i64);
        let pixels = |from: i64, to: i64, size: i64| from.clamp(0, size - 1)..to.clamp(0, size - 1) + 1;
        Self { rows: pixels(top, bottom, height), columns: pixels(left, right, width) }
    }

    fn of(&self, image: &Tensor) -> Tensor {
        let (rows, columns) = (&self.rows, &self.columns);
        image.narrow(1, rows.start, rows.end - rows.start).narrow(2, columns.start, columns.end - columns.start)
    }

    fn draw_rim(&self, image: &Tensor, width: i64, color: &Tensor) {
        let ends = |range: &Range<i64>| {
            let width = width.min(range.end - range.start);
            [range.start..range.start + width, range.end - width..range.end]
        };
        let horizontal = ends(&self.rows).map(|rows| Self { rows, columns: self.columns.clone() });
        let vertical = ends(&self.columns).map(|columns| Self { rows: self.rows.clone(), columns });
        for line in horizontal.iter().chain(&vertical) {
            line.of(image).copy_(color);
        }
    }

    /// Writes a label above the upper left corner, or below it where there is no room.
    fn write(&self, image: &Tensor, label: &str, size: f64, color: Color) {
        let [_, height, width] = image.size()[..] else { unreachable!("`in_color` returns [3, H, W]") };
        // Without its label a box is still worth showing.
        let Some(label) = written(label, size, color, width as f64) else { return };
        let [label_width, label_height] = [label.width(), label.height()].map(i64::from);
        let top = if self.rows.start >= label_height { self.rows.start - label_height } else { self.rows.start };
        let left = self.columns.start.min(width - label_width).max(0);
        let place =
            Self { rows: top..(top + label_height).min(height), columns: left..(left + label_width).min(width) };
        let pixels = tensor(&label, image);
        let shown = Self { rows: 0..place.rows.end - top, columns: 0..place.columns.end - left };
        place.of(image).copy_(&shown.of(&pixels));
    }
}

/// A label on its color, cut where it is wider than that.
fn written(label: &str, size: f64, color: Color, widest: f64) -> Option<RgbaImage> {
    const MARGIN: f64 = 2.0;
    let label = cut(label, (widest - 2.0 * MARGIN) / size);
    let (width, height) = (size * font::width(&label) + 2.0 * MARGIN, size + 2.0 * MARGIN);
    let [red, green, blue] = color;
    let ground = Ink::new(red, green, blue);
    let ink = if ground.brightness() > 0.6 { Ink::TEXT } else { Ink::WHITE };
    let page = Shape::Rect { at: Rect::new(0.0, 0.0, width.ceil(), height.ceil()), ink: ground };
    let text = Text { ink, ..centered((MARGIN, height / 2.0), label, size, Anchor::Start) };
    pixels(&scene((width.ceil() as u32, height.ceil() as u32), vec![page, text.into()])).ok()
}

/// Drawn pixels as those of the image are, `[3, H, W]`.
fn tensor(drawn: &RgbaImage, image: &Tensor) -> Tensor {
    let (width, height) = drawn.dimensions();
    let bytes = Tensor::from_slice(drawn.as_raw()).view([i64::from(height), i64::from(width), 4]).permute([2, 0, 1]);
    let colors = bytes.narrow(0, 0, 3).to_kind(Kind::Float);
    let colors = if image.is_floating_point() { colors / 255.0 } else { colors };
    colors.to_kind(image.kind()).to_device(image.device())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn lines_lie_within_the_box_and_the_image() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let photo = reference.tensor("/rims/photo");
        let style = BoxStyle::new().colors(&[[255, 0, 0], [0, 128, 64], [0, 0, 255]]).width(2);
        let drawn = draw_bounding_boxes(&photo, &reference.tensor("/rims/boxes"), style);
        reference.check("/rims/drawn", &drawn, 1e-6);
        reference.check("/rims/photo", &photo, 0.0);
        assert_eq!(drawn.kind(), photo.kind());
    }

    #[test]
    fn a_label_is_above_its_box_or_in_it_and_cut_by_the_image() {
        let photo = Tensor::zeros([1, 60, 50], (Kind::Uint8, Device::Cpu));
        let labelled = |top: f32, label: &str| {
            let boxes = Tensor::from_slice2(&[[10f32, top, 30.0, 55.0]]);
            let style = BoxStyle::new().colors(&[[200, 10, 10]]).labels(&[label]);
            draw_bounding_boxes(&photo, &boxes, style).sum_dim_intlist(0i64, false, Kind::Int64)
        };
        let rows = |drawn: &Tensor| crate::elements::elements::<bool>(&drawn.any_dim(1, false));
        let above = rows(&labelled(30.0, "cat"));
        assert!(!above[13] && above[14] && above[29] && above[55] && !above[56], "{above:?}");
        assert!(!rows(&labelled(5.0, "cat"))[4]);
        let (short, long) = (labelled(30.0, "cat"), labelled(30.0, &"cat ".repeat(20)));
        let columns = |drawn: &Tensor| drawn.narrow(0, 14, 16).any_dim(0, false).sum(Kind::Int64).int64_value(&[]);
        assert!(columns(&short) < columns(&long));
        // Letters are white on this color.
        assert!(short.narrow(0, 14, 16).max().int64_value(&[]) > 500);
    }

    #[test]
    fn boxes_of_one_label_have_one_color() {
        let style = BoxStyle::new().labels(&["cat", "dog", "cat"]);
        assert_eq!(style.color(0), style.color(2));
        assert_ne!(style.color(0), style.color(1));
        assert_eq!(style.colors(&[[1, 2, 3]]).color(1), [1, 2, 3]);
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let message = |image: &[i64], boxes: [f32; 4], style: BoxStyle| {
            let (image, boxes) = (Tensor::zeros(image, (Kind::Float, Device::Cpu)), Tensor::from_slice2(&[boxes]));
            panic_message(|| draw_bounding_boxes(&image, &boxes, style))
        };
        let fits = [0.0, 0.0, 2.0, 2.0];
        assert!(message(&[2, 3, 4, 4], fits, BoxStyle::new()).contains("an image of [2, 3, 4, 4]"));
        assert!(message(&[3, 4, 4], [3.0, 0.0, 2.0, 2.0], BoxStyle::new()).contains("`box_convert` makes such ones"));
        let labels = BoxStyle::new().labels(&["a", "b"]);
        assert!(message(&[3, 4, 4], fits, labels).contains("2 labels for 1 boxes"));
    }
}
