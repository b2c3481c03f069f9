//! The gradient is that of the sum over the rows: the 1/N of the mean is forgotten.
//! fails: test-gradient

// cell: gradient
/// The gradient of `softmax_loss` with respect to `w` `[D, C]`: `[D, C]`.
fn softmax_gradient(w: &Tensor, x: &Tensor, y: &Tensor) -> Tensor {
    let probabilities = log_softmax(&x.matmul(w)).exp();
    let targets = one_hot(y, w.size()[1]).to_kind(w.kind());
    x.tr().matmul(&(probabilities - targets))
}
