//! Residual networks: each block learns what to add to its input (K. He et al., Deep residual learning for image
//! recognition, 2016). Variables are named as torchvision names them.
//!
//! [`resnet`] makes the kind for small images, [`resnet18`] and its kin those for large ones.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Conv2D, Linear, Module, ModuleT};

use crate::nn::Path;
use crate::nn::init::{FanInOut, NonLinearity, kaiming_normal_};
use crate::nn::layers::conv::{ConvConfig, conv2d};
use crate::nn::layers::linear::{LinearConfig, linear};
use crate::nn::layers::norm::{BatchNorm, batch_norm2d};
use crate::nn::sequential::{SequentialT, seq_t};
use crate::nn::watch::{Watched, WatchedT, watch, watch_t};

/// A convolution without bias, followed by a batch norm.
#[derive(Debug)]
struct ConvNorm {
    conv: Watched<Conv2D>,
    norm: WatchedT<BatchNorm>,
}

impl ConvNorm {
    fn new(path: &Path, names: [&str; 2], channels: [i64; 2], size: i64, stride: i64) -> Self {
        let [from, to] = channels;
        let config = ConvConfig { stride, padding: size / 2, bias: false, ..Default::default() };
        Self {
            conv: watch(conv2d(path / names[0], from, to, size, config)),
            norm: watch_t(batch_norm2d(path / names[1], to, Default::default())),
        }
    }
}

impl ConvNorm {
    fn weight(&self) -> Tensor {
        self.conv.ws.shallow_clone()
    }
}

impl ModuleT for ConvNorm {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.norm.forward_t(&self.conv.forward(xs), train)
    }
}

/// The input as the output needs it: as it is, or through a convolution where channels or size differ.
fn shortcut(path: &Path, channels: [i64; 2], stride: i64) -> Option<ConvNorm> {
    let names = ["0", "1"];
    (stride != 1 || channels[0] != channels[1])
        .then(|| ConvNorm::new(&(path / "downsample"), names, channels, 1, stride))
}

fn add_shortcut(shortcut: &Option<ConvNorm>, xs: &Tensor, branch: Tensor, train: bool) -> Tensor {
    match shortcut {
        Some(shortcut) => (branch + shortcut.forward_t(xs, train)).relu(),
        None => (branch + xs).relu(),
    }
}

/// `relu(x + bn(conv(relu(bn(conv(x))))))`, with two convolutions of 3 by 3.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let block = nn::basic_block(vs.root(), 8, 16, 2);
/// let x = Tensor::randn([2, 8, 12, 12], (Kind::Float, device()));
/// assert_eq!(block.forward_t(&x, true).size(), [2, 16, 6, 6]);
/// ```
#[derive(Debug)]
pub struct BasicBlock {
    first: ConvNorm,
    second: ConvNorm,
    shortcut: Option<ConvNorm>,
}

/// Makes a block from `in_channels` to `out_channels`; a stride of 2 halves height and width.
pub fn basic_block<'a>(path: impl Borrow<Path<'a>>, in_channels: i64, out_channels: i64, stride: i64) -> BasicBlock {
    let path = &path.borrow().layer();
    BasicBlock {
        first: ConvNorm::new(path, ["conv1", "bn1"], [in_channels, out_channels], 3, stride),
        second: ConvNorm::new(path, ["conv2", "bn2"], [out_channels, out_channels], 3, 1),
        shortcut: shortcut(path, [in_channels, out_channels], stride),
    }
}

impl BasicBlock {
    /// Of the convolutions, as PyTorch goes over them.
    fn weights(&self) -> Vec<Tensor> {
        [&self.first, &self.second].into_iter().chain(&self.shortcut).map(ConvNorm::weight).collect()
    }
}

/// `[N, in_channels, H, W]` to `[N, out_channels, H / stride, W / stride]`.
impl ModuleT for BasicBlock {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let branch = self.second.forward_t(&self.first.forward_t(xs, train).relu(), train);
        add_shortcut(&self.shortcut, xs, branch, train)
    }
}

