//! RMS norm: `y = x / sqrt(mean(x^2) + eps) * weight`, which leaves the mean where it is (B. Zhang and R. Sennrich,
//! Root mean square layer normalization, 2019). Llama and its kin have it in place of a layer norm.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, Module};

use crate::nn::Path;

/// How an RMS norm is made.
#[derive(Debug, Clone, Copy)]
pub struct RMSNormConfig {
    /// What is added to the mean of the squares. Default `None`, which stands for the distance between 1 and the next
    /// number of the input's kind, as in PyTorch: 1.2e-7 for float32.
    pub eps: Option<f64>,
    /// Whether there is a weight. Default true.
    pub elementwise_affine: bool,
    /// Of the weight. Default 1.
    pub ws_init: Init,
}

impl Default for RMSNormConfig {
    fn default() -> Self {
        Self { eps: None, elementwise_affine: true, ws_init: Init::Const(1.0) }
    }
}

/// `y = x / sqrt(mean(x^2) + eps) * weight`, over the last dimensions: PyTorch's `nn.RMSNorm`.
#[derive(Debug)]
pub struct RMSNorm {
    /// `normalized_shape`: by what each number is multiplied, gamma.
    pub ws: Option<Tensor>,
    /// The last dimensions of what it takes.
    pub normalized_shape: Vec<i64>,
    /// What is added to the mean of the squares.
    pub eps: Option<f64>,
}

/// Makes an RMS norm over the last dimensions, which are of `normalized_shape`, with the variable `weight`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::RMSNormConfig { eps: Some(1e-6), ..Default::default() };
/// let norm: nn::RMSNorm = nn::rms_norm(vs.root() / "norm", vec![16], config);
/// let y = norm.forward(&(Tensor::randn([2, 5, 16], (Kind::Float, device())) * 7.0));
/// assert!((y.square().mean(Kind::Float).double_value(&[]) - 1.0).abs() < 1e-4);
/// ```
pub fn rms_norm<'a>(path: impl Borrow<Path<'a>>, normalized_shape: Vec<i64>, config: RMSNormConfig) -> RMSNorm {
    let path = &path.borrow().layer();
    let ws = config.elementwise_affine.then(|| path.var("weight", &normalized_shape, config.ws_init));
    RMSNorm { ws, normalized_shape, eps: config.eps }
}

/// The shape stays.
///
/// # Panics
///
/// Where the last dimensions are not `normalized_shape`.
impl Module for RMSNorm {
    fn forward(&self, xs: &Tensor) -> Tensor {
        let (size, shape) = (xs.size(), &self.normalized_shape);
        assert!(size.ends_with(shape), "rms_norm: a tensor of {size:?}; its last dimensions are {shape:?} here");
        xs.rms_norm(shape.as_slice(), self.ws.as_ref(), self.eps)
    }
}
