//! Attention: `softmax(q @ k.t() / sqrt(d) + mask) @ v`, in several heads (A. Vaswani et al., Attention is all you
//! need, 2017).

use std::borrow::Borrow;

use tch::nn::{Init, Linear, Module};
use tch::{Kind, Tensor};

use super::linear::{LinearConfig, linear};
use crate::nn::Path;

/// What attention must not look at. The default hides nothing.
///
/// ```
/// use oxtorch::prelude::*;
/// let mask = nn::Mask::causal();
/// // The second sequence of the batch has only two tokens: the third and fourth are padding.
/// let padding = Tensor::from_slice2(&[[false, false, false, false], [false, false, true, true]]);
/// let mask = nn::Mask::causal().padding(&padding);
/// ```
#[derive(Debug, Default)]
pub struct Mask {
    causal: Option<Causal>,
    padding: Option<Tensor>,
    attention: Option<Tensor>,
}

/// Where the first query stands among the keys.
#[derive(Debug, Clone, Copy)]
enum Causal {
    /// Where the last query stands at the last key.
    AtTheEnd,
    At(i64),
}

impl Mask {
    /// Hides nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Each place sees only itself and those before it.
    ///
    /// Where there are fewer queries than keys, the queries are the last places, as with a cache of the keys and values
    /// before: one query sees all keys, the last of two all, and the first all but one. PyTorch calls this
    /// `causal_lower_right`; `causal_upper_left` is [`Mask::causal_at`] with 0.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let attention = nn::multihead_attention(vs.root(), 8, 2, Default::default());
    /// let x = Tensor::randn([1, 5, 8], (Kind::Float, device()));
    /// let all = attention.forward_masked(&x, &x, &x, &nn::Mask::causal(), false);
    /// let last = attention.forward_masked(&x.i((.., 4..)), &x, &x, &nn::Mask::causal(), false);
    /// assert!(last.allclose(&all.i((.., 4..)), 1e-5, 1e-5, false));
    /// ```
    pub fn causal() -> Self {
        Self { causal: Some(Causal::AtTheEnd), ..Self::default() }
    }

    /// As [`Mask::causal`], where the first query is the place `offset`, from 0: it sees the keys from 0 to `offset`,
    /// the next one a key more. For a cache that has room behind the last place.
    ///
    /// # Panics
    ///
    /// Where the offset is negative: the first query would see nothing.
    pub fn causal_at(offset: i64) -> Self {
        assert!(offset >= 0, "Mask::causal_at: an offset of {offset}; it is the place of the first query, from 0");
        Self { causal: Some(Causal::At(offset)), ..Self::default() }
    }

    /// Hides keys that are padding: `[N, S]`, bool, true for padding; PyTorch's `key_padding_mask`.
    pub fn padding(mut self, padding: &Tensor) -> Self {
        self.padding = Some(padding.shallow_clone());
        self
    }

    /// Hides or weighs pairs: `[L, S]` or `[N * heads, L, S]`, bool with true for hidden, or float that is added to the
    /// scores; PyTorch's `attn_mask`.
    pub fn attention(mut self, attention: &Tensor) -> Self {
        self.attention = Some(attention.shallow_clone());
        self
    }

