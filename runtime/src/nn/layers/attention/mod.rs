//! Attention: `softmax(q @ k.t() / sqrt(d) + mask) @ v`, in several heads (A. Vaswani et al., Attention is all you
//! need, 2017).

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, Linear, Module};

use super::linear::{LinearConfig, linear};
use super::position::Rotary;
use crate::nn::Path;
use crate::nn::init::zeros_;

mod cache;
mod mask;
#[cfg(test)]
mod tests;

pub use cache::{KvCache, LayerCache};
pub use mask::Mask;

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
    /// `[E + 2 * E * num_kv_heads / heads, E]`: the projections of queries, keys and values, one above the other;
    /// `[3 * E, E]` where each head has keys and values of its own.
    pub in_proj_weight: Tensor,
    /// As many numbers as the weight has rows.
    pub in_proj_bias: Option<Tensor>,
    /// From the heads, side by side, to the output.
    pub out_proj: Linear,
    /// How many heads.
    pub heads: i64,
    /// How many heads of keys and values, each of which `heads / num_kv_heads` heads of queries share.
    pub num_kv_heads: i64,
    /// How queries and keys are turned by their positions, if they are.
    pub rotary: Option<Rotary>,
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
    attention("multihead_attention", path.borrow(), embed_dim, [heads, heads], config)
}

/// As [`multihead_attention`], where `heads / num_kv_heads` heads of queries share keys and values, so that a
/// [`KvCache`] is smaller by as much (J. Ainslie et al., GQA, 2023): Llama's `n_kv_heads`. With `num_kv_heads` of 1 all
/// share them (N. Shazeer, Fast transformer decoding, 2019).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::AttentionConfig { bias: false, ..Default::default() };
/// let attention = nn::grouped_query_attention(vs.root() / "attention", 16, 4, 2, config);
/// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
/// assert_eq!(attention.forward_masked(&x, &x, &x, &nn::Mask::causal(), true).size(), [2, 5, 16]);
/// assert_eq!(attention.in_proj_weight.size(), [16 + 2 * 8, 16]);
/// ```
///
/// # Panics
///
/// Where the heads do not divide the vectors evenly, or those of keys and values do not divide the heads.
pub fn grouped_query_attention<'a>(
    path: impl Borrow<Path<'a>>,
    embed_dim: i64,
    heads: i64,
    num_kv_heads: i64,
    config: AttentionConfig,
) -> MultiheadAttention {
    attention("grouped_query_attention", path.borrow(), embed_dim, [heads, num_kv_heads], config)
}

fn attention(
    what: &str,
    path: &Path,
    embed_dim: i64,
    [heads, num_kv_heads]: [i64; 2],
    config: AttentionConfig,
) -> MultiheadAttention {
    let path = &path.layer();
    assert!(
        heads > 0 && embed_dim % heads == 0,
        "{what}: {embed_dim} numbers cannot be divided among {heads} heads; choose a divisor of {embed_dim}"
    );
    assert!(
        num_kv_heads > 0 && heads % num_kv_heads == 0,
        "{what}: {heads} heads cannot share {num_kv_heads} heads of keys and values evenly; choose a divisor of {heads}"
    );
    let rows = embed_dim + 2 * num_kv_heads * (embed_dim / heads);
    // PyTorch draws in this order, also a bias that it sets to 0 then; so a seed gives the same numbers.
    let out = LinearConfig { bias: config.bias, ..Default::default() };
    let out_proj = linear(path / "out_proj", embed_dim, embed_dim, out);
    if !path.has_given_weights() {
        out_proj.bs.iter().for_each(zeros_);
    }
    // Xavier's bound for the stacked matrix, as PyTorch has it.
    let bound = (6.0 / (rows + embed_dim) as f64).sqrt();
    let in_proj_weight = path.var("in_proj_weight", &[rows, embed_dim], Init::Uniform { lo: -bound, up: bound });
    let in_proj_bias = config.bias.then(|| path.zeros("in_proj_bias", &[rows]));
    let dropout = config.dropout;
    MultiheadAttention { in_proj_weight, in_proj_bias, out_proj, heads, num_kv_heads, rotary: None, dropout }
}

/// What the heads work with: each is `[N, heads, length, E / heads]`, those of keys and values with their own number of
/// heads.
struct Heads {
    query: Tensor,
    key: Tensor,
    value: Tensor,
    /// What is added to the scores.
    bias: Option<Tensor>,
}

impl MultiheadAttention {
    /// The same with queries and keys that are turned by their positions, so that what a head sees depends on distances
    /// (J. Su et al., RoFormer, 2021). Keys count from 0. Queries begin where [`Mask::causal`] has the first one, at 0
    /// without such a mask, and behind the tokens of a cache.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let attention = nn::multihead_attention(vs.root(), 16, 4, Default::default());
    /// let attention = attention.with_rotary(nn::Rotary::default());
    /// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
    /// assert_eq!(attention.forward(&x).size(), [2, 5, 16]);
    /// ```
    ///
    /// # Panics
    ///
    /// Where a head has an odd number of numbers.
    pub fn with_rotary(self, rotary: Rotary) -> Self {
        let (embed_dim, heads) = (self.in_proj_weight.size()[1], self.heads);
        assert!(
            embed_dim / heads % 2 == 0,
            "with_rotary: each of {heads} heads has {} of {embed_dim} numbers, which are turned in pairs; choose \
             an even number",
            embed_dim / heads
        );
        Self { rotary: Some(rotary), ..self }
    }

