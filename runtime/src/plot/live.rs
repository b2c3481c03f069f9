//! A figure that grows while its cell runs.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tch::Tensor;

use super::Figure;
use super::marks::{Layer, Series, Style};
use crate::display::live::{self, Live, Pace};
use crate::display::{DisplayHandle, MimeBundle, RichDisplay, display};
use crate::host::channel;
use crate::lock::lock;

/// A picture is larger than a progress bar, and nobody follows a curve more closely.
const INTERVAL: Duration = Duration::from_millis(250);

/// One number to plot: of any kind, or a tensor of one element.
pub trait Coordinate {
    /// The number; NaN, which leaves a gap, for a tensor of more elements than one.
    fn coordinate(&self) -> f64;
}

macro_rules! coordinates {
    ($($number:ty),*) => {$(
        impl Coordinate for $number {
            fn coordinate(&self) -> f64 {
                *self as f64
            }
        }
    )*};
}
coordinates!(f64, f32, i32, i64, u8, u32, u64, usize);

impl Coordinate for Tensor {
    fn coordinate(&self) -> f64 {
        f64::try_from(self).unwrap_or(f64::NAN)
    }
}

impl<T: Coordinate + ?Sized> Coordinate for &T {
    fn coordinate(&self) -> f64 {
        (**self).coordinate()
    }
}

/// A plot of lines that grow while the cell runs, four times a second at most. The last state is always shown: at the
/// end of the cell, also of one that panics or is interrupted.
///
/// ```
/// use oxtorch::prelude::*;
/// let plot = LivePlot::new("Training");
/// for epoch in 0..20 {
///     plot.push("train", 1.0 / (1 + epoch) as f64);
///     if epoch % 5 == 4 {
///         plot.push_xy("validation", epoch, 1.5 / (1 + epoch) as f64);
///     }
/// }
/// ```
///
/// Axes and size are those of a figure: `Figure::new().x_label("step").y_label("loss").log_y().live()`. A plot that is
/// kept in a variable appears again in the cell that adds to it.
pub struct LivePlot(Arc<Mutex<Canvas>>);

impl LivePlot {
    /// An empty plot, which is shown with its first point.
    pub fn new(title: impl Into<String>) -> Self {
        Figure::new().title(title).live()
    }

    pub(super) fn of(figure: Figure) -> Self {
        let pace = Pace::new(INTERVAL);
        Self(Arc::new(Mutex::new(Canvas { figure, pace, handle: None, is_behind: false, is_registered: false })))
    }

    /// Adds a point to the line of that label, at x = 0, 1, 2...
    pub fn push(&self, label: &str, y: impl Coordinate) -> &Self {
        self.add(label, None, y.coordinate())
    }

    /// Adds a point to the line of that label.
    pub fn push_xy(&self, label: &str, x: impl Coordinate, y: impl Coordinate) -> &Self {
        self.add(label, Some(x.coordinate()), y.coordinate())
    }

    /// Shows what is not shown yet. The end of the cell does that too.
    pub fn finish(&self) {
        lock(&self.0).catch_up();
    }

    /// The figure as it is now, to save it for one.
    pub fn figure(&self) -> Figure {
        lock(&self.0).figure.clone()
    }

    fn add(&self, label: &str, x: Option<f64>, y: f64) -> &Self {
        let mut canvas = lock(&self.0);
        if let Some(Series { xs, ys, .. }) = canvas.line(label) {
            xs.push(x.unwrap_or(xs.len() as f64));
            ys.push(y);
        }
        canvas.is_behind = true;
        let is_first = !std::mem::replace(&mut canvas.is_registered, true);
        let now = Instant::now();
        // Without a frontend one line at the end says it all.
        if canvas.pace.is_due(now) && channel::has_front() {
            canvas.draw(now);
        }
        drop(canvas);
        if is_first {
            live::settle_at_the_end(&self.0);
        }
        self
    }
}

impl Drop for LivePlot {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for LivePlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lock(&self.0).text())
    }
}

/// Nothing while the cell shows the plot anyway, so that it may end with one.
impl RichDisplay for LivePlot {
    fn mime_bundle(&self) -> MimeBundle {
        let mut canvas = lock(&self.0);
        if canvas.handle.is_some() {
            canvas.catch_up();
            return MimeBundle::empty();
        }
        canvas.whole_bundle()
    }
}

struct Canvas {
    figure: Figure,
    pace: Pace,
    /// The display in the running cell.
    handle: Option<DisplayHandle>,
    /// There are points that are not shown.
    is_behind: bool,
    /// The end of the cell will show them.
    is_registered: bool,
}

