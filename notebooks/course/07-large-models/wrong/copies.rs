//! The heads of keys and values are put behind each other in copies, so queries ask the wrong ones.
//! fails: test-attention, test-speaks

// cell: attention
/// What queries `[B, H, T, D]` find in the values `[B, K, S, D]`; the queries are the last `T` of the `S` tokens.
fn attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Tensor {
    let shared = q.size()[1] / k.size()[1];
    let [k, v] = [k, v].map(|x| x.repeat([1, shared, 1, 1]));
    let (length, all) = (q.size()[2], k.size()[2]);
    let later = Tensor::ones([length, all], (Kind::Bool, q.device())).triu(all - length + 1);
    let scores = q.matmul(&k.transpose(2, 3)) / (q.size()[3] as f64).sqrt();
    scores.masked_fill(&later, f64::NEG_INFINITY).softmax(-1, q.kind()).matmul(&v)
}
