//! A scene as pixels.

use image::{RgbImage, RgbaImage};
use tiny_skia::{
    Color, FillRule, FilterQuality, IntSize, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, PixmapPaint,
    Stroke as Pen, StrokeDash, Transform,
};
use ttf_parser::OutlineBuilder;

use super::scene::{Ink, Point, Rect, Scene, Shape, Stroke, Text};
use crate::font;

/// The scene, `scale` pixels for each of its own. `None` where it has no pixels or too many.
pub(crate) fn draw(scene: &Scene, scale: f64) -> Option<RgbImage> {
    let pixels = |size: u32| (f64::from(size) * scale).round() as u32;
    let mut pixmap = Pixmap::new(pixels(scene.width), pixels(scene.height))?;
    pixmap.fill(Color::WHITE);
    let scale = scale as f32;
    let mut canvas = Canvas { pixmap, transform: Transform::from_scale(scale, scale) };
    canvas.shapes(&scene.shapes, None);
    let (width, height) = (canvas.pixmap.width(), canvas.pixmap.height());
    let opaque = canvas.pixmap.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]);
    RgbImage::from_raw(width, height, opaque.collect())
}

struct Canvas {
    pixmap: Pixmap,
    transform: Transform,
}

impl Canvas {
    fn shapes(&mut self, shapes: &[Shape], mask: Option<&Mask>) {
        for shape in shapes {
            match shape {
                Shape::Rect { at, ink } => self.fill(path_of(&corners(at), true), *ink, mask),
                Shape::Line { points, stroke } => self.stroke(points, *stroke, mask),
                Shape::Area { points, ink } => self.fill(path_of(points, true), *ink, mask),
                Shape::Dot { at, radius, ink } => {
                    let circle = PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32);
                    self.fill(circle, *ink, mask);
                }
                Shape::Text(text) => self.fill(outlines(text), text.ink, mask),
                Shape::Picture { at, pixels } => self.picture(at, pixels, mask),
                Shape::Clipped { to, shapes } => {
                    let mut within = Mask::new(self.pixmap.width(), self.pixmap.height());
                    if let (Some(within), Some(path)) = (&mut within, path_of(&corners(to), true)) {
                        within.fill_path(&path, FillRule::Winding, true, self.transform);
                    }
                    self.shapes(shapes, within.as_ref());
                }
            }
        }
    }

    fn fill(&mut self, path: Option<Path>, ink: Ink, mask: Option<&Mask>) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(ink), FillRule::Winding, self.transform, mask);
        }
    }

    fn stroke(&mut self, points: &[Point], stroke: Stroke, mask: Option<&Mask>) {
        let dash = if stroke.dashed { StrokeDash::new(vec![5.0, 4.0], 0.0) } else { None };
        let pen = Pen {
            width: stroke.width as f32,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash,
            ..Default::default()
        };
        if let Some(path) = path_of(points, false) {
            self.pixmap.stroke_path(&path, &paint(stroke.ink), &pen, self.transform, mask);
        }
    }

    fn picture(&mut self, at: &Rect, pixels: &RgbaImage, mask: Option<&Mask>) {
        let size = IntSize::from_wh(pixels.width(), pixels.height());
        let Some(pixmap) = size.and_then(|size| Pixmap::from_vec(premultiplied(pixels), size)) else { return };
        let (x, y) = (at.width() / f64::from(pixels.width()), at.height() / f64::from(pixels.height()));
        let place = Transform::from_row(x as f32, 0.0, 0.0, y as f32, at.left as f32, at.top as f32);
        // Enlarged pixels keep their edges; a picture that is made smaller is smoothed.
        let quality =
            if x * f64::from(self.transform.sx) < 1.0 { FilterQuality::Bicubic } else { FilterQuality::Nearest };
        let paint = PixmapPaint { quality, ..Default::default() };
        self.pixmap.draw_pixmap(0, 0, pixmap.as_ref(), &paint, place.post_concat(self.transform), mask);
    }
}

fn paint(ink: Ink) -> Paint<'static> {
    let [red, green, blue] = ink.rgb;
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, (ink.opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint.anti_alias = true;
    paint
}

