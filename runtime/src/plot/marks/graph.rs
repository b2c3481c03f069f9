//! Graphs: nodes and the edges between them.

use std::f64::consts::TAU;

use super::super::layout::colors::of_class;
use super::super::layout::legend::{Entries, Legend, Swatch};
use super::super::layout::names::title_of;
use super::super::numbers::{Matrix, Numbers};
use super::super::write::scene::{Anchor, Ink, Point, Rect, Shape, Stroke, Text, centered};
use super::annotations::readable;
use super::plane::arrow;
use super::{Figure, Frame, Layer, Mark, PlotError, Shared};

const EDGE: Ink = Ink::of_page(170, 170, 170);
const SIZE: f64 = 11.0;
/// How many pairs of nodes the spring layout moves at most.
const MOST_PAIRS: usize = 200_000_000;

/// Where the nodes of a [`Graph`] stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum GraphLayout {
    /// Edges pull, and all nodes push each other away (T. M. J. Fruchterman and E. M. Reingold, Graph drawing by
    /// force-directed placement, 1991). The same graph has the same picture each time.
    #[default]
    Spring,
    /// On a circle, in their order.
    Circular,
}

/// A graph to be drawn by [`Figure::graph`].
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::plot::{Graph, GraphLayout};
/// let edges = [[0, 1], [1, 2], [2, 0], [2, 3]];
/// let graph = Graph::new(4, &edges).layout(GraphLayout::Circular).labels(&["a", "b", "c", "d"]).directed();
/// assert!(Figure::new().graph(&graph).png().is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct Graph {
    nodes: usize,
    edges: Result<Vec<(usize, usize)>, PlotError>,
    layout: GraphLayout,
    places: Option<(Vec<f64>, Vec<f64>)>,
    labels: Vec<String>,
    classes: Vec<f64>,
    is_directed: bool,
}

impl Graph {
    /// Of so many nodes, from 0, and edges `[E, 2]` or, as PyTorch Geometric's `edge_index`, `[2, E]`.
    pub fn new(nodes: usize, edges: &(impl Matrix + ?Sized)) -> Self {
        Self {
            nodes,
            edges: read_edges(nodes, edges),
            layout: GraphLayout::default(),
            places: None,
            labels: Vec::new(),
            classes: Vec::new(),
            is_directed: false,
        }
    }

    /// How nodes find their places. Default: springs.
    pub fn layout(mut self, layout: GraphLayout) -> Self {
        self.layout = layout;
        self
    }

    /// Puts each node where one knows it to be, such as at its embedding.
    pub fn positions(mut self, xs: &(impl Numbers + ?Sized), ys: &(impl Numbers + ?Sized)) -> Self {
        self.places = Some((xs.numbers(), ys.numbers()));
        self
    }

    /// A label for each node; an empty one is none.
    pub fn labels<S: ToString>(mut self, labels: &[S]) -> Self {
        self.labels = labels.iter().map(S::to_string).collect();
        self
    }

    /// A class for each node, from 0, which decides its color. [`Figure::class_names`] names them in the legend.
    pub fn classes(mut self, classes: &(impl Numbers + ?Sized)) -> Self {
        self.classes = classes.numbers();
        self
    }

    /// Draws edges as arrows from their first to their second node.
    pub fn directed(mut self) -> Self {
        self.is_directed = true;
        self
    }

    /// The nodes' classes, if there is one for each.
    fn checked_classes(&self) -> Result<Vec<usize>, PlotError> {
        if let Some(class) = self.classes.iter().find(|class| class.fract() != 0.0 || !(0.0..1e6).contains(*class)) {
            return Err(PlotError::counts(format!("{class} is not a class: classes are whole numbers from 0")));
        }
        Ok(self.classes.iter().map(|class| *class as usize).collect())
    }

    fn checked(&self) -> Result<Nodes, PlotError> {
        let edges = self.edges.clone()?;
        let classes = self.checked_classes()?;
        let (xs, ys) = self.places.as_ref().map_or((self.nodes, self.nodes), |(xs, ys)| (xs.len(), ys.len()));
        let or_none = |count: usize| if count == 0 { self.nodes } else { count };
        for (count, what) in [
            (or_none(self.labels.len()), "labels"),
            (or_none(classes.len()), "classes"),
            (xs, "x values"),
            (ys, "y values"),
        ] {
            if count != self.nodes {
                return Err(PlotError::counts(format!("{count} {what} for {} nodes: each node needs one", self.nodes)));
            }
        }
        let places = match (&self.places, self.layout) {
            (Some((xs, ys)), _) => xs.iter().zip(ys).map(|(x, y)| (*x, -*y)).collect(),
            (None, GraphLayout::Circular) => circle(self.nodes),
            (None, GraphLayout::Spring) => springs(self.nodes, &edges),
        };
        Ok(Nodes { places, edges, labels: self.labels.clone(), classes, is_directed: self.is_directed })
    }
}

