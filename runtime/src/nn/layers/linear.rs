//! Linear layers: `y = x @ w.t() + b`, and of two inputs.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, Linear};

use crate::nn::Path;
use crate::nn::init::{PYTORCH_UNIFORM, in_layer_of};

/// How [`linear`] is made. As in PyTorch, weights and biases begin uniform from `-1/sqrt(inputs)` to `1/sqrt(inputs)`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::LinearConfig { ws_init: nn::Init::Orthogonal { gain: 1.0 }, bias: false, ..Default::default() };
/// assert!(nn::linear(vs.root(), 4, 2, config).bs.is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LinearConfig {
    /// Of the weight. Default [`init::PYTORCH_UNIFORM`](crate::nn::init::PYTORCH_UNIFORM).
    pub ws_init: Init,
    /// Of the bias, where a fan is that of the weight. Default `None`, which stands for the same.
    pub bs_init: Option<Init>,
    /// Whether there is one. Default true.
    pub bias: bool,
}

impl Default for LinearConfig {
    fn default() -> Self {
        Self { ws_init: PYTORCH_UNIFORM, bs_init: None, bias: true }
    }
}

/// Makes `y = x @ w.t() + b` from `[..., inputs]` to `[..., outputs]`, with the variables `weight`,
/// `[outputs, inputs]`, and `bias`, as PyTorch's `nn.Linear`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer: nn::Linear = nn::linear(&vs.root() / "hidden", 4, 8, Default::default());
/// assert_eq!(layer.forward(&Tensor::zeros([5, 4], (Kind::Float, device()))).size(), [5, 8]);
/// assert!(layer.ws.abs().max().double_value(&[]) <= 0.5);
/// ```
pub fn linear<'a>(path: impl Borrow<Path<'a>>, inputs: i64, outputs: i64, config: LinearConfig) -> Linear {
    let (path, size) = (&path.borrow().layer(), [outputs, inputs]);
    let ws = path.var("weight", &size, in_layer_of(&size, config.ws_init));
    let bias = in_layer_of(&size, config.bs_init.unwrap_or(PYTORCH_UNIFORM));
    Linear { ws, bs: config.bias.then(|| path.var("bias", &[outputs], bias)) }
}

/// `y[k] = a @ w[k] @ b + bias[k]`: how two inputs go together, such as those of two words.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::bilinear(vs.root() / "pair", [4, 3], 8, Default::default());
/// let (a, b) = (Tensor::randn([5, 4], (Kind::Float, device())), Tensor::randn([5, 3], (Kind::Float, device())));
/// assert_eq!(layer.forward_pair(&a, &b).size(), [5, 8]);
/// ```
#[derive(Debug)]
pub struct Bilinear {
    /// `[outputs, inputs of a, inputs of b]`.
    pub ws: Tensor,
    /// `[outputs]`.
    pub bs: Option<Tensor>,
}

/// Makes a [`Bilinear`] from two inputs of so many numbers, as PyTorch's `nn.Bilinear`: weight and bias begin uniform
/// from `-1/sqrt(inputs of a)` to `1/sqrt(inputs of a)`.
pub fn bilinear<'a>(path: impl Borrow<Path<'a>>, inputs: [i64; 2], outputs: i64, config: LinearConfig) -> Bilinear {
    let path = &path.borrow().layer();
    // The fan is of the first input alone, as in PyTorch.
    let fan = [outputs, inputs[0]];
    let ws = path.var("weight", &[outputs, inputs[0], inputs[1]], in_layer_of(&fan, config.ws_init));
    let bias = in_layer_of(&fan, config.bs_init.unwrap_or(PYTORCH_UNIFORM));
    Bilinear { ws, bs: config.bias.then(|| path.var("bias", &[outputs], bias)) }
}

impl Bilinear {
    /// `[..., inputs of a]` and `[..., inputs of b]` to `[..., outputs]`.
    pub fn forward_pair(&self, a: &Tensor, b: &Tensor) -> Tensor {
        Tensor::bilinear(a, b, &self.ws, self.bs.as_ref())
    }
}
