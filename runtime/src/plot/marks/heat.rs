//! Heat maps: a matrix as colors; and two kinds of it, confusion matrices and attention maps.

use std::sync::Arc;

use super::super::layout::axis::around;
use super::super::layout::colors::ColorMap;
use super::super::layout::legend::room_beside;
use super::super::numbers::{Grid, Matrix, Numbers};
use super::super::write::scene::{Anchor, Ink, Pixels, Point, Rect, Shape, Text, centered, picture};
use super::{Axes, Figure, Frame, LeftOut, Mark, PlotError, Shared, Span, names_fit};

/// More cells than that are drawn as one picture.
const MOST_RECTANGLES: usize = 2500;

/// A matrix as colors.
#[derive(Debug)]
pub(crate) struct Heat {
    pub(in crate::plot) grid: Grid,
    /// The area that it covers, row 0 at the bottom; else the cells stand at the whole numbers, row 0 on top.
    pub(in crate::plot) over: Option<Span>,
}

/// How heat maps are drawn.
#[derive(Debug, Clone, Default)]
pub(in crate::plot) struct HeatStyle {
    /// As it was chosen; otherwise that of the kind of matrix.
    pub(in crate::plot) map: Option<ColorMap>,
    /// That of the kind of matrix.
    pub(super) usual: ColorMap,
    pub(in crate::plot) range: Option<(f64, f64)>,
    /// The values are written into the cells.
    pub(in crate::plot) annotated: bool,
    /// The cells of each row add up to 1.
    pub(in crate::plot) shares: bool,
    pub(in crate::plot) without_bar: bool,
    pub(in crate::plot) bar_label: String,
    /// The area that a matrix covers: y from its last to its first row.
    pub(in crate::plot) extent: Option<Span>,
}

impl HeatStyle {
    pub(in crate::plot) fn color_map(&self) -> ColorMap {
        self.map.unwrap_or(self.usual)
    }
}

impl Figure {
    /// Adds a matrix as colors, row 0 on top, with a bar that says which value is which. Rows and columns are called
    /// by [`Figure::y_names`] and [`Figure::x_names`].
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// use oxtorch::plot::ColorMap;
    /// let correlations = [[1.0, 0.3, -0.8], [0.3, 1.0, 0.1], [-0.8, 0.1, 1.0]];
    /// let names = ["age", "weight", "speed"];
    /// let figure = Figure::new()
    ///     .heat_map(&correlations)
    ///     .x_names(&names)
    ///     .y_names(&names)
    ///     .colors(ColorMap::Diverging)
    ///     .annotate();
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn heat_map(self, matrix: &(impl Matrix + ?Sized)) -> Self {
        self.attempt(|figure| {
            figure.add("", Heat { grid: matrix.matrix()?, over: None });
            Ok(())
        })
    }

    /// Adds a confusion matrix: how often class `row` was taken for class `column`, as scikit-learn has it.
    /// [`Figure::shares`] shows shares of each row.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let counts = [[48, 2, 0], [3, 44, 3], [0, 5, 45]];
    /// let figure = Figure::new().confusion(&counts, &["setosa", "versicolor", "virginica"]).shares();
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn confusion<S: ToString>(self, matrix: &(impl Matrix + ?Sized), names: &[S]) -> Self {
        self.attempt(|figure| figure.add_confusion(matrix.matrix()?, names.iter().map(S::to_string).collect()))
    }

    /// Counts how often each of the classes in `targets` was predicted as each in `predictions`, and adds the
    /// [confusion matrix](Figure::confusion). Predictions come first, as in [`metrics`](crate::metrics).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (predictions, targets) = (Tensor::from_slice(&[0i64, 1, 1, 1]), [0, 0, 1, 1]);
    /// assert!(Figure::new().confusion_counted(&predictions, &targets, &["cat", "dog"]).png().is_ok());
    /// ```
    pub fn confusion_counted<S: ToString>(
        self,
        predictions: &(impl Numbers + ?Sized),
        targets: &(impl Numbers + ?Sized),
        names: &[S],
    ) -> Self {
        let names: Vec<String> = names.iter().map(S::to_string).collect();
        self.attempt(|figure| {
            let counted = count_pairs(&targets.numbers(), &predictions.numbers(), names.len())?;
            figure.add_confusion(counted, names)
        })
    }

