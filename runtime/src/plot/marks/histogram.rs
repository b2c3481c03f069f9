//! Histograms: how many values lie in each of a row of bins.

use super::super::numbers::Numbers;
use super::super::write::scene::{Ink, Point, Rect, Shape};
use super::boxes::percentile;
use super::{Axes, Figure, Frame, LeftOut, Mark, Shared, Swatch};

/// More are not told apart.
const MOST_BINS: usize = 1000;

/// Values to be counted.
#[derive(Debug)]
pub(crate) struct Histogram(Vec<f64>);

/// How many values lie in each of `bins` bins of equal width, and the edges of these, as NumPy counts: a bin holds its
/// lower edge and not its upper one, but for the last, which holds both. Values that are not finite are not counted.
///
/// ```
/// use oxtorch::plot::histogram;
/// let (counts, edges) = histogram(&[0.0, 0.5, 1.0, 1.5, 2.0], 2);
/// assert_eq!((counts, edges), (vec![2, 3], vec![0.0, 1.0, 2.0]));
/// ```
///
/// # Panics
///
/// Where `bins` is 0.
pub fn histogram(values: &(impl Numbers + ?Sized), bins: usize) -> (Vec<u64>, Vec<f64>) {
    assert!(bins > 0, "a histogram of 0 bins: take at least 1");
    let values = values.numbers();
    let edges = edges(&values, Some(bins));
    (counts(&values, &edges), edges)
}

impl Figure {
    /// Adds a histogram. The bins, which [`Figure::bins`] sets the number of, are the same for all histograms of a
    /// figure, so that their heights compare.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let weights = Tensor::randn([1000], (Kind::Float, Device::Cpu));
    /// let figure = Figure::new().histogram("before", &weights).histogram("after", &(weights * 0.5 + 1.0)).bins(40);
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn histogram(self, label: impl Into<String>, values: &(impl Numbers + ?Sized)) -> Self {
        self.with(label, Histogram(values.numbers()))
    }

    /// The number of bins of histograms. By default as many as NumPy chooses for `bins="auto"`.
    pub fn bins(mut self, bins: usize) -> Self {
        self.bins = Some(bins.clamp(1, MOST_BINS));
        self
    }

    /// Scales each histogram to an area of 1, so that samples of different size compare.
    pub fn density(mut self) -> Self {
        self.density = true;
        self
    }
}

/// The edges of the bins over all histograms of a figure.
pub(super) fn shared_edges(figure: &Figure) -> Vec<f64> {
    let values: Vec<f64> = figure.marks::<Histogram>().flat_map(|histogram| &histogram.0).copied().collect();
    edges(&values, figure.bins)
}

fn edges(values: &[f64], bins: Option<usize>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let (mut low, mut high) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(1.0));
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let bins = bins.unwrap_or_else(|| bins_for(&sorted));
    let step = (high - low) / bins as f64;
    let inner = (0..bins).map(|edge| low + step * edge as f64);
    inner.chain([high]).collect()
}

/// NumPy's choice: the finer of the rules of Sturges and of Freedman and Diaconis, but no bins that hold hardly a
/// value.
fn bins_for(sorted: &[f64]) -> usize {
    let (Some(low), Some(high)) = (sorted.first(), sorted.last()) else { return 10 };
    let (count, range) = (sorted.len() as f64, high - low);
    let sturges = range / (count.log2() + 1.0);
    let spread = percentile(sorted, 0.75) - percentile(sorted, 0.25);
    let freedman_diaconis = (2.0 * spread / count.cbrt()).max(range / count.sqrt() / 2.0);
    let mut width = freedman_diaconis.min(sturges);
    if sorted.iter().all(|value| value.fract() == 0.0) {
        width = width.max(1.0);
    }
    if width > 0.0 { ((range / width).ceil() as usize).clamp(1, MOST_BINS) } else { 1 }
}

fn counts(values: &[f64], edges: &[f64]) -> Vec<u64> {
    let bins = edges.len() - 1;
    let (low, high) = (edges[0], edges[bins]);
    let mut counts = vec![0; bins];
    for value in values.iter().filter(|value| (low..=high).contains(*value)) {
        // Rounding can put a value that lies at an edge into the bin beside its own.
        let mut bin = (((value - low) / (high - low) * bins as f64) as usize).min(bins - 1);
        if *value < edges[bin] {
            bin -= 1;
        } else if bin + 1 < bins && *value >= edges[bin + 1] {
            bin += 1;
        }
        counts[bin] += 1;
    }
    counts
}

