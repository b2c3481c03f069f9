//! Zachary's karate club, the first graph that everybody meets.

use tch::{Kind, Tensor};

/// Who met whom outside the club; node 0 is the instructor, node 33 the club's president.
const EDGES: [(i64, i64); 78] = [
    (0, 1),
    (0, 2),
    (0, 3),
    (0, 4),
    (0, 5),
    (0, 6),
    (0, 7),
    (0, 8),
    (0, 10),
    (0, 11),
    (0, 12),
    (0, 13),
    (0, 17),
    (0, 19),
    (0, 21),
    (0, 31),
    (1, 2),
    (1, 3),
    (1, 7),
    (1, 13),
    (1, 17),
    (1, 19),
    (1, 21),
    (1, 30),
    (2, 3),
    (2, 7),
    (2, 8),
    (2, 9),
    (2, 13),
    (2, 27),
    (2, 28),
    (2, 32),
    (3, 7),
    (3, 12),
    (3, 13),
    (4, 6),
    (4, 10),
    (5, 6),
    (5, 10),
    (5, 16),
    (6, 16),
    (8, 30),
    (8, 32),
    (8, 33),
    (9, 33),
    (13, 33),
    (14, 32),
    (14, 33),
    (15, 32),
    (15, 33),
    (18, 32),
    (18, 33),
    (19, 33),
    (20, 32),
    (20, 33),
    (22, 32),
    (22, 33),
    (23, 25),
    (23, 27),
    (23, 29),
    (23, 32),
    (23, 33),
    (24, 25),
    (24, 27),
    (24, 31),
    (25, 31),
    (26, 29),
    (26, 33),
    (27, 33),
    (28, 31),
    (28, 33),
    (29, 32),
    (29, 33),
    (30, 32),
    (30, 33),
    (31, 32),
    (31, 33),
    (32, 33),
];
/// Which of the two clubs each joined after the split.
const FACTIONS: [i64; 34] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];

/// A graph with a class for each node.
#[derive(Debug)]
pub struct LabelledGraph {
    /// `[E, 2]`, int64: each pair of neighbours once.
    pub edges: Tensor,
    /// `[N]`, int64: the index of each node's class.
    pub labels: Tensor,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

impl LabelledGraph {
    /// The number of nodes.
    pub fn nodes(&self) -> i64 {
        self.labels.numel() as i64
    }

    /// `[N, N]`, float32: 1 between neighbours.
    pub fn adjacency(&self) -> Tensor {
        crate::nn::adjacency(&self.edges, self.nodes())
    }
}

/// The 34 members of a karate club, 78 friendships, and the side that each took when the club split (W. W. Zachary, An
/// information flow model for conflict and fission in small groups, 1977).
///
/// ```
/// use oxtorch::prelude::*;
/// let club = karate_club();
/// assert_eq!(club.adjacency().size(), [34, 34]);
/// assert_eq!(club.classes, ["Mr. Hi", "Officer"]);
/// ```
pub fn karate_club() -> LabelledGraph {
    let edges: Vec<i64> = EDGES.iter().flat_map(|(a, b)| [*a, *b]).collect();
    LabelledGraph {
        edges: Tensor::from_slice(&edges).view([-1, 2]).to_kind(Kind::Int64),
        labels: Tensor::from_slice(&FACTIONS),
        classes: vec!["Mr. Hi".to_owned(), "Officer".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_club_is_networkxs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/data.json"));
        let club = karate_club();
        reference.check("/karate/adjacency", &club.adjacency(), 0.0);
        reference.check("/karate/factions", &club.labels, 0.0);
    }
}
