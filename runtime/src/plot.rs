//! Figures with good defaults: lines, points, bars, histograms, heat maps and what else one draws of data and models.
//!
//! ```
//! use oxtorch::prelude::*;
//! let losses = [2.3, 1.1, 0.6, 0.4];
//! Figure::new().title("Training").line("loss", &losses).x_label("epoch").y_label("cross entropy")
//! # ;
//! ```
//!
//! A figure is laid out as a list of shapes (`scene`), which is written as PNG, SVG or PDF. Values that are not finite
//! leave a gap, and a line in the plot says how many there are. For other kinds of plot, `plotters` is in scope in
//! every cell.

use std::fmt;
use std::path::Path;

use crate::display::{MimeBundle, RichDisplay};

mod error;
mod figures;
mod layout;
mod live;
mod marks;
mod numbers;
mod theme;
mod write;

pub use error::PlotError;
pub use figures::Figures;
pub use layout::colors::ColorMap;
pub(crate) use layout::colors::of_class;
pub use layout::legend::Legend;
pub(crate) use layout::names::cut;
pub use live::{Coordinate, LivePlot};
pub use marks::{Graph, GraphLayout, histogram};
pub use numbers::{Grid, Matrix, Numbers};
pub use theme::{Theme, theme};
pub(crate) use write::scene;

use layout::colors::Palette;
use marks::{HeatStyle, Layer};
use scene::{Rect, Scene};

const SIZE: (u32, u32) = (640, 400);

/// A plot. Shown as PNG; [`Figure::save`] writes it as PNG, SVG or PDF.
///
/// Each of the methods adds something or changes how it is drawn, in any order.
#[derive(Clone, Default)]
#[must_use = "a figure is shown if the cell ends with it; elsewhere write `display(&figure)`"]
pub struct Figure {
    title: String,
    x_label: String,
    y_label: String,
    layers: Vec<Layer>,
    log_x: bool,
    log_y: bool,
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    /// Names in place of numbers, at 0, 1, 2...
    x_names: Vec<String>,
    y_names: Vec<String>,
    class_names: Vec<String>,
    bins: Option<usize>,
    density: bool,
    heat: HeatStyle,
    /// The values of contours, where they were chosen.
    levels: Vec<f64>,
    z_label: String,
    /// From where a surface is seen, in degrees: above the plane, and around it.
    view: Option<(f64, f64)>,
    legend: Legend,
    size: Option<(u32, u32)>,
    /// Where it is not that of all figures.
    theme: Option<Theme>,
    /// What was wrong with something that was added.
    fault: Option<PlotError>,
}

impl Figure {
    /// An empty figure, of 640 by 400 pixels where what is drawn asks for no other shape.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of text above the plot.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// What the x axis counts, with its unit.
    pub fn x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// What the y axis measures, with its unit.
    pub fn y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// Makes the x axis logarithmic. Values of zero and below leave a gap.
    pub fn log_x(mut self) -> Self {
        self.log_x = true;
        self
    }

    /// Makes the y axis logarithmic. Values of zero and below leave a gap.
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    /// Fixes the range of the x axis, which otherwise fits the data.
    pub fn x_range(mut self, low: f64, high: f64) -> Self {
        self.x_range = Some((low, high));
        self
    }

    /// Fixes the range of the y axis, which otherwise fits the data.
    pub fn y_range(mut self, low: f64, high: f64) -> Self {
        self.y_range = Some((low, high));
        self
    }

    /// Names on the x axis in place of numbers, at 0, 1, 2... Bars, boxes and the columns of a heat map have one each.
    pub fn x_names<S: ToString>(mut self, names: &[S]) -> Self {
        self.x_names = names.iter().map(S::to_string).collect();
        self
    }

    /// Names on the y axis in place of numbers, at 0, 1, 2... The rows of a heat map have one each.
    pub fn y_names<S: ToString>(mut self, names: &[S]) -> Self {
        self.y_names = names.iter().map(S::to_string).collect();
        self
    }

    /// Where the legend stands. By default where it covers least, and beside the plot where it would cover data
    /// everywhere.
    pub fn legend(mut self, legend: Legend) -> Self {
        self.legend = legend;
        self
    }