    /// Adds the weights of an attention, `[queries, keys]`, with the tokens along both axes.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let weights = [[0.9, 0.1], [0.4, 0.6]];
    /// assert!(Figure::new().attention(&weights, &["Hello", "world"], &["Bonjour", "monde"]).png().is_ok());
    /// ```
    pub fn attention<Q: ToString, K: ToString>(
        self,
        weights: &(impl Matrix + ?Sized),
        queries: &[Q],
        keys: &[K],
    ) -> Self {
        self.attempt(|figure| {
            let queries = queries.iter().map(Q::to_string).collect();
            figure.add_attention(weights.matrix()?, queries, keys.iter().map(K::to_string).collect())
        })
    }

    /// The colors of heat maps.
    pub fn colors(mut self, map: ColorMap) -> Self {
        self.heat.map = Some(map);
        self
    }

    /// The values that have the first and the last color of a heat map. By default the lowest and highest value.
    pub fn color_range(mut self, low: f64, high: f64) -> Self {
        self.heat.range = Some((low, high));
        self
    }

    /// Leaves out the bar of colors beside a heat map.
    pub fn without_color_bar(mut self) -> Self {
        self.heat.without_bar = true;
        self
    }

    /// What the values of a heat map are, with their unit: stands beside the bar of colors.
    pub fn color_label(mut self, label: impl Into<String>) -> Self {
        self.heat.bar_label = label.into();
        self
    }

    /// Writes the values into the cells of a heat map and onto bars, where there is room.
    pub fn annotate(mut self) -> Self {
        self.heat.annotated = true;
        self
    }

    /// Divides each row of a heat map by its sum.
    pub fn shares(mut self) -> Self {
        self.heat.shares = true;
        self
    }

    /// The area that a heat map or a [`picture`](Figure::picture) covers, in units of the axes, as Matplotlib's
    /// `extent`: its columns go from `left` to `right`, its rows from `top`, where row 0 is, to `bottom`. With it a
    /// picture has axes.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let potential = Tensor::rand([40, 60], (Kind::Float, Device::Cpu));
    /// let figure = Figure::new().heat_map(&potential).extent(-3.0, 3.0, -2.0, 2.0).x_label("x [m]").y_label("y [m]");
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn extent(self, left: f64, right: f64, bottom: f64, top: f64) -> Self {
        self.attempt(|figure| {
            for (low, high) in [(left, right), (bottom.min(top), bottom.max(top))] {
                if !(low < high && (high - low).is_finite()) {
                    return Err(PlotError::Range { low, high });
                }
            }
            figure.heat.extent = Some(Span { x: (left, right), y: (bottom, top) });
            Ok(())
        })
    }

    fn add_confusion(&mut self, grid: Grid, names: Vec<String>) -> Result<(), PlotError> {
        let (rows, columns, count) = (grid.rows, grid.columns, names.len());
        if (rows, columns) != (count, count) {
            return Err(PlotError::counts(format!(
                "a confusion matrix of {rows} by {columns} and {count} names: each class is a row and a column"
            )));
        }
        (self.heat.annotated, self.heat.usual) = (true, ColorMap::Blues);
        self.label_axes("predicted", "true");
        self.add_named(grid, names.clone(), names)
    }

    fn add_attention(&mut self, grid: Grid, queries: Vec<String>, keys: Vec<String>) -> Result<(), PlotError> {
        let (rows, columns) = (grid.rows, grid.columns);
        if (rows, columns) != (queries.len(), keys.len()) {
            let (queries, keys) = (queries.len(), keys.len());
            return Err(PlotError::counts(format!(
                "weights of {rows} by {columns}, {queries} queries and {keys} keys: they are [queries, keys]"
            )));
        }
        self.heat.range.get_or_insert((0.0, 1.0));
        self.label_axes("key", "query");
        self.add_named(grid, queries, keys)
    }

    /// Adds a matrix whose rows and columns have names, if the axes have no others.
    fn add_named(&mut self, grid: Grid, rows: Vec<String>, columns: Vec<String>) -> Result<(), PlotError> {
        self.name_x("the columns of the matrix", columns)?;
        if !self.y_names.is_empty() && self.y_names != rows {
            return Err(PlotError::counts("the rows of the matrix have other names than the y axis has already"));
        }
        self.y_names = rows;
        self.add("", Heat { grid, over: None });
        Ok(())
    }
}

