//! Several figures side by side.

use std::fmt;
use std::path::Path;

use super::layout::colors::Palette;
use super::layout::{self, names::title_of};
use super::scene::{self, Rect, Scene};
use super::{Figure, PlotError, Theme, write};
use crate::display::{MimeBundle, RichDisplay};

/// A figure that chooses no size takes this much of a page with others.
const PLACE: (u32, u32) = (400, 290);
const TITLE: u32 = 34;

/// Figures in rows and columns, with a common title. The same label has the same color in all of them.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::plot::Figures;
/// let loss = Figure::new().title("Loss").line("train", &[2.0, 1.0, 0.5]).log_y();
/// let accuracy = Figure::new().title("Accuracy").line("train", &[0.3, 0.7, 0.9]);
/// let both = Figures::grid(1, 2).add(loss).add(accuracy).title("Training");
/// assert!(both.png().is_ok());
/// ```
#[derive(Clone, Default)]
#[must_use = "figures are shown if the cell ends with them; elsewhere write `display(&figures)`"]
pub struct Figures {
    figures: Vec<Figure>,
    /// 0 for as many as it takes.
    rows: usize,
    columns: usize,
    title: String,
    size: Option<(u32, u32)>,
    theme: Option<Theme>,
}

impl Figures {
    /// As many rows and columns as that, filled row by row. Figures beyond that go into further rows.
    pub fn grid(rows: usize, columns: usize) -> Self {
        Self { rows, columns: columns.max(1), ..Self::default() }
    }

    /// All figures in one row.
    pub fn row(figures: impl Into<Vec<Figure>>) -> Self {
        let figures = figures.into();
        Self { columns: figures.len().max(1), figures, ..Self::default() }
    }

    /// Adds the next figure.
    #[allow(clippy::should_implement_trait, reason = "it is the word for this, and a figure is no number")]
    pub fn add(mut self, figure: Figure) -> Self {
        self.figures.push(figure);
        self
    }

    /// A line of text above all.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The size of all together in pixels. By default that of the figures, 400 by 290 for one that chooses none.
    pub fn size(mut self, width: u32, height: u32) -> Self {
        self.size = Some((width.clamp(160, 8000), height.clamp(120, 8000)));
        self
    }

