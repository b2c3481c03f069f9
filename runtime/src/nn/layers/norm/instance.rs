//! Instance norm: each channel of each sample by its own mean and variance (D. Ulyanov et al., Instance normalization,
//! 2016), as in style transfer.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, ModuleT};

use crate::nn::Path;

/// How an instance norm is made. As in PyTorch, it has by default neither weights nor statistics for evaluation.
#[derive(Debug, Clone, Copy)]
pub struct InstanceNormConfig {
    /// Whether cuDNN may be used. Default true.
    pub cudnn_enabled: bool,
    /// What is added to the variance. Default 1e-5.
    pub eps: f64,
    /// How much of a batch goes into the statistics for evaluation. Default 0.1.
    pub momentum: f64,
    /// Whether there are a weight and a bias. Default false.
    pub affine: bool,
    /// Whether there are statistics of the batches so far, by which evaluation normalises. Default false: evaluation
    /// takes those of each sample, as training does.
    pub track_running_stats: bool,
    /// Of the weight. Default 1.
    pub ws_init: Init,
    /// Of the bias. Default 0.
    pub bs_init: Init,
}

impl Default for InstanceNormConfig {
    fn default() -> Self {
        Self {
            cudnn_enabled: true,
            eps: 1e-5,
            momentum: 0.1,
            affine: false,
            track_running_stats: false,
            ws_init: Init::Const(1.0),
            bs_init: Init::Const(0.0),
        }
    }
}

/// Normalises each channel of each sample: `y = (x - mean) / sqrt(variance + eps) * weight + bias`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::InstanceNormConfig { affine: true, ..Default::default() };
/// let norm: nn::InstanceNorm = nn::instance_norm2d(vs.root() / "norm", 3, config);
/// let y = norm.forward_t(&(Tensor::randn([8, 3, 4, 4], (Kind::Float, device())) * 5.0 + 2.0), true);
/// assert!(y.i((0, 0)).mean(Kind::Float).double_value(&[]).abs() < 1e-4);
/// ```
#[derive(Debug)]
pub struct InstanceNorm {
    config: InstanceNormConfig,
    channels: i64,
    /// `[channels]`: of the batches so far, where they are tracked.
    pub running_mean: Option<Tensor>,
    /// `[channels]`: of the batches so far, where they are tracked.
    pub running_var: Option<Tensor>,
    /// `[channels]`: by what each is multiplied, gamma.
    pub ws: Option<Tensor>,
    /// `[channels]`: what is added, beta.
    pub bs: Option<Tensor>,
    /// How many dimensions there are besides samples and channels.
    pub nd: usize,
}

fn instance_norm(path: &Path, nd: usize, channels: i64, config: InstanceNormConfig) -> InstanceNorm {
    let (affine, tracked) = (config.affine, config.track_running_stats);
    InstanceNorm {
        ws: affine.then(|| path.var("weight", &[channels], config.ws_init)),
        bs: affine.then(|| path.var("bias", &[channels], config.bs_init)),
        running_mean: tracked.then(|| path.zeros_no_train("running_mean", &[channels])),
        running_var: tracked.then(|| path.ones_no_train("running_var", &[channels])),
        config,
        channels,
        nd,
    }
}

/// Makes an instance norm for `[N, C, L]` or `[C, L]`.
pub fn instance_norm1d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: InstanceNormConfig) -> InstanceNorm {
    instance_norm(&path.borrow().layer(), 1, channels, config)
}

/// Makes an instance norm for `[N, C, H, W]` or `[C, H, W]`.
pub fn instance_norm2d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: InstanceNormConfig) -> InstanceNorm {
    instance_norm(&path.borrow().layer(), 2, channels, config)
}

/// Makes an instance norm for `[N, C, D, H, W]` or `[C, D, H, W]`.
pub fn instance_norm3d<'a>(path: impl Borrow<Path<'a>>, channels: i64, config: InstanceNormConfig) -> InstanceNorm {
    instance_norm(&path.borrow().layer(), 3, channels, config)
}

/// The shape stays.
///
/// # Panics
///
/// Where the shape is none that it is made for, and where a channel of a sample has one value only and would be
/// normalised by itself: it is its own mean, so that all would become 0.
impl ModuleT for InstanceNorm {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let (size, channels, nd) = (xs.size(), self.channels, self.nd);
        let takes = ["[N, C, L] or [C, L]", "[N, C, H, W] or [C, H, W]", "[N, C, D, H, W] or [C, D, H, W]"][nd - 1];
        let is_one_sample = size.len() == nd + 1;
        assert!(
            (is_one_sample || size.len() == nd + 2) && size[size.len() - nd - 1] == channels,
            "instance_norm{nd}d: a tensor of {size:?}; it takes {takes} with C = {channels}"
        );
        let is_by_itself = train || !self.config.track_running_stats;
        assert!(
            !is_by_itself || size[size.len() - nd..].iter().product::<i64>() != 1,
            "instance_norm{nd}d: it needs more than 1 value of each channel of a sample, and {size:?} has one: such a \
             value is its own mean. Put it before the layer that leaves one place only"
        );
        let batch = if is_one_sample { xs.unsqueeze(0) } else { xs.shallow_clone() };
        let normalized = batch.instance_norm(
            self.ws.as_ref(),
            self.bs.as_ref(),
            self.running_mean.as_ref(),
            self.running_var.as_ref(),
            is_by_itself,
            self.config.momentum,
            self.config.eps,
            self.config.cudnn_enabled,
        );
        if is_one_sample { normalized.squeeze_dim(0) } else { normalized }
    }
}
