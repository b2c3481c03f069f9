//! What a figure is once it is laid out: see [`oxtorch_boundary::drawing`].

use image::RgbaImage;
use oxtorch_boundary::drawing::Letter;
pub(crate) use oxtorch_boundary::drawing::{Anchor, Ink, Pixels, Point, Rect, Scene, Shape, Stroke, Text};

use super::super::PlotError;
use crate::font;
use crate::support::support;

/// Text whose letters have their middle at that height.
pub(crate) fn centered((x, y): Point, text: impl Into<String>, size: f64, anchor: Anchor) -> Text {
    let text = text.into();
    let width = size * font::width(&text);
    // Capitals of DejaVu Sans are 0.73 of the size high.
    Text { at: (x, y + 0.365 * size), text, width, size, ink: Ink::TEXT, anchor, turn: 0.0 }
}

/// Shapes on a page of that size.
pub(crate) fn scene((width, height): (u32, u32), shapes: Vec<Shape>) -> Scene {
    let letter = |char| {
        let (typeface, glyph) = font::glyph(char)?;
        Some(Letter { font: typeface.data, glyph: glyph.0, advance: typeface.advance(glyph) })
    };
    Scene { width, height, shapes, letter }
}

/// The pixels of a scene, all of them opaque.
pub(crate) fn pixels(scene: &Scene) -> Result<RgbaImage, PlotError> {
    let drawn = (support().map_err(PlotError::Draw)?.pixels)(scene);
    let image = drawn.and_then(|drawn| RgbaImage::from_raw(drawn.width, drawn.height, drawn.rgba));
    image.ok_or_else(|| PlotError::Draw("it has no pixels, or too many".to_owned()))
}

/// The scene as a PDF of one page.
pub(in crate::plot) fn pdf(scene: &Scene) -> Result<Vec<u8>, PlotError> {
    support().and_then(|support| (support.pdf)(scene)).map_err(PlotError::Draw)
}

/// A picture with a color for each place.
pub(in crate::plot) fn picture(width: u32, height: u32, color: impl Fn(u32, u32) -> [u8; 3]) -> Pixels {
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let rgba = places.flat_map(|(x, y)| {
        let [red, green, blue] = color(x, y);
        [red, green, blue, 255]
    });
    Pixels { width, height, rgba: rgba.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_drawn_above_their_base_line_also_chinese_ones() {
        for letters in ["H", "训"] {
            let text = Text { at: (5.0, 15.0), ..centered((0.0, 0.0), letters, 12.0, Anchor::Start) };
            let picture = pixels(&scene((40, 20), vec![text.into()])).expect("pixels");
            let dark: Vec<_> = picture.enumerate_pixels().filter(|(_, _, pixel)| pixel[0] < 128).collect();
            assert!(dark.len() > 10, "{letters}: {dark:?}");
            assert!(dark.iter().all(|(x, y, _)| (5..=17).contains(x) && (3..=16).contains(y)), "{letters}: {dark:?}");
        }
    }

    #[test]
    fn letters_can_be_read_back_from_a_pdf_also_chinese_ones() {
        let text = centered((10.0, 10.0), "Aa 训", 12.0, Anchor::Start);
        let pdf = pdf(&scene((100, 50), vec![text.into()])).expect("a PDF");
        assert!(pdf.starts_with(b"%PDF-1."));
        let maps = unpacked(&pdf).into_iter().filter(|text| text.contains("bfchar")).collect::<String>();
        for char in "Aa 训".chars() {
            assert!(maps.contains(&format!("<{:04X}>", u32::from(char))), "{char} in {maps}");
        }
        // Both fonts whole would be over a megabyte.
        assert!(pdf.len() < 20_000, "{} bytes", pdf.len());
    }

    /// The streams of a PDF.
    fn unpacked(pdf: &[u8]) -> Vec<String> {
        use std::io::Read as _;

        let find =
            |from: usize, word: &[u8]| pdf[from..].windows(word.len()).position(|at| at == word).map(|at| from + at);
        let mut streams = Vec::new();
        let mut from = 0;
        while let Some(start) = find(from, b"stream\n") {
            let start = start + 7;
            let end = find(start, b"\nendstream").expect("streams end");
            let mut data = Vec::new();
            flate2::read::ZlibDecoder::new(&pdf[start..end]).read_to_end(&mut data).expect("packed");
            streams.push(String::from_utf8_lossy(&data).into_owned());
            from = end + 10;
        }
        streams
    }
}
