//! Lines along which a function has one value, by marching squares (W. E. Lorensen and H. E. Cline, Marching cubes,
//! 1987).

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::write::scene::Point;
use super::Lattice;

/// An edge of a cell: from a place to the next one along x, or along y.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    row: usize,
    column: usize,
    along_x: bool,
}

/// The lines, each from one end to the other or closed.
pub(super) fn isolines(lattice: &Lattice, level: f64) -> Vec<Vec<Point>> {
    let mut next: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
    for row in 0..lattice.grid.rows - 1 {
        for column in 0..lattice.grid.columns - 1 {
            for (a, b) in crossings(lattice, level, row, column) {
                next.entry(a).or_default().push(b);
                next.entry(b).or_default().push(a);
            }
        }
    }
    // What has an end begins there; what is left is closed.
    let ends = next.iter().filter(|(_, beside)| beside.len() == 1).map(|(edge, _)| *edge);
    let starts: Vec<Edge> = ends.chain(next.keys().copied()).collect();
    let mut seen: BTreeSet<Edge> = BTreeSet::new();
    let mut lines = Vec::new();
    for start in starts {
        let mut line = Vec::new();
        let mut at = Some(start).filter(|start| !seen.contains(start));
        let mut last = start;
        while let Some(edge) = at {
            seen.insert(edge);
            line.push(crossing(lattice, level, edge));
            last = edge;
            at = next[&edge].iter().copied().find(|beside| !seen.contains(beside));
        }
        if line.len() > 2 && next[&last].contains(&start) {
            line.push(line[0]);
        }
        if line.len() > 1 {
            lines.push(line);
        }
    }
    lines
}

/// Which edges of a cell a line joins.
fn crossings(lattice: &Lattice, level: f64, row: usize, column: usize) -> Vec<(Edge, Edge)> {
    let at = |row, column| lattice.grid.at(row, column);
    // Around the cell, from the place of the lowest x and y.
    let corners = [at(row, column), at(row, column + 1), at(row + 1, column + 1), at(row + 1, column)];
    if !corners.iter().all(|value| value.is_finite()) {
        return Vec::new();
    }
    let edges = [
        Edge { row, column, along_x: true },
        Edge { row, column: column + 1, along_x: false },
        Edge { row: row + 1, column, along_x: true },
        Edge { row, column, along_x: false },
    ];
    let is_above = corners.map(|value| value >= level);
    let crossed: Vec<Edge> =
        (0..4).filter(|side| is_above[*side] != is_above[(side + 1) % 4]).map(|side| edges[side]).collect();
    match crossed[..] {
        [a, b] => vec![(a, b)],
        // Two corners that are across are above: which belong together, the middle says.
        [a, b, c, d] => {
            let is_middle_above = corners.iter().sum::<f64>() / 4.0 >= level;
            if is_middle_above == is_above[0] { vec![(a, b), (c, d)] } else { vec![(d, a), (b, c)] }
        }
        _ => Vec::new(),
    }
}

/// Where an edge has the value.
fn crossing(lattice: &Lattice, level: f64, Edge { row, column, along_x }: Edge) -> Point {
    let from = lattice.grid.at(row, column);
    let (x, y) = (lattice.xs[column], lattice.ys[row]);
    if along_x {
        let share = (level - from) / (lattice.grid.at(row, column + 1) - from);
        (x + (lattice.xs[column + 1] - x) * share, y)
    } else {
        let share = (level - from) / (lattice.grid.at(row + 1, column) - from);
        (x, y + (lattice.ys[row + 1] - y) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattice(count: usize, function: impl Fn(f64, f64) -> f64) -> Lattice {
        let places: Vec<f64> = (0..count).map(|place| 4.0 * place as f64 / (count - 1) as f64 - 2.0).collect();
        let values: Vec<Vec<f64>> = places.iter().map(|y| places.iter().map(|x| function(*x, *y)).collect()).collect();
        Lattice::new("", &places, &places, &values).expect("fits")
    }

    #[test]
    fn a_circle_is_one_closed_line() {
        let lines = isolines(&lattice(41, |x, y| x * x + y * y), 1.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        assert!(lines[0].iter().all(|(x, y)| (x.hypot(*y) - 1.0).abs() < 2e-3));
    }

    #[test]
    fn lines_that_leave_the_plane_are_open_and_a_saddle_has_two() {
        let plane = isolines(&lattice(11, |x, _| x), 0.5);
        assert_eq!(plane.len(), 1);
        assert!(plane[0].iter().all(|(x, _)| (x - 0.5).abs() < 1e-12));
        assert_eq!((plane[0][0].1.abs(), plane[0].len()), (2.0, 11));
        for level in [-0.3, 0.3] {
            let saddle = isolines(&lattice(12, |x, y| x * y), level);
            assert_eq!(saddle.len(), 2, "{level}: {saddle:?}");
            assert!(saddle.iter().flatten().all(|(x, y)| (x * y - level).abs() < 0.05));
        }
        assert!(isolines(&lattice(5, |_, _| f64::NAN), 0.0).is_empty());
        assert!(isolines(&lattice(5, |x, _| x), 9.0).is_empty());
    }
}