    /// The size in pixels; 160 by 120 at least, 4000 by 4000 at most.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width.clamp(160, 4000), height.clamp(120, 4000)));
        self
    }

    /// The colors of page, text and lines. By default what [`plot::theme`](theme()) has set for all figures.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// use oxtorch::plot::Theme;
    /// let figure = Figure::new().line("loss", &[3.0, 1.0]).theme(Theme::Dark);
    /// assert!(figure.svg()?.contains("fill=\"#111111\""));
    /// # anyhow::Ok(())
    /// ```
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = Some(theme);
        self
    }

    pub(crate) fn theme_or_usual(&self) -> Theme {
        self.theme.unwrap_or_else(Theme::usual)
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    ///
    /// Where x and y values do not pair up, or a range is empty.
    pub fn svg(&self) -> Result<String, PlotError> {
        Ok(write::svg(&self.scene()?))
    }

    /// The figure as the bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// As for [`Figure::svg`].
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        write::png(&self.scene()?)
    }

    /// The figure as the bytes of a PDF file of one page, for a paper: of shapes, not of pixels, with its letters in
    /// it.
    ///
    /// # Errors
    ///
    /// As for [`Figure::svg`].
    pub fn pdf(&self) -> Result<Vec<u8>, PlotError> {
        scene::pdf(&self.scene()?)
    }

    /// Writes the figure to a file that ends in `.svg`, `.png` or `.pdf`.
    ///
    /// # Errors
    ///
    /// Where the ending is another or the file cannot be written, and as for [`Figure::svg`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        write::save(path.as_ref(), || self.scene())
    }

    /// The figure as one that grows while the cell runs.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let plot = Figure::new().x_label("step").y_label("loss").log_y().live();
    /// for step in 0..100 {
    ///     plot.push("train", 1.0 / (1 + step) as f64);
    /// }
    /// ```
    pub fn live(self) -> LivePlot {
        LivePlot::of(self)
    }

    /// Adds something, or has drawing end with why that cannot be, if nothing was wrong before.
    fn attempt(mut self, add: impl FnOnce(&mut Self) -> Result<(), PlotError>) -> Self {
        if let Err(error) = add(&mut self) {
            self.fault.get_or_insert(error);
        }
        self
    }

    /// As many pixels as were asked for, or as what is drawn needs.
    pub(crate) fn pixels(&self) -> (u32, u32) {
        self.size.unwrap_or_else(|| self.layers.iter().find_map(|layer| layer.mark.natural_size(self)).unwrap_or(SIZE))
    }

    pub(crate) fn scene(&self) -> Result<Scene, PlotError> {
        let (width, height) = self.pixels();
        let within = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
        let shapes = layout::draw(self, within, &mut Palette::default())?;
        Ok(self.theme_or_usual().scene((width, height), shapes))
    }

    fn check(&self) -> Result<(), PlotError> {
        if let Some(error) = &self.fault {
            return Err(error.clone());
        }
        for layer in &self.layers {
            layer.mark.check(&layer.label, self)?;
        }
        let (named, filled) = (self.any(|axes| axes.named), self.any(|axes| axes.filled));
        if ((named || filled) && self.log_x) || (filled && self.log_y) {
            return Err(PlotError::counts(
                "bars, boxes, cells and planes stand at equal distances: their axis cannot be logarithmic",
            ));
        }
        for ((low, high), log) in [(self.x_range, self.log_x), (self.y_range, self.log_y), (self.heat.range, false)]
            .into_iter()
            .filter_map(|(range, log)| Some((range?, log)))
        {
            if !(low < high && (high - low).is_finite()) || (log && low <= 0.0) {
                return Err(PlotError::Range { low, high });
            }
        }
        Ok(())
    }

    /// Sets the names on the x axis that come with what is added, where there are no others.
    fn name_x(&mut self, what: &str, names: Vec<String>) -> Result<(), PlotError> {
        if !self.x_names.is_empty() && self.x_names != names {
            return Err(PlotError::counts(format!(
                "{what} have other names than the x axis: what is side by side needs the same names"
            )));
        }
        self.x_names = names;
        Ok(())
    }

    /// Labels the axes that have no labels yet.
    fn label_axes(&mut self, x: &str, y: &str) {
        if self.x_label.is_empty() && self.y_label.is_empty() {
            (self.x_label, self.y_label) = (x.to_owned(), y.to_owned());
        }
    }

    /// Where an x value lies on the axis.
    fn place_x(&self, x: f64) -> f64 {
        placed(x, self.log_x)
    }

    /// Where a y value lies on the axis.
    fn place_y(&self, y: f64) -> f64 {
        placed(y, self.log_y)
    }
}

fn placed(value: f64, log: bool) -> f64 {
    match log {
        false => value,
        true if value > 0.0 => value.log10(),
        true => f64::NAN,
    }
}

/// The title and the labels: the data would fill pages.
impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels: Vec<&str> =
            self.layers.iter().map(|layer| layer.label.as_str()).filter(|label| !label.is_empty()).collect();
        labels.dedup();
        match (self.title.as_str(), labels.join(", ").as_str()) {
            ("", "") => write!(f, "<figure>"),
            ("", labels) => write!(f, "<figure: {labels}>"),
            (title, "") => write!(f, "<figure: {title}>"),
            (title, labels) => write!(f, "<figure: {title} ({labels})>"),
        }
    }
}