    /// What is added to scores of `[N, heads, L, S]`, where anything is.
    fn bias(&self, scores: [i64; 4], like: &Tensor) -> Option<Tensor> {
        let [batch, heads, queries, keys] = scores;
        let minus_infinity = |hidden: &Tensor| {
            let zeros = Tensor::zeros(hidden.size(), (like.kind(), like.device()));
            zeros.masked_fill(hidden, f64::NEG_INFINITY)
        };
        let mut parts = Vec::new();
        if let Some(causal) = self.causal {
            let offset = match causal {
                Causal::At(offset) => offset,
                Causal::AtTheEnd => keys - queries,
            };
            assert!(
                offset >= 0,
                "attention: {queries} queries and {keys} keys; the last query of Mask::causal is at the last key, so the first would \
                 see nothing. `Mask::causal_at(0)` puts the first at the first key"
            );
            let hidden = Tensor::ones([queries, keys], (Kind::Bool, like.device())).triu(offset + 1);
            parts.push(minus_infinity(&hidden));
        }
        if let Some(padding) = &self.padding {
            let size = padding.size();
            assert!(
                size == [batch, keys] && padding.kind() == Kind::Bool,
                "attention: a padding mask of {size:?} {:?} for keys of [N, S] = [{batch}, {keys}]; it is [N, S] and Kind::Bool",
                padding.kind()
            );
            parts.push(minus_infinity(&padding.view([batch, 1, 1, keys])));
        }
        if let Some(attention) = &self.attention {
            let size = attention.size();
            let shaped = match size.as_slice() {
                [l, s] if (*l, *s) == (queries, keys) => attention.shallow_clone(),
                [n, l, s] if (*n, *l, *s) == (batch * heads, queries, keys) => attention.view(scores),
                _ => panic!(
                    "attention: a mask of {size:?}; for {queries} queries and {keys} keys it is [{queries}, {keys}] or [{}, \
                     {queries}, {keys}]",
                    batch * heads
                ),
            };
            let is_bool = shaped.kind() == Kind::Bool;
            parts.push(if is_bool { minus_infinity(&shaped) } else { shaped.to_kind(like.kind()) });
        }
        parts.into_iter().reduce(|sum, part| sum + part)
    }
}

/// How [`multihead_attention`] is made.
#[derive(Debug, Clone, Copy)]
pub struct AttentionConfig {
    /// The part of the weights that is dropped in training. Default 0.
    pub dropout: f64,
    /// Whether the projections have biases. Default true.
    pub bias: bool,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self { dropout: 0.0, bias: true }
    }
}

/// Attention in several heads, each of which sees a projection of its own; variables are named as in PyTorch's
/// `nn.MultiheadAttention`, and all tensors are batch first.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let attention = nn::multihead_attention(vs.root() / "attention", 16, 4, Default::default());
/// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// let y = attention.forward_masked(&x, &x, &x, &nn::Mask::causal(), false);
/// assert_eq!(y.size(), [2, 5, 16]);
/// let (_, weights) = attention.weights(&x, &x, &x, &nn::Mask::causal());
/// assert_eq!(weights.size(), [2, 4, 5, 5]);
/// ```
#[derive(Debug)]
pub struct MultiheadAttention {
    /// `[3 * E, E]`: the projections of queries, keys and values.
    pub in_proj_weight: Tensor,
    /// `[3 * E]`.
    pub in_proj_bias: Option<Tensor>,
    /// From the heads, side by side, to the output.
    pub out_proj: Linear,
    /// How many heads.
    pub heads: i64,
    dropout: f64,
}

/// Makes attention over vectors of `embed_dim` numbers in `heads` heads.
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly.
pub fn multihead_attention<'a>(
    path: impl Borrow<Path<'a>>,
    embed_dim: i64,
    heads: i64,
    config: AttentionConfig,
) -> MultiheadAttention {
    let path = &path.borrow().layer();
    assert!(
        heads > 0 && embed_dim % heads == 0,
        "multihead_attention: {embed_dim} numbers cannot be divided among {heads} heads; choose a divisor of {embed_dim}"
    );
    // Xavier's bound for the stacked matrix, as PyTorch has it.
    let bound = (6.0 / (4 * embed_dim) as f64).sqrt();
    let in_proj_weight =
        path.var("in_proj_weight", &[3 * embed_dim, embed_dim], Init::Uniform { lo: -bound, up: bound });
    let in_proj_bias = config.bias.then(|| path.zeros("in_proj_bias", &[3 * embed_dim]));
    let out = LinearConfig { bias: config.bias, bs_init: Some(Init::Const(0.0)), ..Default::default() };
    let out_proj = linear(path / "out_proj", embed_dim, embed_dim, out);
    MultiheadAttention { in_proj_weight, in_proj_bias, out_proj, heads, dropout: config.dropout }
}

