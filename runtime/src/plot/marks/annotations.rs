//! Lines and words that explain the data.

use super::Figure;
use super::layer::{Frame, Mark};
use super::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, Text, centered};

const SIZE: f64 = 11.5;
const GUIDE: Ink = Ink::new(110, 110, 110);

impl Figure {
    /// Adds a dashed line across the plot at height `y`: a baseline, say. Its label stands on it; an empty one is none.
    pub fn hline(self, label: impl Into<String>, y: f64) -> Self {
        self.with(label, Mark::Horizontal(y))
    }

    /// Adds a dashed line from bottom to top at `x`: where training stopped, say.
    pub fn vline(self, label: impl Into<String>, x: f64) -> Self {
        self.with(label, Mark::Vertical(x))
    }

    /// Writes at a point of the plot, in units of its axes.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let figure = Figure::new().line("loss", &[3.0, 1.0, 2.0]).note(1.0, 1.0, "best").hline("baseline", 2.5);
    /// assert!(figure.svg()?.contains(">best</text>"));
    /// # anyhow::Ok(())
    /// ```
    pub fn note(self, x: f64, y: f64, text: impl Into<String>) -> Self {
        self.with("", Mark::Note { at: (x, y), text: text.into() })
    }
}

fn written(at: Point, text: &str, anchor: Anchor) -> Text {
    Text { ink: GUIDE, ..centered(at, text, SIZE, anchor) }
}

/// Text that can be read also where data lie below it.
fn readable(text: Text) -> impl Iterator<Item = Shape> {
    let (start, middle) = (text.at.0 + text.start(), text.at.1 - 0.365 * SIZE);
    let at = Rect::new(start - 2.0, middle - 0.62 * SIZE, start + text.width + 2.0, middle + 0.62 * SIZE);
    let ground = (!text.text.is_empty()).then_some(Shape::Rect { at, ink: Ink::WHITE.mix(0.65) });
    ground.into_iter().chain([text.into()])
}

pub(super) fn horizontal(frame: &Frame<'_>, y: f64, label: &str) -> Vec<Shape> {
    let y = frame.y(y);
    if !y.is_finite() {
        return Vec::new();
    }
    let points = vec![(frame.at.left, y), (frame.at.right, y)];
    let line = Shape::Line { points, stroke: Stroke::dashed(GUIDE, 1.3) };
    // Above the line, but where it would leave the plot.
    let above = if y - frame.at.top < 16.0 { 9.0 } else { -9.0 };
    let text = written((frame.at.right - 6.0, y + above), label, Anchor::End);
    [line].into_iter().chain(readable(text)).collect()
}

pub(super) fn vertical(frame: &Frame<'_>, x: f64, label: &str) -> Vec<Shape> {
    let x = frame.x(x);
    if !x.is_finite() {
        return Vec::new();
    }
    let points = vec![(x, frame.at.bottom), (x, frame.at.top)];
    let line = Shape::Line { points, stroke: Stroke::dashed(GUIDE, 1.3) };
    let mut text = written((x + 5.0, frame.at.top + 10.0), label, Anchor::Start);
    if text.at.0 + text.width > frame.at.right {
        text = written((x - 5.0, frame.at.top + 10.0), label, Anchor::End);
    }
    [line].into_iter().chain(readable(text)).collect()
}

pub(super) fn note(frame: &Frame<'_>, at: Point, text: &str) -> Vec<Shape> {
    let (x, y) = frame.point(at);
    if !(x.is_finite() && y.is_finite()) {
        return Vec::new();
    }
    // Beside the point, on the side with room for it.
    let mut text = Text { ink: Ink::TEXT, ..written((x + 7.0, y - 9.0), text, Anchor::Start) };
    if text.at.0 + text.width > frame.at.right {
        text.at.0 = (x - 7.0 - text.width).max(frame.at.left + 2.0);
    }
    text.at.1 = text.at.1.max(frame.at.top + SIZE);
    readable(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guides_widen_the_axis_that_they_cross_alone() {
        let svg = Figure::new().line("", &[1.0, 2.0]).hline("far", 100.0).svg().expect("draws");
        assert!(svg.contains(">100</text>") && svg.contains(">far</text>"), "{svg}");
        assert_eq!(svg.matches("stroke-dasharray").count(), 1);
        let alone = Figure::new().vline("", f64::NAN).note(f64::NAN, 0.0, "nowhere").svg().expect("draws");
        assert!(!alone.contains("nowhere") && !alone.contains("dasharray"), "{alone}");
    }

    #[test]
    fn words_stay_within_the_plot() {
        let figure =
            Figure::new().line("", &[1.0, 2.0]).vline("the end of a long training", 1.0).note(1.0, 2.0, "best of all");
        let svg = figure.svg().expect("draws");
        let right = svg
            .find(">best of all")
            .and_then(|end| svg[..end].rsplit("<text x=\"").next()?.split('"').next()?.parse().ok());
        assert!(right.is_some_and(|x: f64| x < 570.0), "{svg}");
        assert!(svg.contains("text-anchor=\"end\" fill=\"#6e6e6e\">the end of a long training"), "{svg}");
    }
}
