//! What a figure is once it is laid out: a list of shapes in pixels, which each file format writes in its own way.

use std::sync::Arc;

use image::RgbaImage;

use crate::font;

/// A colour and how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ink {
    pub(crate) rgb: [u8; 3],
    /// From 0, invisible, to 1.
    pub(crate) opacity: f64,
}

impl Ink {
    pub(crate) const WHITE: Self = Self::new(255, 255, 255);
    /// Text and axes.
    pub(crate) const TEXT: Self = Self::new(60, 60, 60);
    /// The grid behind the data.
    pub(crate) const GRID: Self = Self::new(228, 228, 228);

    pub(crate) const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { rgb: [red, green, blue], opacity: 1.0 }
    }

    /// As much of the colour as that.
    pub(crate) const fn mix(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    /// How bright the colour is, from 0 to 1 (ITU-R BT.709).
    pub(crate) fn brightness(self) -> f64 {
        let [red, green, blue] = self.rgb.map(|value| f64::from(value) / 255.0);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

pub(crate) type Point = (f64, f64);

/// A rectangle in pixels, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

impl Rect {
    pub(crate) const fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }

    pub(crate) fn width(&self) -> f64 {
        self.right - self.left
    }

    pub(crate) fn height(&self) -> f64 {
        self.bottom - self.top
    }

    pub(crate) fn holds(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// Larger by that on all sides.
    pub(crate) fn grown(&self, by: f64) -> Self {
        Self::new(self.left - by, self.top - by, self.right + by, self.bottom + by)
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stroke {
    pub(crate) ink: Ink,
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

impl Stroke {
    pub(crate) const fn new(ink: Ink, width: f64) -> Self {
        Self { ink, width, dashed: false }
    }

    pub(crate) const fn dashed(ink: Ink, width: f64) -> Self {
        Self { ink, width, dashed: true }
    }
}

/// Which part of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text. `at` is on its base line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    pub(crate) at: Point,
    pub(crate) text: String,
    pub(crate) size: f64,
    pub(crate) ink: Ink,
    pub(crate) anchor: Anchor,
    /// Degrees, clockwise around `at`.
    pub(crate) turn: f64,
}

impl Text {
    /// Text whose letters have their middle at that height.
    pub(crate) fn centred((x, y): Point, text: impl Into<String>, size: f64, anchor: Anchor) -> Self {
        // Capitals of DejaVu Sans are 0.73 of the size high.
        Self { at: (x, y + 0.365 * size), text: text.into(), size, ink: Ink::TEXT, anchor, turn: 0.0 }
    }

    pub(crate) fn width(&self) -> f64 {
        self.size * font::width(&self.text)
    }

    /// Where the first letter begins along the base line, before it is turned.
    pub(crate) fn start(&self) -> f64 {
        match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -self.width() / 2.0,
            Anchor::End => -self.width(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Shape {
    Rect { at: Rect, ink: Ink },
    Line { points: Vec<Point>, stroke: Stroke },
    Area { points: Vec<Point>, ink: Ink },
    Dot { at: Point, radius: f64, ink: Ink },
    Text(Text),
    Picture { at: Rect, pixels: Arc<RgbaImage> },
    Clipped { to: Rect, shapes: Vec<Shape> },
}

impl From<Text> for Shape {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// Shapes on a white page, the first at the bottom.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) shapes: Vec<Shape>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_starts_where_its_anchor_says() {
        let text = |anchor| Text::centred((10.0, 10.0), "abc", 12.0, anchor);
        let width = text(Anchor::Start).width();
        assert!((15.0..30.0).contains(&width), "{width}");
        assert_eq!(text(Anchor::Start).start(), 0.0);
        assert_eq!(text(Anchor::Middle).start(), -width / 2.0);
        assert_eq!(text(Anchor::End).start(), -width);
    }

    #[test]
    fn white_is_bright_and_text_is_not() {
        assert!((Ink::WHITE.brightness() - 1.0).abs() < 1e-9);
        assert!(Ink::TEXT.brightness() < 0.3);
    }
}