fn premultiplied(pixels: &RgbaImage) -> Vec<u8> {
    let scaled = |value: u8, opacity: u8| ((u32::from(value) * u32::from(opacity) + 127) / 255) as u8;
    pixels
        .pixels()
        .flat_map(|pixel| {
            let [red, green, blue, opacity] = pixel.0;
            [scaled(red, opacity), scaled(green, opacity), scaled(blue, opacity), opacity]
        })
        .collect()
}

pub(super) fn corners(at: &Rect) -> [Point; 4] {
    [(at.left, at.top), (at.right, at.top), (at.right, at.bottom), (at.left, at.bottom)]
}

fn path_of(points: &[Point], closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::with_capacity(points.len() + 1, points.len());
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 {
            builder.move_to(*x as f32, *y as f32);
        } else {
            builder.line_to(*x as f32, *y as f32);
        }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}

/// The outlines of all letters of a text, where they are drawn.
fn outlines(text: &Text) -> Option<Path> {
    let mut pen = Outline { builder: PathBuilder::new(), x: 0.0, scale: 1.0 };
    let mut x = text.start();
    for (face, glyph) in text.text.chars().filter_map(font::glyph) {
        pen.x = x as f32;
        pen.scale = (text.size / f64::from(face.face.units_per_em())) as f32;
        // A space has no outline.
        let _ = face.face.outline_glyph(glyph, &mut pen);
        x += text.size * face.advance(glyph);
    }
    let turn = Transform::from_rotate(text.turn as f32);
    let place = Transform::from_translate(text.at.0 as f32, text.at.1 as f32);
    pen.builder.finish()?.transform(turn.post_concat(place))
}

struct Outline {
    builder: PathBuilder,
    x: f32,
    scale: f32,
}

impl Outline {
    /// Fonts count y upwards.
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x + x * self.scale, -y * self.scale)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.builder.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.builder.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.builder.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.builder.close();
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::Anchor;
    use super::*;

    fn dark(shape: Shape) -> Vec<(u32, u32)> {
        let picture = draw(&Scene { width: 40, height: 20, shapes: vec![shape] }, 1.0).expect("pixels");
        picture.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] < 128).map(|(x, y, _)| (x, y)).collect()
    }

    #[test]
    fn shapes_lie_where_they_are_said_to() {
        let ink = Ink::new(0, 0, 0);
        let at = Rect::new(2.0, 3.0, 4.0, 5.0);
        let square = [(2, 3), (3, 3), (2, 4), (3, 4)];
        assert_eq!(dark(Shape::Rect { at, ink }), square);
        assert_eq!(dark(Shape::Area { points: corners(&at).to_vec(), ink }), square);
        let wide = Shape::Rect { at: Rect::new(0.0, 0.0, 40.0, 20.0), ink };
        assert_eq!(dark(Shape::Clipped { to: at, shapes: vec![wide] }), square);
        let line = Shape::Line { points: vec![(2.0, 3.5), (4.0, 3.5)], stroke: Stroke::new(ink, 1.0) };
        assert_eq!(dark(line), [(2, 3), (3, 3)]);
        assert_eq!(dark(Shape::Rect { at, ink: ink.mix(0.2) }), []);
    }

    #[test]
    fn pictures_keep_their_pixels() {
        let mut pixels = RgbaImage::from_pixel(2, 1, image::Rgba([255, 255, 255, 255]));
        pixels.put_pixel(1, 0, image::Rgba([0, 0, 0, 255]));
        let at = Rect::new(0.0, 0.0, 4.0, 1.0);
        assert_eq!(dark(Shape::Picture { at, pixels: pixels.into() }), [(2, 0), (3, 0)]);
    }

    #[test]
    fn letters_are_drawn_above_their_base_line_also_chinese_ones() {
        for letters in ["H", "训"] {
            let text = Text { at: (5.0, 15.0), ..Text::centred((0.0, 0.0), letters, 12.0, Anchor::Start) };
            let pixels = dark(text.into());
            assert!(pixels.len() > 10, "{letters}: {pixels:?}");
            assert!(pixels.iter().all(|(x, y)| (5..=17).contains(x) && (3..=16).contains(y)), "{letters}: {pixels:?}");
        }
    }
}
