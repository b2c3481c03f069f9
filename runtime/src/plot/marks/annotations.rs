//! Lines and words that explain the data.

use super::super::write::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, Text, centered};

use super::{Figure, Frame, LeftOut, Mark, Shared};

const SIZE: f64 = 11.5;
const GUIDE: Ink = Ink::of_page(110, 110, 110);

/// A line across the plot.
#[derive(Debug)]
enum Guide {
    /// From left to right, at this y.
    Horizontal(f64),
    /// From bottom to top, at this x.
    Vertical(f64),
}

/// Text at a point.
#[derive(Debug)]
struct Note {
    at: Point,
    text: String,
}

impl Figure {
    /// Adds a dashed line across the plot at height `y`: a baseline, say. Its label stands on it; an empty one is none.
    pub fn hline(self, label: impl Into<String>, y: f64) -> Self {
        self.with(label, Guide::Horizontal(y))
    }

    /// Adds a dashed line from bottom to top at `x`: where training stopped, say.
    pub fn vline(self, label: impl Into<String>, x: f64) -> Self {
        self.with(label, Guide::Vertical(x))
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
        self.with("", Note { at: (x, y), text: text.into() })
    }
}

fn written(at: Point, text: &str, anchor: Anchor) -> Text {
    Text { ink: GUIDE, ..centered(at, text, SIZE, anchor) }
}

/// Text that can be read also where data lie below it.
pub(super) fn readable(text: Text) -> impl Iterator<Item = Shape> {
    let (start, middle) = (text.at.0 + text.start(), text.at.1 - 0.365 * SIZE);
    let at = Rect::new(start - 2.0, middle - 0.62 * SIZE, start + text.width + 2.0, middle + 0.62 * SIZE);
    let ground = (!text.text.is_empty()).then_some(Shape::Rect { at, ink: Ink::WHITE.mix(0.65) });
    ground.into_iter().chain([text.into()])
}

impl Mark for Guide {
    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        match *self {
            Self::Horizontal(y) => vec![(f64::NAN, y)],
            Self::Vertical(x) => vec![(x, f64::NAN)],
        }
    }

    fn shapes(&self, frame: &Frame<'_>, label: &str, _ink: Ink) -> Vec<Shape> {
        let Rect { left, top, right, bottom } = frame.at;
        let (points, text) = match *self {
            Self::Horizontal(y) => {
                let y = frame.y(y);
                // Above the line, but where it would leave the plot.
                let above = if y - top < 16.0 { 9.0 } else { -9.0 };
                (vec![(left, y), (right, y)], written((right - 6.0, y + above), label, Anchor::End))
            }
            Self::Vertical(x) => {
                let x = frame.x(x);
                let beside = written((x + 5.0, top + 10.0), label, Anchor::Start);
                let fits = beside.at.0 + beside.width <= right;
                let text = if fits { beside } else { written((x - 5.0, top + 10.0), label, Anchor::End) };
                (vec![(x, bottom), (x, top)], text)
            }
        };
        if !points.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
            return Vec::new();
        }
        [Shape::Line { points, stroke: Stroke::dashed(GUIDE, 1.3) }].into_iter().chain(readable(text)).collect()
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        let (Self::Horizontal(value) | Self::Vertical(value)) = self;
        LeftOut::of_values([value])
    }
}

impl Mark for Note {
    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        vec![self.at]
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let (x, y) = frame.point(self.at);
        if !(x.is_finite() && y.is_finite()) {
            return Vec::new();
        }
        // Beside the point, on the side with room for it.
        let mut text = Text { ink, ..written((x + 7.0, y - 9.0), &self.text, Anchor::Start) };
        if text.at.0 + text.width > frame.at.right {
            text.at.0 = (x - 7.0 - text.width).max(frame.at.left + 2.0);
        }
        text.at.1 = text.at.1.max(frame.at.top + SIZE);
        readable(text).collect()
    }

    fn left_out(&self, figure: &Figure) -> LeftOut {
        LeftOut::of_points(figure, [self.at].into_iter())
    }
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
