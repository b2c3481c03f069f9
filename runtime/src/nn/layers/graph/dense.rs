//! Layers on graphs that are adjacency matrices.

use std::borrow::Borrow;

use tch::{Kind, Tensor};

use super::xavier;
use crate::elements::first_beyond;
use crate::nn::Path;

/// `D^(-1/2) (A + I) D^(-1/2)`: an adjacency matrix with loops, each entry divided by the square roots of the two
/// degrees (T. N. Kipf and M. Welling, Semi-supervised classification with graph convolutional networks, 2017).
/// `[N, N]` to the same shape, float32.
///
/// ```
/// use oxtorch::prelude::*;
/// let pair = Tensor::from_slice2(&[[0f32, 1.0], [1.0, 0.0]]);
/// let half = Tensor::full([2, 2], 0.5, (Kind::Float, Device::Cpu));
/// assert!(nn::normalized_adjacency(&pair).allclose(&half, 1e-6, 0.0, false));
/// ```
///
/// # Panics
///
/// Where the matrix is not square.
pub fn normalized_adjacency(adjacency: &Tensor) -> Tensor {
    let size = adjacency.size();
    assert!(
        size.len() == 2 && size[0] == size[1],
        "normalized_adjacency: a tensor of {size:?}; an adjacency matrix is [nodes, nodes]"
    );
    let adjacency = adjacency.to_kind(Kind::Float);
    let looped = &adjacency + Tensor::eye(size[0], (Kind::Float, adjacency.device()));
    let scale = looped.sum_dim_intlist(1i64, false, Kind::Float).rsqrt();
    looped * scale.unsqueeze(1) * scale.unsqueeze(0)
}

/// The adjacency matrix of an undirected graph from its edges: `[E, 2]` or `[2, E]` int64 to `[nodes, nodes]` float32.
///
/// ```
/// use oxtorch::prelude::*;
/// let edges = Tensor::from_slice2(&[[0i64, 1], [1, 2], [2, 3]]);
/// let adjacency = nn::adjacency(&edges, 4);
/// assert_eq!(adjacency.sum(Kind::Int64).int64_value(&[]), 6);
/// ```
///
/// # Panics
///
/// Where the tensor is no list of pairs, or an edge names a node that is not there.
pub fn adjacency(edges: &Tensor, nodes: i64) -> Tensor {
    let size = edges.size();
    let edges = match size.as_slice() {
        [_, 2] => edges.shallow_clone(),
        [2, _] => edges.tr(),
        _ => panic!("adjacency: edges of {size:?}; they are [edges, 2] or [2, edges]"),
    };
    let edges = edges.to_kind(Kind::Int64);
    if let Some(node) = first_beyond(&edges, nodes) {
        panic!("adjacency: an edge names node {node}; there are {nodes}, from 0");
    }
    let (from, to) = (edges.select(1, 0), edges.select(1, 1));
    let mut matrix = Tensor::zeros([nodes, nodes], (Kind::Float, edges.device()));
    let one = Tensor::ones([1], (Kind::Float, edges.device()));
    let _ = matrix.index_put_(&[Some(&from), Some(&to)], &one, false);
    let _ = matrix.index_put_(&[Some(&to), Some(&from)], &one, false);
    matrix
}

/// Graph convolution, `A_hat @ x @ W + b` with the matrix of [`normalized_adjacency`] (T. N. Kipf and M. Welling,
/// 2017).
///
/// ```
/// use oxtorch::prelude::*;
/// let edges = Tensor::from_slice2(&[[0i64, 1], [1, 2], [2, 3]]).to_device(device());
/// let a_hat = nn::normalized_adjacency(&nn::adjacency(&edges, 4));
/// let vs = nn::VarStore::new(device());
/// let layer = nn::graph_conv(vs.root(), 3, 2);
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_graph(&x, &a_hat).size(), [4, 2]);
/// ```
#[derive(Debug)]
pub struct GraphConv {
    /// `[in_features, out_features]`.
    pub weight: Tensor,
    /// `[out_features]`.
    pub bias: Tensor,
}

/// Makes a graph convolution, Xavier-initialised.
pub fn graph_conv<'a>(path: impl Borrow<Path<'a>>, in_features: i64, out_features: i64) -> GraphConv {
    let path = &path.borrow().layer();
    GraphConv {
        weight: path.var("weight", &[in_features, out_features], xavier(in_features, out_features)),
        bias: path.zeros("bias", &[out_features]),
    }
}

impl GraphConv {
    /// Nodes `[N, in_features]` and `a_hat` `[N, N]` to `[N, out_features]`.
    pub fn forward_graph(&self, xs: &Tensor, a_hat: &Tensor) -> Tensor {
        a_hat.matmul(&xs.matmul(&self.weight)) + &self.bias
    }
}

