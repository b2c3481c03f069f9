//! Decision boundaries: which class a model gives each point of a plane.

use std::sync::Arc;

use tch::{Kind, Tensor};

use super::super::layout::axis::around;
use super::super::layout::colors;
use super::super::numbers::Numbers;
use super::super::write::scene::{Ink, Pixels, Point, Shape, picture};
use super::lines::{Series, Style};
use super::{Axes, Figure, Frame, Layer, Mark, PlotError, Shared, Span, heat};
use crate::modes::no_grad;

/// How many points the model is asked about, in each direction.
const COLUMNS: i64 = 240;
const ROWS: i64 = 160;

/// A picture behind the data.
#[derive(Debug)]
pub(super) struct Field {
    pixels: Arc<Pixels>,
    over: Span,
}

impl Figure {
    /// Colors the plane behind the points by the class that a model gives each place. The colors are those of
    /// [`Figure::scatter_by_class`]; the surer the model, the stronger.
    ///
    /// The model takes `[N, 2]` float32 on the CPU. It returns scores of the classes `[N, C]`, of which the greatest is
    /// the class and the softmax is how sure it is; or one score for each point, `[N]` or `[N, 1]` floats, class 1
    /// where it is above 0; or the classes themselves, `[N]` integers. The plane is what [`Figure::x_range`] and
    /// [`Figure::y_range`] say or what the points that are in the figure already take, so add these before.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (xs, ys, classes) = ([-1.0, 1.0, 0.5], [0.0, 0.2, -0.5], [0, 1, 1]);
    /// let vs = nn::VarStore::new(Device::Cpu);
    /// let net = nn::linear(vs.root(), 2, 2, Default::default());
    /// let figure = Figure::new().scatter_by_class(&xs, &ys, &classes);
    /// let figure = figure.decision_boundary(&|points| net.forward(points));
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn decision_boundary(self, model: &dyn Fn(&Tensor) -> Tensor) -> Self {
        self.attempt(|figure| {
            let has_points = figure.surrounded().next().is_some();
            if !has_points && (figure.x_range.is_none() || figure.y_range.is_none()) {
                return Err(PlotError::counts(
                    "a decision boundary covers the plane of the points that are in the figure: add them before it, or set \
                     `x_range` and `y_range` first",
                ));
            }
            let over = figure.plane();
            let pixels = no_grad(|| classes(&over, model))?.into();
            figure.layers.insert(0, Layer::new("", Field { pixels, over }));
            Ok(())
        })
    }

    /// The points that the plane lies behind.
    fn surrounded(&self) -> impl Iterator<Item = &Series> {
        self.marks::<Series>().filter(|series| matches!(series.style, Style::Line | Style::Points(_)))
    }

    /// What the ranges or the points of the figure take, with a margin.
    fn plane(&self) -> Span {
        let points = || self.surrounded().flat_map(Series::points);
        let range = |given: Option<(f64, f64)>, values: (f64, f64)| given.unwrap_or(values);
        Span {
            x: range(self.x_range, around(points().map(|(x, _)| x), 0.08)),
            y: range(self.y_range, around(points().map(|(_, y)| y), 0.08)),
        }
    }
}

impl Mark for Field {
    fn axes(&self) -> Axes {
        Axes { filled: true, ..Axes::default() }
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        self.over.corners()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        vec![heat::field(frame, &self.pixels, self.over)]
    }
}

