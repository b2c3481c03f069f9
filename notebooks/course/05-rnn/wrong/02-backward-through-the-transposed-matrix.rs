//! On the way back, the gradient is multiplied by the transposed matrix, as the state is on the way forth.
//! fails: test-rnn-backward

// cell: rnn-backward
/// The gradients of the weights of a plain cell, and of the first state, from those of the outputs, `es`.
fn rnn_backward(weights: &Weights, xs: &Tensor, hs: &Tensor, es: &Tensor) -> (Weights, Tensor) {
    let mut grads =
        Weights { w_ih: weights.w_ih.zeros_like(), w_hh: weights.w_hh.zeros_like(), bias: weights.bias.zeros_like() };
    let mut from_later = hs.get(0).zeros_like();
    for t in (0..xs.size()[0]).rev() {
        let delta = (es.get(t) + &from_later) * (1.0 - hs.get(t + 1).square());
        grads.w_ih += delta.tr().matmul(&xs.get(t));
        grads.w_hh += delta.tr().matmul(&hs.get(t));
        grads.bias += delta.sum_dim_intlist(0, false, None);
        from_later = delta.matmul(&weights.w_hh.tr());
    }
    (grads, from_later)
}
