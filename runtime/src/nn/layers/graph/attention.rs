//! Attention over a list of edges.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Linear, Module};

use super::edges::Edges;
use super::{with_bias, xavier};
use crate::nn::layers::linear::{LinearConfig, linear};
use crate::nn::{Path, check_probability};

/// How a [`GATConv`] is made.
#[derive(Debug, Clone, Copy)]
pub struct GATConfig {
    /// How many heads there are. Default 1.
    pub heads: i64,
    /// Whether the heads' outputs stand side by side; else their mean is taken. Default true.
    pub concat: bool,
    /// Of the leaky ReLU. Default 0.2.
    pub negative_slope: f64,
    /// The part of the weights that is dropped in training. Default 0.
    pub dropout: f64,
    /// Whether each node has a loop to itself, in place of those that it has. Default true.
    pub add_self_loops: bool,
    /// Whether there is a bias. Default true.
    pub bias: bool,
}

impl Default for GATConfig {
    fn default() -> Self {
        Self { heads: 1, concat: true, negative_slope: 0.2, dropout: 0.0, add_self_loops: true, bias: true }
    }
}

/// Graph attention over a list of edges: `y_i = sum_j a_ji W x_j + b`, where `a_ji` is the softmax over the edges to
/// `i` of `leaky_relu(att_src . W x_j + att_dst . W x_i)` (P. Velickovic et al., Graph attention networks, 2018):
/// PyTorch Geometric's `GATConv`. With an adjacency matrix it is [`graph_attention`](crate::nn::graph_attention).
///
/// ```
/// use oxtorch::prelude::*;
/// let edge_index = Tensor::from_slice2(&[[0i64, 1, 2], [1, 2, 3]]).to_device(device());
/// let vs = nn::VarStore::new(device());
/// let layer = nn::gat_conv(vs.root() / "conv", 3, 2, nn::GATConfig { heads: 4, ..Default::default() });
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_edges(&x, &edge_index, true).size(), [4, 8]);
/// let (edges, weights) = layer.weights(&x, &edge_index);  // three edges and four loops
/// assert_eq!((edges.size(), weights.size()), (vec![2, 7], vec![7, 4]));
/// ```
#[derive(Debug)]
pub struct GATConv {
    /// `W`, to all heads, without a bias.
    pub lin: Linear,
    /// `[1, heads, out_features]`: for the source of an edge.
    pub att_src: Tensor,
    /// `[1, heads, out_features]`: for its target.
    pub att_dst: Tensor,
    /// `[heads * out_features]`, or `[out_features]` where the mean is taken: what is added.
    pub bias: Option<Tensor>,
    config: GATConfig,
}

/// Makes a [`GATConv`] of heads with `out_features` numbers each. The variables are `lin.weight`, `att_src` and
/// `att_dst`, Xavier-initialised, and `bias`, 0 at first.
///
/// # Panics
///
/// Where there is no head, or the dropout is not in 0 to 1.
pub fn gat_conv<'a>(path: impl Borrow<Path<'a>>, in_features: i64, out_features: i64, config: GATConfig) -> GATConv {
    let (path, heads) = (&path.borrow().layer(), config.heads);
    check_probability("gat_conv", config.dropout);
    assert!(heads > 0, "gat_conv: {heads} heads; there is one at least");
    let of_lin = LinearConfig { bias: false, ws_init: xavier(in_features, heads * out_features), ..Default::default() };
    let width = if config.concat { heads * out_features } else { out_features };
    let attention = |name: &str| path.var(name, &[1, heads, out_features], xavier(heads, out_features));
    GATConv {
        lin: linear(path / "lin", in_features, heads * out_features, of_lin),
        att_src: attention("att_src"),
        att_dst: attention("att_dst"),
        bias: config.bias.then(|| path.zeros("bias", &[width])),
        config,
    }
}

impl GATConv {
    /// Nodes `[N, in_features]` and an `edge_index` `[2, E]` to `[N, heads * out_features]`, or `[N, out_features]`
    /// where the mean is taken.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, or an edge names a node that is not there.
    pub fn forward_edges(&self, xs: &Tensor, edge_index: &Tensor, train: bool) -> Tensor {
        let (edges, hidden, weights) = self.attend(xs, edge_index);
        let weights = weights.dropout(self.config.dropout, train);
        // The heads of a node are one row, so that an edge carries one.
        let messages = hidden.index_select(0, &edges.source) * weights.unsqueeze(2);
        let sums = edges.sum_at_targets(&messages.flatten(1, 2)).view_as(&hidden);
        let output = if self.config.concat { sums.flatten(1, 2) } else { sums.mean_dim(1i64, false, sums.kind()) };
        with_bias(output, self.bias.as_ref())
    }

    /// How much each edge carries: the edges with the loops, `[2, E]`, and for each the weights of the heads,
    /// `[E, heads]`. Those that come to one node sum to 1.
    ///
    /// # Panics
    ///
    /// As [`GATConv::forward_edges`].
    pub fn weights(&self, xs: &Tensor, edge_index: &Tensor) -> (Tensor, Tensor) {
        let (edges, _, weights) = self.attend(xs, edge_index);
        (edges.index(), weights)
    }

    /// The edges, `W x` as `[N, heads, out_features]`, and the weights.
    fn attend(&self, xs: &Tensor, edge_index: &Tensor) -> (Edges, Tensor, Tensor) {
        let size = xs.size();
        assert!(size.len() == 2, "gat_conv: nodes of {size:?}; they are [nodes, features]");
        let edges = Edges::new("gat_conv", edge_index, xs);
        let edges = if self.config.add_self_loops { edges.with_loops().0 } else { edges };
        let hidden = self.lin.forward(xs).view([size[0], self.config.heads, -1]);
        let score = |vector: &Tensor| (&hidden * vector).sum_dim_intlist(-1i64, false, hidden.kind());
        let of_source = score(&self.att_src).index_select(0, &edges.source);
        let raw = of_source + score(&self.att_dst).index_select(0, &edges.target);
        let logits = raw.where_self(&raw.gt(0.0), &(&raw * self.config.negative_slope));
        let weights = edges.softmax_at_targets(&logits);
        (edges, hidden, weights)
    }
}