fn count_pairs(targets: &[f64], predictions: &[f64], classes: usize) -> Result<Grid, PlotError> {
    if targets.len() != predictions.len() {
        let (targets, predictions) = (targets.len(), predictions.len());
        return Err(PlotError::counts(format!(
            "{targets} targets and {predictions} predictions: each sample has both"
        )));
    }
    let mut grid = Grid { rows: classes, columns: classes, values: vec![0.0; classes * classes] };
    for (target, prediction) in targets.iter().zip(predictions) {
        for class in [target, prediction] {
            if class.fract() != 0.0 || !(0.0..classes as f64).contains(class) {
                return Err(PlotError::counts(format!(
                    "class {class} has no name: the {classes} names are of classes 0, 1, 2..."
                )));
            }
        }
        grid.values[*target as usize * classes + *prediction as usize] += 1.0;
    }
    Ok(grid)
}

/// The values as they are shown.
fn shown(grid: &Grid, style: &HeatStyle) -> Grid {
    let mut grid = grid.clone();
    if style.shares && grid.columns > 0 {
        for row in grid.values.chunks_mut(grid.columns) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value = if sum == 0.0 { 0.0 } else { *value / sum });
        }
    }
    grid
}

/// The values of the first and the last color.
pub(in crate::plot) fn range(figure: &Figure) -> (f64, f64) {
    let style = &figure.heat;
    if let Some((low, high)) = style.range {
        return (low, high);
    }
    if style.shares {
        return (0.0, 1.0);
    }
    let (low, high) = around(figure.layers.iter().flat_map(|layer| layer.mark.colored().iter().copied()), 0.0);
    // Counts begin at 0.
    let low = if style.color_map() == ColorMap::Blues && low > 0.0 { 0.0 } else { low };
    style.color_map().range((low, high))
}

/// The side of the squares that cells are within a plot; `None` if that would leave a strip.
pub(in crate::plot) fn square_cell(cells: (usize, usize), within: (f64, f64)) -> Option<f64> {
    let (rows, columns) = (cells.0.max(1), cells.1.max(1));
    let is_strip = rows > 3 * columns || columns > 3 * rows;
    (!is_strip).then(|| (within.0 / columns as f64).min(within.1 / rows as f64))
}

impl Mark for Heat {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        if figure.marks::<Self>().count() > 1 {
            return Err(PlotError::counts(
                "two matrices in one figure: the second would cover the first; `Figures::row([a, b])` puts two figures side by side",
            ));
        }
        if self.over(figure).is_some() {
            return Ok(());
        }
        names_fit("x", &figure.x_names, "columns", self.grid.columns)?;
        names_fit("y", &figure.y_names, "rows", self.grid.rows)
    }

    fn axes(&self) -> Axes {
        Axes { filled: true, ..Axes::default() }
    }

    fn outline(&self, figure: &Figure, _shared: &Shared) -> Vec<Point> {
        self.span(figure).corners()
    }

    fn colored(&self) -> &[f64] {
        &self.grid.values
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        let (style, range) = (&frame.figure.heat, frame.shared.heat_range);
        let grid = shown(&self.grid, style);
        if grid.values.is_empty() {
            return Vec::new();
        }
        let color = |value: f64| style.color_map().color((value - range.0) / (range.1 - range.0));
        let over = self.over(frame.figure);
        if over.is_some() || grid.values.len() > MOST_RECTANGLES {
            let (columns, rows) = (grid.columns as u32, grid.rows as u32);
            let is_turned = self.over.is_some() || over.is_some_and(|over| over.y.1 < over.y.0);
            let pixels = picture(columns, rows, |x, y| {
                let row = if is_turned { rows - 1 - y } else { y };
                color(grid.at(row as usize, x as usize)).rgb
            });
            return vec![field(frame, &Arc::new(pixels), self.span(frame.figure))];
        }
        let mut shapes = Vec::new();
        let cells = (0..grid.rows).flat_map(|row| (0..grid.columns).map(move |column| (row, column)));
        let decimals = decimals(&grid.values);
        let written: Vec<String> = grid.values.iter().map(|value| written(*value, decimals)).collect();
        let widest = written.iter().map(|text| crate::font::width(text)).fold(0.0, f64::max);
        for (row, column) in cells {
            let (x, y) = (column as f64, row as f64);
            // Whole pixels: otherwise the seams between cells show.
            let ((left, top), (right, bottom)) = (frame.point((x - 0.5, y - 0.5)), frame.point((x + 0.5, y + 0.5)));
            let at = Rect::new(left.round(), top.round(), right.round(), bottom.round());
            let ink = color(grid.at(row, column));
            shapes.push(Shape::Rect { at, ink });
            let size = (0.86 * at.width() / widest.max(0.1)).min(0.6 * at.height()).min(14.0);
            if style.annotated && size >= 6.0 {
                let text = written[row * grid.columns + column].clone();
                let middle = ((at.left + at.right) / 2.0, (at.top + at.bottom) / 2.0);
                let letters = if ink.brightness() < 0.55 { Ink::WHITE } else { Ink::TEXT };
                shapes.push(Text { ink: letters.on_data(), ..centered(middle, text, size, Anchor::Middle) }.into());
            }
        }
        shapes
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        LeftOut::of_values(&self.grid.values)
    }

    fn natural_size(&self, figure: &Figure) -> Option<(u32, u32)> {
        let grid = &self.grid;
        if self.over(figure).is_some() {
            return None;
        }
        if square_cell((grid.rows, grid.columns), (1.0, 1.0)).is_none() {
            return Some(super::super::SIZE);
        }
        let cell = if figure.heat.annotated { 46 } else { 26 };
        let size = |cells: usize| (cells.min(100) as u32 * cell).clamp(300, 640);
        let (width, height) = (size(grid.columns), size(grid.rows));
        let ratio = grid.rows.max(1) as f64 / grid.columns.max(1) as f64;
        // The room for names and the bar of colors is about the same for all.
        let height = if ratio < 1.0 { (f64::from(width) * ratio) as u32 } else { height }.max(180);
        Some((width + 170 + room_beside(figure) as u32, height + 100))
    }
}

