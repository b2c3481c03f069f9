//! What stays is not divided by 1 - p, so that the next layer finds smaller sums in training than at test time.
//! fails: test-dropout

// cell: dropout
/// Sets each number to 0 with probability `p` and scales the others by `1 / (1 - p)`, in training only.
fn dropout(x: &Tensor, p: f64, train: bool) -> Tensor {
    if train { x * x.rand_like().ge(p).to_kind(x.kind()) } else { x.shallow_clone() }
}
