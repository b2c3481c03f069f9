//! A scene as pixels.

use std::collections::HashMap;

use oxtorch_boundary::drawing::{Ink, Letter, Pixels, Point, Rect, Scene, Shape, Stroke, Text};
use tiny_skia::{
    Color, FillRule, FilterQuality, IntSize, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, PixmapPaint,
    Stroke as Pen, StrokeDash, Transform,
};
use ttf_parser::{Face, GlyphId, OutlineBuilder};

/// The scene as opaque pixels. `None` where it has none or too many.
pub(crate) fn draw(scene: &Scene) -> Option<Pixels> {
    let mut pixmap = Pixmap::new(scene.width, scene.height)?;
    pixmap.fill(Color::WHITE);
    let mut canvas = Canvas { pixmap, letter: scene.letter, faces: HashMap::new() };
    canvas.shapes(&scene.shapes, None);
    Some(Pixels { width: scene.width, height: scene.height, rgba: canvas.pixmap.take() })
}

struct Canvas {
    pixmap: Pixmap,
    letter: fn(char) -> Option<Letter>,
    /// By where the font's file lies in memory.
    faces: HashMap<*const u8, Option<Face<'static>>>,
}

impl Canvas {
    fn shapes(&mut self, shapes: &[Shape], mask: Option<&Mask>) {
        for shape in shapes {
            match shape {
                Shape::Rect { at, ink } => self.fill(path_of(&at.corners(), true), *ink, mask),
                Shape::Line { points, stroke } => self.stroke(points, *stroke, mask),
                Shape::Area { points, ink } => self.fill(path_of(points, true), *ink, mask),
                Shape::Dot { at, radius, ink } => {
                    let circle = PathBuilder::from_circle(at.0 as f32, at.1 as f32, *radius as f32);
                    self.fill(circle, *ink, mask);
                }
                Shape::Text(text) => {
                    let letters = self.outlines(text);
                    self.fill(letters, text.ink, mask);
                }
                Shape::Picture { at, pixels } => self.picture(at, pixels, mask),
                Shape::Clipped { to, shapes } => {
                    let mut within = Mask::new(self.pixmap.width(), self.pixmap.height());
                    if let (Some(within), Some(path)) = (&mut within, path_of(&to.corners(), true)) {
                        within.fill_path(&path, FillRule::Winding, true, Transform::identity());
                    }
                    self.shapes(shapes, within.as_ref());
                }
            }
        }
    }

    fn fill(&mut self, path: Option<Path>, ink: Ink, mask: Option<&Mask>) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(ink), FillRule::Winding, Transform::identity(), mask);
        }
    }

    fn stroke(&mut self, points: &[Point], stroke: Stroke, mask: Option<&Mask>) {
        let dash = if stroke.dashed { StrokeDash::new(Stroke::DASHES.to_vec(), 0.0) } else { None };
        let pen = Pen {
            width: stroke.width as f32,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash,
            ..Default::default()
        };
        if let Some(path) = path_of(points, false) {
            self.pixmap.stroke_path(&path, &paint(stroke.ink), &pen, Transform::identity(), mask);
        }
    }

    fn picture(&mut self, at: &Rect, pixels: &Pixels, mask: Option<&Mask>) {
        let size = IntSize::from_wh(pixels.width, pixels.height);
        let Some(pixmap) = size.and_then(|size| Pixmap::from_vec(premultiplied(pixels), size)) else { return };
        let (x, y) = (at.width() / f64::from(pixels.width), at.height() / f64::from(pixels.height));
        let place = Transform::from_row(x as f32, 0.0, 0.0, y as f32, at.left as f32, at.top as f32);
        // Enlarged pixels keep their edges; a picture that is made smaller is smoothed.
        let quality = if x < 1.0 { FilterQuality::Bicubic } else { FilterQuality::Nearest };
        let paint = PixmapPaint { quality, ..Default::default() };
        self.pixmap.draw_pixmap(0, 0, pixmap.as_ref(), &paint, place, mask);
    }

    /// The outlines of all letters of a text, where they are drawn.
    fn outlines(&mut self, text: &Text) -> Option<Path> {
        let mut pen = Outline { builder: PathBuilder::new(), x: 0.0, scale: 1.0 };
        let mut x = text.start();
        for letter in text.text.chars().filter_map(self.letter) {
            let face = self.faces.entry(letter.font.as_ptr()).or_insert_with(|| Face::parse(letter.font, 0).ok());
            if let Some(face) = face {
                pen.x = x as f32;
                pen.scale = (text.size / f64::from(face.units_per_em())) as f32;
                // A space has no outline.
                let _ = face.outline_glyph(GlyphId(letter.glyph), &mut pen);
            }
            x += text.size * letter.advance;
        }
        let turn = Transform::from_rotate(text.turn as f32);
        let place = Transform::from_translate(text.at.0 as f32, text.at.1 as f32);
        pen.builder.finish()?.transform(turn.post_concat(place))
    }
}

