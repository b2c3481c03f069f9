//! Zachary's karate club, the first graph that everybody meets.

use tch::{Kind, Tensor};

/// Who met whom outside the club; node 0 is the instructor, node 33 the club's president.
static EDGES: &str = include_str!("../../../data/karate_club.csv");
/// Which of the two clubs each joined after the split.
const FACTIONS: [i64; 34] =
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1];

/// A graph with a class for each node. A clone shares the tensors.
#[derive(Debug)]
pub struct LabelledGraph {
    /// `[E, 2]`, int64: each pair of neighbours once.
    pub edges: Tensor,
    /// `[N]`, int64: the index of each node's class.
    pub labels: Tensor,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

impl Clone for LabelledGraph {
    fn clone(&self) -> Self {
        let (edges, labels) = (self.edges.shallow_clone(), self.labels.shallow_clone());
        Self { edges, labels, classes: self.classes.clone() }
    }
}

impl LabelledGraph {
    /// The number of nodes.
    pub fn nodes(&self) -> i64 {
        self.labels.numel() as i64
    }

    /// `[2, 2 * E]`, int64: each edge in both directions, for layers such as [`gcn_conv`](crate::nn::gcn_conv).
    pub fn edge_index(&self) -> Tensor {
        crate::nn::to_undirected(&self.edges.tr())
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
    let nodes = EDGES.split([',', '\n']).filter(|node| !node.is_empty());
    let edges: Vec<i64> = nodes.map(|node| node.parse().expect("the shipped file holds numbers")).collect();
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
        let (from, to) = (club.edge_index().get(0), club.edge_index().get(1));
        let edges = club.adjacency().nonzero();
        assert!(edges.select(1, 0).equal(&from) && edges.select(1, 1).equal(&to));
    }
}
