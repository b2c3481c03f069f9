//! Layers of a transformer: attention and a small network, each around a residual connection (A. Vaswani et al.,
//! Attention is all you need, 2017). Variables are named as in PyTorch's, so that weights trained there fit.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{LayerNorm, LayerNormConfig, Linear, Module, ModuleT};

use crate::nn::Path;
use crate::nn::layers::attention::{AttentionConfig, Mask, MultiheadAttention, multihead_attention};
use crate::nn::layers::linear::linear;
use crate::nn::layers::norm::layer_norm;

/// What stands between the two matrices of a layer's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `x * Phi(x)`
    Gelu,
}

impl Activation {
    fn apply(self, xs: &Tensor) -> Tensor {
        match self {
            Activation::Relu => xs.relu(),
            Activation::Gelu => xs.gelu("none"),
        }
    }
}

/// How the layers are made. The default is that of PyTorch.
#[derive(Debug, Clone, Copy)]
pub struct TransformerConfig {
    /// The width of the network in each layer. Default 2048.
    pub dim_feedforward: i64,
    /// Default 0.1.
    pub dropout: f64,
    /// Default ReLU.
    pub activation: Activation,
    /// Whether each part normalises what it gets (as most models do today) rather than what it gives. Default false.
    pub norm_first: bool,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self { dim_feedforward: 2048, dropout: 0.1, activation: Activation::Relu, norm_first: false }
    }
}

/// The network of a layer: `linear2(dropout(activation(linear1(x))))`.
#[derive(Debug)]
struct FeedForward {
    linear1: Linear,
    linear2: Linear,
    config: TransformerConfig,
}

impl FeedForward {
    fn new(path: &Path, d_model: i64, config: TransformerConfig) -> Self {
        let linear1 = linear(path / "linear1", d_model, config.dim_feedforward, Default::default());
        let linear2 = linear(path / "linear2", config.dim_feedforward, d_model, Default::default());
        Self { linear1, linear2, config }
    }

    fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        let hidden = self.config.activation.apply(&self.linear1.forward(xs)).dropout(self.config.dropout, train);
        self.linear2.forward(&hidden).dropout(self.config.dropout, train)
    }
}

fn norm(path: Path, d_model: i64) -> LayerNorm {
    layer_norm(path, vec![d_model], LayerNormConfig::default())
}

fn attention(path: Path, d_model: i64, heads: i64, config: TransformerConfig) -> MultiheadAttention {
    multihead_attention(path, d_model, heads, AttentionConfig { dropout: config.dropout, bias: true })
}

/// A part of a layer with its residual connection and its norm, before or after.
fn residual(xs: &Tensor, norm: &LayerNorm, norm_first: bool, part: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    if norm_first { xs + part(&norm.forward(xs)) } else { norm.forward(&(xs + part(xs))) }
}

/// Self-attention, then a network: PyTorch's `nn.TransformerEncoderLayer`, batch first.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::TransformerConfig { dim_feedforward: 64, norm_first: true, ..Default::default() };
/// let layer = nn::transformer_encoder_layer(vs.root(), 16, 4, config);
/// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// assert_eq!(layer.forward_masked(&x, &nn::Mask::causal(), true).size(), [2, 5, 16]);
/// ```
#[derive(Debug)]
pub struct TransformerEncoderLayer {
    /// Looks at the sequence itself.
    pub self_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    config: TransformerConfig,
}

/// Makes a layer for vectors of `d_model` numbers.
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly.
pub fn transformer_encoder_layer<'a>(
    path: impl Borrow<Path<'a>>,
    d_model: i64,
    heads: i64,
    config: TransformerConfig,
) -> TransformerEncoderLayer {
    let path = &path.borrow().layer();
    TransformerEncoderLayer {
        self_attn: attention(path / "self_attn", d_model, heads, config),
        feed_forward: FeedForward::new(path, d_model, config),
        norm1: norm(path / "norm1", d_model),
        norm2: norm(path / "norm2", d_model),
        config,
    }
}

impl TransformerEncoderLayer {
    /// `[N, L, d_model]` to the same shape.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_masked(&self, xs: &Tensor, mask: &Mask, train: bool) -> Tensor {
        let TransformerConfig { dropout, norm_first, .. } = self.config;
        let xs = residual(xs, &self.norm1, norm_first, |xs| {
            self.self_attn.forward_masked(xs, xs, xs, mask, train).dropout(dropout, train)
        });
        residual(&xs, &self.norm2, norm_first, |xs| self.feed_forward.forward(xs, train))
    }
}