fn paint(ink: Ink) -> Paint<'static> {
    let [red, green, blue] = ink.rgb;
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, (ink.opacity.clamp(0.0, 1.0) * 255.0).round() as u8);
    paint.anti_alias = true;
    paint
}

fn premultiplied(pixels: &Pixels) -> Vec<u8> {
    let mut rgba = pixels.rgba.clone();
    for pixel in rgba.chunks_exact_mut(4) {
        let opacity = u32::from(pixel[3]);
        pixel[..3].iter_mut().for_each(|value| *value = ((u32::from(*value) * opacity + 127) / 255) as u8);
    }
    rgba
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
    use oxtorch_boundary::drawing::Anchor;

    use super::*;

    fn dark(shape: Shape) -> Vec<(u32, u32)> {
        let picture = draw(&Scene { width: 40, height: 20, shapes: vec![shape], letter: |_| None }).expect("pixels");
        let pixels = picture.rgba.chunks(4).zip(0..).filter(|(pixel, _)| pixel[0] < 128);
        pixels.map(|(_, place)| (place % 40, place / 40)).collect()
    }

    #[test]
    fn shapes_lie_where_they_are_said_to() {
        let ink = Ink::new(0, 0, 0);
        let at = Rect::new(2.0, 3.0, 4.0, 5.0);
        let square = [(2, 3), (3, 3), (2, 4), (3, 4)];
        assert_eq!(dark(Shape::Rect { at, ink }), square);
        assert_eq!(dark(Shape::Area { points: at.corners().to_vec(), ink }), square);
        let wide = Shape::Rect { at: Rect::new(0.0, 0.0, 40.0, 20.0), ink };
        assert_eq!(dark(Shape::Clipped { to: at, shapes: vec![wide] }), square);
        let line = Shape::Line { points: vec![(2.0, 3.5), (4.0, 3.5)], stroke: Stroke::new(ink, 1.0) };
        assert_eq!(dark(line), [(2, 3), (3, 3)]);
        assert_eq!(dark(Shape::Rect { at, ink: ink.mix(0.2) }), []);
        let dot = dark(Shape::Dot { at: (3.0, 4.0), radius: 1.2, ink });
        assert!(square.iter().all(|pixel| dot.contains(pixel)), "{dot:?}");
    }

    #[test]
    fn pictures_keep_their_pixels() {
        let pixels = Pixels { width: 2, height: 1, rgba: vec![255, 255, 255, 255, 0, 0, 0, 255] };
        let at = Rect::new(0.0, 0.0, 4.0, 1.0);
        assert_eq!(dark(Shape::Picture { at, pixels: pixels.into() }), [(2, 0), (3, 0)]);
    }

    #[test]
    fn text_without_letters_leaves_the_page_white() {
        let text = Text {
            at: (5.0, 15.0),
            text: "H".to_owned(),
            width: 9.0,
            size: 12.0,
            ink: Ink::TEXT,
            anchor: Anchor::Start,
            turn: 0.0,
        };
        assert_eq!(dark(text.into()), []);
    }
}
