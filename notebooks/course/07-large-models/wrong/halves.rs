//! Rotary positions pair x_i with x_(i + D/2), as other programs do, so the weights speak nonsense.
//! fails: test-rope, test-speaks

// cell: rope
/// `x` `[B, H, T, D]`, its halves turned in pairs; the first token is at `start`.
fn rope(x: &Tensor, start: i64, base: f64) -> Tensor {
    let (length, width) = (x.size()[2], x.size()[3]);
    let places = Tensor::arange(length, (Kind::Double, x.device())) + start;
    let rates = (Tensor::arange(width / 2, (Kind::Double, x.device())) * (-2.0 * base.ln() / width as f64)).exp();
    let angles = places.unsqueeze(1) * rates;
    let (cos, sin) = (angles.cos().to_kind(x.kind()), angles.sin().to_kind(x.kind()));
    let (left, right) = (x.narrow(-1, 0, width / 2), x.narrow(-1, width / 2, width / 2));
    Tensor::cat(&[&left * &cos - &right * &sin, &left * &sin + &right * &cos], -1)
}
