//! Line and scatter plots with good defaults.
//!
//! ```
//! use oxtorch::prelude::*;
//! let losses = [2.3, 1.1, 0.6, 0.4];
//! Figure::new().title("Training").line("loss", &losses).x_label("epoch").y_label("cross entropy")
//! # ;
//! ```
//!
//! Values that are not finite leave a gap. For other kinds of plot, `plotters` is in scope in every cell.

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage, imageops};
use plotters::coord::Shift;
use plotters::prelude::*;
use tch::{Device, Kind, Tensor, no_grad};
use thiserror::Error;

use crate::display::{MimeBundle, RichDisplay};
use crate::font;

mod axis;
mod live;

use axis::{Axis, around};
pub use live::{Coordinate, LivePlot};

/// Bitmaps are drawn this much larger and then reduced, which smooths lines and letters.
const OVERSAMPLING: u32 = 3;
/// Lines with more points than that for each column of pixels are thinned: no screen shows more, and an SVG would take
/// megabytes.
const POINTS_PER_COLUMN: usize = 2;
const COLOURS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(23, 162, 184),
];
const INK: RGBColor = RGBColor(60, 60, 60);
const GRID: RGBColor = RGBColor(228, 228, 228);

/// Why a figure could not be drawn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlotError {
    /// The coordinates of a series do not pair up.
    #[error("{label:?} has {xs} x values and {ys} y values: each point needs one of both")]
    Lengths {
        /// The series.
        label: String,
        /// How many x values.
        xs: usize,
        /// How many y values.
        ys: usize,
    },
    /// A range that holds nothing.
    #[error("an axis cannot go from {low} to {high}")]
    Range {
        /// As it was asked for.
        low: f64,
        /// As it was asked for.
        high: f64,
    },
    /// The file's ending names no format.
    #[error("a figure can be saved as .svg or .png, not as {0}")]
    Format(String),
    /// The file could not be written.
    #[error("the figure cannot be saved as {path}")]
    Save {
        /// The file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The drawing library reports an error.
    #[error("the figure cannot be drawn: {0}")]
    Draw(String),
}

/// What holds numbers to plot: slices, arrays and vectors of numbers, and tensors of any shape (read in row-major order).
pub trait Numbers {
    /// The numbers as `f64`.
    fn numbers(&self) -> Vec<f64>;
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Numbers for [$number] {
            fn numbers(&self) -> Vec<f64> {
                self.iter().map(|number| *number as f64).collect()
            }
        }
        impl<const N: usize> Numbers for [$number; N] {
            fn numbers(&self) -> Vec<f64> {
                self.as_slice().numbers()
            }
        }
        impl Numbers for Vec<$number> {
            fn numbers(&self) -> Vec<f64> {
                self.as_slice().numbers()
            }
        }
    )*};
}
numbers!(f64, f32, i32, i64, u8, u32, u64, usize);

impl Numbers for Tensor {
    fn numbers(&self) -> Vec<f64> {
        no_grad(|| {
            let values = self.to_device(Device::Cpu).to_kind(Kind::Double).contiguous();
            let mut numbers = vec![0.0; values.numel()];
            values.copy_data(&mut numbers, values.numel());
            numbers
        })
    }
}

impl<T: Numbers + ?Sized> Numbers for &T {
    fn numbers(&self) -> Vec<f64> {
        (**self).numbers()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Line,
    Points,
}

#[derive(Debug, Clone)]
struct Series {
    label: String,
    mark: Mark,
    xs: Vec<f64>,
    ys: Vec<f64>,
}

/// Points that are drawn as one stroke.
type Piece = Vec<(f64, f64)>;

/// A plot of lines and points. Shown as PNG; [`Figure::svg`] and [`Figure::save`] give it as SVG.
#[derive(Clone)]
pub struct Figure {
    title: String,
    x_label: String,
    y_label: String,
    series: Vec<Series>,
    log_y: bool,
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    width: u32,
    height: u32,
}

impl Default for Figure {
    fn default() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            series: Vec::new(),
            log_y: false,
            x_range: None,
            y_range: None,
            width: 640,
            height: 400,
        }
    }
}

impl Figure {
    /// An empty figure of 640 by 400 pixels.
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

    /// Adds a line through `ys` at x = 0, 1, 2... An empty label stays out of the legend.
    pub fn line(self, label: impl Into<String>, ys: &(impl Numbers + ?Sized)) -> Self {
        let ys = ys.numbers();
        self.with_series(label.into(), Mark::Line, (0..ys.len()).map(|x| x as f64).collect(), ys)
    }