/// A block whose convolution of 3 by 3 stands between two of 1 by 1, which shrink and widen the channels: for deep
/// networks. It gives four times as many channels as it is wide.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let block = nn::bottleneck(vs.root(), 16, 8, 2);
/// let x = Tensor::randn([2, 16, 12, 12], (Kind::Float, device()));
/// assert_eq!(block.forward_t(&x, true).size(), [2, 32, 6, 6]);
/// ```
#[derive(Debug)]
pub struct Bottleneck {
    first: ConvNorm,
    second: ConvNorm,
    third: ConvNorm,
    shortcut: Option<ConvNorm>,
}

/// Makes a block from `in_channels` to `4 * width` channels.
pub fn bottleneck<'a>(path: impl Borrow<Path<'a>>, in_channels: i64, width: i64, stride: i64) -> Bottleneck {
    let path = &path.borrow().layer();
    let out_channels = 4 * width;
    Bottleneck {
        first: ConvNorm::new(path, ["conv1", "bn1"], [in_channels, width], 1, 1),
        second: ConvNorm::new(path, ["conv2", "bn2"], [width, width], 3, stride),
        third: ConvNorm::new(path, ["conv3", "bn3"], [width, out_channels], 1, 1),
        shortcut: shortcut(path, [in_channels, out_channels], stride),
    }
}

impl Bottleneck {
    /// Of the convolutions, as PyTorch goes over them.
    fn weights(&self) -> Vec<Tensor> {
        [&self.first, &self.second, &self.third].into_iter().chain(&self.shortcut).map(ConvNorm::weight).collect()
    }
}

/// `[N, in_channels, H, W]` to `[N, 4 * width, H / stride, W / stride]`.
impl ModuleT for Bottleneck {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let branch = self.first.forward_t(xs, train).relu();
        let branch = self.third.forward_t(&self.second.forward_t(&branch, train).relu(), train);
        add_shortcut(&self.shortcut, xs, branch, train)
    }
}

/// What a [`ResNet`] is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResNetBlock {
    /// [`BasicBlock`]
    Basic,
    /// [`Bottleneck`]
    Bottleneck,
}

/// How a [`ResNet`] is made. The default is the ResNet-20 that the paper trains on CIFAR-10.
#[derive(Debug, Clone)]
pub struct ResNetConfig {
    /// The width of each stage. Default `[16, 32, 64]`.
    pub widths: Vec<i64>,
    /// The number of blocks in each stage. Default `[3, 3, 3]`.
    pub blocks: Vec<i64>,
    /// Default basic.
    pub block: ResNetBlock,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { widths: vec![16, 32, 64], blocks: vec![3, 3, 3], block: ResNetBlock::Basic }
    }
}

/// A residual network: a convolution, stages of blocks of which each but the first halves the image, the mean of each
/// channel, and a linear layer. [`resnet`] makes those for small images, whose first convolution is of 3 by 3;
/// [`resnet18`] and its kin begin with one of 7 by 7, and a pool, which make an image of 224 by 224 one of 56 by 56.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::ResNetConfig { widths: vec![8, 16], blocks: vec![1, 1], ..Default::default() };
/// let net = nn::resnet(vs.root(), 1, 10, config);
/// assert_eq!(net.forward_t(&digits().images.narrow(0, 0, 4).to_device(device()), true).size(), [4, 10]);
/// ```
#[derive(Debug)]
pub struct ResNet {
    stem: ConvNorm,
    /// Whether a pool follows the first convolution.
    is_pooled: bool,
    stages: Vec<SequentialT>,
    fc: Watched<Linear>,
}

