//! The gates are taken in the order i, f, o, g.
//! fails: test-lstm-step

// cell: lstm-step
/// One step of the LSTM: inputs `[N, I]`, and `h` and `c` `[N, H]`, to the next `h` and `c`.
fn lstm_step(weights: &Weights, x: &Tensor, (h, c): (&Tensor, &Tensor)) -> (Tensor, Tensor) {
    let sums = x.matmul(&weights.w_ih.tr()) + h.matmul(&weights.w_hh.tr()) + &weights.bias;
    let [i, f, o, g]: [Tensor; 4] = sums.chunk(4, 1).try_into().unwrap();
    let c = f.sigmoid() * c + i.sigmoid() * g.tanh();
    (o.sigmoid() * c.tanh(), c)
}
