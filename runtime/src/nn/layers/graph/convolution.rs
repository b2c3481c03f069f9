//! Convolutions over a list of edges, with the names and the initial weights of PyTorch Geometric's: GCN, GraphSAGE and
//! GIN.
//!
//! An `edge_index` is `[2, E]`, the sources above the targets; an edge carries from its source to its target, and an
//! undirected graph has each edge twice, as [`to_undirected`](crate::nn::to_undirected) makes it. Several graphs are
//! one: put their nodes one below the other, and add to each graph's edges how many nodes stand above its own.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, Linear, Module};

use super::edges::{Edges, mean_by};
use super::{with_bias, xavier};
use crate::nn::Path;
use crate::nn::layers::linear::{LinearConfig, linear};

/// How a [`GCNConv`] is made.
#[derive(Debug, Clone, Copy)]
pub struct GCNConfig {
    /// Whether each node without a loop to itself is given one, where edges are normalised. Default true.
    pub add_self_loops: bool,
    /// Whether an edge is divided by the square roots of the degrees of its ends. Default true; with false the edges
    /// are taken as they are, without further loops.
    pub normalize: bool,
    /// Whether there is a bias. Default true.
    pub bias: bool,
}

impl Default for GCNConfig {
    fn default() -> Self {
        Self { add_self_loops: true, normalize: true, bias: true }
    }
}

/// Graph convolution over a list of edges: `y_i = sum_j w_ji / sqrt(d_i d_j) W x_j + b`, over the edges from `j` to `i`
/// and a loop, where `d_i` is the sum of the weights that come to `i` (T. N. Kipf and M. Welling, Semi-supervised
/// classification with graph convolutional networks, 2017): PyTorch Geometric's `GCNConv`. With an adjacency matrix it
/// is [`graph_conv`](crate::nn::graph_conv).
///
/// ```
/// use oxtorch::prelude::*;
/// let edge_index = nn::to_undirected(&Tensor::from_slice2(&[[0i64, 1, 2], [1, 2, 3]]).to_device(device()));
/// let vs = nn::VarStore::new(device());
/// let layer = nn::gcn_conv(vs.root() / "conv", 3, 2, Default::default());
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_edges(&x, &edge_index).size(), [4, 2]);
/// ```
#[derive(Debug)]
pub struct GCNConv {
    /// `W`, without a bias.
    pub lin: Linear,
    /// `[out_features]`: what is added.
    pub bias: Option<Tensor>,
    config: GCNConfig,
}

/// Makes a [`GCNConv`] with the variables `lin.weight`, Xavier-initialised, and `bias`, 0 at first.
pub fn gcn_conv<'a>(path: impl Borrow<Path<'a>>, in_features: i64, out_features: i64, config: GCNConfig) -> GCNConv {
    let path = &path.borrow().layer();
    let of_lin = LinearConfig { bias: false, ws_init: xavier(in_features, out_features), ..Default::default() };
    let lin = linear(path / "lin", in_features, out_features, of_lin);
    GCNConv { lin, bias: config.bias.then(|| path.zeros("bias", &[out_features])), config }
}

impl GCNConv {
    /// Nodes `[N, in_features]` and an `edge_index` `[2, E]` to `[N, out_features]`.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, or an edge names a node that is not there.
    pub fn forward_edges(&self, xs: &Tensor, edge_index: &Tensor) -> Tensor {
        let edges = Edges::new("gcn_conv", edge_index, xs);
        let ones = Tensor::ones([edges.count()], (xs.kind(), xs.device()));
        self.convolve(xs, edges, ones)
    }

    /// As [`GCNConv::forward_edges`], with a weight for each edge, `[E]`. A loop that is given keeps its weight.
    ///
    /// # Panics
    ///
    /// As [`GCNConv::forward_edges`], and where there is not a weight for each edge.
    pub fn forward_weighted(&self, xs: &Tensor, edge_index: &Tensor, edge_weight: &Tensor) -> Tensor {
        let edges = Edges::new("gcn_conv", edge_index, xs);
        let size = edge_weight.size();
        assert!(size == [edges.count()], "gcn_conv: weights of {size:?} for {} edges; they are [edges]", edges.count());
        self.convolve(xs, edges, edge_weight.to_kind(xs.kind()))
    }

    fn convolve(&self, xs: &Tensor, edges: Edges, weights: Tensor) -> Tensor {
        let (edges, weights) = match self.config {
            GCNConfig { normalize: true, add_self_loops: true, .. } => {
                let (looped, others) = edges.with_loops();
                (looped, edges.weights_with_loops(&weights, &others))
            }
            _ => (edges, weights),
        };
        let weights = if self.config.normalize { normalized(&edges, &weights) } else { weights };
        let messages = edges.at_sources(&self.lin.forward(xs)) * weights.unsqueeze(1);
        let sums = edges.sum_at_targets(&messages);
        with_bias(sums, self.bias.as_ref())
    }
}

/// The weights by the square roots of both degrees, `[E]`; 0 where nothing comes to a node.
fn normalized(edges: &Edges, weights: &Tensor) -> Tensor {
    let degrees = edges.sum_at_targets(&weights.unsqueeze(1)).squeeze_dim(1);
    // Where a degree is 0 the power is infinite. Filled before it as well, it has no gradient of NaN.
    let is_zero = degrees.eq(0.0);
    let scale = degrees.masked_fill(&is_zero, 1.0).rsqrt().masked_fill(&is_zero, 0.0);
    scale.index_select(0, &edges.source) * weights * scale.index_select(0, &edges.target)
}

