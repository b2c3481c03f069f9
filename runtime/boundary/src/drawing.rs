//! What a figure is once it is laid out: a list of shapes in pixels, which each file format writes in its own way.

use std::sync::Arc;

/// A color and how much of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ink {
    /// Red, green and blue.
    pub rgb: [u8; 3],
    /// From 0, invisible, to 1.
    pub opacity: f64,
    /// Whether it is a color of the page, which is another in a dark theme, and not one of the data.
    pub is_page: bool,
}

impl Ink {
    /// The page.
    pub const WHITE: Self = Self::of_page(255, 255, 255);
    /// Text and axes.
    pub const TEXT: Self = Self::of_page(60, 60, 60);
    /// The grid behind the data.
    pub const GRID: Self = Self::of_page(228, 228, 228);

    /// All of a color.
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { rgb: [red, green, blue], opacity: 1.0, is_page: false }
    }

    /// All of a color of the page.
    pub const fn of_page(red: u8, green: u8, blue: u8) -> Self {
        Self { is_page: true, ..Self::new(red, green, blue) }
    }

    /// The same color in each theme: what is on data has to differ from these.
    pub const fn on_data(self) -> Self {
        Self { is_page: false, ..self }
    }

    /// As much of the color as that.
    pub const fn mix(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    /// How bright the color is, from 0 to 1 (ITU-R BT.709).
    pub fn brightness(self) -> f64 {
        let [red, green, blue] = self.rgb.map(|value| f64::from(value) / 255.0);
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

/// A place in pixels from the left and from the top.
pub type Point = (f64, f64);

/// A rectangle in pixels, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "each is the side that its name says")]
pub struct Rect {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Rect {
    /// Of its four sides.
    pub const fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }

    /// From left to right.
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// From top to bottom.
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }

    /// Whether a point lies in it or on its rim.
    pub fn holds(&self, (x, y): Point) -> bool {
        (self.left..=self.right).contains(&x) && (self.top..=self.bottom).contains(&y)
    }

    /// Larger by that on all sides.
    pub fn grown(&self, by: f64) -> Self {
        Self::new(self.left - by, self.top - by, self.right + by, self.bottom + by)
    }

    /// Clockwise, from the upper left one.
    pub fn corners(&self) -> [Point; 4] {
        [(self.left, self.top), (self.right, self.top), (self.right, self.bottom), (self.left, self.bottom)]
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Its color.
    pub ink: Ink,
    /// In pixels.
    pub width: f64,
    /// Whether it has gaps.
    pub dashed: bool,
}

impl Stroke {
    /// The lengths of a dash and of a gap, in pixels.
    pub const DASHES: [f32; 2] = [5.0, 4.0];

    /// A line without gaps.
    pub const fn new(ink: Ink, width: f64) -> Self {
        Self { ink, width, dashed: false }
    }

    /// A line with gaps.
    pub const fn dashed(ink: Ink, width: f64) -> Self {
        Self { ink, width, dashed: true }
    }
}

/// Which part of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each does what its name says")]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    /// On its base line.
    pub at: Point,
    /// What it says.
    pub text: String,
    /// How long that is in pixels.
    pub width: f64,
    /// The font size in pixels.
    pub size: f64,
    /// Its color.
    pub ink: Ink,
    /// Which part of it is at its place.
    pub anchor: Anchor,
    /// Degrees, clockwise around its place.
    pub turn: f64,
}

impl Text {
    /// Where the first letter begins along the base line, before it is turned.
    pub fn start(&self) -> f64 {
        match self.anchor {
            Anchor::Start => 0.0,
            Anchor::Middle => -self.width / 2.0,
            Anchor::End => -self.width,
        }
    }
}

/// A picture of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// Red, green, blue and opacity of each, row by row.
    pub rgba: Vec<u8>,
}

/// One of the things that a drawing consists of.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Shape {
    Rect { at: Rect, ink: Ink },
    Line { points: Vec<Point>, stroke: Stroke },
    Area { points: Vec<Point>, ink: Ink },
    Dot { at: Point, radius: f64, ink: Ink },
    Text(Text),
    Picture { at: Rect, pixels: Arc<Pixels> },
    Clipped { to: Rect, shapes: Vec<Shape> },
}

impl From<Text> for Shape {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

/// A letter in a font.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Letter {
    /// The font's file.
    pub font: &'static [u8],
    /// Its number in the font.
    pub glyph: u16,
    /// How far it moves the pen, in parts of the font's size.
    pub advance: f64,
}

/// Shapes on a white page, the first at the bottom.
#[derive(Debug, Clone)]
pub struct Scene {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// What is drawn.
    pub shapes: Vec<Shape>,
    /// Which letter a character is drawn as; `None` for one that is left out.
    pub letter: fn(char) -> Option<Letter>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_starts_where_its_anchor_says() {
        let text = |anchor| Text {
            at: (10.0, 10.0),
            text: "abc".to_owned(),
            width: 20.0,
            size: 12.0,
            ink: Ink::TEXT,
            anchor,
            turn: 0.0,
        };
        assert_eq!(
            [Anchor::Start, Anchor::Middle, Anchor::End].map(|anchor| text(anchor).start()),
            [0.0, -10.0, -20.0]
        );
    }

    #[test]
    fn white_is_bright_and_text_is_not() {
        assert!((Ink::WHITE.brightness() - 1.0).abs() < 1e-9);
        assert!(Ink::TEXT.brightness() < 0.3);
    }
}
