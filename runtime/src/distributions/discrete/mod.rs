//! Distributions of integers, one family a file.

use tch::Tensor;

use super::limits::eps;

pub(super) mod bernoulli;
pub(super) mod categorical;
pub(super) mod poisson;

/// What a distribution was made of. The other one is computed where it is asked for.
#[derive(Debug)]
enum Weights {
    Probs(Tensor),
    Logits(Tensor),
}

impl Weights {
    fn given(&self) -> &Tensor {
        match self {
            Self::Probs(tensor) | Self::Logits(tensor) => tensor,
        }
    }
}

/// Probabilities whose logarithm is finite, and that of one minus them.
fn clamp_probs(probs: &Tensor) -> Tensor {
    let eps = eps(probs.kind());
    probs.clamp(eps, 1.0 - eps)
}
