//! What a figure does not show of what it was given: values that have no place, and settings of things that it does not
//! have. It says so.

use super::super::Figure;
use super::super::marks::{Bars, Contours, Heat, Histogram, Picture, Surface};
use super::super::write::scene::{Anchor, Ink, Rect, Shape, Text, centered};
use super::names::fitted;

const SIZE: f64 = 10.5;
/// More would cover the plot.
const MOST: usize = 4;

/// Values that are not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::plot) struct LeftOut {
    /// Of how many.
    pub(in crate::plot) of: usize,
    pub(in crate::plot) not_finite: usize,
    /// On a logarithmic axis.
    pub(in crate::plot) not_positive: usize,
}

impl LeftOut {
    /// Counts points by their values and by the places that those have on the axes.
    pub(in crate::plot) fn of_points(figure: &Figure, points: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut left = Self::default();
        for (x, y) in points {
            left.of += 1;
            if !(x.is_finite() && y.is_finite()) {
                left.not_finite += 1;
            } else if figure.place_x(x).is_nan() || figure.place_y(y).is_nan() {
                left.not_positive += 1;
            }
        }
        left
    }

    /// Of values that are not placed along a logarithmic axis.
    pub(in crate::plot) fn of_values<'a>(values: impl IntoIterator<Item = &'a f64>) -> Self {
        let mut left = Self::default();
        for value in values {
            left.of += 1;
            left.not_finite += usize::from(!value.is_finite());
        }
        left
    }

    fn remarks(self, of_what: &str) -> impl Iterator<Item = String> {
        let share = move |count: usize| match (count, self.of) {
            (1, 1) => "the only value".to_owned(),
            (count, of) if count == of => format!("all {of} values"),
            (count, of) => format!("{count} of {of} values"),
        };
        let is = |count: usize| if count == 1 { "is" } else { "are" };
        let line =
            |count: usize, what: &str| (count > 0).then(|| format!("{}{of_what} {} {what}", share(count), is(count)));
        let not_positive = line(self.not_positive, "not above 0, where a logarithmic axis begins");
        [line(self.not_finite, "NaN or infinite"), not_positive].into_iter().flatten()
    }
}