fn read_edges(nodes: usize, edges: &(impl Matrix + ?Sized)) -> Result<Vec<(usize, usize)>, PlotError> {
    let grid = edges.matrix()?;
    let node = |value: f64| {
        let is_node = value.fract() == 0.0 && (0.0..nodes as f64).contains(&value);
        if is_node {
            Ok(value as usize)
        } else {
            Err(PlotError::counts(format!("an edge names node {value}; there are {nodes}, from 0")))
        }
    };
    let pairs: Vec<(f64, f64)> = match (grid.rows, grid.columns) {
        (count, 2) => (0..count).map(|edge| (grid.at(edge, 0), grid.at(edge, 1))).collect(),
        (2, count) => (0..count).map(|edge| (grid.at(0, edge), grid.at(1, edge))).collect(),
        (0, _) | (_, 0) => Vec::new(),
        (rows, columns) => {
            return Err(PlotError::counts(format!("edges of {rows} by {columns}: they are [edges, 2] or [2, edges]")));
        }
    };
    pairs.into_iter().map(|(from, to)| Ok((node(from)?, node(to)?))).collect()
}

impl Figure {
    /// Draws nodes and edges, without axes.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// use oxtorch::plot::Graph;
    /// let club = karate_club();
    /// let graph = Graph::new(club.nodes() as usize, &club.edges).classes(&club.labels);
    /// let figure = Figure::new().title("Karate club").graph(&graph).class_names(&club.classes);
    /// assert!(figure.png().is_ok());
    /// ```
    pub fn graph(self, graph: &Graph) -> Self {
        self.attempt(|figure| {
            let nodes = graph.checked()?;
            let mut classes = nodes.classes.clone();
            classes.sort_unstable();
            classes.dedup();
            figure.add("", nodes);
            classes.into_iter().for_each(|class| figure.add("", Class(class)));
            Ok(())
        })
    }
}

/// A graph whose nodes have found their places, y downwards.
#[derive(Debug)]
struct Nodes {
    places: Vec<Point>,
    edges: Vec<(usize, usize)>,
    labels: Vec<String>,
    classes: Vec<usize>,
    is_directed: bool,
}

/// The place of a class in the legend.
#[derive(Debug)]
struct Class(usize);

impl Mark for Class {
    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        Vec::new()
    }

    fn shapes(&self, _frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        Vec::new()
    }

    fn swatch(&self) -> Option<Swatch> {
        Some(Swatch::Dot)
    }

    fn class(&self) -> Option<usize> {
        Some(self.0)
    }
}

impl Mark for Nodes {
    fn check(&self, _label: &str, figure: &Figure) -> Result<(), PlotError> {
        let is_other = |layer: &Layer| layer.of::<Class>().is_none();
        if figure.layers.iter().filter(|layer| is_other(layer)).count() > 1 {
            return Err(PlotError::counts(
                "a graph is alone in its figure; `Figures::row([a, b])` puts two figures side by side",
            ));
        }
        Ok(())
    }

    fn outline(&self, _figure: &Figure, _shared: &Shared) -> Vec<Point> {
        Vec::new()
    }

    fn shapes(&self, _frame: &Frame<'_>, _label: &str, _ink: Ink) -> Vec<Shape> {
        Vec::new()
    }

    fn alone(&self, figure: &Figure, within: &Rect, _: &[(&Layer, Ink)], entries: &Entries) -> Option<Vec<Shape>> {
        let top = within.top + if figure.title.is_empty() { 0.0 } else { 28.0 };
        let room = Rect::new(within.left, top, within.right, within.bottom);
        let mut shapes = self.drawn(&room);
        let at = match figure.legend {
            Legend::Auto | Legend::Outside => entries
                .place(Legend::Auto, &room, &shapes)
                .or_else(|| entries.place(Legend::UpperRight, &room, &shapes)),
            chosen => entries.place(chosen, &room, &shapes),
        };
        shapes.extend(at.filter(|_| !entries.is_empty()).map(|at| entries.shapes(&at)).unwrap_or_default());
        let middle = within.left + within.width() / 2.0;
        shapes.extend(title_of(&figure.title, middle, within.top + 20.0, within.width()));
        Some(shapes)
    }