/// How a [`SAGEConv`] is made.
#[derive(Debug, Clone, Copy)]
pub struct SAGEConfig {
    /// Whether the output of each node is divided by its length. Default false.
    pub normalize: bool,
    /// Whether a node's own numbers are added. Default true.
    pub root_weight: bool,
    /// Whether there is a bias. Default true.
    pub bias: bool,
}

impl Default for SAGEConfig {
    fn default() -> Self {
        Self { normalize: false, root_weight: true, bias: true }
    }
}

/// GraphSAGE with means: `y_i = W_l mean_j x_j + b + W_r x_i`, over the edges from `j` to `i` (W. L. Hamilton et al.,
/// Inductive representation learning on large graphs, 2017): PyTorch Geometric's `SAGEConv`. Where no edge comes to a
/// node, the mean is 0.
///
/// ```
/// use oxtorch::prelude::*;
/// let edge_index = Tensor::from_slice2(&[[0i64, 1, 2], [1, 2, 3]]).to_device(device());
/// let vs = nn::VarStore::new(device());
/// let layer = nn::sage_conv(vs.root() / "conv", 3, 2, Default::default());
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_edges(&x, &edge_index).size(), [4, 2]);
/// ```
#[derive(Debug)]
pub struct SAGEConv {
    /// `W_l` and `b`, for the mean of the neighbours.
    pub lin_l: Linear,
    /// `W_r`, for the node itself.
    pub lin_r: Option<Linear>,
    normalize: bool,
}

/// Makes a [`SAGEConv`] with the variables `lin_l.weight`, `lin_l.bias` and `lin_r.weight`, which begin as those of
/// [`linear`].
pub fn sage_conv<'a>(path: impl Borrow<Path<'a>>, in_features: i64, out_features: i64, config: SAGEConfig) -> SAGEConv {
    let path = &path.borrow().layer();
    let layer =
        |name: &str, bias| linear(path / name, in_features, out_features, LinearConfig { bias, ..Default::default() });
    let lin_l = layer("lin_l", config.bias);
    SAGEConv { lin_l, lin_r: config.root_weight.then(|| layer("lin_r", false)), normalize: config.normalize }
}

impl SAGEConv {
    /// Nodes `[N, in_features]` and an `edge_index` `[2, E]` to `[N, out_features]`.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, or an edge names a node that is not there.
    pub fn forward_edges(&self, xs: &Tensor, edge_index: &Tensor) -> Tensor {
        let edges = Edges::new("sage_conv", edge_index, xs);
        let means = mean_by(&edges.at_sources(xs), &edges.target, xs.size()[xs.dim() - 2]);
        let of_neighbours = self.lin_l.forward(&means);
        let output = self.lin_r.as_ref().map_or(of_neighbours.shallow_clone(), |lin| of_neighbours + lin.forward(xs));
        if !self.normalize {
            return output;
        }
        &output / output.norm_scalaropt_dim(2.0, [-1i64], true).clamp_min(1e-12)
    }
}

/// How a [`GINConv`] is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct GINConfig {
    /// How much more a node counts than a neighbour, to begin with. Default 0.
    pub eps: f64,
    /// Whether that is learned. Default false.
    pub train_eps: bool,
}

/// Graph isomorphism convolution: `y_i = net((1 + eps) x_i + sum_j x_j)`, over the edges from `j` to `i` (K. Xu et al.,
/// How powerful are graph neural networks?, 2019): PyTorch Geometric's `GINConv`.
///
/// ```
/// use oxtorch::prelude::*;
/// let edge_index = Tensor::from_slice2(&[[0i64, 1, 2], [1, 2, 3]]).to_device(device());
/// let vs = nn::VarStore::new(device());
/// let root = vs.root();
/// let net = nn::seq()
///     .add(nn::linear(&root / "net" / 0, 3, 8, Default::default()))
///     .relu()
///     .add(nn::linear(&root / "net" / 2, 8, 2, Default::default()));
/// let layer = nn::gin_conv(&root / "conv", net, Default::default());
/// let x = Tensor::randn([4, 3], (Kind::Float, device()));
/// assert_eq!(layer.forward_edges(&x, &edge_index).size(), [4, 2]);
/// ```
#[derive(Debug)]
pub struct GINConv<M> {
    /// What is made of the sum.
    pub net: M,
    /// `[1]`: how much more a node counts than a neighbour.
    pub eps: Tensor,
}

/// Makes a [`GINConv`] around a network, with the variable `eps`.
pub fn gin_conv<'a, M: Module>(path: impl Borrow<Path<'a>>, net: M, config: GINConfig) -> GINConv<M> {
    let path = &path.borrow().layer();
    let eps = if config.train_eps {
        path.var("eps", &[1], Init::Const(config.eps))
    } else {
        path.add("eps", Tensor::full([1], config.eps, (path.kind(), path.device())), false)
    };
    GINConv { net, eps }
}

impl<M: Module> GINConv<M> {
    /// Nodes `[N, in_features]` and an `edge_index` `[2, E]` to what the network makes of `[N, in_features]`.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, or an edge names a node that is not there.
    pub fn forward_edges(&self, xs: &Tensor, edge_index: &Tensor) -> Tensor {
        let edges = Edges::new("gin_conv", edge_index, xs);
        let sums = edges.sum_at_targets(&edges.at_sources(xs));
        self.net.forward(&(sums + (&self.eps + 1.0) * xs))
    }
}
