//! The Bernoulli distribution.

use tch::{Reduction, Tensor};

use super::{Weights, clamp_probs};
use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, broadcast_all, parameters};
use crate::modes::no_grad;

/// 1 with a probability, else 0. As PyTorch's `Bernoulli`; samples are floats.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::Bernoulli;
/// let coin = Bernoulli::from_probs(0.5);
/// assert!((coin.entropy().double_value(&[]) - 2f64.ln()).abs() < 1e-6);
/// // The decoder of a variational autoencoder says how likely each pixel is to be white.
/// let logits = Tensor::zeros([8, 784], (Kind::Float, device()));
/// let pixels = logits.ones_like();
/// let reconstruction = Bernoulli::from_logits(&logits).log_prob(&pixels).sum_dim_intlist(-1i64, false, None);
/// assert_eq!(reconstruction.size(), [8]);
/// ```
#[derive(Debug)]
pub struct Bernoulli {
    weights: Weights,
}

impl Bernoulli {
    /// `probs` is the probability of 1.
    ///
    /// # Panics
    ///
    /// Where it is not from 0 to 1.
    #[track_caller]
    pub fn from_probs(probs: impl Into<Parameter>) -> Self {
        let [probs] = parameters("Bernoulli", [("probs", probs.into(), Constraint::Probability)]);
        Self { weights: Weights::Probs(probs) }
    }

    /// `logits` is the logarithm of the odds `p / (1 - p)`, as a network without a last sigmoid returns it.
    ///
    /// # Panics
    ///
    /// Where it is NaN.
    #[track_caller]
    pub fn from_logits(logits: impl Into<Parameter>) -> Self {
        let [logits] = parameters("Bernoulli", [("logits", logits.into(), Constraint::Real)]);
        Self { weights: Weights::Logits(logits) }
    }

    /// The probability of 1, `[batch shape]`.
    pub fn probs(&self) -> Tensor {
        match &self.weights {
            Weights::Probs(probs) => probs.shallow_clone(),
            Weights::Logits(logits) => logits.sigmoid(),
        }
    }

    /// `log(p / (1 - p))`, `[batch shape]`; finite also for probabilities of 0 and 1.
    pub fn logits(&self) -> Tensor {
        match &self.weights {
            Weights::Logits(logits) => logits.shallow_clone(),
            Weights::Probs(probs) => {
                let probs = clamp_probs(probs);
                probs.log() - (-probs).log1p()
            }
        }
    }
}

fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    logits.binary_cross_entropy_with_logits(targets, None::<Tensor>, None::<Tensor>, Reduction::None)
}

impl Distribution for Bernoulli {
    fn batch_shape(&self) -> Vec<i64> {
        self.weights.given().size()
    }

    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| self.probs().expand(extended(self, shape), false).bernoulli())
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Boolean, value, self.weights.given());
        let [logits, value] = broadcast_all([&self.logits(), &value]).unwrap_or_else(|error| panic!("{error}"));
        -cross_entropy(&logits, &value)
    }

    fn entropy(&self) -> Tensor {
        cross_entropy(&self.logits(), &self.probs())
    }

    fn mean(&self) -> Tensor {
        self.probs()
    }

    fn variance(&self) -> Tensor {
        let probs = self.probs();
        &probs * (1.0 - &probs)
    }

    fn mode(&self) -> Tensor {
        let probs = self.probs();
        probs.ge(0.5).to_kind(probs.kind()).masked_fill(&probs.eq(0.5), f64::NAN)
    }
}

impl KlDivergence for Bernoulli {
    /// Infinite where the other one excludes what this one does not.
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let (p, q, p_logits, q_logits) = (self.probs(), other.probs(), self.logits(), other.logits());
        let ones = &p * ((-&q_logits).softplus() - (-&p_logits).softplus());
        let zeros = (1.0 - &p) * (q_logits.softplus() - p_logits.softplus());
        let without =
            |term: Tensor, value: f64| term.masked_fill(&q.eq(value), f64::INFINITY).masked_fill(&p.eq(value), 0.0);
        without(ones, 0.0) + without(zeros, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("bernoulli_probs", |given| Bernoulli::from_probs(&given[0]));
        check_family("bernoulli_logits", |given| Bernoulli::from_logits(&given[0]));
    }

    #[test]
    fn integers_and_truth_values_have_a_probability() {
        let coin = Bernoulli::from_probs(0.25);
        let expected = Tensor::from_slice(&[0.75f32.ln(), 0.25f32.ln()]);
        for value in [Tensor::from_slice(&[0i64, 1]), Tensor::from_slice(&[false, true])] {
            assert!(coin.log_prob(&value).allclose(&expected, 1e-5, 1e-6, false));
        }
    }

    #[test]
    #[should_panic(
        expected = "Bernoulli: `probs` has to be from 0 to 1, but 1 of 2 are not, such as 1.5; `from_logits`"
    )]
    fn no_probability_is_refused() {
        let _ = Bernoulli::from_probs(Tensor::from_slice(&[0.5, 1.5]));
    }
}
