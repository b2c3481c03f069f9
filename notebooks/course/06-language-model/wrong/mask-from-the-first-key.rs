//! The mask is laid from the first key, as without a cache: with keys from the past, queries see too little.
//! fails: test-causal-attention

// cell: causal-attention
/// What each of the last `T` places fetches from the `S` places up to its own: `[B, H, T, D]`.
fn causal_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    let (t, s) = (q.size()[2], k.size()[2]);
    let scores = q.matmul(&k.transpose(-2, -1)) / (q.size()[3] as f64).sqrt();
    let later = Tensor::ones([t, s], (Kind::Bool, q.device())).triu(1);
    scores.masked_fill(&later, f64::NEG_INFINITY).softmax(-1, None).matmul(v)
}
