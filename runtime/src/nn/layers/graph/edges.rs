//! The edges of a graph, and messages along them.

use tch::{Kind, Tensor};

use crate::elements::first_beyond;

/// Each edge in both directions and once, in the order of the sources: an `edge_index` `[2, E]` to `[2, up to 2 * E]`.
/// PyTorch Geometric's `to_undirected`.
///
/// ```
/// use oxtorch::prelude::*;
/// let edge_index = Tensor::from_slice2(&[[0i64, 1], [1, 2]]);  // from 0 to 1 and from 1 to 2
/// let both = Tensor::from_slice2(&[[0i64, 1, 1, 2], [1, 0, 2, 1]]);
/// assert_eq!(nn::to_undirected(&edge_index), both);
/// ```
///
/// # Panics
///
/// Where the tensor is not `[2, E]`.
pub fn to_undirected(edge_index: &Tensor) -> Tensor {
    check_shape("to_undirected", edge_index);
    Tensor::cat(&[edge_index, &edge_index.flip([0])], 1).unique_dim(1, true, false, false).0
}

fn check_shape(what: &str, edge_index: &Tensor) {
    let size = edge_index.size();
    assert!(
        size.len() == 2 && size[0] == 2,
        "{what}: an edge_index of {size:?}; it is [2, edges], sources above targets. Of [edges, 2] `.tr()` makes it"
    );
}

/// From which node each edge comes and to which it goes.
#[derive(Debug)]
pub(super) struct Edges {
    /// `[E]`, int64.
    pub(super) source: Tensor,
    /// `[E]`, int64.
    pub(super) target: Tensor,
    nodes: i64,
}

impl Edges {
    /// The edges of an `edge_index` of `[2, E]`, between the nodes of `[..., N, features]`.
    ///
    /// # Panics
    ///
    /// Where the tensors are of other shapes, or an edge names a node that is not there.
    pub(super) fn new(what: &str, edge_index: &Tensor, xs: &Tensor) -> Self {
        let of_nodes = xs.size();
        let [.., nodes, _] = of_nodes.as_slice() else {
            panic!("{what}: nodes of {of_nodes:?}; they are [nodes, features]");
        };
        check_shape(what, edge_index);
        let edge_index = edge_index.to_kind(Kind::Int64);
        if let Some(node) = first_beyond(&edge_index, *nodes) {
            panic!("{what}: an edge names node {node}; there are {nodes}, from 0");
        }
        Self { source: edge_index.get(0), target: edge_index.get(1), nodes: *nodes }
    }

    /// How many edges there are.
    pub(super) fn count(&self) -> i64 {
        self.source.size()[0]
    }

    /// The edges without loops, and which of those given they are, then a loop for each node.
    pub(super) fn with_loops(&self) -> (Self, Tensor) {
        let others = self.source.ne_tensor(&self.target).nonzero().squeeze_dim(1);
        let loops = Tensor::arange(self.nodes, (Kind::Int64, self.source.device()));
        let looped = |ends: &Tensor| Tensor::cat(&[&ends.index_select(0, &others), &loops], 0);
        (Self { source: looped(&self.source), target: looped(&self.target), nodes: self.nodes }, others)
    }

    /// A weight for each edge that [`Edges::with_loops`] gives: those that are given and, for each node, that of its
    /// last loop, or 1 where it has none.
    pub(super) fn weights_with_loops(&self, weights: &Tensor, others: &Tensor) -> Tensor {
        let own = self.source.eq_tensor(&self.target).nonzero().squeeze_dim(1);
        let ones = Tensor::ones([self.nodes], (weights.kind(), weights.device()));
        let of_loops =
            ones.index_put(&[Some(self.source.index_select(0, &own))], &weights.index_select(0, &own), false);
        Tensor::cat(&[weights.index_select(0, others), of_loops], 0)
    }

    /// What each edge's source has: `[..., N, features]` to `[..., E, features]`.
    pub(super) fn at_sources(&self, xs: &Tensor) -> Tensor {
        xs.index_select(-2, &self.source)
    }

    /// The sum of what comes to each node: `[..., E, features]` to `[..., N, features]`, 0 where nothing comes.
    pub(super) fn sum_at_targets(&self, messages: &Tensor) -> Tensor {
        sum_by(messages, &self.target, self.nodes)
    }

    /// `exp(x)` of each edge by the sum of those that come to the same node: `[E, heads]` to the same shape.
    pub(super) fn softmax_at_targets(&self, logits: &Tensor) -> Tensor {
        let index = self.target.unsqueeze(1).expand_as(logits);
        // Without the greatest of each node the exponentials could be infinite; it has no part in the gradient.
        let least = Tensor::full([self.nodes, logits.size()[1]], f64::NEG_INFINITY, (logits.kind(), logits.device()));
        let greatest = least.internal_scatter_reduce(0, &index, &logits.detach(), "amax", true);
        let parts = (logits - greatest.index_select(0, &self.target)).exp();
        let sums = self.sum_at_targets(&parts);
        parts / sums.index_select(0, &self.target)
    }

    /// `[2, E]`.
    pub(super) fn index(&self) -> Tensor {
        Tensor::stack(&[&self.source, &self.target], 0)
    }
}

/// The sums of the rows of `[..., M, features]` that belong together, by the number of each row: `[..., count,
/// features]`.
pub(super) fn sum_by(rows: &Tensor, numbers: &Tensor, count: i64) -> Tensor {
    let mut size = rows.size();
    let dim = size.len() - 2;
    size[dim] = count;
    Tensor::zeros(size, (rows.kind(), rows.device())).index_add(-2, numbers, rows)
}

/// As [`sum_by`], divided by how many rows each sum is of; 0 where there is none.
pub(super) fn mean_by(rows: &Tensor, numbers: &Tensor, count: i64) -> Tensor {
    let ones = Tensor::ones([numbers.size()[0], 1], (rows.kind(), rows.device()));
    sum_by(rows, numbers, count) / sum_by(&ones, numbers, count).clamp_min(1)
}