    /// Adds a line through the points of `xs` and `ys`, in their order.
    pub fn line_xy(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with_series(label.into(), Mark::Line, xs.numbers(), ys.numbers())
    }

    /// Adds a dot for each point of `xs` and `ys`.
    pub fn scatter(self, label: impl Into<String>, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.with_series(label.into(), Mark::Points, xs.numbers(), ys.numbers())
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

    /// The size in pixels; 160 by 120 at least, 4000 by 4000 at most.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.width = width.clamp(160, 4000);
        self.height = height.clamp(120, 4000);
        self
    }

    /// The figure as an SVG document.
    ///
    /// # Errors
    ///
    /// Where x and y values do not pair up, or a range is empty.
    pub fn svg(&self) -> Result<String, PlotError> {
        let mut svg = String::new();
        self.draw(&SVGBackend::with_string(&mut svg, (self.width, self.height)).into_drawing_area(), 1.0)?;
        Ok(svg)
    }

    /// The figure as the bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// As for [`Figure::svg`].
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        let (width, height) = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        let mut large = RgbImage::new(width, height);
        let backend = BitMapBackend::with_buffer(&mut large, (width, height));
        self.draw(&backend.into_drawing_area(), f64::from(OVERSAMPLING))?;
        let mut bytes = Cursor::new(Vec::new());
        imageops::thumbnail(&large, self.width, self.height)
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(|error| PlotError::Draw(error.to_string()))?;
        Ok(bytes.into_inner())
    }

    /// Writes the figure to a file that ends in `.svg` or `.png`.
    ///
    /// # Errors
    ///
    /// Where the ending is another or the file cannot be written, and as for [`Figure::svg`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<(), PlotError> {
        let bytes = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => self.svg()?.into_bytes(),
            Some("png") => self.png()?,
            _ => return Err(PlotError::Format(path.display().to_string())),
        };
        std::fs::write(path, bytes).map_err(|source| PlotError::Save { path: path.display().to_string(), source })
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

    fn with_series(mut self, label: String, mark: Mark, xs: Vec<f64>, ys: Vec<f64>) -> Self {
        self.series.push(Series { label, mark, xs, ys });
        self
    }

    fn check(&self) -> Result<(), PlotError> {
        for series in &self.series {
            let (xs, ys) = (series.xs.len(), series.ys.len());
            if xs != ys {
                return Err(PlotError::Lengths { label: series.label.clone(), xs, ys });
            }
        }
        for (low, high) in [self.x_range, self.y_range].into_iter().flatten() {
            if !(low < high && (high - low).is_finite()) {
                return Err(PlotError::Range { low, high });
            }
        }
        if let (true, Some((low, high))) = (self.log_y, self.y_range)
            && low <= 0.0
        {
            return Err(PlotError::Range { low, high });
        }
        Ok(())
    }

    /// Where a y value lies on the axis.
    fn place(&self, y: f64) -> f64 {
        if self.log_y { if y > 0.0 { y.log10() } else { f64::NAN } } else { y }
    }

    /// The points of a series where they are drawn, divided where a value is not finite.
    fn pieces(&self, series: &Series, most: usize) -> Vec<Piece> {
        let points = series.xs.iter().zip(&series.ys).map(|(x, y)| (*x, self.place(*y)));
        let points: Vec<_> = points.collect();
        points
            .split(|(x, y)| !(x.is_finite() && y.is_finite()))
            .filter(|piece| !piece.is_empty())
            .map(|piece| if series.mark == Mark::Line { thinned(piece, most) } else { piece.to_vec() })
            .collect()
    }

    /// Draws everything `scale` times as large as on the screen.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, scale: f64) -> Result<(), PlotError> {
        self.check()?;
        font::register();
        let error = |error: DrawingAreaErrorKind<B::ErrorType>| PlotError::Draw(error.to_string());
        let px = |size: f64| (size * scale).round() as u32;
        let text = |size: f64| ("sans-serif", size * scale).into_font().color(&INK);

        let most = POINTS_PER_COLUMN * px(f64::from(self.width)) as usize;
        let series: Vec<(&Series, Vec<Piece>)> =
            self.series.iter().map(|series| (series, self.pieces(series, most))).collect();
        let points = || series.iter().flat_map(|(_, pieces)| pieces.iter().flatten().copied());
        let x_range = self.x_range.unwrap_or_else(|| around(points().map(|(x, _)| x), 0.03));
        let y_range = match self.y_range {
            Some((low, high)) => (self.place(low), self.place(high)),
            None => around(points().map(|(_, y)| y), 0.06),
        };
        let whole_x = points().all(|(x, _)| x.fract() == 0.0);
        let x_axis = Axis::linear(x_range, 9, whole_x);
        let y_axis = if self.log_y { Axis::logarithmic(y_range) } else { Axis::linear(y_range, 7, false) };

        area.fill(&WHITE).map_err(error)?;
        let mut builder = ChartBuilder::on(area);
        builder.margin(px(8.0)).margin_right(px(16.0));
        if self.title.is_empty() {
            builder.margin_top(px(12.0));
        } else {
            builder.caption(&self.title, text(19.0));
        }
        let widest = y_axis.longest_name() as f64;
        let y_label = if self.y_label.is_empty() { 0.0 } else { 20.0 };
        let x_label = if self.x_label.is_empty() { 0.0 } else { 18.0 };
        builder.set_label_area_size(LabelAreaPosition::Left, px(14.0 + 7.5 * widest + y_label));
        builder.set_label_area_size(LabelAreaPosition::Bottom, px(24.0 + x_label));
        let mut chart = builder.build_cartesian_2d(x_axis, y_axis).map_err(error)?;
        chart
            .configure_mesh()
            .bold_line_style(GRID.stroke_width(px(1.0)))
            .light_line_style(TRANSPARENT)
            .axis_style(INK.stroke_width(px(1.0)))
            .set_all_tick_mark_size(px(4.0))
            .label_style(text(14.0))
            .axis_desc_style(text(15.0))
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .draw()
            .map_err(error)?;

        for (index, (series, pieces)) in series.iter().enumerate() {
            let colour = COLOURS[index % COLOURS.len()];
            let line = colour.stroke_width(px(2.0));
            let dot = |point, opacity: f64| Circle::new(point, px(3.2), colour.mix(opacity).filled());
            // The legend belongs to one element of the chart, so it has one of its own, which draws nothing.
            let entry = chart.draw_series(std::iter::empty::<Circle<(f64, f64), u32>>()).map_err(error)?;
            if !series.label.is_empty() {
                let (mark, half, radius) = (series.mark, px(9.0) as i32, px(3.2));
                entry.label(&series.label);
                match mark {
                    Mark::Line => entry.legend(move |(x, y)| PathElement::new([(x, y), (x + 2 * half, y)], line)),
                    Mark::Points => entry.legend(move |(x, y)| Circle::new((x + half, y), radius, colour.filled())),
                };
            }
            for piece in pieces {
                match (series.mark, &piece[..]) {
                    (Mark::Line, [point]) => chart.draw_series([dot(*point, 1.0)]).map_err(error)?,
                    (Mark::Line, piece) => {
                        chart.draw_series([PathElement::new(piece.to_vec(), line)]).map_err(error)?
                    }
                    (Mark::Points, piece) => {
                        chart.draw_series(piece.iter().map(|point| dot(*point, 0.75))).map_err(error)?
                    }
                };
            }
        }
        if self.series.iter().any(|series| !series.label.is_empty()) {
            chart
                .configure_series_labels()
                .position(emptiest_corner(points(), x_range, y_range))
                .margin(px(10.0))
                .legend_area_size(px(26.0))
                .background_style(WHITE.mix(0.85))
                .border_style(GRID.stroke_width(px(1.0)))
                .label_font(text(14.0))
                .draw()
                .map_err(error)?;
        }
        area.present().map_err(error)
    }
}

