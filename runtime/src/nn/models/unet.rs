//! U-Net: down to small images with many channels and up again, with each size's features handed across (O. Ronneberger
//! et al., U-Net: Convolutional networks for biomedical image segmentation, 2015). With a time, and classes, it is what
//! a diffusion model needs (J. Ho et al., Denoising diffusion probabilistic models, 2020).

use std::borrow::Borrow;

use tch::nn::{Conv2D, Embedding, GroupNorm, GroupNormConfig, Linear, Module, ModuleT};
use tch::{Kind, Tensor};

use crate::nn::Path;
use crate::nn::layers::conv::{ConvConfig, conv2d};
use crate::nn::layers::embedding::embedding;
use crate::nn::layers::linear::{LinearConfig, linear};
use crate::nn::layers::norm::group_norm;
use crate::nn::watch::{self, Watched, watch};

/// `[sin(t * w_0), sin(t * w_1), ..., cos(t * w_0), ...]`, with `w_i = 10000^(-2i / dim)`: times `[N]`, whole or not,
/// to `[N, dim]` float32.
///
/// ```
/// use oxtorch::prelude::*;
/// let t = Tensor::from_slice(&[0i64, 10, 999]);
/// let embedding = nn::timestep_embedding(&t, 8);
/// assert_eq!(embedding.size(), [3, 8]);
/// assert_eq!(embedding.i(0), Tensor::from_slice(&[0f32, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]));
/// ```
///
/// # Panics
///
/// Where the times are no vector, or `dim` is odd.
pub fn timestep_embedding(times: &Tensor, dim: i64) -> Tensor {
    let size = times.size();
    assert!(size.len() == 1, "timestep_embedding: times of {size:?}; they are [N], one for each sample");
    assert!(
        dim > 0 && dim % 2 == 0,
        "timestep_embedding: {dim} numbers; half of them are sines, so give an even number"
    );
    let half = dim / 2;
    let exponents = Tensor::arange(half, (Kind::Float, times.device())) * (-(10000f64.ln()) / half as f64);
    let angles = times.to_kind(Kind::Float).unsqueeze(1) * exponents.exp().unsqueeze(0);
    Tensor::cat(&[angles.sin(), angles.cos()], 1)
}

fn conv(path: Path, channels: [i64; 2], size: i64) -> Watched<Conv2D> {
    let config = ConvConfig { padding: size / 2, ..Default::default() };
    watch(conv2d(path, channels[0], channels[1], size, config))
}

fn norm(path: Path, groups: i64, channels: i64) -> Watched<GroupNorm> {
    assert!(groups > 0 && channels % groups == 0, "unet: {groups} groups do not divide {channels} channels evenly");
    watch(group_norm(path, groups, channels, GroupNormConfig::default()))
}

/// `skip(x) + conv(dropout(silu(norm(conv(silu(norm(x))) + linear(silu(e))))))`, with the embedding e of time or class
/// where there is one.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let block = nn::unet_block(vs.root(), 8, 16, Some(32), &nn::UNetConfig { groups: 4, ..Default::default() });
/// let x = Tensor::randn([2, 8, 6, 6], (Kind::Float, device()));
/// let e = Tensor::randn([2, 32], (Kind::Float, device()));
/// assert_eq!(block.forward_embedded(&x, Some(&e), true).size(), [2, 16, 6, 6]);
/// ```
#[derive(Debug)]
pub struct UNetBlock {
    norm1: Watched<GroupNorm>,
    conv1: Watched<Conv2D>,
    embedding: Option<Watched<Linear>>,
    norm2: Watched<GroupNorm>,
    conv2: Watched<Conv2D>,
    skip: Option<Watched<Conv2D>>,
    dropout: f64,
}

/// Makes a block from `in_channels` to `out_channels`, for embeddings of `embedding` numbers; groups and dropout are
/// the configuration's.
///
/// # Panics
///
/// Where the groups do not divide the channels evenly.
pub fn unet_block<'a>(
    path: impl Borrow<Path<'a>>,
    in_channels: i64,
    out_channels: i64,
    embedding: Option<i64>,
    config: &UNetConfig,
) -> UNetBlock {
    let path = &path.borrow().layer();
    let channels = [in_channels, out_channels];
    UNetBlock {
        norm1: norm(path / "norm1", config.groups, in_channels),
        conv1: conv(path / "conv1", channels, 3),
        embedding: embedding.map(|dim| watch(linear(path / "embedding", dim, out_channels, LinearConfig::default()))),
        norm2: norm(path / "norm2", config.groups, out_channels),
        conv2: conv(path / "conv2", [out_channels, out_channels], 3),
        skip: (in_channels != out_channels).then(|| conv(path / "skip", channels, 1)),
        dropout: config.dropout,
    }
}

