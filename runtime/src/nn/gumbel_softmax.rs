//! Categories drawn so that gradients go through.

use tch::{Kind, Tensor};

/// `softmax((logits + gumbel noise) / tau)` over the last axis: a draw from the categories of `softmax(logits)` that
/// has gradients (E. Jang et al., "Categorical reparameterization with Gumbel-softmax", and C. J. Maddison et al., "The
/// concrete distribution", both 2017). PyTorch's `F.gumbel_softmax`.
///
/// Logits are `[..., K]`, and so is the result. Near a `tau` of 0 it is almost one-hot, and its gradients are large;
/// with a large one it is almost uniform. If `hard`, it is one-hot, with the gradients of the soft one
/// (straight-through).
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::zeros([8, 5], (Kind::Float, device())).set_requires_grad(true);
/// let choice = nn::gumbel_softmax(&logits, 1.0, true);
/// assert_eq!(choice.argmax(-1, false).one_hot(5).to_kind(Kind::Float), choice.detach());
/// (choice * Tensor::randn([8, 5], (Kind::Float, device()))).sum(Kind::Float).backward();
/// assert!(logits.grad().abs().max().double_value(&[]) > 0.0);
/// ```
///
/// # Panics
///
/// Where `tau` is not positive, or the logits are a single number or not floats.
#[track_caller]
pub fn gumbel_softmax(logits: &Tensor, tau: f64, hard: bool) -> Tensor {
    assert!(tau > 0.0, "gumbel_softmax: a tau of {tau}; it must be positive, such as 1.0");
    assert!(
        logits.dim() > 0 && logits.is_floating_point(),
        "gumbel_softmax: logits of {:?} and {:?}; they are floats [..., K]",
        logits.size(),
        logits.kind()
    );
    let noise = -Tensor::empty(logits.size(), (logits.kind(), logits.device())).exponential(1.0).log();
    let soft = ((logits + noise) / tau).softmax(-1, None::<Kind>);
    if !hard {
        return soft;
    }
    let one_hot = soft.zeros_like().scatter_value(-1, &soft.argmax(-1, true), 1.0);
    // In this order the sum is exactly one-hot: what is added to it is exactly 0.
    one_hot + (&soft - soft.detach())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn draws_and_gradients_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../tests/reference/distributions.json"));
        let weights = reference.tensor("/gumbel_softmax/weights");
        for (name, hard) in [("soft", false), ("hard", true)] {
            let logits = reference.tensor("/gumbel_softmax/logits").set_requires_grad(true);
            let draw = || gumbel_softmax(&logits, 0.7, hard);
            let drawn = reference.drawn(&format!("/gumbel_softmax/{name}"), 7, draw, 1e-5);
            (drawn * &weights).sum(None::<Kind>).backward();
            reference.check(&format!("/gumbel_softmax/{name}_gradient"), &logits.grad(), 1e-5);
        }
    }

    #[test]
    #[should_panic(expected = "gumbel_softmax: a tau of 0; it must be positive")]
    fn no_temperature_is_refused() {
        let _ = gumbel_softmax(&Tensor::from_slice(&[0.0, 1.0]), 0.0, false);
    }
}