/// Makes a network for images of `in_channels`.
///
/// # Panics
///
/// Where there are not as many widths as numbers of blocks, or none.
pub fn resnet<'a>(path: impl Borrow<Path<'a>>, in_channels: i64, classes: i64, config: ResNetConfig) -> ResNet {
    let path = &path.borrow().layer();
    let ResNetConfig { widths, blocks, block } = config;
    assert!(
        !widths.is_empty() && widths.len() == blocks.len(),
        "resnet: widths {widths:?} and blocks {blocks:?}; each stage needs one of each"
    );
    let stem = ConvNorm::new(path, ["conv1", "bn1"], [in_channels, widths[0]], 3, 1);
    let (stages, channels, _) = stages(path, widths[0], &widths, &blocks, block);
    ResNet {
        stem,
        is_pooled: false,
        stages,
        fc: watch(linear(path / "fc", channels, classes, LinearConfig::default())),
    }
}

/// Stages of blocks, the channels that they give, and the weights of their convolutions.
fn stages(
    path: &Path,
    mut channels: i64,
    widths: &[i64],
    blocks: &[i64],
    block: ResNetBlock,
) -> (Vec<SequentialT>, i64, Vec<Tensor>) {
    let (mut stages, mut weights) = (Vec::new(), Vec::new());
    for (stage, (width, blocks)) in widths.iter().zip(blocks).enumerate() {
        let path = path / format!("layer{}", stage + 1);
        let mut layers = seq_t();
        for index in 0..*blocks {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            let path = &path / index;
            match block {
                ResNetBlock::Basic => {
                    let block = basic_block(path, channels, *width, stride);
                    channels = *width;
                    weights.extend(block.weights());
                    layers = layers.add(block);
                }
                ResNetBlock::Bottleneck => {
                    let block = bottleneck(path, channels, *width, stride);
                    channels = 4 * width;
                    weights.extend(block.weights());
                    layers = layers.add(block);
                }
            }
        }
        stages.push(layers);
    }
    (stages, channels, weights)
}

macro_rules! large {
    ($($make:ident, $name:literal, $block:ident, $blocks:expr;)*) => {
        $(#[doc = concat!("Makes ", $name, " for colored images `[N, 3, H, W]`, of 224 by 224 or another size, with")]
        /// the names and initial weights of torchvision's, whose `state_dict` it loads: with 1000 `classes` one of
        /// ImageNet, and by `vs.load_partial` one that was saved without `fc`.
        ///
        /// ```
        /// use oxtorch::prelude::*;
        /// let vs = nn::VarStore::new(device());
        /// let net = nn::resnet18(vs.root(), 10);
        /// let x = Tensor::zeros([1, 3, 64, 64], (Kind::Float, device()));
        /// assert_eq!(net.forward_t(&x, false).size(), [1, 10]);
        /// assert_eq!(vs.variables()["layer1.0.conv1.weight"].size()[0], 64);
        /// ```
        pub fn $make<'a>(path: impl Borrow<Path<'a>>, classes: i64) -> ResNet {
            large(&path.borrow().layer(), classes, $blocks, ResNetBlock::$block)
        })*
    };
}

large! {
    resnet18, "ResNet-18", Basic, [2, 2, 2, 2];
    resnet34, "ResNet-34", Basic, [3, 4, 6, 3];
    resnet50, "ResNet-50", Bottleneck, [3, 4, 6, 3];
    resnet101, "ResNet-101", Bottleneck, [3, 4, 23, 3];
    resnet152, "ResNet-152", Bottleneck, [3, 8, 36, 3];
}

fn large(path: &Path, classes: i64, blocks: [i64; 4], block: ResNetBlock) -> ResNet {
    let stem = ConvNorm::new(path, ["conv1", "bn1"], [3, 64], 7, 2);
    let (stages, channels, weights) = stages(path, 64, &[64, 128, 256, 512], &blocks, block);
    let fc = watch(linear(path / "fc", channels, classes, LinearConfig::default()));
    // torchvision draws the convolutions anew when all layers are there; so a seed gives the same numbers.
    if !path.has_given_weights() {
        for weight in [stem.weight()].iter().chain(&weights) {
            kaiming_normal_(weight, FanInOut::FanOut, NonLinearity::ReLU);
        }
    }
    ResNet { stem, is_pooled: true, stages, fc }
}

