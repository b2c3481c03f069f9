//! What attention must not look at.

use tch::{Kind, Tensor};

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

    /// The place of the first query among the keys: 0 where the mask says nothing of it.
    pub(super) fn first_query(&self, queries: i64, keys: i64) -> i64 {
        match self.causal {
            None => 0,
            Some(Causal::At(offset)) => offset,
            Some(Causal::AtTheEnd) => keys - queries,
        }
    }

    /// What is added to scores of `[N, heads, L, S]`, where anything is.
    pub(super) fn bias(&self, scores: [i64; 4], like: &Tensor) -> Option<Tensor> {
        let [batch, heads, queries, keys] = scores;
        let minus_infinity = |hidden: &Tensor| {
            let zeros = Tensor::zeros(hidden.size(), (like.kind(), like.device()));
            zeros.masked_fill(hidden, f64::NEG_INFINITY)
        };
        let mut parts = Vec::new();
        if self.causal.is_some() {
            let offset = self.first_query(queries, keys);
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