    fn natural_size(&self, _figure: &Figure) -> Option<(u32, u32)> {
        Some((640, 480))
    }
}

impl Nodes {
    fn drawn(&self, room: &Rect) -> Vec<Shape> {
        let radius = (0.25 * (room.width() * room.height() / self.places.len().max(1) as f64).sqrt()).clamp(2.5, 11.0);
        let places = placed(&self.places, &room.grown(-2.5 * radius - 8.0));
        let edges = self.edges.iter().flat_map(|(from, to)| self.edge(places[*from], places[*to], radius));
        let mut shapes: Vec<Shape> = edges.collect();
        for (node, at) in places.iter().enumerate().filter(|(_, at)| at.0.is_finite() && at.1.is_finite()) {
            let ink = of_class(self.classes.get(node).copied().unwrap_or(0));
            shapes.push(Shape::Dot { at: *at, radius: radius + 1.2, ink: Ink::WHITE });
            shapes.push(Shape::Dot { at: *at, radius, ink });
            shapes.extend(self.labels.get(node).into_iter().flat_map(|label| label_of(*at, label, radius)));
        }
        shapes
    }

    fn edge(&self, from: Point, to: Point, radius: f64) -> Vec<Shape> {
        let (right, down) = (to.0 - from.0, to.1 - from.1);
        let length = right.hypot(down);
        if !length.is_finite() || length < 2.0 * radius {
            return Vec::new();
        }
        if !self.is_directed {
            return vec![Shape::Line { points: vec![from, to], stroke: Stroke::new(EDGE, 1.2) }];
        }
        let share = 1.0 - (radius + 2.0) / length;
        arrow(from, (right * share, down * share), EDGE)
    }
}

/// In the node if there is room, else beside it.
fn label_of(at: Point, label: &str, radius: f64) -> Vec<Shape> {
    let inside = centered(at, label, SIZE, Anchor::Middle);
    if inside.width < 2.0 * radius - 2.0 {
        return vec![Text { ink: Ink::WHITE.on_data(), ..inside }.into()];
    }
    readable(centered((at.0 + radius + 4.0, at.1), label, SIZE, Anchor::Start)).collect()
}

/// Places in pixels, with the proportions that they have.
fn placed(places: &[Point], room: &Rect) -> Vec<Point> {
    let finite = || places.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    let ends = |of: fn(&Point) -> f64| {
        finite().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)))
    };
    let (x, y) = (ends(|at| at.0), ends(|at| at.1));
    let scale = (room.width() / (x.1 - x.0).max(1e-9)).min(room.height() / (y.1 - y.0).max(1e-9)).max(0.0);
    let middle = ((x.0 + x.1) / 2.0, (y.0 + y.1) / 2.0);
    let (across, down) = ((room.left + room.right) / 2.0, (room.top + room.bottom) / 2.0);
    // One node, or all at one place, stand in the middle.
    let at = |value: f64, middle: f64, to: f64| if value == middle { to } else { to + (value - middle) * scale };
    places.iter().map(|(x, y)| (at(*x, middle.0, across), at(*y, middle.1, down))).collect()
}

/// The first node on the right, and on against the clock.
fn circle(nodes: usize) -> Vec<Point> {
    let angle = |node: usize| TAU * node as f64 / nodes as f64;
    (0..nodes).map(|node| (angle(node).cos(), -angle(node).sin())).collect()
}