impl Canvas {
    /// The line of that label, which is added where there is none.
    fn line(&mut self, label: &str) -> Option<&mut Series> {
        let all = &mut self.figure.layers;
        let is_line = |layer: &Layer| layer.label == label && layer.of().is_some_and(Series::is_line);
        let at = all.iter().position(is_line).unwrap_or_else(|| {
            all.push(Layer::new(label, Series { xs: Vec::new(), ys: Vec::new(), style: Style::Line }));
            all.len() - 1
        });
        all[at].of_mut()
    }

    fn catch_up(&mut self) {
        if self.is_behind {
            self.draw(Instant::now());
        }
    }

    fn draw(&mut self, now: Instant) {
        self.show(&self.bundle());
        self.pace.shown(now, now.elapsed());
    }

    fn show(&mut self, bundle: &MimeBundle) {
        match &self.handle {
            Some(handle) => handle.update(bundle),
            None => self.handle = Some(display(bundle)),
        }
        self.is_behind = false;
    }

    /// As SVG while it grows: it is drawn in a tenth of the time that a PNG takes.
    fn bundle(&self) -> MimeBundle {
        match self.figure.svg() {
            Ok(svg) => MimeBundle::svg(svg).with("text/plain", self.text()),
            Err(error) => MimeBundle::text(error.to_string()),
        }
    }

    /// As SVG and PNG: what shows a notebook later may show no SVG, as GitHub does.
    fn whole_bundle(&self) -> MimeBundle {
        match self.figure.png() {
            Ok(png) => self.bundle().with_png(&png),
            Err(_) => self.bundle(),
        }
    }

    /// The title, and where each line is.
    fn text(&self) -> String {
        let ends = self.figure.layers.iter().filter_map(|layer| {
            let Series { xs, ys, .. } = layer.of().filter(|series: &&Series| series.is_line())?;
            let (x, y) = (xs.last()?, ys.last()?);
            Some(format!("{} {y:.4} at {x}", layer.label).trim_start().to_owned())
        });
        let ends = ends.collect::<Vec<_>>().join(", ");
        match (self.figure.title.as_str(), ends.as_str()) {
            ("", "") => "<live plot>".to_owned(),
            ("", ends) => format!("<live plot: {ends}>"),
            (title, "") => format!("<live plot: {title}>"),
            (title, ends) => format!("<live plot: {title} ({ends})>"),
        }
    }
}

impl Live for Canvas {
    fn settle(&mut self) {
        if self.is_behind || self.handle.is_some() {
            self.show(&self.whole_bundle());
        }
        self.handle = None;
        self.is_registered = false;
        self.pace = Pace::new(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_numbered_in_each_line() {
        let plot = LivePlot::new("Training");
        plot.push("train", 0.5).push("train", Tensor::from(0.25f32)).push_xy("validation", 10, 1.0f32);
        let figure = plot.figure();
        let line = |at: usize| {
            let Series { xs, ys, .. } = figure.layers[at].of().expect("a line");
            (xs.clone(), ys.clone())
        };
        assert_eq!(line(0), (vec![0.0, 1.0], vec![0.5, 0.25]));
        assert_eq!(line(1).0, [10.0]);
        assert_eq!(format!("{plot:?}"), "<live plot: Training (train 0.2500 at 1, validation 1.0000 at 10)>");
        plot.push("train", 2.0);
        assert_eq!(line(0).0.len(), 2, "a figure that was taken stays as it is");
        assert_eq!(plot.figure().marks::<Series>().next().map(|line| line.ys.len()), Some(3));
    }

    #[test]
    fn a_long_training_stays_a_small_picture() {
        let plot = Figure::new().title("Long").live();
        for step in 0..100_000 {
            plot.push("loss", if step == 54_321 { 9.0 } else { f64::from(step % 7) });
            plot.push("accuracy", f64::from(step).sqrt());
        }
        let bundle = lock(&plot.0).bundle();
        let svg = bundle.get("image/svg+xml").and_then(|svg| svg.as_str()).expect("an SVG");
        assert!(svg.len() < 100_000, "{} bytes", svg.len());
    }

    #[test]
    fn the_last_point_is_shown_when_the_cell_ends_and_the_next_cell_shows_it_anew() {
        let plot = LivePlot::new("");
        plot.push("", 1.0);
        lock(&plot.0).draw(Instant::now());
        plot.push("", 2.0);
        assert!(lock(&plot.0).is_behind);
        assert!(plot.mime_bundle().is_empty());
        plot.push("", 3.0);
        live::settle();
        assert!(!lock(&plot.0).is_behind && lock(&plot.0).handle.is_none());
        assert_eq!(plot.mime_bundle().plain(), "<live plot: 3.0000 at 2>");
        let kept = plot.mime_bundle();
        assert!(kept.get("image/svg+xml").is_some() && kept.get("image/png").is_some(), "{kept:?}");
        assert!(lock(&plot.0).bundle().get("image/png").is_none(), "a PNG takes too long while it grows");
    }
}