impl UNetBlock {
    /// `[N, in_channels, H, W]` to `[N, out_channels, H, W]`, with an embedding `[N, E]` where the block is made for
    /// one.
    ///
    /// # Panics
    ///
    /// Where the block has one and is given none, or the other way round.
    pub fn forward_embedded(&self, xs: &Tensor, embedding: Option<&Tensor>, train: bool) -> Tensor {
        watch::call(self, "UNetBlock", &mut || {
            let mut hidden = self.conv1.forward(&self.norm1.forward(xs).silu());
            match (&self.embedding, embedding) {
                (Some(linear), Some(embedding)) => {
                    hidden += linear.forward(&embedding.silu()).unsqueeze(-1).unsqueeze(-1);
                }
                (None, None) => {}
                (Some(_), None) => panic!("unet: this block is made for an embedding, and is given none"),
                (None, Some(_)) => panic!("unet: this block is made for no embedding, and is given one"),
            }
            let hidden = self.norm2.forward(&hidden).silu().dropout(self.dropout, train);
            let hidden = self.conv2.forward(&hidden);
            match &self.skip {
                Some(skip) => hidden + skip.forward(xs),
                None => hidden + xs,
            }
        })
    }
}

/// How a [`UNet`] is made.
#[derive(Debug, Clone)]
pub struct UNetConfig {
    /// Of each size, the whole image first; each next one is half as high and wide. Default `[32, 64, 128]`.
    pub channels: Vec<i64>,
    /// Of the group norms. Default 8.
    pub groups: i64,
    /// Default 0.
    pub dropout: f64,
    /// Whether it is told a time, as a diffusion model is. Default false.
    pub time: bool,
    /// The number of classes that it can be told. Default 0: it is told none.
    pub classes: i64,
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self { channels: vec![32, 64, 128], groups: 8, dropout: 0.0, time: false, classes: 0 }
    }
}

/// A U-Net. Any height and width will do.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::UNetConfig { channels: vec![8, 16], time: true, classes: 10, ..Default::default() };
/// let net = nn::unet(vs.root(), 1, 1, config);
/// let x = Tensor::randn([4, 1, 8, 8], (Kind::Float, device()));
/// let t = Tensor::from_slice(&[0i64, 10, 200, 999]).to_device(device());
/// let labels = Tensor::from_slice(&[3i64, 1, 4, 1]).to_device(device());
/// assert_eq!(net.forward_at(&x, Some(&t), Some(&labels), true).size(), [4, 1, 8, 8]);
/// ```
#[derive(Debug)]
pub struct UNet {
    time: Option<[Watched<Linear>; 2]>,
    class: Option<Watched<Embedding>>,
    conv_in: Watched<Conv2D>,
    down: Vec<UNetBlock>,
    middle: UNetBlock,
    up: Vec<UNetBlock>,
    norm_out: Watched<GroupNorm>,
    conv_out: Watched<Conv2D>,
    config: UNetConfig,
}

/// Makes a network from images of `in_channels` to images of `out_channels` of the same size.
///
/// # Panics
///
/// Where there are no channels, or the groups do not divide them evenly.
pub fn unet<'a>(path: impl Borrow<Path<'a>>, in_channels: i64, out_channels: i64, config: UNetConfig) -> UNet {
    let path = &path.borrow().layer();
    let channels = config.channels.clone();
    assert!(!channels.is_empty(), "unet: no channels; give one number for each size, such as vec![32, 64, 128]");
    let (first, last) = (channels[0], channels[channels.len() - 1]);
    let dim = 4 * first;
    let embedded = (config.time || config.classes > 0).then_some(dim);
    let down = channels.iter().enumerate().map(|(level, to)| {
        let from = channels[level.saturating_sub(1)];
        unet_block(path / "down" / level, from, *to, embedded, &config)
    });
    let up = channels.windows(2).enumerate().map(|(level, pair)| {
        let from = pair[0] + pair[1];
        unet_block(path / "up" / level, from, pair[0], embedded, &config)
    });
    let time = path / "time";
    UNet {
        time: config.time.then(|| {
            let linear = |name: &str, from| watch(linear(&time / name, from, dim, LinearConfig::default()));
            [linear("linear1", first), linear("linear2", dim)]
        }),
        // The last row stands for no class.
        class: (config.classes > 0)
            .then(|| watch(embedding(path / "class", config.classes + 1, dim, Default::default()))),
        conv_in: conv(path / "conv_in", [in_channels, first], 3),
        down: down.collect(),
        middle: unet_block(path / "middle", last, last, embedded, &config),
        up: up.collect(),
        norm_out: norm(path / "norm_out", config.groups, first),
        conv_out: conv(path / "conv_out", [first, out_channels], 3),
        config,
    }
}