/// A pixel for each point, the first row on top.
fn classes(over: &Span, model: &dyn Fn(&Tensor) -> Tensor) -> Result<Pixels, PlotError> {
    let points = COLUMNS * ROWS;
    let along =
        |(low, high): (f64, f64), count: i64, place: i64| low + (high - low) * (place as f64 + 0.5) / count as f64;
    let mut places = Vec::with_capacity(2 * points as usize);
    for row in 0..ROWS {
        for column in 0..COLUMNS {
            places.push(along(over.x, COLUMNS, column) as f32);
            places.push(along(over.y, ROWS, ROWS - 1 - row) as f32);
        }
    }
    let answer = model(&Tensor::from_slice(&places).view([points, 2]));
    let shape = answer.size();
    let is_float = matches!(answer.kind(), Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16);
    let sure: Vec<(usize, f64)> = match shape[..] {
        [count] | [count, 1] if count == points => {
            let sure = |value: f64| match is_float {
                true => (usize::from(value > 0.0), (value / 2.0).tanh().abs()),
                false => (value.max(0.0) as usize, 0.5),
            };
            answer.numbers().into_iter().map(sure).collect()
        }
        [count, classes] if count == points && classes > 1 => {
            let shares = answer.to_kind(Kind::Double).softmax(-1, None::<Kind>);
            let (most, class) = shares.max_dim(-1, false);
            let chance = 1.0 / classes as f64;
            let sure = most.numbers().into_iter().map(|share| (share - chance) / (1.0 - chance));
            class.numbers().into_iter().map(|class| class as usize).zip(sure).collect()
        }
        _ => return Err(PlotError::Classes { points, shape }),
    };
    let pixel = |x: u32, y: u32| {
        let (class, sure) = sure[(y * COLUMNS as u32 + x) as usize];
        let Ink { rgb, .. } = colors::of_class(class);
        let strength = 0.14 + 0.3 * if sure.is_finite() { sure } else { 0.0 };
        rgb.map(|value| (255.0 - strength * (255.0 - f64::from(value))).round() as u8)
    };
    Ok(picture(COLUMNS as u32, ROWS as u32, pixel))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(model: &dyn Fn(&Tensor) -> Tensor) -> Pixels {
        classes(&Span { x: (-1.0, 1.0), y: (-1.0, 1.0) }, model).expect("classes")
    }

    fn pixel(pixels: &Pixels, x: u32, y: u32) -> &[u8] {
        &pixels.rgba[4 * (y * pixels.width + x) as usize..][..4]
    }

    /// Which of blue (class 0) and orange (class 1) a pixel has more of.
    fn class(pixels: &Pixels, x: u32, y: u32) -> usize {
        let pixel = pixel(pixels, x, y);
        usize::from(pixel[0] > pixel[2])
    }

    #[test]
    fn the_plane_is_colored_by_what_the_model_says() {
        // Class 1 where y is above 0: at the top of the picture.
        let scores = |points: &Tensor| points.select(1, 1);
        let logits = |points: &Tensor| Tensor::stack(&[-points.select(1, 1), points.select(1, 1)], 1);
        let labels = |points: &Tensor| points.select(1, 1).gt(0.0).to_kind(Kind::Int64);
        let models: [&dyn Fn(&Tensor) -> Tensor; 4] =
            [&scores, &logits, &labels, &|points| scores(points).unsqueeze(1)];
        for model in models {
            let pixels = drawn(model);
            assert_eq!((class(&pixels, 120, 2), class(&pixels, 120, 157)), (1, 0));
            assert_eq!((class(&pixels, 5, 79), class(&pixels, 5, 80)), (1, 0));
        }
    }

    #[test]
    fn the_surer_the_model_the_stronger_the_color() {
        let pixels = drawn(&|points| points.select(1, 0) * 5.0);
        assert!(pixel(&pixels, 239, 0)[2] < pixel(&pixels, 125, 0)[2]);
    }

    #[test]
    fn the_plane_is_that_of_the_points() {
        let figure = Figure::new().scatter("", &[0.0, 100.0], &[0.0, 1.0]).y_range(-5.0, 5.0);
        assert_eq!(figure.plane(), Span { x: (-8.0, 108.0), y: (-5.0, 5.0) });
        assert!(figure.decision_boundary(&|points| points.select(1, 0)).png().is_ok());
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error() {
        let nowhere = Figure::new().decision_boundary(&|points| points.select(1, 0)).scatter("", &[1.0], &[1.0]);
        assert!(nowhere.svg().expect_err("no plane").to_string().contains("add them before it"));
        let plane = Figure::new().x_range(0.0, 1.0).y_range(0.0, 1.0);
        let figure = plane.decision_boundary(&|points| points.sum(None::<Kind>));
        let error = figure.svg().expect_err("no figure").to_string();
        assert!(error.contains("each of 38400 points, not a tensor of shape []"), "{error}");
    }
}
