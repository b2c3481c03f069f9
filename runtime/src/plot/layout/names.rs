//! The names along axes and above plots: how large they are, which of them there is room for, and where they are cut.

use super::super::Figure;
use super::super::write::scene::{Anchor, Point, Rect, Shape, Text, centered};
use super::axis::Axis;
use crate::font;

const TITLE: f64 = 16.5;
pub(in crate::plot) const LABEL: f64 = 13.0;
pub(in crate::plot) const TICK: f64 = 11.5;

/// The ticks that lie on the axis: how far along each is, and its name.
pub(in crate::plot) fn ticks(axis: &Axis) -> impl Iterator<Item = (f64, &str)> {
    let placed = axis.ticks.iter().map(|(tick, name)| (axis.share(*tick), name.as_str()));
    placed.filter(|(share, _)| (-1e-9..=1.0 + 1e-9).contains(share))
}

/// Leaves out ticks until each has the room that it needs, in pixels.
pub(in crate::plot) fn thin(axis: &mut Axis, room: f64, needed: f64) {
    let step = (needed / room.max(1e-3)).ceil().clamp(1.0, 1e9) as usize;
    // Round steps read better.
    let step = [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|round| *round >= step).unwrap_or(step);
    let mut place = 0;
    axis.ticks.retain(|_| {
        place += 1;
        (place - 1) % step == 0
    });
}

/// Text that is cut where it is wider than that, at a font size of 1.
pub(crate) fn cut(text: &str, widest: f64) -> String {
    if font::width(text) <= widest {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shorter = kept.iter().collect::<String>() + "…";
        if font::width(&shorter) <= widest {
            return shorter;
        }
    }
    String::new()
}

pub(in crate::plot) fn fitted(text: &str, size: f64, width: f64) -> String {
    cut(text, (width - 12.0).max(0.0) / size)
}

/// A title in the middle of its plot, moved where it would leave the figure.
pub(in crate::plot) fn title_of(title: &str, middle: f64, y: f64, width: f64) -> Option<Shape> {
    if title.is_empty() {
        return None;
    }
    let title = fitted(title, TITLE, width);
    Some(centered((middle, y), title, TITLE, Anchor::Middle).into())
}

/// The title with its middle at the first of these places, and the labels of the axes: below the plot at the second of
/// them, and beside it at the third.
pub(in crate::plot) fn labels(
    figure: &Figure,
    within: &Rect,
    plot: &Rect,
    (title, below, beside): (f64, f64, f64),
) -> Vec<Shape> {
    let mut shapes: Vec<Shape> =
        title_of(&figure.title, title, within.top + 20.0, within.width()).into_iter().collect();
    if !figure.x_label.is_empty() {
        let label = fitted(&figure.x_label, LABEL, within.width());
        shapes.push(centered((plot.left + plot.width() / 2.0, below), label, LABEL, Anchor::Middle).into());
    }
    if !figure.y_label.is_empty() {
        let label = fitted(&figure.y_label, LABEL, within.height());
        shapes.push(upwards((beside, plot.top + plot.height() / 2.0), label));
    }
    shapes
}

/// A label that reads upwards, with its base line at that place.
pub(in crate::plot) fn upwards(at: Point, label: impl Into<String>) -> Shape {
    Text { at, turn: -90.0, ..centered(at, label, LABEL, Anchor::Middle) }.into()
}

/// Lines of one pixel are sharp in the middle of a row of pixels.
pub(in crate::plot) fn crisp(place: f64) -> f64 {
    place.floor() + 0.5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut() {
        assert_eq!(cut("short", 13.0), "short");
        let shorter = cut("a name that nobody can read on an axis", 13.0);
        assert!(shorter.ends_with('…') && font::width(&shorter) <= 13.0, "{shorter}");
        assert_eq!(cut("x", 0.0), "");
    }

    #[test]
    fn names_are_left_out_in_round_steps() {
        let names: Vec<String> = (0..100).map(|name| name.to_string()).collect();
        let mut axis = Axis::named((-0.5, 99.5), &names);
        thin(&mut axis, 4.0, 14.0);
        assert_eq!(axis.ticks.iter().take(3).map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["0", "5", "10"]);
    }
}
