//! Norms: `y = (x - mean) / sqrt(variance + eps) * weight + bias`, over a batch, a sample's channels, a group of these
//! or a sample's last dimensions. As PyTorch's they begin with weights of 1 and biases of 0.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{GroupNorm, GroupNormConfig, Init, LayerNorm, LayerNormConfig, ModuleT};

use crate::nn::Path;

mod instance;
mod rms;
#[cfg(test)]
mod tests;

pub use instance::{InstanceNorm, InstanceNormConfig, instance_norm1d, instance_norm2d, instance_norm3d};
pub use rms::{RMSNorm, RMSNormConfig, rms_norm};

/// How a batch norm is made.
#[derive(Debug, Clone, Copy)]
pub struct BatchNormConfig {
    /// Whether cuDNN may be used. Default true.
    pub cudnn_enabled: bool,
    /// What is added to the variance. Default 1e-5.
    pub eps: f64,
    /// How much of a batch goes into the statistics for evaluation. Default 0.1.
    pub momentum: f64,
    /// Whether there are a weight and a bias. Default true.
    pub affine: bool,
    /// Of the weight. Default 1.
    pub ws_init: Init,
    /// Of the bias. Default 0.
    pub bs_init: Init,
}

impl Default for BatchNormConfig {
    fn default() -> Self {
        Self {
            cudnn_enabled: true,
            eps: 1e-5,
            momentum: 0.1,
            affine: true,
            ws_init: Init::Const(1.0),
            bs_init: Init::Const(0.0),
        }
    }
}

/// Normalises each channel by the mean and the variance of the batch in training, and of the batches so far outside it
/// (S. Ioffe and C. Szegedy, Batch normalization, 2015).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let norm: nn::BatchNorm = nn::batch_norm2d(vs.root(), 3, Default::default());
/// let x = Tensor::randn([8, 3, 4, 4], (Kind::Float, device())) * 5.0 + 2.0;
/// assert!(norm.forward_t(&x, true).mean(Kind::Float).double_value(&[]).abs() < 1e-4);
/// ```
#[derive(Debug)]
pub struct BatchNorm {
    config: BatchNormConfig,
    /// `[channels]`: of the batches so far.
    pub running_mean: Tensor,
    /// `[channels]`: of the batches so far.
    pub running_var: Tensor,
    /// `[channels]`: by what each is multiplied, gamma.
    pub ws: Option<Tensor>,
    /// `[channels]`: what is added, beta.
    pub bs: Option<Tensor>,
    /// How many dimensions there are besides samples and channels.
    pub nd: usize,
}

fn batch_norm(path: &Path, nd: usize, channels: i64, config: BatchNormConfig) -> BatchNorm {
    BatchNorm {
        ws: config.affine.then(|| path.var("weight", &[channels], config.ws_init)),
        bs: config.affine.then(|| path.var("bias", &[channels], config.bs_init)),
        running_mean: path.zeros_no_train("running_mean", &[channels]),
        running_var: path.ones_no_train("running_var", &[channels]),
        config,
        nd,
    }
}

/// Makes a batch norm for `[N, C]` or `[N, C, L]`.
pub fn batch_norm1d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: BatchNormConfig) -> BatchNorm {
    batch_norm(&path.borrow().layer(), 1, channels, config)
}

/// Makes a batch norm for `[N, C, H, W]`.
pub fn batch_norm2d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: BatchNormConfig) -> BatchNorm {
    batch_norm(&path.borrow().layer(), 2, channels, config)
}

/// Makes a batch norm for `[N, C, D, H, W]`.
pub fn batch_norm3d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: BatchNormConfig) -> BatchNorm {
    batch_norm(&path.borrow().layer(), 3, channels, config)
}

