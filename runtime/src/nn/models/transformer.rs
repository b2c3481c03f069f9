//! Layers of a transformer: attention and a small network, each around a residual connection (A. Vaswani et al.,
//! Attention is all you need, 2017). Variables are named as in PyTorch's, so that weights trained there fit.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{LayerNorm, LayerNormConfig, Linear, Module, ModuleT};

use crate::nn::Path;
use crate::nn::layers::attention::{
    AttentionConfig, KvCache, LayerCache, Mask, MultiheadAttention, multihead_attention,
};
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

/// The parts of a layer but for its attentions: the network `linear2(dropout(activation(linear1(x))))`, which is the
/// last part, and the norm of each.
#[derive(Debug)]
struct Parts {
    linear1: Linear,
    linear2: Linear,
    norms: Vec<LayerNorm>,
    config: TransformerConfig,
}

impl Parts {
    fn new(path: &Path, d_model: i64, parts: usize, config: TransformerConfig) -> Self {
        let linear1 = linear(path / "linear1", d_model, config.dim_feedforward, Default::default());
        let linear2 = linear(path / "linear2", config.dim_feedforward, d_model, Default::default());
        let norms = (1..=parts).map(|part| norm(path / format!("norm{part}"), d_model)).collect();
        Self { linear1, linear2, norms, config }
    }

    /// A part with its residual connection and its norm, before or after.
    fn residual(&self, at: usize, xs: &Tensor, train: bool, part: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let norm = &self.norms[at];
        let part = |xs: &Tensor| part(xs).dropout(self.config.dropout, train);
        if self.config.norm_first { xs + part(&norm.forward(xs)) } else { norm.forward(&(xs + part(xs))) }
    }

    /// The last part.
    fn feed_forward(&self, xs: &Tensor, train: bool) -> Tensor {
        self.residual(self.norms.len() - 1, xs, train, |xs| {
            let hidden = self.config.activation.apply(&self.linear1.forward(xs));
            self.linear2.forward(&hidden.dropout(self.config.dropout, train))
        })
    }
}

fn norm(path: Path, d_model: i64) -> LayerNorm {
    layer_norm(path, vec![d_model], LayerNormConfig::default())
}

fn normalized(norm: Option<&LayerNorm>, xs: Tensor) -> Tensor {
    norm.map_or_else(|| xs.shallow_clone(), |norm| norm.forward(&xs))
}

fn attention(path: Path, d_model: i64, heads: i64, config: TransformerConfig) -> MultiheadAttention {
    multihead_attention(path, d_model, heads, AttentionConfig { dropout: config.dropout, bias: true })
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
    parts: Parts,
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
        parts: Parts::new(path, d_model, 2, config),
    }
}