/// Graph attention: each node weighs itself and its neighbours by
/// `softmax_j(leaky_relu(a_src . W x_i + a_dst . W x_j))`, slope 0.2, in several heads whose outputs stand side by side
/// (P. Velickovic et al., Graph attention networks, 2018).
///
/// ```
/// use oxtorch::prelude::*;
/// let edges = Tensor::from_slice2(&[[0i64, 1], [1, 2], [2, 3]]).to_device(device());
/// let vs = nn::VarStore::new(device());
/// let layer = nn::graph_attention(vs.root(), 3, 2, 4);
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_graph(&x, &nn::adjacency(&edges, 4)).size(), [4, 8]);
/// ```
#[derive(Debug)]
pub struct GraphAttention {
    /// `[heads * out_features, in_features]`.
    pub weight: Tensor,
    /// `[heads, out_features]`: for the node that looks.
    pub att_src: Tensor,
    /// `[heads, out_features]`: for the node that is looked at.
    pub att_dst: Tensor,
    /// `[heads * out_features]`.
    pub bias: Tensor,
}

/// Makes graph attention with `heads` heads of `out_features` numbers each, Xavier-initialised.
pub fn graph_attention<'a>(
    path: impl Borrow<Path<'a>>,
    in_features: i64,
    out_features: i64,
    heads: i64,
) -> GraphAttention {
    let path = &path.borrow().layer();
    let init = xavier(in_features, heads * out_features);
    GraphAttention {
        weight: path.var("weight", &[heads * out_features, in_features], init),
        att_src: path.var("att_src", &[heads, out_features], xavier(out_features, 1)),
        att_dst: path.var("att_dst", &[heads, out_features], xavier(out_features, 1)),
        bias: path.zeros("bias", &[heads * out_features]),
    }
}

impl GraphAttention {
    /// Nodes `[N, in_features]` and an adjacency matrix `[N, N]` (anything but 0 is an edge; loops are added) to
    /// `[N, heads * out_features]`.
    pub fn forward_graph(&self, xs: &Tensor, adjacency: &Tensor) -> Tensor {
        self.attend(xs, adjacency).0
    }

    /// How much each node looks at each: `[heads, N, N]`, rows sum to 1.
    pub fn weights(&self, xs: &Tensor, adjacency: &Tensor) -> Tensor {
        self.attend(xs, adjacency).1
    }

    fn attend(&self, xs: &Tensor, adjacency: &Tensor) -> (Tensor, Tensor) {
        let (nodes, size) = (xs.size()[0], self.att_src.size());
        let (heads, features) = (size[0], size[1]);
        let hidden = xs.matmul(&self.weight.tr()).view([nodes, heads, features]).transpose(0, 1);
        let score = |vector: &Tensor| (&hidden * vector.unsqueeze(1)).sum_dim_intlist(-1i64, false, hidden.kind());
        let raw = score(&self.att_src).unsqueeze(2) + score(&self.att_dst).unsqueeze(1);
        let logits = raw.maximum(&(&raw * 0.2));
        let is_edge = adjacency.ne(0.0).logical_or(&Tensor::eye(nodes, (Kind::Bool, xs.device())));
        let weights = logits.masked_fill(&is_edge.logical_not(), f64::NEG_INFINITY).softmax(-1, logits.kind());
        let joined = weights.matmul(&hidden).transpose(0, 1).reshape([nodes, heads * features]);
        (joined + &self.bias, weights)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn convolution_and_attention_are_as_defined() {
        let reference = Reference::parse(include_str!("../../../../../tests/reference/layers.json"));
        let (edges, xs) = (reference.tensor("/graph/edges"), reference.tensor("/graph/input"));
        let matrix = adjacency(&edges, 5);
        assert!(matrix.equal(&adjacency(&edges.tr(), 5)));
        reference.check("/graph/adjacency", &matrix, 0.0);
        reference.check("/graph/a_hat", &normalized_adjacency(&matrix), 1e-6);

        let vs = VarStore::new(Device::Cpu);
        let layer = graph_conv(vs.root(), 3, 4);
        reference.load("/graph/conv/parameters", &vs);
        reference.check("/graph/conv/output", &layer.forward_graph(&xs, &normalized_adjacency(&matrix)), 1e-5);

        let vs = VarStore::new(Device::Cpu);
        let layer = graph_attention(vs.root(), 3, 2, 2);
        reference.load("/graph/attention/parameters", &vs);
        reference.check("/graph/attention/output", &layer.forward_graph(&xs, &matrix), 1e-5);
        reference.check("/graph/attention/weights", &layer.weights(&xs, &matrix), 1e-5);
    }

    #[test]
    fn an_edge_to_nowhere_is_refused() {
        let edges = Tensor::from_slice2(&[[0i64, 1], [1, 7]]);
        assert!(panic_message(|| adjacency(&edges, 5)).contains("node 7; there are 5"));
    }
}