impl ModuleT for TransformerEncoderLayer {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.forward_masked(xs, &Mask::none(), train)
    }
}

/// Encoder layers one after the other, with a last norm where the layers normalise first: a GPT is one of these with
/// [`Mask::causal`].
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::TransformerConfig { dim_feedforward: 64, norm_first: true, ..Default::default() };
/// let encoder = nn::transformer_encoder(vs.root(), 2, 16, 4, config);
/// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// assert_eq!(encoder.forward_t(&x, false).size(), [2, 5, 16]);
/// ```
#[derive(Debug)]
pub struct TransformerEncoder {
    /// In their order.
    pub layers: Vec<TransformerEncoderLayer>,
    norm: Option<LayerNorm>,
}

/// Makes so many layers, named `layers.0` and on, and a norm named `norm` where `config.norm_first` is set.
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly.
pub fn transformer_encoder<'a>(
    path: impl Borrow<Path<'a>>,
    layers: i64,
    d_model: i64,
    heads: i64,
    config: TransformerConfig,
) -> TransformerEncoder {
    let path = &path.borrow().layer();
    let layer = |index| transformer_encoder_layer(path / "layers" / index, d_model, heads, config);
    let layers = (0..layers).map(layer).collect();
    TransformerEncoder { layers, norm: config.norm_first.then(|| norm(path / "norm", d_model)) }
}

impl TransformerEncoder {
    /// `[N, L, d_model]` to the same shape; each layer has the mask.
    pub fn forward_masked(&self, xs: &Tensor, mask: &Mask, train: bool) -> Tensor {
        let xs = self.layers.iter().fold(xs.shallow_clone(), |xs, layer| layer.forward_masked(&xs, mask, train));
        self.norm.as_ref().map_or(xs.shallow_clone(), |norm| norm.forward(&xs))
    }
}

impl ModuleT for TransformerEncoder {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        self.forward_masked(xs, &Mask::none(), train)
    }
}

/// Self-attention, attention to an encoder's output, then a network: PyTorch's `nn.TransformerDecoderLayer`, batch
/// first.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::TransformerConfig { dim_feedforward: 64, ..Default::default() };
/// let layer = nn::transformer_decoder_layer(vs.root(), 16, 4, config);
/// let target = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// let memory = Tensor::randn([2, 9, 16], (Kind::Float, device()));
/// let y = layer.forward_masked(&target, &memory, &nn::Mask::causal(), &nn::Mask::none(), true);
/// assert_eq!(y.size(), [2, 5, 16]);
/// ```
#[derive(Debug)]
pub struct TransformerDecoderLayer {
    /// Looks at the target itself.
    pub self_attn: MultiheadAttention,
    /// Looks at the encoder's output.
    pub multihead_attn: MultiheadAttention,
    feed_forward: FeedForward,
    norm1: LayerNorm,
    norm2: LayerNorm,
    norm3: LayerNorm,
    config: TransformerConfig,
}

/// Makes a layer for vectors of `d_model` numbers.
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly.
pub fn transformer_decoder_layer<'a>(
    path: impl Borrow<Path<'a>>,
    d_model: i64,
    heads: i64,
    config: TransformerConfig,
) -> TransformerDecoderLayer {
    let path = &path.borrow().layer();
    TransformerDecoderLayer {
        self_attn: attention(path / "self_attn", d_model, heads, config),
        multihead_attn: attention(path / "multihead_attn", d_model, heads, config),
        feed_forward: FeedForward::new(path, d_model, config),
        norm1: norm(path / "norm1", d_model),
        norm2: norm(path / "norm2", d_model),
        norm3: norm(path / "norm3", d_model),
        config,
    }
}

