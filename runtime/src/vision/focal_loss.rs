//! The loss of detectors whose boxes nearly all contain nothing.

use tch::{Reduction, Tensor};

/// `-alpha_t (1 - p_t)^gamma log(p_t)` for each number, where `p_t` is the probability `sigmoid(inputs)` of a target of
/// 1, and 1 less that of a target of 0: what is easy counts little (T.-Y. Lin et al., Focal loss for dense object
/// detection, 2017). Inputs and targets have one shape, as has the result. `alpha` weighs targets of 1 and `1 - alpha`
/// those of 0; a negative `alpha` weighs none. The usual values, torchvision's defaults, are `alpha` of 0.25 and
/// `gamma` of 2. Of classes that exclude each other it is [`nn::focal_loss`](crate::nn::focal_loss).
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::from_slice2(&[[4f32, -3.0], [-5.0, -6.0]]);
/// let targets = Tensor::from_slice2(&[[1f32, 0.0], [0.0, 0.0]]);
/// let matched = 1.0; // boxes
/// let loss = vision::sigmoid_focal_loss(&logits, &targets, 0.25, 2.0).sum(Kind::Float) / matched;
/// assert!(loss.double_value(&[]) < 1e-3);
/// ```
///
/// # Panics
///
/// Where the shapes differ.
#[track_caller]
pub fn sigmoid_focal_loss(inputs: &Tensor, targets: &Tensor, alpha: f64, gamma: f64) -> Tensor {
    let (shape, of_targets) = (inputs.size(), targets.size());
    assert!(
        shape == of_targets,
        "sigmoid_focal_loss: inputs of {shape:?} and targets of {of_targets:?}; give a target, 0 or 1, for each input"
    );
    let not = |probability: &Tensor| 1.0f64 - probability;
    let p = inputs.sigmoid();
    let p_t = &p * targets + not(&p) * not(targets);
    let cross_entropy = inputs.binary_cross_entropy_with_logits::<Tensor>(targets, None, None, Reduction::None);
    let loss = cross_entropy * not(&p_t).pow_tensor_scalar(gamma);
    if alpha < 0.0 { loss } else { loss * (targets * alpha + not(targets) * (1.0 - alpha)) }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn losses_and_their_gradients_are_those_of_torchvision() {
        let reference = Reference::parse(include_str!("../../../tests/reference/focal_loss.json"));
        let targets = reference.tensor("/targets");
        for (name, alpha, gamma) in [("loss", 0.25, 2.0), ("weighted", 0.6, 1.5), ("unweighted", -1.0, 2.0)] {
            let inputs = reference.tensor("/inputs").set_requires_grad(true);
            let loss = sigmoid_focal_loss(&inputs, &targets, alpha, gamma);
            reference.check(&format!("/{name}"), &loss, 1e-5);
            loss.sum(Kind::Float).backward();
            reference.check(&format!("/{name}_gradient"), &inputs.grad(), 1e-5);
        }
    }

    #[test]
    fn shapes_that_differ_are_told() {
        let (inputs, targets) = (Tensor::from_slice(&[0f32, 1.0]), Tensor::from_slice(&[0f32]));
        let message = panic_message(|| drop(sigmoid_focal_loss(&inputs, &targets, 0.25, 2.0)));
        assert!(message.contains("inputs of [2] and targets of [1]"), "{message}");
    }
}