impl Heat {
    /// The area that it covers, unless its cells stand at the whole numbers.
    pub(in crate::plot) fn over(&self, figure: &Figure) -> Option<Span> {
        self.over.or(figure.heat.extent)
    }

    /// A cell reaches half a unit around its place.
    fn span(&self, figure: &Figure) -> Span {
        let ends = |cells: usize| (-0.5, cells.max(1) as f64 - 0.5);
        self.over(figure).unwrap_or_else(|| Span { x: ends(self.grid.columns), y: ends(self.grid.rows) })
    }
}

/// A picture over an area of the plot.
pub(in crate::plot) fn field(frame: &Frame<'_>, pixels: &Arc<Pixels>, over: Span) -> Shape {
    let (x, y) = ((frame.x(over.x.0), frame.x(over.x.1)), (frame.y(over.y.0), frame.y(over.y.1)));
    let at = Rect::new(x.0.min(x.1), y.0.min(y.1), x.0.max(x.1), y.0.max(y.1));
    Shape::Picture { at, pixels: Arc::clone(pixels) }
}

/// As many as tell the values apart, two at most.
pub(in crate::plot) fn decimals(values: &[f64]) -> usize {
    let near = |value: f64| (value - value.round()).abs() < 1e-6;
    let whole = |scale: f64| values.iter().all(|value| !value.is_finite() || near(value * scale));
    if whole(1.0) {
        0
    } else if whole(10.0) {
        1
    } else {
        2
    }
}