/// Fruchterman's and Reingold's layout, which begins with the circle.
fn springs(nodes: usize, edges: &[(usize, usize)]) -> Vec<Point> {
    let mut places = circle(nodes);
    let steps = (MOST_PAIRS / (nodes * nodes).max(1)).clamp(10, 400);
    // Nodes that are as far apart neither come nearer nor part, if an edge joins them.
    let distance = 2.0 / (nodes.max(1) as f64).sqrt();
    for step in 0..steps {
        let mut moves = vec![(0.0, 0.0); nodes];
        let mut pull = |a: usize, b: usize, force: &dyn Fn(f64) -> f64| {
            let (x, y) = (places[b].0 - places[a].0, places[b].1 - places[a].1);
            let apart = x.hypot(y).max(1e-6);
            let force = force(apart) / apart;
            moves[a] = (moves[a].0 + x * force, moves[a].1 + y * force);
            moves[b] = (moves[b].0 - x * force, moves[b].1 - y * force);
        };
        for a in 0..nodes {
            (a + 1..nodes).for_each(|b| pull(a, b, &|apart| -distance * distance / apart));
        }
        edges.iter().filter(|(a, b)| a != b).for_each(|(a, b)| pull(*a, *b, &|apart| apart * apart / distance));
        let most = 0.2 * (1.0 - step as f64 / steps as f64);
        for ((x, y), (right, down)) in places.iter_mut().zip(moves) {
            // Parts that no edge joins would drift apart.
            let (right, down) = (right - *x * distance, down - *y * distance);
            let length = right.hypot(down).max(1e-9);
            let share = length.min(most) / length;
            (*x, *y) = (*x + right * share, *y + down * share);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(places: &[Point], a: usize, b: usize) -> f64 {
        (places[a].0 - places[b].0).hypot(places[a].1 - places[b].1)
    }

    #[test]
    fn springs_bring_neighbours_together_and_part_the_others() {
        // Two triangles, of even and of odd nodes, and an edge between them.
        let edges = [(0, 2), (2, 4), (4, 0), (1, 3), (3, 5), (5, 1), (0, 1)];
        let places = springs(6, &edges);
        let within = edges[..6].iter().map(|(a, b)| apart(&places, *a, *b)).fold(0.0, f64::max);
        let between =
            [(2, 3), (4, 5), (2, 5), (4, 3)].iter().map(|(a, b)| apart(&places, *a, *b)).fold(f64::MAX, f64::min);
        assert!(within < between, "{within} {between}: {places:?}");
        assert_eq!(places, springs(6, &edges));
        assert_eq!(springs(0, &[]), []);
        assert!(springs(1, &[(0, 0)])[0].0.is_finite());
    }

    #[test]
    fn a_graph_has_an_edge_for_each_pair_and_a_dot_for_each_node() {
        let graph = Graph::new(3, &[[0, 1], [1, 2], [0, 2]]).layout(GraphLayout::Circular);
        let svg = |graph: &Graph| Figure::new().title("t").graph(graph).svg().expect("draws");
        assert_eq!((svg(&graph).matches("<polyline").count(), svg(&graph).matches("<circle").count()), (3, 6));
        let labelled = svg(&graph.clone().labels(&["x", "a longer name", ""]).directed());
        assert!(labelled.contains(">x</text>") && labelled.contains(">a longer name</text>"), "{labelled}");
        assert_eq!(labelled.matches("<polygon").count(), 3);
        let index = Graph::new(3, &tch::Tensor::from_slice2(&[[0i64, 1, 0], [1, 2, 2]])).layout(GraphLayout::Circular);
        assert_eq!(svg(&index), svg(&graph));
        assert!(Figure::new().graph(&Graph::new(0, &Vec::<Vec<i64>>::new())).png().is_ok());
        assert!(Figure::new().graph(&Graph::new(2, &[[0, 1]]).positions(&[0.0, 0.0], &[f64::NAN, 1.0])).png().is_ok());
    }

    #[test]
    fn classes_have_their_colors_and_names() {
        let graph = Graph::new(3, &[[0, 1]]).classes(&[1, 0, 1]);
        let svg = Figure::new().graph(&graph).class_names(&["a", "b"]).svg().expect("draws");
        assert!(svg.contains(">a</text>") && svg.contains(">b</text>"), "{svg}");
        assert!(svg.contains("#ff7f0e") && svg.contains("#1f77b4"));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let edges = [[0, 1]];
        let cases = [
            (Figure::new().graph(&Graph::new(1, &edges)), "names node 1; there are 1"),
            (Figure::new().graph(&Graph::new(2, &edges).labels(&["a"])), "1 labels for 2 nodes"),
            (Figure::new().graph(&Graph::new(2, &edges).classes(&[0.5, 0.0])), "0.5 is not a class"),
            (Figure::new().graph(&Graph::new(2, &edges).positions(&[0.0], &[0.0, 1.0])), "1 x values for 2 nodes"),
            (Figure::new().graph(&Graph::new(9, &[[0, 1, 2]; 3])), "edges of 3 by 3"),
            (Figure::new().graph(&Graph::new(2, &edges)).line("", &[1.0]), "alone in its figure"),
        ];
        for (figure, expected) in cases {
            let error = figure.svg().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