/// The title and the labels: the data would fill pages.
impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.series.iter().map(|series| series.label.as_str()).filter(|label| !label.is_empty());
        let labels = labels.collect::<Vec<_>>().join(", ");
        match (self.title.as_str(), labels.as_str()) {
            ("", "") => write!(f, "<figure>"),
            ("", labels) => write!(f, "<figure: {labels}>"),
            (title, "") => write!(f, "<figure: {title}>"),
            (title, labels) => write!(f, "<figure: {title} ({labels})>"),
        }
    }
}

impl RichDisplay for Figure {
    fn mime_bundle(&self) -> MimeBundle {
        match self.png() {
            Ok(png) => MimeBundle::png(&png).with("text/plain", format!("{self:?}")),
            Err(error) => MimeBundle::text(error.to_string()),
        }
    }
}

/// A long line with the lowest and highest point of each stretch alone, and its last one, which looks the same.
fn thinned(line: &[(f64, f64)], most: usize) -> Piece {
    if line.len() <= most {
        return line.to_vec();
    }
    let stretch = line.len().div_ceil(most / 2);
    let by_y = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let ends = line.chunks(stretch).flat_map(|points| {
        let low = points.iter().min_by(by_y);
        let high = points.iter().max_by(by_y);
        let mut ends: Vec<_> = low.into_iter().chain(high).copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends
    });
    ends.chain(line.last().copied()).collect()
}

