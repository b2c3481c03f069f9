//! The bar beside a heat map that says which color is which value.

use std::sync::Arc;

use super::super::Figure;
use super::super::write::scene::{Anchor, Ink, Rect, Shape, Stroke, centered, picture};
use super::axis::Axis;
use super::names::{TICK, crisp, ticks, upwards};

const BAR_WIDTH: f64 = 14.0;
const BAR_GAP: f64 = 12.0;

/// How much room it takes to the right of a plot.
pub(super) fn room(axis: &Axis, figure: &Figure) -> f64 {
    let label = if figure.heat.bar_label.is_empty() { 0.0 } else { 20.0 };
    BAR_GAP + BAR_WIDTH + 11.0 + axis.widest_name() * TICK + label
}

pub(super) fn shapes(axis: &Axis, figure: &Figure, plot: &Rect) -> Vec<Shape> {
    let left = plot.right + BAR_GAP;
    let at = Rect::new(left, plot.top, left + BAR_WIDTH, plot.bottom);
    let map = figure.heat.color_map();
    let pixels = picture(1, 256, |_, y| map.color(1.0 - f64::from(y) / 255.0).rgb);
    let mut shapes = vec![Shape::Picture { at, pixels: Arc::new(pixels) }];
    for (share, name) in ticks(axis) {
        let y = crisp(at.bottom - share * at.height());
        let points = vec![(at.right, y), (at.right + 3.0, y)];
        shapes.push(Shape::Line { points, stroke: Stroke::new(Ink::TEXT, 1.0) });
        shapes.push(centered((at.right + 9.0, y), name, TICK, Anchor::Start).into());
    }
    if !figure.heat.bar_label.is_empty() {
        let at = (at.right + 9.0 + axis.widest_name() * TICK + 16.0, at.top + at.height() / 2.0);
        shapes.push(upwards(at, figure.heat.bar_label.as_str()));
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_keeps_to_its_room() {
        let axis = Axis::linear((-1.0, 1.0), 6, false);
        let figure = Figure::new().color_label("weight");
        let plot = Rect::new(50.0, 10.0, 300.0, 200.0);
        let end = plot.right + room(&axis, &figure) + 2.0;
        let shapes = shapes(&axis, &figure, &plot);
        let mut names = 0;
        for shape in &shapes {
            if let Shape::Text(text) = shape {
                names += 1;
                let right = if text.turn == 0.0 { text.at.0 + text.width } else { text.at.0 };
                assert!(right <= end && text.at.0 > plot.right, "{text:?} beyond {end}");
            }
        }
        assert!(names >= 5, "{shapes:?}");
    }
}