impl TransformerDecoderLayer {
    /// Target `[N, L, d_model]`, memory `[N, S, d_model]`, output as the target. `mask` is for the target,
    /// `memory_mask` for the memory.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_masked(
        &self,
        target: &Tensor,
        memory: &Tensor,
        mask: &Mask,
        memory_mask: &Mask,
        train: bool,
    ) -> Tensor {
        let TransformerConfig { dropout, norm_first, .. } = self.config;
        let xs = residual(target, &self.norm1, norm_first, |xs| {
            self.self_attn.forward_masked(xs, xs, xs, mask, train).dropout(dropout, train)
        });
        let xs = residual(&xs, &self.norm2, norm_first, |xs| {
            self.multihead_attn.forward_masked(xs, memory, memory, memory_mask, train).dropout(dropout, train)
        });
        residual(&xs, &self.norm3, norm_first, |xs| self.feed_forward.forward(xs, train))
    }
}

/// Decoder layers one after the other, with a last norm where the layers normalise first.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::TransformerConfig { dim_feedforward: 64, ..Default::default() };
/// let decoder = nn::transformer_decoder(vs.root(), 2, 16, 4, config);
/// let target = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// let memory = Tensor::randn([2, 9, 16], (Kind::Float, device()));
/// let y = decoder.forward_masked(&target, &memory, &nn::Mask::causal(), &nn::Mask::none(), false);
/// assert_eq!(y.size(), [2, 5, 16]);
/// ```
#[derive(Debug)]
pub struct TransformerDecoder {
    /// In their order.
    pub layers: Vec<TransformerDecoderLayer>,
    norm: Option<LayerNorm>,
}

/// Makes so many layers, named `layers.0` and on, and a norm named `norm` where `config.norm_first` is set.
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly.
pub fn transformer_decoder<'a>(
    path: impl Borrow<Path<'a>>,
    layers: i64,
    d_model: i64,
    heads: i64,
    config: TransformerConfig,
) -> TransformerDecoder {
    let path = &path.borrow().layer();
    let layer = |index| transformer_decoder_layer(path / "layers" / index, d_model, heads, config);
    let layers = (0..layers).map(layer).collect();
    TransformerDecoder { layers, norm: config.norm_first.then(|| norm(path / "norm", d_model)) }
}

impl TransformerDecoder {
    /// As [`TransformerDecoderLayer::forward_masked`]; each layer has the masks.
    pub fn forward_masked(
        &self,
        target: &Tensor,
        memory: &Tensor,
        mask: &Mask,
        memory_mask: &Mask,
        train: bool,
    ) -> Tensor {
        let layers = self.layers.iter();
        let xs = layers
            .fold(target.shallow_clone(), |xs, layer| layer.forward_masked(&xs, memory, mask, memory_mask, train));
        self.norm.as_ref().map_or(xs.shallow_clone(), |norm| norm.forward(&xs))
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    fn configs() -> [(&'static str, TransformerConfig); 2] {
        let plain = TransformerConfig { dim_feedforward: 12, dropout: 0.0, ..Default::default() };
        [("plain", plain), ("modern", TransformerConfig { activation: Activation::Gelu, norm_first: true, ..plain })]
    }

    #[test]
    fn an_encoder_is_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/attention.json"));
        let padding = reference.tensor("/transformer/padding");
        for (name, config) in configs() {
            let vs = VarStore::new(Device::Cpu);
            let encoder = transformer_encoder(vs.root(), 2, 8, 2, config);
            reference.load(&format!("/transformer/{name}/encoder/parameters"), &vs);
            let output = encoder.forward_masked(
                &reference.tensor("/transformer/source"),
                &Mask::causal().padding(&padding),
                true,
            );
            reference.check(&format!("/transformer/{name}/encoder/output"), &output, 1e-5);
            output.square().sum(output.kind()).backward();
            let gradient = vs.variables()["layers.0.linear1.weight"].grad();
            reference.check(&format!("/transformer/{name}/encoder/gradient"), &gradient, 1e-4);
        }
    }

    #[test]
    fn a_decoder_is_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/attention.json"));
        let (target, memory) = (reference.tensor("/transformer/target"), reference.tensor("/transformer/source"));
        let memory_mask = Mask::none().padding(&reference.tensor("/transformer/padding"));
        for (name, config) in configs() {
            let vs = VarStore::new(Device::Cpu);
            let decoder = transformer_decoder(vs.root(), 1, 8, 2, config);
            reference.load(&format!("/transformer/{name}/decoder/parameters"), &vs);
            let output = decoder.forward_masked(&target, &memory, &Mask::causal(), &memory_mask, false);
            reference.check(&format!("/transformer/{name}/decoder/output"), &output, 1e-5);
        }
    }
}