/// The shape stays.
///
/// # Panics
///
/// Where the shape is none that it is made for, and in training where a channel has one value only: it is its own mean,
/// so that all would become 0.
impl ModuleT for BatchNorm {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let (size, channels) = (xs.size(), self.running_mean.size()[0]);
        let takes = match self.nd {
            1 => "[N, C] or [N, C, L]",
            2 => "[N, C, H, W]",
            _ => "[N, C, D, H, W]",
        };
        assert!(
            size.len() == self.nd + 2 || (self.nd == 1 && size.len() == 2),
            "batch_norm{}d: a tensor of {size:?}; it takes {takes}",
            self.nd
        );
        assert!(
            size[1] == channels,
            "batch_norm{}d: a tensor of {size:?}, with {} channels; it takes {takes} with C = {channels}",
            self.nd,
            size[1]
        );
        let values: i64 = size[0] * size[2..].iter().product::<i64>();
        assert!(
            !train || values != 1,
            "batch_norm{}d: in training it needs more than 1 value of each channel, and {size:?} has one: such a value is its own mean. \
             Leave out a last batch of one sample (`.drop_last()` of a DataLoader), or call forward_t with train = false",
            self.nd
        );
        Tensor::batch_norm(
            xs,
            self.ws.as_ref(),
            self.bs.as_ref(),
            Some(&self.running_mean),
            Some(&self.running_var),
            train,
            self.config.momentum,
            self.config.eps,
            self.config.cudnn_enabled,
        )
    }
}

/// Makes a layer norm over the last dimensions, which are of `normalized_shape` (J. L. Ba et al., Layer normalization,
/// 2016).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let norm: nn::LayerNorm = nn::layer_norm(vs.root() / "norm", vec![16], Default::default());
/// let y = norm.forward(&(Tensor::randn([2, 5, 16], (Kind::Float, device())) + 3.0));
/// assert!(y.i((0, 0)).mean(Kind::Float).double_value(&[]).abs() < 1e-5);
/// let config = nn::LayerNormConfig { eps: 1e-12, ..Default::default() };  // as BERT has it; the default is 1e-5
/// let norm = nn::layer_norm(vs.root() / "bert_norm", vec![16], config);
/// ```
///
/// Without a bias, as PyTorch's `bias=False`, it is a weight and [`Tensor::layer_norm`]:
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let weight = (vs.root() / "norm").ones("weight", &[16]);
/// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// assert_eq!(x.layer_norm([16], Some(&weight), None, 1e-5, true).size(), [2, 5, 16]);
/// ```
pub fn layer_norm<'a>(path: impl Borrow<Path<'a>>, normalized_shape: Vec<i64>, config: LayerNormConfig) -> LayerNorm {
    let (path, affine) = (&path.borrow().layer(), config.elementwise_affine);
    let ws = affine.then(|| path.var("weight", &normalized_shape, config.ws_init));
    let bs = affine.then(|| path.var("bias", &normalized_shape, config.bs_init));
    // What is private in tch's layer only tch can make: it is made in a store that is thrown away.
    let elsewhere = tch::nn::VarStore::new(tch::Device::Cpu);
    let mut layer = tch::nn::layer_norm(elsewhere.root(), normalized_shape, config);
    (layer.ws, layer.bs) = (ws, bs);
    layer
}

/// Makes a group norm over `[N, channels, ...]`: of each sample, each group of channels is normalised by itself (Y. Wu
/// and K. He, Group normalization, 2018).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let norm: nn::GroupNorm = nn::group_norm(vs.root() / "norm", 2, 8, Default::default());
/// assert_eq!(norm.forward(&Tensor::randn([2, 8, 4, 4], (Kind::Float, device()))).size(), [2, 8, 4, 4]);
/// ```
///
/// # Panics
///
/// Where the groups do not divide the channels evenly.
pub fn group_norm<'a>(path: impl Borrow<Path<'a>>, groups: i64, channels: i64, config: GroupNormConfig) -> GroupNorm {
    assert!(
        groups > 0 && channels % groups == 0,
        "group_norm: {channels} channels cannot be divided into {groups} groups; choose a divisor of {channels}"
    );
    let (path, affine) = (&path.borrow().layer(), config.affine);
    let ws = affine.then(|| path.var("weight", &[channels], config.ws_init));
    let bs = affine.then(|| path.var("bias", &[channels], config.bs_init));
    // As in `layer_norm`.
    let elsewhere = tch::nn::VarStore::new(tch::Device::Cpu);
    let mut layer = tch::nn::group_norm(elsewhere.root(), groups, channels, config);
    (layer.ws, layer.bs) = (ws, bs);
    layer
}
