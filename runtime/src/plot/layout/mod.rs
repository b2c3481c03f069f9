//! Lays a figure out: how much room names and labels take, where the plot lies in between, and all its shapes.

use super::marks::{Frame, Heat, Layer, Shared, square_cell};
use super::write::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, Text, centered};
use super::{Figure, PlotError};
use crate::font;

pub(super) mod axis;
mod color_bar;
pub(super) mod colors;
pub(super) mod legend;
pub(in crate::plot) mod names;
pub(super) mod remarks;

use axis::{Axis, around};
use colors::Palette;
use legend::{Entries, Legend};
use names::{TICK, crisp, cut, labels, thin, ticks};

const TICK_LENGTH: f64 = 4.0;
/// Longer names on an axis are cut.
const LONGEST_NAME: f64 = 13.0;

pub(super) fn draw(figure: &Figure, within: Rect, palette: &mut Palette) -> Result<Vec<Shape>, PlotError> {
    figure.check()?;
    let classes = figure.layers.iter().filter_map(|layer| layer.mark.class().map(|class| class + 1));
    palette.begin(figure.layers.iter().map(|layer| layer.label.as_str()), classes.max().unwrap_or(0));
    // What has no place in the legend is as dark as text.
    let ink = |layer: &Layer| match (layer.mark.class(), layer.mark.swatch()) {
        (Some(class), _) => colors::of_class(class),
        (None, Some(_)) => palette.color(&layer.label),
        (None, None) => Ink::TEXT,
    };
    let layers: Vec<(&Layer, Ink)> = figure.layers.iter().zip(figure.layers.iter().map(ink)).collect();
    let entries = Entries::of(figure, &layers);
    let alone = figure.layers.iter().find_map(|layer| layer.mark.alone(figure, &within, &layers, &entries));
    if let Some(mut shapes) = alone {
        shapes.extend(remarks::shapes(figure, &within));
        return Ok(shapes);
    }
    let panel = Panel::of(figure, within);
    let outside = if figure.legend == Legend::Outside && !entries.is_empty() { entries.room() } else { 0.0 };
    let plan = panel.plan(outside);
    let data = panel.data(&plan, &layers);
    if entries.is_empty() {
        return Ok(panel.shapes(&plan, data, Vec::new()));
    }
    let plot = if figure.legend == Legend::Outside { panel.with_bar(plan.plot) } else { plan.plot };
    if let Some(at) = entries.place(figure.legend, &plot, &data) {
        return Ok(panel.shapes(&plan, data, entries.shapes(&at)));
    }
    // No corner is free: beside the plot, if that leaves enough of it.
    if plan.plot.width() - entries.room() > 0.6 * plan.plot.width() {
        let plan = panel.plan(entries.room());
        let data = panel.data(&plan, &layers);
        let legend = entries.place(Legend::Outside, &panel.with_bar(plan.plot), &[]).map(|at| entries.shapes(&at));
        return Ok(panel.shapes(&plan, data, legend.unwrap_or_default()));
    }
    let legend = entries.least(&plan.plot, &data).map(|at| entries.shapes(&at));
    Ok(panel.shapes(&plan, data, legend.unwrap_or_default()))
}

/// A figure and what is known of it before it has its place.
struct Panel<'a> {
    figure: &'a Figure,
    within: Rect,
    shared: Shared,
    /// In placed values: exponents of ten on logarithmic axes.
    x_range: (f64, f64),
    y_range: (f64, f64),
    whole_x: bool,
    /// Bars and areas begin at 0.
    stands: bool,
    /// Cells of a matrix: row 0 on top, and no lines behind them.
    cells: Option<(usize, usize)>,
    /// The axis of the bar of colors.
    bar: Option<Axis>,
}

/// Where everything lies.
struct Plan {
    plot: Rect,
    x_axis: Axis,
    y_axis: Axis,
    turned: bool,
    /// The height of the names on the x axis.
    names: f64,
    /// The width of the names on the y axis.
    numbers: f64,
}