fn heights(values: &[f64], edges: &[f64], density: bool) -> Vec<f64> {
    let counts = counts(values, edges);
    let all = counts.iter().sum::<u64>().max(1) as f64;
    let height = |(bin, count): (usize, u64)| {
        if density { count as f64 / all / (edges[bin + 1] - edges[bin]) } else { count as f64 }
    };
    counts.into_iter().enumerate().map(height).collect()
}

impl Mark for Histogram {
    fn axes(&self) -> Axes {
        Axes { from_zero: true, ..Axes::default() }
    }

    fn outline(&self, figure: &Figure, shared: &Shared) -> Vec<Point> {
        let tops = heights(&self.0, &shared.edges, figure.density);
        let bins = shared.edges.windows(2).zip(tops);
        bins.flat_map(|(bin, top)| [(bin[0], 0.0), (bin[1], top)]).collect()
    }

    fn shapes(&self, frame: &Frame<'_>, _label: &str, ink: Ink) -> Vec<Shape> {
        let ink = ink.mix(if frame.figure.marks::<Self>().count() > 1 { 0.5 } else { 0.85 });
        let base = frame.base();
        let edges = &frame.shared.edges;
        let tops = heights(&self.0, edges, frame.figure.density);
        let mut shapes = Vec::new();
        for (bin, top) in edges.windows(2).zip(tops) {
            let (left, right, top) = (frame.x(bin[0]), frame.x(bin[1]), frame.y(top));
            if top.is_finite() && left.is_finite() && top < base {
                // A gap tells bins apart where there is room for one.
                let gap = if right - left > 6.0 { 0.5 } else { 0.0 };
                shapes.push(Shape::Rect { at: Rect::new(left + gap, top, right - gap, base), ink });
            }
        }
        shapes
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Square(0.6))
    }

    fn left_out(&self, _figure: &Figure) -> LeftOut {
        LeftOut::of_values(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn counts_and_edges_are_those_of_numpy() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/plot.json"));
        for name in ["normal", "grid", "skewed", "whole", "constant"] {
            let values = reference.numbers(&format!("/histogram/{name}/values"));
            for (bins, given) in [("seven", Some(7)), ("auto", None)] {
                let edges = edges(&values, given);
                let expected = reference.numbers(&format!("/histogram/{name}/{bins}/edges"));
                assert_eq!(edges.len(), expected.len(), "{name}, {bins}");
                let far = edges.iter().zip(&expected).any(|(edge, expected)| (edge - expected).abs() > 1e-9);
                assert!(!far, "{name}, {bins}: {edges:?}, {expected:?}");
                let counted: Vec<f64> = counts(&values, &edges).into_iter().map(|count| count as f64).collect();
                assert_eq!(counted, reference.numbers(&format!("/histogram/{name}/{bins}/counts")), "{name}, {bins}");
            }
            let edges = edges(&values, Some(7));
            let expected = reference.numbers(&format!("/histogram/{name}/density"));
            for (height, expected) in heights(&values, &edges, true).iter().zip(expected) {
                assert!((height - expected).abs() < 1e-9, "{name}: {height}, {expected}");
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_not_counted() {
        let (counts, edges) = histogram(&[f64::NAN, 1.0, 2.0, f64::INFINITY], 2);
        assert_eq!((counts, edges), (vec![1, 1], vec![1.0, 1.5, 2.0]));
        assert_eq!(histogram(&Vec::<f64>::new(), 2).0, [0, 0]);
    }

    #[test]
    #[should_panic(expected = "a histogram of 0 bins")]
    fn no_bins_are_refused() {
        let _ = histogram(&[1.0], 0);
    }

    #[test]
    fn histograms_of_one_figure_share_their_bins() {
        let figure = Figure::new().histogram("a", &[0.0, 1.0]).histogram("b", &[4.0]).bins(4);
        assert_eq!(shared_edges(&figure), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert!(figure.svg().expect("draws").contains("fill-opacity=\"0.5\""), "they are translucent");
    }
}