impl UNet {
    /// `[N, in_channels, H, W]` to `[N, out_channels, H, W]`, with the time `[N]` of each sample and its class `[N]`
    /// int64. A network for classes that is given none, or the label `classes` for a sample, takes that as no class:
    /// for guidance without a classifier (J. Ho and T. Salimans, 2022).
    ///
    /// # Panics
    ///
    /// Where it is made for a time and is given none, or is given what it is not made for.
    pub fn forward_at(&self, xs: &Tensor, time: Option<&Tensor>, labels: Option<&Tensor>, train: bool) -> Tensor {
        let embedding = self.embedding(xs, time, labels);
        let embedding = embedding.as_ref();
        let mut xs = self.conv_in.forward(xs);
        let mut across = Vec::new();
        for (level, block) in self.down.iter().enumerate() {
            if level > 0 {
                // A row or column that has no other to be averaged with stands for itself.
                xs = xs.avg_pool2d([2, 2], [2, 2], [0, 0], true, false, None);
            }
            xs = block.forward_embedded(&xs, embedding, train);
            across.push(xs.shallow_clone());
        }
        let _ = across.pop();
        xs = self.middle.forward_embedded(&xs, embedding, train);
        for block in self.up.iter().rev() {
            let features = across.pop().expect("one of each size but the smallest");
            let size = features.size();
            let larger = xs.upsample_nearest2d([size[2], size[3]], None, None);
            xs = block.forward_embedded(&Tensor::cat(&[features, larger], 1), embedding, train);
        }
        self.conv_out.forward(&self.norm_out.forward(&xs).silu())
    }

    fn embedding(&self, xs: &Tensor, time: Option<&Tensor>, labels: Option<&Tensor>) -> Option<Tensor> {
        let time = match (&self.time, time) {
            (Some([first, second]), Some(time)) => {
                let waves = timestep_embedding(time, self.config.channels[0]).to_kind(xs.kind());
                Some(second.forward(&first.forward(&waves).silu()))
            }
            (None, None) => None,
            (Some(_), None) => panic!("unet: the network is made for a time; give it one with forward_at"),
            (None, Some(_)) => panic!("unet: the network is made for no time; set `time: true` in its configuration"),
        };
        let class = match (&self.class, labels) {
            (Some(class), Some(labels)) => Some(class.forward(labels)),
            (Some(class), None) => {
                let none = Tensor::full([xs.size()[0]], self.config.classes, (Kind::Int64, xs.device()));
                Some(class.forward(&none))
            }
            (None, None) => None,
            (None, Some(_)) => panic!("unet: the network is made for no classes; set `classes` in its configuration"),
        };
        match (time, class) {
            (Some(time), Some(class)) => Some(time + class),
            (time, class) => time.or(class),
        }
    }
}

/// Without a time; a network that is made for classes takes this as no class.
impl ModuleT for UNet {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.forward_at(xs, None, None, train)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    fn config() -> UNetConfig {
        UNetConfig { channels: vec![4, 6], groups: 2, ..Default::default() }
    }

    #[test]
    fn a_network_with_time_and_classes_is_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/networks.json"));
        let vs = VarStore::new(Device::Cpu);
        let net = unet(vs.root(), 2, 1, UNetConfig { time: true, classes: 3, ..config() });
        reference.load("/unet/parameters", &vs);
        let (input, time) = (reference.tensor("/unet/input"), reference.tensor("/unet/time"));
        let output = net.forward_at(&input, Some(&time), Some(&reference.tensor("/unet/labels")), true);
        reference.check("/unet/output", &output, 1e-4);
        output.square().sum(output.kind()).backward();
        reference.check("/unet/gradient", &vs.variables()["time.linear1.weight"].grad(), 1e-3);
        reference.check("/unet/no_class", &net.forward_at(&input, Some(&time), None, true), 1e-4);
        reference.check("/unet/embedding", &timestep_embedding(&time, 6), 1e-4);
    }

    #[test]
    fn any_size_comes_back_and_no_time_is_needed_where_none_is_asked_for() {
        let vs = VarStore::new(Device::Cpu);
        let net = unet(vs.root(), 1, 2, UNetConfig { channels: vec![4, 4, 8], ..config() });
        for size in [[1, 1, 28, 28], [2, 1, 7, 9], [1, 1, 1, 5]] {
            let output = net.forward_t(&Tensor::randn(size, (Kind::Float, Device::Cpu)), false);
            assert_eq!(output.size(), [size[0], 2, size[2], size[3]]);
        }
    }

    #[test]
    #[should_panic(expected = "made for a time; give it one with forward_at")]
    fn a_time_that_is_missing_is_said() {
        let vs = VarStore::new(Device::Cpu);
        let net = unet(vs.root(), 1, 1, UNetConfig { time: true, ..config() });
        let _ = net.forward_t(&Tensor::zeros([1, 1, 8, 8], (Kind::Float, Device::Cpu)), true);
    }
}