pub(in crate::plot) fn written(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        String::new()
    } else if value.abs() >= 1e5 {
        format!("{value:.1e}")
    } else {
        // No "-0.00".
        let text = format!("{value:.decimals$}");
        if text.trim_start_matches('-').chars().all(|char| matches!(char, '0' | '.')) {
            text.trim_start_matches('-').to_owned()
        } else {
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn pairs_are_counted_as_scikit_learn_counts_them() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/plot.json"));
        let (targets, predictions) =
            (reference.numbers("/confusion/targets"), reference.numbers("/confusion/predictions"));
        let grid = count_pairs(&targets, &predictions, 3).expect("counts");
        assert_eq!(grid.values, reference.numbers("/confusion/counts"));
        let style = HeatStyle { shares: true, ..HeatStyle::default() };
        for (actual, expected) in shown(&grid, &style).values.iter().zip(reference.numbers("/confusion/shares")) {
            assert!((actual - expected).abs() < 1e-12, "{actual}, {expected}");
        }
    }

    #[test]
    fn cells_have_the_colors_of_their_values_and_row_0_is_on_top() {
        let figure = Figure::new().heat_map(&[[0.0, 1.0], [1.0, 1.0]]).colors(ColorMap::Gray).without_color_bar();
        let svg = figure.svg().expect("draws");
        let first = svg.find("fill=\"#000000\"").expect("a black cell");
        assert_eq!(svg.matches("fill=\"#000000\"").count(), 1);
        let value = |name: &str| {
            let text = svg[..first].rsplit(&format!(" {name}=\"")).next()?;
            text.split('"').next()?.parse::<f64>().ok()
        };
        assert!(value("y").is_some_and(|y| y < 40.0) && value("x").is_some_and(|x| x < 300.0), "{svg}");
    }

    #[test]
    fn values_are_written_with_the_digits_that_they_need() {
        for (values, decimals_of, text) in [
            (vec![1.0, 200.0], 0, "1"),
            (vec![0.5, 1.0], 1, "0.5"),
            (vec![1.0 / 3.0], 2, "0.33"),
            (vec![-0.001], 2, "0.00"),
            (vec![1_234_567.0], 0, "1.2e6"),
            (vec![f64::NAN], 0, ""),
        ] {
            assert_eq!(decimals(&values), decimals_of, "{values:?}");
            assert_eq!(written(values[0], decimals_of), text);
        }
        let svg = Figure::new().confusion(&[[3, 1], [0, 4]], &["cat", "dog"]).shares().svg().expect("draws");
        for text in [">0.75<", ">0.25<", ">1.00<", ">predicted<", ">true<", ">dog<"] {
            assert!(svg.contains(text), "{text} in {svg}");
        }
    }

    #[test]
    fn a_large_matrix_is_one_picture() {
        let matrix = vec![vec![0.5; 100]; 100];
        let svg = Figure::new().heat_map(&matrix).svg().expect("draws");
        assert!(svg.contains("<image") && svg.len() < 60_000, "{} bytes", svg.len());
    }

    #[test]
    fn an_extent_gives_a_matrix_and_a_picture_axes() {
        let matrix = [[0.0, 1.0], [2.0, 3.0]];
        let svg = |figure: Figure| figure.svg().expect("draws");
        let heat = svg(Figure::new().heat_map(&matrix).extent(-30.0, 30.0, 0.0, 200.0));
        assert!(heat.contains(">-20</text>") && heat.contains(">150</text>") && heat.contains("<image"), "{heat}");
        let turned = svg(Figure::new().heat_map(&matrix).extent(-30.0, 30.0, 200.0, 0.0));
        assert_ne!(heat, turned);
        let tensor = tch::Tensor::zeros([10, 20], (tch::Kind::Float, tch::Device::Cpu));
        let picture = crate::picture::image(&tensor).expect("a picture");
        let placed = Figure::new().picture(&picture).extent(0.0, 5.0, -1.0, 1.0).line_xy("", &[1.0], &[0.0]);
        assert!(svg(placed).contains(">0.5</text>"));
        let error = Figure::new().heat_map(&matrix).extent(1.0, 1.0, 0.0, 1.0).svg().expect_err("no figure");
        assert!(error.to_string().contains("from 1 to 1"), "{error}");
        let idle = Figure::new().line("", &[1.0, 2.0]).extent(0.0, 1.0, 0.0, 1.0);
        assert!(idle.remarks()[0].contains("`extent` has no effect without"));
    }

    #[test]
    fn names_that_do_not_fit_are_refused() {
        let cases = [
            (Figure::new().confusion(&[[1, 2], [3, 4]], &["a"]), "2 by 2 and 1 names"),
            (Figure::new().attention(&[[1.0, 0.0]], &["q"], &["k"]), "1 by 2, 1 queries and 1 keys"),
            (Figure::new().confusion_counted(&[0], &[0, 1], &["a", "b"]), "2 targets and 1 predictions"),
            (Figure::new().confusion_counted(&[0, 1], &[0, 2], &["a", "b"]), "class 2 has no name"),
            (Figure::new().confusion_counted(&[0.0], &[0.5], &["a", "b"]), "class 0.5 has no name"),
        ];
        for (figure, expected) in cases {
            let error = figure.svg().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