impl<'a> Panel<'a> {
    fn of(figure: &'a Figure, within: Rect) -> Self {
        let shared = Shared::of(figure);
        let outlines = figure.layers.iter().flat_map(|layer| layer.mark.outline(figure, &shared));
        let points: Vec<Point> = outlines.map(|(x, y)| (figure.place_x(x), figure.place_y(y))).collect();
        let heat = figure.marks::<Heat>().next();
        let (filled, named) = (figure.any(|axes| axes.filled), figure.any(|axes| axes.named));
        let x_margin = if filled || named { 0.0 } else { 0.03 };
        // Each name has its place, also where the data do not reach it.
        let places =
            |names: &[String], log: bool| (0..if filled || log { 0 } else { names.len() }).map(|place| place as f64);
        let xs = points.iter().map(|(x, _)| *x).chain(places(&figure.x_names, figure.log_x));
        let x_range = match figure.x_range {
            Some((low, high)) => (figure.place_x(low), figure.place_x(high)),
            None if named => {
                let (low, high) = around(xs, 0.0);
                (low.min(-0.5) - 0.1, high.max(figure.x_names.len() as f64 - 0.5) + 0.1)
            }
            None => around(xs, x_margin),
        };
        let ys = points.iter().map(|(_, y)| *y).chain(places(&figure.y_names, figure.log_y));
        let stands = figure.any(|axes| axes.from_zero) && !figure.log_y;
        let y_range = match figure.y_range {
            Some((low, high)) => (figure.place_y(low), figure.place_y(high)),
            None => {
                let (lowest, highest) = around(ys.clone(), 0.0);
                let (low, high) = around(ys, if filled { 0.0 } else { 0.06 });
                // Bars stand on the axis.
                (if stands && lowest == 0.0 { 0.0 } else { low }, if stands && highest == 0.0 { 0.0 } else { high })
            }
        };
        let is_colored = figure.layers.iter().any(|layer| !layer.mark.colored().is_empty());
        let has_bar = (heat.is_some() || is_colored) && !figure.heat.without_bar;
        let bar = has_bar.then(|| Axis::linear(shared.heat_range, 6, false));
        Self {
            figure,
            within,
            x_range,
            y_range,
            stands,
            whole_x: points.iter().all(|(x, _)| !x.is_finite() || x.fract() == 0.0),
            cells: heat.filter(|heat| heat.over(figure).is_none()).map(|heat| (heat.grid.rows, heat.grid.columns)),
            bar,
            shared,
        }
    }

    /// The x axis for a plot of that width, and whether its names are turned.
    fn x_axis(&self, width: f64) -> (Axis, bool) {
        let figure = self.figure;
        if !figure.x_names.is_empty() {
            let (mut axis, room) = named(self.x_range, &figure.x_names, width);
            let turned = axis.widest_name() * TICK + 8.0 > room;
            if turned {
                thin(&mut axis, room * std::f64::consts::FRAC_1_SQRT_2, 1.15 * TICK);
            }
            return (axis, turned);
        }
        if let Some((_, columns)) = self.cells {
            let mut axis = numbered(self.x_range, columns);
            let widest = font::width("0") * TICK * columns.to_string().len() as f64;
            thin(&mut axis, width / columns.max(1) as f64, widest + 8.0);
            return (axis, false);
        }
        if figure.log_x {
            return (Axis::logarithmic(self.x_range), false);
        }
        let axis = |count| Axis::linear(self.x_range, count, self.whole_x);
        let count = width / (axis(9).widest_name() * TICK + 26.0);
        (axis((count as usize).clamp(2, 9)), false)
    }

    fn y_axis(&self, height: f64) -> Axis {
        let figure = self.figure;
        let axis = if !figure.y_names.is_empty() {
            let (mut axis, room) = named(self.y_range, &figure.y_names, height);
            thin(&mut axis, room, 1.15 * TICK);
            axis
        } else if let Some((rows, _)) = self.cells {
            let mut axis = numbered(self.y_range, rows);
            thin(&mut axis, height / rows.max(1) as f64, 1.5 * TICK);
            axis
        } else if figure.log_y {
            Axis::logarithmic(self.y_range)
        } else {
            Axis::linear(self.y_range, ((height / 36.0) as usize).clamp(2, 8), false)
        };
        if self.cells.is_some() { axis.reversed() } else { axis }
    }