    /// As [`Figure::theme`], for all of them. By default the theme of the first one.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = Some(theme);
        self
    }

    /// As [`Figure::svg`].
    ///
    /// # Errors
    ///
    /// Where there is no figure, or one of them cannot be drawn.
    pub fn svg(&self) -> Result<String, PlotError> {
        Ok(write::svg(&self.scene()?))
    }

    /// As [`Figure::png`].
    ///
    /// # Errors
    ///
    /// As for [`Figures::svg`].
    pub fn png(&self) -> Result<Vec<u8>, PlotError> {
        write::png(&self.scene()?)
    }

    /// As [`Figure::pdf`].
    ///
    /// # Errors
    ///
    /// As for [`Figures::svg`].
    pub fn pdf(&self) -> Result<Vec<u8>, PlotError> {
        scene::pdf(&self.scene()?)
    }

    /// Writes all to one file that ends in `.svg`, `.png` or `.pdf`.
    ///
    /// # Errors
    ///
    /// Where the ending is another or the file cannot be written, and as for [`Figures::svg`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        write::save(path.as_ref(), || self.scene())
    }

    pub(crate) fn scene(&self) -> Result<Scene, PlotError> {
        if self.figures.is_empty() {
            return Err(PlotError::Empty);
        }
        let columns = self.columns.max(1);
        let rows = self.figures.len().div_ceil(columns).max(self.rows);
        let title = if self.title.is_empty() { 0 } else { TITLE };
        let natural = |figure: &Figure| {
            let (width, height) = figure.pixels();
            let asked = figure.size.is_some() || (width, height) != super::SIZE;
            if asked { (width, height) } else { PLACE }
        };
        // Each column is as wide as its widest figure, each row as high as its highest.
        let (mut widths, mut heights) = (vec![0; columns], vec![0; rows]);
        for (place, figure) in self.figures.iter().enumerate() {
            let (width, height) = natural(figure);
            widths[place % columns] = width.max(widths[place % columns]);
            heights[place / columns] = height.max(heights[place / columns]);
        }
        let or_usual = |sizes: &mut Vec<u32>, usual: u32| {
            sizes.iter_mut().filter(|size| **size == 0).for_each(|size| *size = usual);
        };
        or_usual(&mut widths, PLACE.0);
        or_usual(&mut heights, PLACE.1);
        let (whole_width, whole_height) = (widths.iter().sum::<u32>(), heights.iter().sum::<u32>());
        let (width, height) = self.size.unwrap_or((whole_width, whole_height + title));
        let across = f64::from(width) / f64::from(whole_width);
        let down = f64::from(height.saturating_sub(title).max(1)) / f64::from(whole_height);
        let start = |sizes: &[u32], place: usize| f64::from(sizes[..place].iter().sum::<u32>());

        let mut palette = Palette::default();
        let mut shapes = Vec::new();
        for (place, figure) in self.figures.iter().enumerate() {
            let (column, row) = (place % columns, place / columns);
            let left = start(&widths, column) * across;
            let top = f64::from(title) + start(&heights, row) * down;
            let (width, height) = (f64::from(widths[column]) * across, f64::from(heights[row]) * down);
            shapes.extend(layout::draw(figure, Rect::new(left, top, left + width, top + height), &mut palette)?);
        }
        shapes.extend(title_of(&self.title, f64::from(width) / 2.0, 20.0, f64::from(width)));
        let theme = self.theme.or_else(|| self.figures.first()?.theme);
        Ok(theme.unwrap_or_else(Theme::usual).scene((width, height), shapes))
    }
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.figures.len();
        if self.title.is_empty() {
            write!(f, "<{count} figures>")
        } else {
            write!(f, "<{count} figures: {}>", self.title)
        }
    }
}

impl RichDisplay for Figures {
    fn mime_bundle(&self) -> MimeBundle {
        write::shown(self.png(), || {
            let remarks = self.figures.iter().flat_map(Figure::remarks);
            [format!("{self:?}")].into_iter().chain(remarks).collect::<Vec<_>>().join("\n")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str) -> Figure {
        Figure::new().line(label, &[1.0, 2.0])
    }

    #[test]
    fn figures_fill_rows_and_make_further_ones() {
        let size = |figures: Figures| {
            let scene = figures.scene().expect("draws");
            (scene.width, scene.height)
        };
        assert_eq!(size(Figures::grid(2, 2).add(line("a"))), (800, 580));
        assert_eq!(size(Figures::row([line("a"), line("b"), line("c")])), (1200, 290));
        assert_eq!(size(Figures::grid(1, 1).add(line("a")).add(line("b").size(300, 500)).title("both")), (400, 824));
        assert_eq!(size(Figures::grid(1, 2).add(line("a")).add(line("b")).size(600, 200)), (600, 200));
    }

    #[test]
    fn the_same_label_has_the_same_color_in_all() {
        let both = Figures::row([line("train").line("test", &[2.0, 3.0]), line("test")]).title("Both");
        let svg = both.svg().expect("draws");
        assert!(svg.contains(">Both</text>"));
        // The line and its place in the legend, in each figure.
        assert_eq!(svg.matches("stroke=\"#ff7f0e\"").count(), 4, "{svg}");
        assert_eq!(svg.matches("stroke=\"#1f77b4\"").count(), 2, "{svg}");
    }

    #[test]
    fn what_is_wrong_with_one_is_said() {
        let error = Figures::grid(1, 1).png().expect_err("nothing to draw").to_string();
        assert!(error.contains("add some with `.add(figure)`"), "{error}");
        let wrong = Figures::row([line("a"), Figure::new().x_range(2.0, 1.0)]);
        assert!(wrong.mime_bundle().plain().contains("an axis cannot go from 2 to 1"));
        assert_eq!(format!("{:?}", Figures::grid(1, 1).add(line("")).title("t")), "<1 figures: t>");
    }
}
