//! The rules of the optimisers, one family a file.

pub(super) mod adadelta;
pub(super) mod adagrad;
pub(super) mod adam;
pub(super) mod lion;
pub(super) mod nadam;
pub(super) mod radam;
pub(super) mod rms_prop;
pub(super) mod sgd;
#[cfg(test)]
pub(super) mod tests;

use tch::Tensor;

use super::optimizer::State;

/// What PyTorch calls the running averages of the gradients and of their squares.
const EXP_AVG: &str = "exp_avg";
const EXP_AVG_SQ: &str = "exp_avg_sq";

/// The gradient with a weight decay that is part of it, as of an L2 penalty: `g + wd * p`.
fn coupled(grad: &Tensor, value: &Tensor, weight_decay: f64) -> Tensor {
    if weight_decay == 0.0 { grad.shallow_clone() } else { grad + value * weight_decay }
}

/// A running average of squares: `average = decay * average + (1 - decay) * x * x`.
fn average_squares(average: &mut Tensor, x: &Tensor, decay: f64) {
    *average *= decay;
    *average += x.square() * (1.0 - decay);
}

/// The running averages of the gradients and of their squares, with this gradient in them.
fn averages(state: &mut State, value: &Tensor, grad: &Tensor, beta1: f64, beta2: f64) -> (Tensor, Tensor) {
    let mut mean = state.zeros_like(EXP_AVG, value);
    let _ = mean.lerp_(grad, 1.0 - beta1);
    let mut squares = state.zeros_like(EXP_AVG_SQ, value);
    average_squares(&mut squares, grad, beta2);
    (mean, squares)
}

/// The gradient after a weight decay, which is part of it or is taken from the parameter.
fn decayed(grad: &Tensor, value: &mut Tensor, lr: f64, weight_decay: f64, decoupled: bool) -> Tensor {
    if !decoupled {
        return coupled(grad, value, weight_decay);
    }
    if weight_decay != 0.0 {
        *value *= 1.0 - lr * weight_decay;
    }
    grad.shallow_clone()
}
