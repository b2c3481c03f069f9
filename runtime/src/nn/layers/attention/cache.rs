//! The keys and values of the tokens so far, so that the next token needs attention for itself only.

use std::ops::{Index, IndexMut};

use tch::Tensor;

/// The keys and values of all layers of a network that generates token by token: `cache[0]` is that of the first
/// layer's attention.
///
/// The outputs are those of the whole sequence with [`Mask::causal`](crate::nn::Mask::causal). Each token costs
/// attention of one query only.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let root = vs.root();
/// let block = |i: i64| {
///     let attention = nn::multihead_attention(&root / i / "attention", 16, 4, Default::default());
///     attention.with_rotary(nn::Rotary::default())
/// };
/// let blocks: Vec<nn::MultiheadAttention> = (0..2).map(block).collect();
/// let embedding = nn::embedding(&root / "embedding", 50, 16, Default::default());
/// let head = nn::linear(&root / "head", 16, 50, Default::default());
///
/// let mut cache = nn::KvCache::new(blocks.len());
/// let mut tokens = Tensor::from_slice2(&[[3i64, 1, 4], [2, 7, 1]]).to_device(device());
/// let mut next = tokens.shallow_clone();  // the whole prompt first, then a token a time
/// for _ in 0..5 {
///     let mut x = embedding.forward(&next);
///     for (block, cache) in blocks.iter().zip(cache.iter_mut()) {
///         x = &x + block.forward_cached(&x, &nn::Mask::causal(), cache);
///     }
///     next = head.forward(&x.i((.., -1))).argmax(-1, true);
///     tokens = Tensor::cat(&[&tokens, &next], 1);
/// }
/// assert_eq!((tokens.size(), cache.len()), (vec![2, 8], 7));
/// ```
#[derive(Debug, Default, Clone)]
pub struct KvCache {
    layers: Vec<LayerCache>,
}

impl KvCache {
    /// Of so many layers, all empty.
    pub fn new(layers: usize) -> Self {
        Self { layers: vec![LayerCache::new(); layers] }
    }

    /// How many tokens there are: the position of the next one. Ask before the layers of a step, as each layer has more
    /// after its own.
    pub fn len(&self) -> i64 {
        self.layers.first().map_or(0, LayerCache::len)
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The layers, in their order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut LayerCache> {
        self.layers.iter_mut()
    }

    /// The layers of a network that has so many.
    pub(crate) fn of_layers(&mut self, count: usize) -> impl Iterator<Item = &mut LayerCache> {
        let own = self.layers.len();
        assert!(
            own == count,
            "KvCache: it is made for {own} layers, and the network has {count}: `nn::KvCache::new({count})`"
        );
        self.iter_mut()
    }

    /// Forgets all tokens, for another text.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Keeps the first `length` tokens, as a beginning that several texts share.
    ///
    /// # Panics
    ///
    /// Where the length is negative.
    pub fn truncate(&mut self, length: i64) {
        self.layers.iter_mut().for_each(|layer| layer.truncate(length));
    }

    /// The sequences `[M]` of the batch, by their numbers, in place of those that are there: for beam search, which
    /// goes on with some of them, several times with the best.
    ///
    /// # Panics
    ///
    /// Where there is no such sequence.
    pub fn reorder(&mut self, sequences: &Tensor) {
        self.layers.iter_mut().for_each(|layer| layer.reorder(sequences));
    }
}

/// # Panics
///
/// Where there is no such layer.
impl Index<usize> for KvCache {
    type Output = LayerCache;

