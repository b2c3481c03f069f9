//! Convolutions in one to three dimensions, and their transposes, with the weights that PyTorch's begin with.

use std::borrow::Borrow;

use tch::nn::{Conv, Conv1D, Conv2D, Conv3D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D, Init, PaddingMode};

use crate::nn::Path;
use crate::nn::init::{PYTORCH_UNIFORM, in_layer_of};

/// How a convolution is made; `ND` is a number for all dimensions, or an array with one for each. As in PyTorch,
/// weights and biases begin uniform from `-1/sqrt(fan)` to `1/sqrt(fan)`, where the fan is the number of inputs that
/// one output is the sum of.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::ConvConfig { stride: 2, padding: 1, bs_init: nn::Init::Const(0.0), ..Default::default() };
/// let conv = nn::conv2d(vs.root(), 3, 8, 3, config);
/// assert_eq!(conv.forward(&Tensor::zeros([1, 3, 8, 8], (Kind::Float, device()))).abs().max().double_value(&[]), 0.0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ConvConfigND<ND> {
    /// How far apart two outputs look. Default 1.
    pub stride: ND,
    /// What is added at each side. Default 0.
    pub padding: ND,
    /// How far apart the inputs of one output lie. Default 1.
    pub dilation: ND,
    /// Into how many parts the channels are divided, each with weights of its own. Default 1.
    pub groups: i64,
    /// Whether there is a bias. Default true.
    pub bias: bool,
    /// Of the weight. Default [`init::PYTORCH_UNIFORM`](crate::nn::init::PYTORCH_UNIFORM).
    pub ws_init: Init,
    /// Of the bias, where a fan is that of the weight. The default is the same.
    pub bs_init: Init,
    /// What the padding is filled with. Default zeros.
    pub padding_mode: PaddingMode,
}

/// A [`ConvConfigND`] with the same numbers for all dimensions.
pub type ConvConfig = ConvConfigND<i64>;

impl<ND> ConvConfigND<ND> {
    fn with(stride: ND, padding: ND, dilation: ND) -> Self {
        let (groups, bias, padding_mode) = (1, true, PaddingMode::Zeros);
        let (ws_init, bs_init) = (PYTORCH_UNIFORM, PYTORCH_UNIFORM);
        Self { stride, padding, dilation, groups, bias, ws_init, bs_init, padding_mode }
    }
}

impl Default for ConvConfig {
    fn default() -> Self {
        Self::with(1, 0, 1)
    }
}

impl Default for ConvConfigND<[i64; 2]> {
    fn default() -> Self {
        Self::with([1; 2], [0; 2], [1; 2])
    }
}

/// The default without a bias, as ahead of a batch norm.
pub fn no_bias() -> ConvConfig {
    ConvConfig { bias: false, ..Default::default() }
}

/// Makes a convolution in as many dimensions as `sizes` has numbers, where each may differ, with the variables
/// `weight`, `[out_channels, in_channels / groups, ...sizes]`, and `bias`, as PyTorch's `nn.Conv2d`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::ConvConfigND::<[i64; 2]> { padding: [1, 0], ..Default::default() };
/// let conv = nn::conv(vs.root(), 1, 4, [3, 1], config);
/// assert_eq!(conv.forward(&Tensor::zeros([1, 1, 8, 8], (Kind::Float, device()))).size(), [1, 4, 8, 8]);
/// ```
///
/// # Panics
///
/// Where the groups do not divide the channels evenly.
pub fn conv<'a, ND: AsRef<[i64]>>(
    path: impl Borrow<Path<'a>>,
    in_channels: i64,
    out_channels: i64,
    sizes: ND,
    config: ConvConfigND<ND>,
) -> Conv<ND> {
    let path = &path.borrow().layer();
    check_groups("conv", config.groups, in_channels, out_channels);
    let size: Vec<i64> = [out_channels, in_channels / config.groups].iter().chain(sizes.as_ref()).copied().collect();
    let ws = path.var("weight", &size, in_layer_of(&size, config.ws_init));
    let bs = config.bias.then(|| path.var("bias", &[out_channels], in_layer_of(&size, config.bs_init)));
    // What is private in tch's layer only tch can make: it is made in a store that is thrown away.
    let made = tch::nn::ConvConfigND {
        stride: config.stride,
        padding: config.padding,
        dilation: config.dilation,
        groups: config.groups,
        bias: config.bias,
        ws_init: Init::Const(0.0),
        bs_init: Init::Const(0.0),
        padding_mode: config.padding_mode,
    };
    let elsewhere = tch::nn::VarStore::new(tch::Device::Cpu);
    let mut layer = tch::nn::conv(elsewhere.root(), config.groups, config.groups, sizes, made);
    (layer.ws, layer.bs) = (ws, bs);
    layer
}

fn check_groups(what: &str, groups: i64, in_channels: i64, out_channels: i64) {
    assert!(
        groups > 0 && in_channels % groups == 0 && out_channels % groups == 0,
        "{what}: {in_channels} and {out_channels} channels cannot be divided into {groups} groups; choose a divisor of both"
    );
}