/// The corner for the legend: the one with the fewest points in it, the upper right one among equals.
fn emptiest_corner(
    points: impl Iterator<Item = (f64, f64)>,
    x_range: (f64, f64),
    y_range: (f64, f64),
) -> SeriesLabelPosition {
    let share = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
    let mut corners = [
        (0, SeriesLabelPosition::UpperRight),
        (0, SeriesLabelPosition::LowerRight),
        (0, SeriesLabelPosition::UpperLeft),
        (0, SeriesLabelPosition::LowerLeft),
    ];
    for (x, y) in points {
        let column = match share(x, x_range) {
            left if left < 0.35 => Some(2),
            right if right > 0.65 => Some(0),
            _ => None,
        };
        let row = match share(y, y_range) {
            low if low < 0.35 => Some(1),
            high if high > 0.65 => Some(0),
            _ => None,
        };
        if let (Some(column), Some(row)) = (column, row) {
            corners[column + row].0 += 1;
        }
    }
    let emptiest = corners.into_iter().min_by_key(|(count, _)| *count);
    emptiest.map_or(SeriesLabelPosition::UpperRight, |(_, corner)| corner)
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
    fn values_that_are_not_finite_leave_a_gap() {
        let figure = Figure::new().line("", &[1.0, f64::NAN, 2.0, 3.0, f64::INFINITY]);
        assert_eq!(figure.pieces(&figure.series[0], 100), [vec![(0.0, 1.0)], vec![(2.0, 2.0), (3.0, 3.0)]]);
        figure.svg().expect("draws");
    }

    #[test]
    fn nothing_to_draw_is_still_a_figure() {
        for figure in [
            Figure::new(),
            Figure::new().line("empty", &Vec::<f64>::new()),
            Figure::new().log_y().line("negative", &[-1.0, 0.0]),
            Figure::new().scatter("one", &[1.0], &[1.0]),
            Figure::new().line("constant", &[0.5f32; 10]),
            Figure::new().line("huge", &[f64::MIN, f64::MAX]),
            Figure::new().size(0, 0).title("a title that is longer than the figure is wide, by far and then some"),
        ] {
            figure.png().expect("draws");
            figure.svg().expect("draws");
        }
    }

    #[test]
    fn numbers_come_from_tensors_and_slices_of_any_kind() {
        let tensor = Tensor::from_slice(&[1i64, 2, 3, 4]).view([2, 2]).set_requires_grad(false);
        assert_eq!(tensor.numbers(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!([1u8, 2].numbers(), vec![1.0f32, 2.0].numbers());
        assert_eq!([0.5f32][..].numbers(), [0.5]);
    }

    #[test]
    fn a_long_line_keeps_its_extremes() {
        let ys: Vec<f64> = (0..100_000).map(|step| if step == 54_321 { 9.0 } else { 0.0 }).collect();
        let figure = Figure::new().line("", &ys);
        let pieces = figure.pieces(&figure.series[0], 1280);
        assert!(pieces[0].len() <= 1281);
        assert!(pieces[0].contains(&(54_321.0, 9.0)));
        assert_eq!(pieces[0].last(), Some(&(99_999.0, 0.0)));
    }

    #[test]
    fn what_cannot_be_drawn_is_an_error_with_the_reason() {
        let cases = [
            (Figure::new().scatter("points", &[1.0], &[1.0, 2.0]), "\"points\" has 1 x values and 2 y values"),
            (Figure::new().x_range(1.0, 1.0), "an axis cannot go from 1 to 1"),
            (Figure::new().log_y().y_range(0.0, 1.0), "an axis cannot go from 0 to 1"),
        ];
        for (figure, expected) in cases {
            let error = figure.png().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(figure.mime_bundle().plain(), error);
        }
        let error = example().save("figure.bmp").expect_err("no such format").to_string();
        assert_eq!(error, "a figure can be saved as .svg or .png, not as figure.bmp");
    }
}
