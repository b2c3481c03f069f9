//! Spectral norm: `w = v / sigma(v)`, where sigma is the greatest singular value.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Module, ModuleT};

use super::{Reweighted, Weighted, place};
use crate::modes::no_grad;
use crate::nn::Path;

/// How [`spectral_norm`] is made.
#[derive(Debug, Clone, Copy)]
pub struct SpectralNormConfig {
    /// How many steps of the power method a forward pass in training takes. Default 1.
    pub n_power_iterations: usize,
    /// The least length that vectors are divided by. Default 1e-12.
    pub eps: f64,
    /// The dimension that counts the outputs. Default `None`: 1 for transposed convolutions, else 0.
    pub dim: Option<i64>,
}

impl Default for SpectralNormConfig {
    fn default() -> Self {
        Self { n_power_iterations: 1, eps: 1e-12, dim: None }
    }
}

/// A layer whose weight is divided by its greatest singular value, which keeps what it does to a difference of inputs
/// within bounds: for the discriminator of a GAN (T. Miyato et al., Spectral normalization, 2018). Two vectors
/// approach those of the singular value in training, step by step.
#[derive(Debug)]
pub struct SpectralNorm<L> {
    /// The variable that is trained, of the shape of the weight.
    pub original: Tensor,
    u: Tensor,
    v: Tensor,
    dim: i64,
    config: SpectralNormConfig,
    layer: Reweighted<L>,
}

/// Steps of the power method ahead of training, as in PyTorch, which then tries the layer in training once.
const FIRST_STEPS: usize = 15;

/// Makes a layer at a path with its weight normed, as PyTorch's `parametrizations.spectral_norm`: the variables are
/// `parametrizations.weight.original` in place of `weight`, and the vectors `parametrizations.weight.0._u` and `_v`,
/// which are not trained. It begins with the weight of the layer that `make` makes, such as one by `nn::linear` or
/// `nn::conv2d`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let conv = |path: &nn::Path| nn::conv2d(path, 3, 8, 3, Default::default());
/// let net = nn::seq_t().add(nn::spectral_norm(vs.root() / "conv", conv, Default::default())).relu();
/// assert_eq!(net.forward_t(&Tensor::zeros([2, 3, 5, 5], (Kind::Float, device())), true).size(), [2, 8, 3, 3]);
/// ```
///
/// # Panics
///
/// If the weight has no such dimension, or one dimension alone.
pub fn spectral_norm<'a, L: Weighted>(
    path: impl Borrow<Path<'a>>,
    make: impl FnOnce(&Path<'_>) -> L,
    config: SpectralNormConfig,
) -> SpectralNorm<L> {
    let path = &path.borrow().layer();
    let (layer, weight) = Reweighted::new(path, make);
    let dim = config.dim.unwrap_or_else(|| layer.0.lock().map_or(0, |layer| layer.output_dim()));
    let dims = weight.dim() as i64;
    assert!(
        dims > 1 && (0..dims).contains(&dim),
        "spectral_norm: dimension {dim} of a weight of {:?}; it takes a matrix or more, and one of its dimensions",
        weight.size()
    );
    let size = as_matrix(&weight, dim).size();
    let drawn = |count: i64| normalized(&Tensor::randn([count], (weight.kind(), weight.device())), config.eps);
    let (u, v) = (drawn(size[0]), drawn(size[1]));
    let vectors = place(path) / "0";
    let (u, v) = (vectors.add("_u", u, false), vectors.add("_v", v, false));
    let original = place(path).add("original", weight, true);
    let made = SpectralNorm { original, u, v, dim, config, layer };
    if !path.has_given_weights() {
        made.approach(FIRST_STEPS + config.n_power_iterations);
    }
    made
}

/// `[outputs, all else]`.
fn as_matrix(weight: &Tensor, dim: i64) -> Tensor {
    weight.movedim_int(dim, 0).flatten(1, -1)
}

fn normalized(vector: &Tensor, eps: f64) -> Tensor {
    vector / vector.norm().clamp_min(eps)
}

impl<L> SpectralNorm<L> {
    /// The weight as the layer has it now, through which gradients flow.
    pub fn weight(&self) -> Tensor {
        // Later steps change the vectors that the backward pass needs.
        let (u, v) = (self.u.copy(), self.v.copy());
        let sigma = u.dot(&as_matrix(&self.original, self.dim).mv(&v));
        &self.original / sigma
    }

    /// Steps of the power method.
    fn approach(&self, steps: usize) {
        no_grad(|| {
            let matrix = as_matrix(&self.original, self.dim);
            let (mut u, mut v) = (self.u.shallow_clone(), self.v.shallow_clone());
            for _ in 0..steps {
                u.copy_(&normalized(&matrix.mv(&v), self.config.eps));
                v.copy_(&normalized(&matrix.tr().mv(&u), self.config.eps));
            }
        });
    }
}

/// As the layer itself. A pass in training brings the vectors nearer to those of the singular value.
impl<L: Module + Weighted> ModuleT for SpectralNorm<L> {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        if train {
            self.approach(self.config.n_power_iterations);
        }
        self.layer.run(self.weight(), |layer| layer.forward(xs))
    }
}