    fn bar_room(&self) -> f64 {
        self.bar.as_ref().map_or(0.0, |axis| color_bar::room(axis, self.figure))
    }

    /// The plot with the bar of colors beside it.
    fn with_bar(&self, plot: Rect) -> Rect {
        Rect { right: plot.right + self.bar_room(), ..plot }
    }

    /// With that much room left on the right.
    fn plan(&self, right: f64) -> Plan {
        let figure = self.figure;
        let within = &self.within;
        let top = within.top + if figure.title.is_empty() { 12.0 } else { 36.0 };
        let right = within.right - 18.0 - right - self.bar_room();
        let x_label = if figure.x_label.is_empty() { 8.0 } else { 28.0 };
        let y_label = if figure.y_label.is_empty() { 10.0 } else { 30.0 };
        let mut names = TICK + 9.0;
        let mut left_of_names = 0.0;
        let mut plan = None;
        // The width decides whether names are turned, that the height, and that the numbers on the left: twice is
        // enough.
        for _ in 0..3 {
            let bottom = (within.bottom - x_label - names).max(top + 20.0);
            let y_axis = self.y_axis(bottom - top);
            let numbers = y_axis.widest_name() * TICK;
            let left = (within.left + y_label + numbers + TICK_LENGTH + 5.0).max(within.left + left_of_names);
            let plot = Rect::new(left.round(), top.round(), right.max(left + 20.0).round(), bottom.round());
            let plot = self.squared(plot);
            let (x_axis, turned) = self.x_axis(plot.width());
            if turned {
                let slope = std::f64::consts::FRAC_1_SQRT_2;
                names = x_axis.widest_name() * TICK * slope + TICK + 6.0;
                // A turned name begins to the left of its tick.
                let begins = |(place, name): &(f64, String)| {
                    font::width(name) * TICK * slope + 8.0 - x_axis.share(*place) * plot.width()
                };
                left_of_names = x_axis.ticks.iter().map(begins).fold(0.0, f64::max);
            }
            plan = Some(Plan { plot, x_axis, y_axis, turned, names, numbers });
        }
        plan.unwrap_or_else(|| unreachable!("the loop has three rounds"))
    }

    /// The plot with square cells, where it has some.
    fn squared(&self, plot: Rect) -> Rect {
        let Some((rows, columns)) = self.cells else { return plot };
        let Some(cell) = square_cell((rows, columns), (plot.width(), plot.height())) else { return plot };
        let (rows, columns) = (rows.max(1) as f64, columns.max(1) as f64);
        let cell = if cell > 8.0 { cell.floor() } else { cell };
        // What is left over goes to both sides.
        let left = (plot.left + (plot.width() - cell * columns) / 2.0).round();
        Rect::new(left, plot.top, left + cell * columns, plot.top + cell * rows)
    }

    fn data(&self, plan: &Plan, layers: &[(&Layer, Ink)]) -> Vec<Shape> {
        let Plan { plot, x_axis, y_axis, .. } = plan;
        data(&Frame { at: *plot, x_axis, y_axis, figure: self.figure, shared: &self.shared }, layers)
    }

    fn shapes(&self, plan: &Plan, data: Vec<Shape>, legend: Vec<Shape>) -> Vec<Shape> {
        let (figure, plot) = (self.figure, plan.plot);
        let mut shapes = self.grid(plan);
        // Half a dot at the rim is a dot.
        let clip = if self.cells.is_some() { plot } else { plot.grown(3.0) };
        shapes.push(Shape::Clipped { to: clip, shapes: data });
        shapes.extend(self.axes(plan));
        let middle = plot.left + plot.width() / 2.0;
        let beside = plot.left - TICK_LENGTH - 5.0 - plan.numbers - 9.0;
        let places = (middle, plot.bottom + plan.names + 13.0, beside);
        shapes.extend(labels(figure, &self.within, &plot, places));
        shapes.extend(self.bar.iter().flat_map(|axis| color_bar::shapes(axis, figure, &plot)));
        shapes.extend(legend);
        shapes
    }