impl TransformerEncoderLayer {
    /// `[N, L, d_model]` to the same shape.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_masked(&self, xs: &Tensor, mask: &Mask, train: bool) -> Tensor {
        let xs = self.parts.residual(0, xs, train, |xs| self.self_attn.forward_masked(xs, xs, xs, mask, train));
        self.parts.feed_forward(&xs, train)
    }

    /// New tokens `[N, L, d_model]` to the same shape, behind those of the cache; see
    /// [`MultiheadAttention::forward_cached`].
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_cached(&self, xs: &Tensor, mask: &Mask, cache: &mut LayerCache) -> Tensor {
        let xs = self.parts.residual(0, xs, false, |xs| self.self_attn.forward_cached(xs, mask, cache));
        self.parts.feed_forward(&xs, false)
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
        normalized(self.norm.as_ref(), xs)
    }

    /// New tokens `[N, L, d_model]` to the same shape, behind those of the cache, without dropout. With
    /// [`Mask::causal`] it is what the whole sequence gives for its last `L` tokens.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let config = nn::TransformerConfig { dim_feedforward: 64, norm_first: true, ..Default::default() };
    /// let gpt = nn::transformer_encoder(vs.root(), 2, 16, 4, config);
    /// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
    /// let whole = gpt.forward_masked(&x, &nn::Mask::causal(), false);
    /// let mut cache = nn::KvCache::new(gpt.layers.len());
    /// for t in 0..5 {
    ///     let y = gpt.forward_cached(&x.i((.., t..t + 1)), &nn::Mask::causal(), &mut cache);
    ///     assert!(y.allclose(&whole.i((.., t..t + 1)), 1e-4, 1e-5, false));
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Where the cache is of another number of layers, or shapes do not fit.
    pub fn forward_cached(&self, xs: &Tensor, mask: &Mask, cache: &mut KvCache) -> Tensor {
        let layers = self.layers.iter().zip(cache.of_layers(self.layers.len()));
        let xs = layers.fold(xs.shallow_clone(), |xs, (layer, cache)| layer.forward_cached(&xs, mask, cache));
        normalized(self.norm.as_ref(), xs)
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
    parts: Parts,
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
        parts: Parts::new(path, d_model, 3, config),
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
        let attend = |xs: &Tensor| self.self_attn.forward_masked(xs, xs, xs, mask, train);
        self.after_self_attention(&self.parts.residual(0, target, train, attend), memory, memory_mask, train)
    }

    /// As [`TransformerDecoderLayer::forward_masked`] without dropout, for new tokens of the target behind those of the
    /// cache; see [`MultiheadAttention::forward_cached`].
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_cached(
        &self,
        target: &Tensor,
        memory: &Tensor,
        mask: &Mask,
        memory_mask: &Mask,
        cache: &mut LayerCache,
    ) -> Tensor {
        let attend = |xs: &Tensor| self.self_attn.forward_cached(xs, mask, cache);
        self.after_self_attention(&self.parts.residual(0, target, false, attend), memory, memory_mask, false)
    }

    fn after_self_attention(&self, xs: &Tensor, memory: &Tensor, memory_mask: &Mask, train: bool) -> Tensor {
        let attend = |xs: &Tensor| self.multihead_attn.forward_masked(xs, memory, memory, memory_mask, train);
        self.parts.feed_forward(&self.parts.residual(1, xs, train, attend), train)
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
        normalized(self.norm.as_ref(), xs)
    }

    /// As [`TransformerDecoder::forward_masked`] without dropout, for new tokens of the target behind those of the
    /// cache; see [`MultiheadAttention::forward_cached`].
    ///
    /// # Panics
    ///
    /// Where the cache is of another number of layers, or shapes do not fit.
    pub fn forward_cached(
        &self,
        target: &Tensor,
        memory: &Tensor,
        mask: &Mask,
        memory_mask: &Mask,
        cache: &mut KvCache,
    ) -> Tensor {
        let layers = self.layers.iter().zip(cache.of_layers(self.layers.len()));
        let xs = layers.fold(target.shallow_clone(), |xs, (layer, cache)| {
            layer.forward_cached(&xs, memory, mask, memory_mask, cache)
        });
        normalized(self.norm.as_ref(), xs)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

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

    #[test]
    fn token_by_token_a_cache_gives_what_the_whole_sequence_gives() {
        let random = |length: i64| Tensor::randn([3, length, 8], (tch::Kind::Float, Device::Cpu));
        let (xs, memory, causal, none) = (random(6), random(4), Mask::causal(), Mask::none());
        let near = |parts: &[Tensor], whole: &Tensor| Tensor::cat(parts, 1).allclose(whole, 1e-5, 1e-5, false);
        for (name, config) in configs() {
            let vs = VarStore::new(Device::Cpu);
            let encoder = transformer_encoder(&vs.root() / "encoder", 3, 8, 2, config);
            let decoder = transformer_decoder(&vs.root() / "decoder", 3, 8, 2, config);
            let [mut of_encoder, mut of_decoder] = [KvCache::new(3), KvCache::new(3)];
            let parts = [(0, 3), (3, 1), (4, 1), (5, 1)].map(|(from, length)| xs.narrow(1, from, length));
            let encoded: Vec<_> =
                parts.iter().map(|part| encoder.forward_cached(part, &causal, &mut of_encoder)).collect();
            assert!(near(&encoded, &encoder.forward_masked(&xs, &causal, false)), "{name}");
            let decoded: Vec<_> = parts
                .iter()
                .map(|part| decoder.forward_cached(part, &memory, &causal, &none, &mut of_decoder))
                .collect();
            assert!(near(&decoded, &decoder.forward_masked(&xs, &memory, &causal, &none, false)), "{name}");
            assert_eq!((of_encoder.len(), of_decoder.len()), (6, 6));
        }
    }

    #[test]
    fn a_cache_of_another_number_of_layers_is_refused() {
        let vs = VarStore::new(Device::Cpu);
        let encoder = transformer_encoder(vs.root(), 2, 8, 2, TransformerConfig::default());
        let xs = Tensor::zeros([1, 1, 8], (tch::Kind::Float, Device::Cpu));
        let run = || encoder.forward_cached(&xs, &Mask::causal(), &mut KvCache::new(1));
        assert!(panic_message(run).contains("the network has 2: `nn::KvCache::new(2)`"));
    }
}