impl MultiheadAttention {
    /// Queries `[N, L, E]`, keys and values `[N, S, E]`, output `[N, L, E]`.
    ///
    /// A query to which everything is hidden gives NaN, as in PyTorch.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_masked(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask, train: bool) -> Tensor {
        let (query, key, value) = self.project(query, key, value);
        let bias = mask.bias(scores(&query, &key), &query);
        let dropout = if train { self.dropout } else { 0.0 };
        let heads = Tensor::scaled_dot_product_attention(&query, &key, &value, bias, dropout, false, None, false);
        self.join(&heads)
    }

    /// As [`MultiheadAttention::forward_masked`] without dropout, with the weights of each head: `[N, heads, L, S]`,
    /// each row of which sums to 1. For attention maps.
    pub fn weights(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask) -> (Tensor, Tensor) {
        let (query, key, value) = self.project(query, key, value);
        let mut logits = query.matmul(&key.transpose(-2, -1)) / (query.size()[3] as f64).sqrt();
        if let Some(bias) = mask.bias(scores(&query, &key), &query) {
            logits += bias;
        }
        let weights = logits.softmax(-1, logits.kind());
        (self.join(&weights.matmul(&value)), weights)
    }

    /// The projections, each `[N, heads, length, E / heads]`.
    fn project(&self, query: &Tensor, key: &Tensor, value: &Tensor) -> (Tensor, Tensor, Tensor) {
        let embed_dim = self.in_proj_weight.size()[1];
        for (name, tensor) in [("query", query), ("key", key), ("value", value)] {
            let size = tensor.size();
            assert!(
                size.len() == 3 && size[2] == embed_dim,
                "attention: the {name} is {size:?}; it is [batch, length, {embed_dim}] here"
            );
        }
        let weights = self.in_proj_weight.chunk(3, 0);
        let biases = self.in_proj_bias.as_ref().map(|bias| bias.chunk(3, 0));
        let project = |tensor: &Tensor, index: usize| {
            let size = tensor.size();
            let all = tensor.linear(&weights[index], biases.as_ref().map(|biases| &biases[index]));
            all.view([size[0], size[1], self.heads, embed_dim / self.heads]).transpose(1, 2)
        };
        (project(query, 0), project(key, 1), project(value, 2))
    }

    fn join(&self, heads: &Tensor) -> Tensor {
        let size = heads.size();
        self.out_proj.forward(&heads.transpose(1, 2).reshape([size[0], size[2], size[1] * size[3]]))
    }
}

/// The shape of the scores of queries and keys in heads.
fn scores(query: &Tensor, key: &Tensor) -> [i64; 4] {
    let (query, key) = (query.size(), key.size());
    [query[0], query[1], query[2], key[2]]
}

/// Self-attention without a mask.
impl Module for MultiheadAttention {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.forward_masked(xs, xs, xs, &Mask::none(), false)
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    fn case() -> (Reference, VarStore, MultiheadAttention) {
        let reference = Reference::parse(include_str!("../../../../tests/reference/attention.json"));
        let vs = VarStore::new(Device::Cpu);
        let attention = multihead_attention(vs.root(), 8, 2, AttentionConfig::default());
        reference.load("/attention/parameters", &vs);
        (reference, vs, attention)
    }

