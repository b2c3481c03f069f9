//! A vector for each number: what stands for a token, a class or a user.

use std::borrow::Borrow;

use tch::nn::{Embedding, EmbeddingConfig, Init};

use crate::modes::no_grad;
use crate::nn::Path;

/// Makes a table of `count` vectors of `dim` numbers, which begin normal with a deviation of 1, as PyTorch's
/// `nn.Embedding`; the row of `padding_idx` begins at 0 and is not trained.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::EmbeddingConfig { padding_idx: 0, ..Default::default() };
/// let tokens: nn::Embedding = nn::embedding(&vs.root() / "tokens", 20, 8, config);
/// let x = tokens.forward(&Tensor::from_slice2(&[[3i64, 1, 0]]).to_device(device()));
/// assert_eq!((x.size(), x.i((0, 2)).abs().max().double_value(&[])), (vec![1, 3, 8], 0.0));
/// ```
///
/// # Panics
///
/// Where `padding_idx` is no row; -1 stands for none.
pub fn embedding<'a>(path: impl Borrow<Path<'a>>, count: i64, dim: i64, config: EmbeddingConfig) -> Embedding {
    let padding = config.padding_idx;
    assert!(
        (-1..count).contains(&padding),
        "embedding: a padding_idx of {padding} for {count} rows; it is a row, from 0, or -1 for none"
    );
    let ws = path.borrow().layer().var("weight", &[count, dim], config.ws_init);
    if padding >= 0 {
        let _ = no_grad(|| ws.get(padding).zero_());
    }
    // What is private in tch's layer only tch can make: it is made in a store that is thrown away.
    let elsewhere = tch::nn::VarStore::new(tch::Device::Cpu);
    let made = EmbeddingConfig { ws_init: Init::Const(0.0), ..config };
    let mut layer = tch::nn::embedding(elsewhere.root(), 0, dim, made);
    layer.ws = ws;
    layer
}