    #[track_caller]
    fn index(&self, layer: usize) -> &LayerCache {
        let count = self.layers.len();
        self.layers.get(layer).unwrap_or_else(|| panic!("{}", no_layer(layer, count)))
    }
}

/// # Panics
///
/// Where there is no such layer.
impl IndexMut<usize> for KvCache {
    #[track_caller]
    fn index_mut(&mut self, layer: usize) -> &mut LayerCache {
        let count = self.layers.len();
        self.layers.get_mut(layer).unwrap_or_else(|| panic!("{}", no_layer(layer, count)))
    }
}

fn no_layer(layer: usize, count: usize) -> String {
    format!(
        "KvCache: there is no layer {layer}; it is made for {count}, from 0: give their number to `nn::KvCache::new`"
    )
}

/// The keys and values of one layer, each `[N, heads, length, d]`.
///
/// For attention of one's own:
///
/// ```
/// use oxtorch::prelude::*;
/// let mut cache = nn::LayerCache::new();
/// let heads = || Tensor::randn([2, 4, 1, 8], (Kind::Float, device()));
/// for position in 0..5 {
///     let q = nn::rotary_from(&heads(), cache.len());
///     let k = nn::rotary_from(&heads(), cache.len());
///     let (keys, values) = cache.append(&k, &heads());
///     let weights = (q.matmul(&keys.transpose(-2, -1)) / 8f64.sqrt()).softmax(-1, Kind::Float);
///     assert_eq!(weights.matmul(&values).size(), [2, 4, 1, 8]);
///     assert_eq!(cache.len(), position + 1);
/// }
/// ```
#[derive(Debug, Default)]
pub struct LayerCache {
    kept: Option<(Tensor, Tensor)>,
}

/// With the same tensors, which a cache never changes.
impl Clone for LayerCache {
    fn clone(&self) -> Self {
        Self { kept: self.kept.as_ref().map(|(keys, values)| (keys.shallow_clone(), values.shallow_clone())) }
    }
}

impl LayerCache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tokens there are: the position of the next one.
    pub fn len(&self) -> i64 {
        self.kept.as_ref().map_or(0, |(keys, _)| keys.size()[2])
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the keys and values of new tokens, each `[N, heads, new, d]`, and gives those of all tokens, each
    /// `[N, heads, length, d]`. Gradients flow to all of them.
    ///
    /// # Panics
    ///
    /// Where there are not as many keys as values, or the batch or the heads are others than those before.
    pub fn append(&mut self, keys: &Tensor, values: &Tensor) -> (Tensor, Tensor) {
        let (of_keys, of_values) = (keys.size(), values.size());
        assert!(
            of_keys.len() == 4 && of_values.len() == 4 && of_keys[..3] == of_values[..3],
            "LayerCache: keys of {of_keys:?} and values of {of_values:?}; both are [N, heads, new, d], with \
             the same N, heads and new"
        );
        let (keys, values) = match &self.kept {
            None => (keys.shallow_clone(), values.shallow_clone()),
            Some((before, values_before)) => {
                let kept = before.size();
                assert!(
                    (kept[0], kept[1], kept[3]) == (of_keys[0], of_keys[1], of_keys[3]),
                    "LayerCache: keys of {of_keys:?} after those of {kept:?}; only the third number, the tokens, may \
                     be another. For another text or batch, `clear` the cache"
                );
                (Tensor::cat(&[before, keys], 2), Tensor::cat(&[values_before, values], 2))
            }
        };
        self.kept = Some((keys.shallow_clone(), values.shallow_clone()));
        (keys, values)
    }

    /// The keys and the values, where there are any.
    pub fn keys_and_values(&self) -> Option<(&Tensor, &Tensor)> {
        self.kept.as_ref().map(|(keys, values)| (keys, values))
    }

    /// Forgets all tokens, for another text.
    pub fn clear(&mut self) {
        self.kept = None;
    }

    /// Keeps the first `length` tokens; see [`KvCache::truncate`].
    ///
    /// # Panics
    ///
    /// Where the length is negative.
    pub fn truncate(&mut self, length: i64) {
        assert!(length >= 0, "KvCache: {length} tokens are to be kept; give 0 or more");
        let kept = self.kept.take().filter(|_| length > 0);
        self.kept = kept.map(|(keys, values)| {
            let first = |tensor: &Tensor| tensor.narrow(2, 0, length.min(tensor.size()[2])).copy();
            (first(&keys), first(&values))
        });
    }

    /// The sequences `[M]` of the batch in place of those that are there; see [`KvCache::reorder`].
    ///
    /// # Panics
    ///
    /// Where there is no such sequence.
    pub fn reorder(&mut self, sequences: &Tensor) {
        if let Some((keys, values)) = &mut self.kept {
            let sequences = sequences.to_device(keys.device());
            let of_batch = |tensor: &Tensor| tensor.index_select(0, &sequences);
            (*keys, *values) = (of_batch(keys), of_batch(values));
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::tests::panic_message;

    fn tokens(size: [i64; 4]) -> Tensor {
        Tensor::randn(size, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn a_cache_gives_all_that_was_added_and_forgets_what_it_is_told_to() {
        let (first, second) = (tokens([2, 3, 4, 5]), tokens([2, 3, 1, 5]));
        let mut cache = KvCache::new(2);
        assert!(cache.is_empty() && cache[1].keys_and_values().is_none());
        let _ = cache[0].append(&first, &first);
        let before = cache.clone();
        let (keys, values) = cache[0].append(&second, &second);
        assert!(keys.equal(&Tensor::cat(&[&first, &second], 2)) && values.equal(&keys));
        assert_eq!((cache.len(), before.len(), cache[1].len()), (5, 4, 0));
        cache.truncate(4);
        assert!(cache[0].keys_and_values().is_some_and(|(keys, _)| keys.equal(&first)));
        cache.reorder(&Tensor::from_slice(&[1i64, 1, 0]));
        let (keys, _) = cache[0].keys_and_values().expect("tokens");
        assert!(keys.get(0).equal(&first.get(1)) && keys.get(2).equal(&first.get(0)));
        cache.clear();
        assert!(cache.is_empty());
        let _ = cache[0].append(&tokens([1, 3, 2, 5]), &tokens([1, 3, 2, 7]));
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        let mut cache = KvCache::new(1);
        let _ = cache[0].append(&tokens([2, 3, 4, 5]), &tokens([2, 3, 4, 5]));
        let other_batch = tokens([1, 3, 1, 5]);
        let text = panic_message(|| drop(cache[0].append(&other_batch, &other_batch)));
        assert!(text.contains("keys of [1, 3, 1, 5] after those of [2, 3, 4, 5]"), "{text}");
        let text = panic_message(|| drop(cache[0].append(&other_batch, &tokens([1, 3, 2, 5]))));
        assert!(text.contains("the same N, heads and new"), "{text}");
        let text = panic_message(|| drop(cache[1].clone()));
        assert!(text.contains("there is no layer 1; it is made for 1"), "{text}");
    }
}
