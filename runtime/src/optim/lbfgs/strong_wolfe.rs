//! The length of a step that lowers a function enough, and at which it is flat enough: the strong Wolfe conditions (J.
//! Nocedal and S. Wright, Numerical optimization, 2006, chapter 3.5), as PyTorch searches for it.

use tch::Tensor;

/// Of the slope at the beginning, by which a function must fall at least.
const ENOUGH: f64 = 1e-4;
/// Of the slope at the beginning, which may be left.
const FLAT: f64 = 0.9;

/// What a function is after a step of some length.
#[derive(Debug)]
pub(super) struct Point {
    pub(super) length: f64,
    pub(super) value: f64,
    pub(super) gradient: Tensor,
    /// In the direction of the step.
    pub(super) slope: f64,
}

/// The conditions for a point, given the one at which the step begins.
struct Conditions {
    value: f64,
    slope: f64,
}

impl Conditions {
    fn is_too_high(&self, point: &Point) -> bool {
        point.value > self.value + ENOUGH * point.length * self.slope
    }

    fn is_flat(&self, point: &Point) -> bool {
        point.slope.abs() <= -FLAT * self.slope
    }
}

/// Two points with a good one between them, and which of both is lower.
struct Bracket {
    ends: [Point; 2],
    low: usize,
}

impl Bracket {
    fn new(ends: [Point; 2]) -> Self {
        let low = usize::from(ends[0].value > ends[1].value);
        Self { ends, low }
    }

    fn lowest(self) -> Point {
        let [first, second] = self.ends;
        if self.low == 0 { first } else { second }
    }

    fn from(&self) -> f64 {
        self.ends[0].length.min(self.ends[1].length)
    }

    fn to(&self) -> f64 {
        self.ends[0].length.max(self.ends[1].length)
    }

    /// Puts a point in the place of one of both.
    fn narrow(&mut self, point: Point, conditions: &Conditions) {
        let high = 1 - self.low;
        if conditions.is_too_high(&point) || point.value >= self.ends[self.low].value {
            self.ends[high] = point;
            self.low = usize::from(self.ends[0].value > self.ends[1].value);
            return;
        }
        let is_past = point.slope * (self.ends[high].length - self.ends[self.low].length) >= 0.0;
        if !conditions.is_flat(&point) && is_past {
            // The lower one becomes the higher one.
            self.ends.swap(0, 1);
        }
        self.ends[self.low] = point;
    }
}

/// Searches from `start` on, with a first length, by a function that evaluates a length: at most `most` further times,
/// until the lengths differ by less than `smallest`. Gives the point and how many were evaluated.
pub(super) fn strong_wolfe(
    at: &mut dyn FnMut(f64) -> Point,
    start: Point,
    length: f64,
    smallest: f64,
    most: usize,
) -> (Point, usize) {
    let conditions = Conditions { value: start.value, slope: start.slope };
    let origin = Point { gradient: start.gradient.shallow_clone(), ..start };
    let (mut before, mut point, mut rounds) = (start, at(length), 0);
    let mut bracket = loop {
        if rounds == most {
            return (Bracket::new([origin, point]).lowest(), rounds + 1);
        }
        let is_higher = rounds > 1 && point.value >= before.value;
        if conditions.is_too_high(&point) || is_higher {
            break Bracket::new([before, point]);
        }
        if conditions.is_flat(&point) {
            return (point, rounds + 1);
        }
        if point.slope >= 0.0 {
            break Bracket::new([before, point]);
        }
        let bounds = (point.length + 0.01 * (point.length - before.length), point.length * 10.0);
        let next = cubic_minimum(&before, &point, bounds);
        before = std::mem::replace(&mut point, at(next));
        rounds += 1;
    };
    let mut was_near_an_end = false;
    while rounds < most && bracket.to() - bracket.from() >= smallest {
        let next = cubic_minimum(&bracket.ends[0], &bracket.ends[1], (bracket.from(), bracket.to()));
        let point = at(away_from_ends(next, &bracket, &mut was_near_an_end));
        rounds += 1;
        let is_found = !conditions.is_too_high(&point)
            && point.value < bracket.ends[bracket.low].value
            && conditions.is_flat(&point);
        bracket.narrow(point, &conditions);
        if is_found {
            break;
        }
    }
    (bracket.lowest(), rounds + 1)
}

/// A length near an end of a bracket makes it hardly smaller: the second time, or at the end itself, one that is a
/// tenth of the bracket away is taken instead.
fn away_from_ends(length: f64, bracket: &Bracket, was_near_an_end: &mut bool) -> f64 {
    let (from, to) = (bracket.from(), bracket.to());
    let margin = 0.1 * (to - from);
    let is_near = (to - length).min(length - from) < margin;
    let moves = is_near && (*was_near_an_end || length >= to || length <= from);
    *was_near_an_end = is_near && !moves;
    match moves {
        false => length,
        true if (length - to).abs() < (length - from).abs() => to - margin,
        true => from + margin,
    }
}

/// Where the cubic through two points with these slopes is lowest, within bounds; their middle where it has no minimum.
fn cubic_minimum(a: &Point, b: &Point, (from, to): (f64, f64)) -> f64 {
    let (a, b) = if a.length <= b.length { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.length - b.length);
    let square = d1 * d1 - a.slope * b.slope;
    if square < 0.0 {
        return (from + to) / 2.0;
    }
    let d2 = square.sqrt();
    let share = (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2);
    (b.length - (b.length - a.length) * share).max(from).min(to)
}