    #[test]
    fn outputs_weights_and_gradients_are_pytorchs() {
        let (reference, vs, attention) = case();
        let (query, memory) = (reference.tensor("/attention/query"), reference.tensor("/attention/memory"));
        let padding = reference.tensor("/attention/padding");
        let masks = [
            ("none", Mask::none()),
            ("padding", Mask::none().padding(&padding)),
            ("bool", Mask::none().attention(&reference.tensor("/attention/hidden"))),
            ("float", Mask::none().padding(&padding).attention(&reference.tensor("/attention/added"))),
            ("heads", Mask::none().attention(&reference.tensor("/attention/by_head"))),
        ];
        for (name, mask) in masks {
            let output = attention.forward_masked(&query, &memory, &memory, &mask, false);
            reference.check(&format!("/attention/outputs/{name}"), &output, 1e-5);
            let (output, weights) = attention.weights(&query, &memory, &memory, &mask);
            reference.check(&format!("/attention/outputs/{name}"), &output, 1e-5);
            reference.check(&format!("/attention/weights/{name}"), &weights, 1e-5);
        }
        let output = attention.forward_masked(&query, &query, &query, &Mask::causal(), true);
        reference.check("/attention/outputs/causal", &output, 1e-5);
        output.square().sum(Kind::Float).backward();
        reference.check("/attention/gradient", &vs.variables()["in_proj_weight"].grad(), 1e-4);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (reference, _, attention) = case();
        let query = reference.tensor("/attention/query");
        let message = |run: &dyn Fn()| {
            let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("a panic");
            panic.downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let narrow = query.narrow(2, 0, 4);
        let text = message(&|| drop(attention.forward(&narrow)));
        assert!(text.contains("the query is [2, 4, 4]; it is [batch, length, 8] here"), "{text}");
        let mask = Mask::none().attention(&Tensor::zeros([3, 3], (Kind::Bool, Device::Cpu)));
        let text = message(&|| drop(attention.forward_masked(&query, &query, &query, &mask, false)));
        assert!(text.contains("a mask of [3, 3]") && text.contains("[4, 4] or [4, 4, 4]"), "{text}");
        let mask = Mask::none().padding(&Tensor::zeros([2, 5], (Kind::Bool, Device::Cpu)));
        let text = message(&|| drop(attention.forward_masked(&query, &query, &query, &mask, false)));
        assert!(text.contains("[N, S] = [2, 4]"), "{text}");
    }

    #[test]
    fn a_query_sees_the_keys_of_a_cache() {
        let (reference, _, attention) = case();
        let xs = reference.tensor("/attention/query");
        let run =
            |from: i64, mask: &Mask| attention.forward_masked(&xs.narrow(1, from, 4 - from), &xs, &xs, mask, false);
        let all = run(0, &Mask::causal());
        for from in 1..4 {
            let rest = all.narrow(1, from, 4 - from);
            assert!(run(from, &Mask::causal()).allclose(&rest, 1e-5, 1e-6, false), "from {from}");
            assert!(run(from, &Mask::causal_at(from)).allclose(&rest, 1e-5, 1e-6, false), "from {from}");
        }
        // Two keys of room behind the last place hold anything.
        let longer = Tensor::cat(&[&xs, &xs.narrow(1, 0, 2).full_like(7.0)], 1);
        let one = attention.forward_masked(&xs.narrow(1, 3, 1), &longer, &longer, &Mask::causal_at(3), false);
        assert!(one.allclose(&all.narrow(1, 3, 1), 1e-5, 1e-6, false));
        // The first query at the first key, which it alone sees.
        let (_, weights) = attention.weights(&xs.narrow(1, 0, 2), &xs, &xs, &Mask::causal_at(0));
        assert_eq!(weights.select(2, 0).select(2, 0).min().double_value(&[]), 1.0);
        let few = || attention.forward_masked(&xs, &xs.narrow(1, 0, 3), &xs.narrow(1, 0, 3), &Mask::causal(), false);
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(few)).expect_err("a panic");
        let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(text.contains("4 queries and 3 keys") && text.contains("causal_at(0)"), "{text}");
    }

    #[test]
    fn dropout_is_for_training_only() {
        let vs = VarStore::new(Device::Cpu);
        let attention = multihead_attention(vs.root(), 8, 2, AttentionConfig { dropout: 0.5, bias: false });
        let xs = Tensor::randn([2, 6, 8], (Kind::Float, Device::Cpu));
        let run = |train| attention.forward_masked(&xs, &xs, &xs, &Mask::none(), train);
        assert!(run(false).equal(&run(false)));
        assert!(!run(true).equal(&run(true)));
    }
}