    /// The lines behind the data.
    fn grid(&self, plan: &Plan) -> Vec<Shape> {
        if self.cells.is_some() {
            return Vec::new();
        }
        let plot = plan.plot;
        let stroke = Stroke::new(Ink::GRID, 1.0);
        let mut shapes = Vec::new();
        if self.figure.x_names.is_empty() {
            for x in ticks(&plan.x_axis).map(|(share, _)| crisp(plot.left + share * plot.width())) {
                shapes.push(Shape::Line { points: vec![(x, plot.top), (x, plot.bottom)], stroke });
            }
        }
        for y in ticks(&plan.y_axis).map(|(share, _)| crisp(plot.bottom - share * plot.height())) {
            shapes.push(Shape::Line { points: vec![(plot.left, y), (plot.right, y)], stroke });
        }
        shapes
    }

    fn axes(&self, plan: &Plan) -> Vec<Shape> {
        let plot = plan.plot;
        let stroke = Stroke::new(Ink::TEXT, 1.0);
        let line = |from: Point, to: Point| Shape::Line { points: vec![from, to], stroke };
        let (left, bottom) = (crisp(plot.left), crisp(plot.bottom));
        let mut shapes = Vec::new();
        if self.cells.is_none() {
            shapes.push(line((left, plot.top), (left, bottom)));
            shapes.push(line((left, bottom), (plot.right, bottom)));
            // What stands on 0 shows where that is.
            let zero = crisp(plot.bottom - plan.y_axis.share(0.0) * plot.height());
            if self.stands && zero < bottom && zero > plot.top {
                shapes.push(line((left, zero), (plot.right, zero)));
            }
        }
        for (share, name) in ticks(&plan.x_axis) {
            let x = crisp(plot.left + share * plot.width());
            shapes.push(line((x, bottom), (x, bottom + TICK_LENGTH)));
            let mut text = centered((x, bottom + TICK_LENGTH + 9.0), name, TICK, Anchor::Middle);
            if plan.turned {
                let at = (x + 4.0, bottom + TICK_LENGTH + 9.0);
                text = Text { at, turn: -45.0, anchor: Anchor::End, ..text };
            }
            shapes.push(text.into());
        }
        for (share, name) in ticks(&plan.y_axis) {
            let y = crisp(plot.bottom - share * plot.height());
            shapes.push(line((left - TICK_LENGTH, y), (left, y)));
            shapes.push(centered((left - TICK_LENGTH - 4.0, y), name, TICK, Anchor::End).into());
        }
        shapes
    }
}

/// What the marks draw, with remarks on what they do not show.
pub(super) fn data(frame: &Frame<'_>, layers: &[(&Layer, Ink)]) -> Vec<Shape> {
    let drawn = layers.iter().flat_map(|(layer, ink)| layer.mark.shapes(frame, &layer.label, *ink));
    drawn.chain(remarks::shapes(frame.figure, &frame.at)).collect()
}

/// A tick with each name on an axis of that length, and how far apart these are.
fn named(range: (f64, f64), names: &[String], length: f64) -> (Axis, f64) {
    let names: Vec<String> = names.iter().map(|name| cut(name, LONGEST_NAME)).collect();
    let axis = Axis::named(range, &names);
    let room = length * (axis.share(1.0) - axis.share(0.0)).abs();
    (axis, room)
}