impl RichDisplay for Figure {
    fn mime_bundle(&self) -> MimeBundle {
        write::shown(self.png(), || self.described())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Figure {
        let losses: Vec<f64> = (0..40).map(|epoch| 2.3 * (-0.1 * f64::from(epoch)).exp() + 0.05).collect();
        Figure::new().title("Training").x_label("epoch").y_label("cross entropy").line("train", &losses)
    }

    #[test]
    fn a_figure_is_a_png_of_its_size() {
        let png = example().size(320, 200).png().expect("draws");
        let image = image::load_from_memory(&png).expect("a PNG");
        assert_eq!((image.width(), image.height()), (320, 200));
        let blue = image.to_rgb8().pixels().filter(|pixel| pixel[2] > 150 && pixel[0] < 90).count();
        assert!(blue > 100, "the line is drawn: {blue} pixels");
    }

    #[test]
    fn an_svg_holds_title_labels_and_legend_as_text() {
        let svg = example().svg().expect("draws");
        for text in ["Training", "epoch", "cross entropy", "train"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn nothing_to_draw_is_still_a_figure() {
        for figure in [
            Figure::new(),
            Figure::new().line("empty", &Vec::<f64>::new()),
            Figure::new().log_y().line("negative", &[-1.0, 0.0]),
            Figure::new().log_x().log_y().line("zero", &[0.0]),
            Figure::new().scatter("one", &[1.0], &[1.0]),
            Figure::new().line("constant", &[0.5f32; 10]),
            Figure::new().line("huge", &[f64::MIN, f64::MAX]),
            Figure::new().histogram("nothing", &[f64::NAN]),
            Figure::new().heat_map(&Vec::<Vec<f64>>::new()),
            Figure::new().heat_map(&[[f64::NAN]]).annotate(),
            Figure::new().size(0, 0).title("a title that is longer than the figure is wide, by far and then some"),
        ] {
            figure.png().expect("draws");
            figure.svg().expect("draws");
            figure.pdf().expect("draws");
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error_with_the_reason() {
        let cases = [
            (Figure::new().scatter("points", &[1.0], &[1.0, 2.0]), "\"points\" has 1 x values and 2 y values"),
            (Figure::new().x_range(1.0, 1.0), "an axis cannot go from 1 to 1"),
            (Figure::new().log_y().y_range(0.0, 1.0), "an axis cannot go from 0 to 1"),
            (Figure::new().log_x().x_range(-1.0, 1.0), "an axis cannot go from -1 to 1"),
            (Figure::new().heat_map(&[vec![1.0], vec![]]), "no matrix to draw: row 1 has 0 values"),
            (Figure::new().heat_map(&[[1.0]]).log_y(), "their axis cannot be logarithmic"),
            (Figure::new().bar("b", &["a"], &[1.0]).log_x(), "their axis cannot be logarithmic"),
            (Figure::new().bar("b", &["a"], &[1.0, 2.0]), "\"b\" has 1 names and 2 values"),
            (Figure::new().heat_map(&[[1.0]]).heat_map(&[[2.0]]), "the second would cover the first"),
            (Figure::new().heat_map(&[[1.0]]).color_range(1.0, 0.0), "cannot go from 1 to 0"),
            (Figure::new().bar("b", &["a"], &[1.0]).boxes(&["c"], &[vec![1.0]]), "the boxes have other names"),
            (Figure::new().x_names(&["c"]).bar("b", &["a"], &[1.0]), "the bars of \"b\" have other names"),
            (Figure::new().bar("b", &["a"], &[1.0]).x_names(&["c", "d"]), "`x_names` has 2 names for 1 bars"),
            (Figure::new().boxes(&["a"], &[vec![1.0]]).x_names(&["c", "d"]), "`x_names` has 2 names for 1 boxes"),
            (Figure::new().heat_map(&[[1.0, 2.0]]).x_names(&["a"]), "`x_names` has 1 names for 2 columns"),
            (Figure::new().heat_map(&[[1.0, 2.0]]).y_names(&["a", "b"]), "`y_names` has 2 names for 1 rows"),
        ];
        for (figure, expected) in cases {
            let error = figure.png().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(figure.mime_bundle().plain(), error);
        }
        let error = example().save("figure.bmp").expect_err("no such format").to_string();
        assert_eq!(error, "a figure can be saved as .svg, .png or .pdf, not as figure.bmp");
    }

    #[test]
    fn a_figure_is_saved_in_the_format_that_the_ending_names() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, start) in [("a.svg", &b"<svg"[..]), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")] {
            let path = folder.path().join(name);
            example().title("训练").save(&path).expect("saves");
            assert!(std::fs::read(&path).expect("reads").starts_with(start), "{name}");
        }
        let error = example().save(folder.path().join("none/a.png")).expect_err("no folder").to_string();
        assert!(error.contains("cannot be saved as"), "{error}");
    }
}