/// The numbers of a configuration, once for each dimension.
fn each<const N: usize>(config: ConvConfig) -> ConvConfigND<[i64; N]> {
    ConvConfigND {
        stride: [config.stride; N],
        padding: [config.padding; N],
        dilation: [config.dilation; N],
        groups: config.groups,
        bias: config.bias,
        ws_init: config.ws_init,
        bs_init: config.bs_init,
        padding_mode: config.padding_mode,
    }
}

macro_rules! convolution {
    ($make:ident, $layer:ident, $n:literal, $shape:literal) => {
        #[doc = concat!("Makes a convolution whose kernel is `size` numbers along each dimension of `", $shape, "`: see [`conv`].")]
        ///
        /// # Panics
        ///
        /// Where the groups do not divide the channels evenly.
        pub fn $make<'a>(
            path: impl Borrow<Path<'a>>,
            in_channels: i64,
            out_channels: i64,
            size: i64,
            config: ConvConfig,
        ) -> $layer {
            fn make(path: &Path<'_>, channels: [i64; 2], size: i64, config: ConvConfig) -> $layer {
                conv(path, channels[0], channels[1], [size; $n], each(config))
            }
            make(path.borrow(), [in_channels, out_channels], size, config)
        }
    };
}

convolution!(conv1d, Conv1D, 1, "[N, C, L]");
convolution!(conv2d, Conv2D, 2, "[N, C, H, W]");
convolution!(conv3d, Conv3D, 3, "[N, C, D, H, W]");

/// How a transposed convolution is made; weights and biases begin as those of PyTorch's, uniform from `-1/sqrt(fan)` to
/// `1/sqrt(fan)` with a fan of `out_channels / groups` times the size of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct ConvTransposeConfig {
    /// How far apart two inputs write. Default 1.
    pub stride: i64,
    /// What is taken off at each side. Default 0.
    pub padding: i64,
    /// What is added at one side: which of the sizes that a convolution would take to the input's it gives. Default 0.
    pub output_padding: i64,
    /// Into how many parts the channels are divided, each with weights of its own. Default 1.
    pub groups: i64,
    /// Whether there is a bias. Default true.
    pub bias: bool,
    /// How far apart the outputs of one input lie. Default 1.
    pub dilation: i64,
    /// Of the weight. Default [`init::PYTORCH_UNIFORM`](crate::nn::init::PYTORCH_UNIFORM).
    pub ws_init: Init,
    /// Of the bias, where a fan is that of the weight. The default is the same.
    pub bs_init: Init,
}

impl Default for ConvTransposeConfig {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            output_padding: 0,
            groups: 1,
            bias: true,
            dilation: 1,
            ws_init: PYTORCH_UNIFORM,
            bs_init: PYTORCH_UNIFORM,
        }
    }
}

macro_rules! transposed {
    ($make:ident, $layer:ident, $n:literal, $shape:literal) => {
        #[doc = concat!("Makes a transposed convolution over `", $shape, "`, with a kernel of `size` numbers along each dimension.")]
        /// Its `weight` is `[in_channels, out_channels / groups, size, ...]`, as in PyTorch.
        ///
        /// # Panics
        ///
        /// Where the groups do not divide the channels evenly.
        pub fn $make<'a>(
            path: impl Borrow<Path<'a>>,
            in_channels: i64,
            out_channels: i64,
            size: i64,
            config: ConvTransposeConfig,
        ) -> $layer {
            let path = &path.borrow().layer();
            let ConvTransposeConfig { stride, padding, output_padding, groups, bias, dilation, ws_init, bs_init } =
                config;
            check_groups(stringify!($make), groups, in_channels, out_channels);
            let mut dims = vec![in_channels, out_channels / groups];
            dims.extend([size; $n]);
            let ws = path.var("weight", &dims, in_layer_of(&dims, ws_init));
            let bs = bias.then(|| path.var("bias", &[out_channels], in_layer_of(&dims, bs_init)));
            let (ws_init, bs_init) = (Init::Const(0.0), Init::Const(0.0));
            let made = tch::nn::ConvTransposeConfig {
                stride,
                padding,
                output_padding,
                groups,
                bias,
                dilation,
                ws_init,
                bs_init,
            };
            // As in `conv`.
            let elsewhere = tch::nn::VarStore::new(tch::Device::Cpu);
            let mut layer = tch::nn::$make(elsewhere.root(), groups, groups, size, made);
            (layer.ws, layer.bs) = (ws, bs);
            layer
        }
    };
}

transposed!(conv_transpose1d, ConvTranspose1D, 1, "[N, C, L]");
transposed!(conv_transpose2d, ConvTranspose2D, 2, "[N, C, H, W]");
transposed!(conv_transpose3d, ConvTranspose3D, 3, "[N, C, D, H, W]");