impl Figure {
    /// A sentence for each kind of thing that is not shown.
    pub(in crate::plot) fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = Vec::new();
        for layer in &self.layers {
            let name = match layer.mark.class() {
                Some(class) => self.class_names.get(class).cloned().unwrap_or_else(|| format!("class {class}")),
                None => layer.label.clone(),
            };
            let of_what = if name.is_empty() { String::new() } else { format!(" of {name:?}") };
            for remark in layer.mark.left_out(self).remarks(&of_what) {
                // A line and its points, or its band.
                if !remarks.contains(&remark) {
                    remarks.push(remark);
                }
            }
        }
        let (has_heat, has_bars, has_histogram) = (self.has::<Heat>(), self.has::<Bars>(), self.has::<Histogram>());
        let (has_contours, has_surface) = (self.has::<Contours>(), self.has::<Surface>());
        let has_colors = has_heat || has_contours;
        let has_classes = self.layers.iter().any(|layer| layer.mark.class().is_some());
        let heat = &self.heat;
        let settings = [
            (self.bins.is_some() && !has_histogram, "bins", "a histogram"),
            (self.density && !has_histogram, "density", "a histogram"),
            (!self.class_names.is_empty() && !has_classes, "class_names", "points by class"),
            (heat.annotated && !has_colors && !has_bars, "annotate", "a heat map, contours or bars"),
            (heat.map.is_some() && !has_colors && !has_surface, "colors", "a heat map, contours or a surface"),
            (heat.range.is_some() && !has_colors && !has_surface, "color_range", "a heat map, contours or a surface"),
            (!heat.bar_label.is_empty() && !has_colors, "color_label", "a heat map or contours"),
            (heat.without_bar && !has_colors, "without_color_bar", "a heat map or contours"),
            (heat.extent.is_some() && !has_heat && !self.has::<Picture>(), "extent", "a heat map or a picture"),
            (!self.levels.is_empty() && !has_contours, "levels", "contours"),
            (!self.z_label.is_empty() && !has_surface, "z_label", "a surface"),
            (heat.shares && !has_heat, "shares", "a heat map"),
        ];
        // A figure that is still empty is there to be filled.
        let settings = settings.iter().filter(|(is_idle, ..)| *is_idle && !self.layers.is_empty());
        remarks.extend(settings.map(|(_, setting, what)| format!("`{setting}` has no effect without {what}")));
        if heat.annotated && heat.extent.is_some() && has_heat && !has_contours {
            remarks.push("`annotate` has no effect on a heat map beside `extent`".to_owned());
        }
        remarks
    }

    /// The figure in words, with what it does not show.
    pub(in crate::plot) fn described(&self) -> String {
        let lines = [format!("{self:?}")].into_iter().chain(self.remarks());
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The remarks at the bottom of a plot, or of a figure that has none.
pub(in crate::plot) fn shapes(figure: &Figure, at: &Rect) -> Vec<Shape> {
    let mut remarks = figure.remarks();
    if remarks.len() > MOST {
        let more = remarks.len() - (MOST - 1);
        remarks.truncate(MOST - 1);
        remarks.push(format!("and {more} more remarks"));
    }
    let mut shapes = Vec::new();
    for (line, remark) in remarks.iter().rev().enumerate() {
        let (x, y) = (at.left + 6.0, at.bottom - 10.0 - 14.0 * line as f64);
        let text = centered((x, y), fitted(remark, SIZE, at.width()), SIZE, Anchor::Start);
        let ground = Rect::new(x - 2.0, y - 7.0, x + text.width + 2.0, y + 7.0);
        shapes.push(Shape::Rect { at: ground, ink: Ink::WHITE.mix(0.75) });
        shapes.push(Text { ink: Ink::of_page(150, 60, 30), ..text }.into());
    }
    shapes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::RichDisplay;

    const NAN: f64 = f64::NAN;

    #[test]
    fn values_that_are_not_shown_are_counted() {
        let infinite = f64::INFINITY;
        for (figure, expected) in [
            (Figure::new().line("loss", &[1.0, NAN, infinite]), "2 of 3 values of \"loss\" are NaN or infinite"),
            (Figure::new().scatter("", &[NAN, 1.0], &[1.0, 1.0]), "1 of 2 values is NaN or infinite"),
            (Figure::new().line("loss", &[NAN; 4]), "all 4 values of \"loss\" are NaN or infinite"),
            (
                Figure::new().line("a", &[1.0, 0.0]).log_y(),
                "1 of 2 values of \"a\" is not above 0, where a logarithmic axis begins",
            ),
            (Figure::new().bar("b", &["x", "y"], &[NAN, 1.0]), "1 of 2 values of \"b\" is NaN or infinite"),
            (Figure::new().histogram("h", &[NAN, NAN]), "all 2 values of \"h\" are NaN or infinite"),
            (Figure::new().boxes(&["x"], &[vec![1.0, NAN, 2.0]]), "1 of 3 values is NaN or infinite"),
            (Figure::new().surface(&[0, 1], &[0, 1], &[[NAN; 2]; 2]), "all 4 values are NaN or infinite"),
            (Figure::new().heat_map(&[[NAN, 1.0]]), "1 of 2 values is NaN or infinite"),
            (Figure::new().hline("best", NAN), "the only value of \"best\" is NaN or infinite"),
            (
                Figure::new().scatter_by_class(&[1.0, NAN], &[1.0, 2.0], &[0, 1]),
                "the only value of \"class 1\" is NaN or infinite",
            ),
            (
                Figure::new().line_with_band("m", &[NAN, 1.0], &[NAN, 0.0], &[NAN, 2.0]),
                "1 of 2 values of \"m\" is NaN or infinite",
            ),
        ] {
            assert_eq!(figure.remarks(), [expected]);
            assert!(figure.svg().expect("draws").contains(&expected.replace('"', "&quot;")), "{expected}");
            assert!(figure.mime_bundle().plain().ends_with(&format!("\n{expected}")));
        }
        assert!(Figure::new().line("loss", &[1.0, 2.0]).log_y().hline("", 1.0).remarks().is_empty());
    }

    #[test]
    fn settings_without_effect_are_named() {
        let figure = Figure::new().bins(3).density().annotate().color_range(0.0, 1.0).class_names(&["a"]);
        assert!(figure.remarks().is_empty(), "an empty figure may be filled later");
        let remarks = figure.line("", &[1.0, 2.0]).remarks();
        assert_eq!(remarks.len(), 5);
        assert_eq!(remarks[0], "`bins` has no effect without a histogram");
        let full = Figure::new().histogram("", &[1.0]).bins(2).density().bar("", &["a"], &[1.0]).annotate();
        assert!(full.remarks().is_empty(), "{:?}", full.remarks());
        assert!(Figure::new().confusion(&[[1]], &["a"]).shares().remarks().is_empty());
    }
}
