//! Weight norm: `w = g * v / |v|`.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::Module;

use super::{Reweighted, Weighted, place};
use crate::nn::Path;

/// How [`weight_norm`] is made.
#[derive(Debug, Clone, Copy)]
pub struct WeightNormConfig {
    /// The dimension that has a length for each of its places; `None` for one length of the whole weight. Default 0:
    /// one for each output of a linear layer or a convolution.
    pub dim: Option<i64>,
}

impl Default for WeightNormConfig {
    fn default() -> Self {
        Self { dim: Some(0) }
    }
}

/// A layer whose weight has its length `g` and its direction `v` as variables: `w = g * v / |v|` (T. Salimans and
/// D. P. Kingma, Weight normalization, 2016).
#[derive(Debug)]
pub struct WeightNorm<L> {
    /// The lengths, `[outputs, 1, ...]`.
    pub g: Tensor,
    /// The directions, of the shape of the weight.
    pub v: Tensor,
    dim: i64,
    layer: Reweighted<L>,
}

/// Makes a layer at a path with its length and direction apart, as PyTorch's `parametrizations.weight_norm`: the
/// variables are `parametrizations.weight.original0`, the lengths, and `parametrizations.weight.original1`, in place of
/// `weight`. It begins with the weight of the layer that `make` makes, such as one by `nn::linear` or `nn::conv1d`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::ConvConfig { padding: 1, ..Default::default() };
/// let conv = nn::weight_norm(vs.root() / "conv", |path| nn::conv1d(path, 3, 8, 3, config), Default::default());
/// assert_eq!(conv.forward(&Tensor::zeros([2, 3, 5], (Kind::Float, device()))).size(), [2, 8, 5]);
/// assert_eq!(conv.g.size(), [8, 1, 1]);
/// ```
///
/// # Panics
///
/// If the weight has no such dimension.
pub fn weight_norm<'a, L: Weighted>(
    path: impl Borrow<Path<'a>>,
    make: impl FnOnce(&Path<'_>) -> L,
    config: WeightNormConfig,
) -> WeightNorm<L> {
    let path = &path.borrow().layer();
    let (layer, weight) = Reweighted::new(path, make);
    let dims = weight.dim() as i64;
    if let Some(dim) = config.dim {
        assert!(
            (0..dims).contains(&dim),
            "weight_norm: dimension {dim} of a weight of {:?}; it is 0 to {}",
            weight.size(),
            dims - 1
        );
    }
    // -1 is libtorch's word for all dimensions together.
    let dim = config.dim.unwrap_or(-1);
    let g = place(path).add("original0", Tensor::norm_except_dim(&weight, 2, dim), true);
    let v = place(path).add("original1", weight, true);
    WeightNorm { g, v, dim, layer }
}

impl<L> WeightNorm<L> {
    /// The weight as the layer has it now, through which gradients flow.
    pub fn weight(&self) -> Tensor {
        Tensor::internal_weight_norm(&self.v, &self.g, self.dim)
    }
}

/// As the layer itself.
impl<L: Module + Weighted> Module for WeightNorm<L> {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.layer.run(self.weight(), |layer| layer.forward(xs))
    }
}