    /// Queries `[N, L, E]`, keys and values `[N, S, E]`, output `[N, L, E]`.
    ///
    /// A query to which everything is hidden gives what `out_proj` makes of zeros; its row of
    /// [`MultiheadAttention::weights`] is NaN.
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_masked(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask, train: bool) -> Tensor {
        self.attend(&self.prepare(query, key, value, mask), if train { self.dropout } else { 0.0 })
    }

    /// Attention of new tokens `[N, L, E]` to those of the cache and themselves, without dropout; the output is
    /// `[N, L, E]`, and the cache has their keys and values too. With [`Mask::causal`] it is what
    /// [`MultiheadAttention::forward_masked`] of the whole sequence gives for its last `L` tokens, however it came into
    /// the cache: as a whole, in parts, or token by token.
    ///
    /// Where prompts differ in length, fill them up on the left, and hide what is filled with [`Mask::padding`], which
    /// is for all tokens so far: `[N, cache.len() + L]`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let attention = nn::multihead_attention(vs.root(), 16, 4, Default::default());
    /// let x = Tensor::randn([2, 5, 16], (Kind::Float, device()));
    /// let whole = attention.forward_masked(&x, &x, &x, &nn::Mask::causal(), false);
    /// let mut cache = nn::LayerCache::new();
    /// for t in 0..5 {
    ///     let y = attention.forward_cached(&x.i((.., t..t + 1)), &nn::Mask::causal(), &mut cache);
    ///     assert!(y.allclose(&whole.i((.., t..t + 1)), 1e-5, 1e-5, false));
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Where shapes do not fit, with the shapes.
    pub fn forward_cached(&self, xs: &Tensor, mask: &Mask, cache: &mut LayerCache) -> Tensor {
        let (query, key, value) = self.project(xs, xs, xs);
        let (first, new) = (cache.len(), key.size()[2]);
        let bias = mask.bias([query.size()[0], self.heads, new, first + new], &query);
        let (key, value) = cache.append(&self.turned(&key, first), &value);
        self.attend(&Heads { query: self.turned(&query, first), key, value, bias }, 0.0)
    }

    /// As [`MultiheadAttention::forward_masked`] without dropout, with the weights of each head: `[N, heads, L, S]`,
    /// each row of which sums to 1. For attention maps.
    pub fn weights(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask) -> (Tensor, Tensor) {
        let Heads { query, key, value, bias } = self.prepare(query, key, value, mask);
        let for_each_query = |heads: &Tensor| heads.repeat_interleave_self_int(self.heads / self.num_kv_heads, 1, None);
        let (key, value) = (for_each_query(&key), for_each_query(&value));
        let mut logits = query.matmul(&key.transpose(-2, -1)) / (query.size()[3] as f64).sqrt();
        if let Some(bias) = bias {
            logits += bias;
        }
        let weights = logits.softmax(-1, logits.kind());
        (self.join(&weights.matmul(&value)), weights)
    }

    /// The heads of sequences that are there as a whole.
    fn prepare(&self, query: &Tensor, key: &Tensor, value: &Tensor, mask: &Mask) -> Heads {
        let (query, key, value) = self.project(query, key, value);
        let (queries, keys) = (query.size()[2], key.size()[2]);
        let bias = mask.bias([query.size()[0], self.heads, queries, keys], &query);
        let first = mask.first_query(queries, keys);
        Heads { query: self.turned(&query, first), key: self.turned(&key, 0), value, bias }
    }

    fn turned(&self, heads: &Tensor, first: i64) -> Tensor {
        self.rotary.map_or_else(|| heads.shallow_clone(), |rotary| rotary.forward_from(heads, first))
    }

    fn attend(&self, heads: &Heads, dropout: f64) -> Tensor {
        let Heads { query, key, value, bias } = heads;
        let is_grouped = self.num_kv_heads != self.heads;
        let bias = bias.as_ref();
        let attended = Tensor::scaled_dot_product_attention(query, key, value, bias, dropout, false, None, is_grouped);
        self.join(&attended)
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
        let width = embed_dim / self.heads;
        let heads = [self.heads, self.num_kv_heads, self.num_kv_heads];
        let rows = heads.map(|heads| heads * width);
        let weights = self.in_proj_weight.split_with_sizes(rows, 0);
        let biases = self.in_proj_bias.as_ref().map(|bias| bias.split_with_sizes(rows, 0));
        let project = |tensor: &Tensor, index: usize| {
            let size = tensor.size();
            let all = tensor.linear(&weights[index], biases.as_ref().map(|biases| &biases[index]));
            all.view([size[0], size[1], heads[index], width]).transpose(1, 2)
        };
        (project(query, 0), project(key, 1), project(value, 2))
    }

    fn join(&self, heads: &Tensor) -> Tensor {
        let size = heads.size();
        self.out_proj.forward(&heads.transpose(1, 2).reshape([size[0], size[2], size[1] * size[3]]))
    }
}

/// Self-attention without a mask.
impl Module for MultiheadAttention {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.forward_masked(xs, xs, xs, &Mask::none(), false)
    }
}