/// A tick with its number at each of 0, 1, 2...
fn numbered(range: (f64, f64), count: usize) -> Axis {
    let names: Vec<String> = (0..count).map(|place| place.to_string()).collect();
    Axis::named(range, &names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan_of(figure: &Figure) -> Plan {
        let (width, height) = figure.pixels();
        Panel::of(figure, Rect::new(0.0, 0.0, f64::from(width), f64::from(height))).plan(0.0)
    }

    #[test]
    fn a_legend_outside_stands_beyond_the_bar_of_colors() {
        let values = [[0.0, 1.0], [1.0, 2.0]];
        let figure = Figure::new().contour(&[0, 1], &[0, 1], &values).line_xy("path", &[0.0, 1.0], &[0.0, 1.0]);
        let svg = figure.legend(Legend::Outside).svg().expect("draws");
        let x = |text: &str| {
            let before = svg.split(&format!(">{text}</text>")).next()?;
            before.rsplit("<text").next()?.split("x=\"").nth(1)?.split('"').next()?.parse::<f64>().ok()
        };
        let (path, number) = (x("path").expect("a legend"), x("1.5").expect("a number of the bar"));
        assert!(path > number + 20.0, "{path} {number}");
    }

    #[test]
    fn names_that_do_not_fit_side_by_side_are_turned_and_then_left_out() {
        let names = |count: usize| (0..count).map(|at| format!("a long name {at}")).collect::<Vec<_>>();
        let bars = |count: usize| plan_of(&Figure::new().bar("", &names(count), &vec![1.0; count]));
        assert!(!bars(3).turned && bars(20).turned);
        assert_eq!(bars(20).x_axis.ticks.len(), 20);
        assert!(bars(200).x_axis.ticks.len() < 45, "{:?}", bars(200).x_axis.ticks);
    }

    #[test]
    fn names_that_the_data_do_not_reach_have_a_place() {
        let figure = Figure::new().line("", &[0.0, 1.0]).x_names(&["a", "b", "c"]).y_names(&["low", "high", "top"]);
        let plan = plan_of(&figure);
        let shown = |axis: &Axis| ticks(axis).map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(shown(&plan.x_axis), ["a", "b", "c"]);
        assert_eq!(shown(&plan.y_axis), ["low", "high", "top"]);
        assert_eq!(shown(&plan_of(&figure.x_range(0.0, 1.0)).x_axis), ["a", "b"]);
    }

    #[test]
    fn all_names_lie_within_the_figure() {
        let names =
            ["the first of the long names", "b", "c", "d", "e", "f", "g", "h", "i", "the last of the long names"];
        let figure = Figure::new().bar("", &names, &[1e-7; 10]).x_label("x").y_label("y").title("t");
        let shapes = draw(&figure, Rect::new(0.0, 0.0, 640.0, 400.0), &mut Palette::default()).expect("draws");
        let mut texts = 0;
        for shape in &shapes {
            let Shape::Text(text) = shape else { continue };
            texts += 1;
            let (sin, cos) = text.turn.to_radians().sin_cos();
            for along in [text.start(), text.start() + text.width] {
                let (x, y) = (text.at.0 + along * cos, text.at.1 + along * sin);
                assert!((0.0..=640.0).contains(&x) && (0.0..=400.0).contains(&y), "{text:?} reaches {x}, {y}");
            }
        }
        assert!(texts > 12, "{texts}");
    }

    #[test]
    fn cells_are_square() {
        let plan = plan_of(&Figure::new().heat_map(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
        assert!((plan.plot.width() / 3.0 - plan.plot.height() / 2.0).abs() < 1e-9, "{:?}", plan.plot);
        let strip = plan_of(&Figure::new().heat_map(&[vec![1.0; 40]]));
        assert!(strip.plot.width() > 400.0);
    }

    #[test]
    fn bars_stand_on_the_axis() {
        let figure = |values: &[f64]| Figure::new().bar("", &["a", "b"], values);
        let range = |values: &[f64]| Panel::of(&figure(values), Rect::new(0.0, 0.0, 640.0, 400.0)).y_range;
        assert_eq!(range(&[1.0, 2.0]).0, 0.0);
        assert_eq!(range(&[-1.0, -2.0]).1, 0.0);
        assert!(range(&[-1.0, 2.0]).0 < -1.0);
    }

    #[test]
    fn logarithmic_axes_place_powers_at_equal_distances() {
        let figure = Figure::new().line_xy("", &[1.0, 10.0, 100.0], &[1e-3, 1e-2, 1e-1]).log_x().log_y();
        let plan = plan_of(&figure);
        let shared = Shared::of(&figure);
        let frame =
            Frame { at: plan.plot, x_axis: &plan.x_axis, y_axis: &plan.y_axis, figure: &figure, shared: &shared };
        assert!((frame.x(10.0) - (frame.x(1.0) + frame.x(100.0)) / 2.0).abs() < 1e-6);
        assert!((frame.y(1e-2) - (frame.y(1e-3) + frame.y(1e-1)) / 2.0).abs() < 1e-6);
        assert!(frame.x(0.0).is_nan());
        assert_eq!(plan.x_axis.ticks.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["1", "10", "100"]);
    }
}
