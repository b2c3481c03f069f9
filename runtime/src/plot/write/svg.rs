//! A scene as an SVG document. Text stays text, in the browser's own fonts.

use std::fmt::Write;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use image::{ExtendedColorType, ImageFormat};

use super::scene::{Anchor, Ink, Pixels, Point, Rect, Scene, Shape, Stroke, Text};
use crate::display::escape_html;

/// Verdana is as wide as DejaVu Sans; the others have Chinese characters.
const FAMILIES: &str =
    "DejaVu Sans, Verdana, Noto Sans CJK SC, PingFang SC, Microsoft YaHei, WenQuanYi Micro Hei, sans-serif";

pub(in crate::plot) fn svg(scene: &Scene) -> String {
    let (width, height) = (scene.width, scene.height);
    let mut svg = Svg { text: String::new(), clips: 0 };
    svg.add(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"{FAMILIES}\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    ));
    svg.shapes(&scene.shapes);
    svg.text.push_str("</svg>\n");
    svg.text
}

struct Svg {
    text: String,
    /// How many clipping paths have been named.
    clips: usize,
}

impl Svg {
    fn add(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }

    fn shapes(&mut self, shapes: &[Shape]) {
        for shape in shapes {
            match shape {
                Shape::Rect { at, ink } => {
                    let place = place(at);
                    self.add(format_args!("<rect {place} {}/>\n", fill(*ink)));
                }
                Shape::Line { points, stroke } => {
                    let points = coordinates(points);
                    self.add(format_args!("<polyline points=\"{points}\" fill=\"none\" {}/>\n", line(*stroke)));
                }
                Shape::Area { points, ink } => {
                    let points = coordinates(points);
                    self.add(format_args!("<polygon points=\"{points}\" {}/>\n", fill(*ink)));
                }
                Shape::Dot { at: (x, y), radius, ink } => {
                    let (x, y, radius) = (number(*x), number(*y), number(*radius));
                    self.add(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" {}/>\n", fill(*ink)));
                }
                Shape::Text(text) => self.letters(text),
                Shape::Picture { at, pixels } => {
                    let place = place(at);
                    let data = BASE64.encode(png(pixels));
                    self.add(format_args!(
                        "<image {place} preserveAspectRatio=\"none\" style=\"image-rendering:pixelated\" \
                         href=\"data:image/png;base64,{data}\"/>\n"
                    ));
                }
                Shape::Clipped { to, shapes } => {
                    // Several figures may stand on one page: the names of their clips have to differ.
                    let name = format!("clip-{}-{:08x}", self.clips, rand::random::<u32>());
                    self.clips += 1;
                    let place = place(to);
                    self.add(format_args!(
                        "<clipPath id=\"{name}\"><rect {place}/></clipPath>\n<g clip-path=\"url(#{name})\">\n"
                    ));
                    self.shapes(shapes);
                    self.text.push_str("</g>\n");
                }
            }
        }
    }

    fn letters(&mut self, text: &Text) {
        let (x, y, size) = (number(text.at.0), number(text.at.1), number(text.size));
        let anchor = match text.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turn = match text.turn {
            0.0 => String::new(),
            turn => format!(" transform=\"rotate({} {x} {y})\"", number(turn)),
        };
        let (ink, letters) = (fill(text.ink), escape_html(&text.text));
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"{anchor}\"{turn} {ink}>{letters}</text>\n"
        ));
    }
}

/// Hundredths of a pixel are enough, and keep the file small.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn coordinates(points: &[Point]) -> String {
    let mut text = String::with_capacity(points.len() * 14);
    for (x, y) in points {
        let separator = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{separator}{},{}", number(*x), number(*y));
    }
    text
}

fn place(at: &Rect) -> String {
    let [x, y, width, height] = [at.left, at.top, at.width().max(0.0), at.height().max(0.0)].map(number);
    format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"")
}

fn color(name: &str, ink: Ink) -> String {
    let [red, green, blue] = ink.rgb;
    let opacity =
        if ink.opacity < 1.0 { format!(" {name}-opacity=\"{}\"", number(ink.opacity)) } else { String::new() };
    format!("{name}=\"#{red:02x}{green:02x}{blue:02x}\"{opacity}")
}

fn fill(ink: Ink) -> String {
    color("fill", ink)
}

fn line(stroke: Stroke) -> String {
    let [dash, gap] = Stroke::DASHES;
    let dashes = if stroke.dashed { format!(" stroke-dasharray=\"{dash} {gap}\"") } else { String::new() };
    format!(
        "{} stroke-width=\"{}\" stroke-linejoin=\"round\"{dashes}",
        color("stroke", stroke.ink),
        number(stroke.width)
    )
}

/// The picture as a PNG file; nothing where it cannot be encoded, as none without pixels can.
fn png(pixels: &Pixels) -> Vec<u8> {
    let Pixels { width, height, rgba } = pixels;
    let mut bytes = Cursor::new(Vec::new());
    let color = ExtendedColorType::Rgba8;
    match image::write_buffer_with_format(&mut bytes, rgba, *width, *height, color, ImageFormat::Png) {
        Ok(()) => bytes.into_inner(),
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scene::{centered, scene};
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(1.0, "1"), (0.5, "0.5"), (-0.001, "0"), (12.345_678, "12.35"), (100.0, "100")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn text_is_escaped_and_turned() {
        let text = Text { turn: -90.0, ..centered((1.0, 2.0), "a < b", 10.0, Anchor::Middle) };
        let svg = svg(&scene((10, 10), vec![text.into()]));
        assert!(svg.contains(">a &lt; b</text>") && svg.contains("rotate(-90 1 5.65)"), "{svg}");
    }

    #[test]
    fn clips_have_names_of_their_own() {
        let clip = || Shape::Clipped { to: Rect::new(0.0, 0.0, 5.0, 5.0), shapes: Vec::new() };
        let svg = svg(&scene((10, 10), vec![clip(), clip()]));
        let names: std::collections::HashSet<_> =
            svg.split("id=\"").skip(1).map(|rest| rest.split('"').next()).collect();
        assert_eq!(names.len(), 2, "{svg}");
    }
}