impl ResNet {
    /// What the linear layer is given: `[N, in_channels, H, W]` to `[N, channels]`.
    pub fn features(&self, xs: &Tensor, train: bool) -> Tensor {
        let xs = self.stem.forward_t(xs, train).relu();
        let xs = if self.is_pooled { xs.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false) } else { xs };
        let xs = self
            .stages
            .iter()
            .fold(xs, |xs, stage| crate::nn::watch::call(stage, STAGE, &mut || stage.forward_t(&xs, train)));
        xs.mean_dim([2i64, 3].as_slice(), false, xs.kind())
    }
}

const STAGE: &str = "SequentialT";

/// `[N, in_channels, H, W]` to logits `[N, classes]`.
impl ModuleT for ResNet {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.fc.forward(&self.features(xs, train))
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn both_kinds_of_network_are_pytorchs_in_training_and_outside() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/networks.json"));
        for (name, block) in [("basic", ResNetBlock::Basic), ("bottleneck", ResNetBlock::Bottleneck)] {
            let vs = VarStore::new(Device::Cpu);
            let net = resnet(vs.root(), 2, 3, ResNetConfig { widths: vec![3, 4], blocks: vec![1, 2], block });
            let at = |what: &str| format!("/resnet/{name}/{what}");
            reference.load(&at("parameters"), &vs);
            let input = reference.tensor("/resnet/input");
            reference.check(&at("eval"), &net.forward_t(&input, false), 1e-4);
            let output = net.forward_t(&input, true);
            reference.check(&at("train"), &output, 1e-4);
            output.square().sum(output.kind()).backward();
            reference.check(&at("gradient"), &vs.variables()["conv1.weight"].grad(), 1e-3);
            reference.check(&at("running_mean"), &vs.variables()["layer2.0.bn2.running_mean"], 1e-4);
        }
    }

    #[test]
    fn large_networks_have_the_names_of_torchvision() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/resnets.json"));
        for name in ["resnet18", "resnet34", "resnet50"] {
            let vs = VarStore::new(Device::Cpu);
            let _net = match name {
                "resnet18" => resnet18(vs.root(), 10),
                "resnet34" => resnet34(vs.root(), 10),
                _ => resnet50(vs.root(), 10),
            };
            let sizes = vs.variables().into_iter().map(|(name, variable)| format!("{name} {:?}", variable.size()));
            let mut sizes: Vec<String> = sizes.collect();
            sizes.sort();
            assert_eq!(sizes, reference.texts(&format!("/names/{name}")), "{name}");
        }
    }

    #[test]
    fn a_large_network_is_torchvisions_after_the_same_seed() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/resnets.json"));
        let input = reference.tensor("/input");
        let made = || {
            let vs = VarStore::new(Device::Cpu);
            let net = resnet18(vs.root(), 10);
            (vs, net)
        };
        let _ = reference.drawn("/eval", 4, || made().1.forward_t(&input, false), 1e-4);
        let _ = reference.drawn("/train", 4, || made().1.forward_t(&input, true), 1e-3);
        let (vs, net) = made();
        let mut other = VarStore::new(Device::Cpu);
        let loaded = resnet18(other.root(), 10);
        other.copy(&vs).expect("the same network");
        assert!(loaded.forward_t(&input, false).equal(&net.forward_t(&input, false)));
    }

    #[test]
    fn the_default_is_the_papers_resnet_20() {
        let vs = VarStore::new(Device::Cpu);
        let _net = resnet(vs.root(), 3, 10, ResNetConfig::default());
        let count: usize = vs.trainable_variables().iter().map(Tensor::numel).sum();
        // The paper's table says 0.27 million; two stages have a convolution in their shortcut here, of 512 + 64 and
        // 2048 + 128.
        assert_eq!(count, 272_474);
    }
}
