//! The categorical distribution.

use std::borrow::Borrow;

use tch::{Kind, Tensor};

use super::{Weights, clamp_probs};
use crate::distributions::constraint::{Constraint, check, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::limits::lowest;
use crate::distributions::parameter::{broadcast_all, check_floats};
use crate::modes::no_grad;

/// One of K categories, 0 to K - 1. As PyTorch's `Categorical`; samples are int64.
///
/// A policy gradient (R. J. Williams, REINFORCE, 1992), with a bonus for entropy:
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::Categorical;
/// let vs = nn::VarStore::new(device());
/// let policy = nn::linear(vs.root(), 4, 2, Default::default());
/// let states = Tensor::randn([8, 4], (Kind::Float, device()));
/// let advantages = Tensor::randn([8], (Kind::Float, device()));
///
/// let dist = Categorical::from_logits(&policy.forward(&states));
/// let actions = dist.sample(&[]);
/// let loss = -(dist.log_prob(&actions) * advantages + dist.entropy() * 0.01).mean(Kind::Float);
/// loss.backward();
/// ```
#[derive(Debug)]
pub struct Categorical {
    weights: Weights,
}

impl Categorical {
    /// `probs` is `[..., K]`, for example counts: they are divided by their sum over the last axis.
    ///
    /// # Panics
    ///
    /// Where one is negative, all are 0, or it is a single number.
    #[track_caller]
    pub fn from_probs(probs: impl Borrow<Tensor>) -> Self {
        let probs = probs.borrow();
        check_vectors("probs", probs);
        check("Categorical", &[("probs", probs, &Constraint::Weights)]);
        Self { weights: Weights::Probs(probs / probs.sum_dim_intlist(-1i64, true, None)) }
    }

    /// `logits` is `[..., K]`: logarithms of probabilities, up to a number that is added to all, as a network returns
    /// them. -inf excludes a category.
    ///
    /// # Panics
    ///
    /// Where they are NaN, all are -inf, or it is a single number.
    #[track_caller]
    pub fn from_logits(logits: impl Borrow<Tensor>) -> Self {
        let logits = logits.borrow();
        check_vectors("logits", logits);
        check_floats("Categorical", "logits", logits);
        let normalized = logits - logits.logsumexp(-1i64, true);
        check("Categorical", &[("logits", &normalized, &Constraint::Logits)]);
        Self { weights: Weights::Logits(normalized) }
    }

    /// The probabilities, `[batch shape, K]`.
    pub fn probs(&self) -> Tensor {
        match &self.weights {
            Weights::Probs(probs) => probs.shallow_clone(),
            Weights::Logits(logits) => logits.softmax(-1, None),
        }
    }

    /// The logarithms of the probabilities, `[batch shape, K]`; finite if it was made from probabilities.
    pub fn logits(&self) -> Tensor {
        match &self.weights {
            Weights::Logits(logits) => logits.shallow_clone(),
            Weights::Probs(probs) => clamp_probs(probs).log(),
        }
    }

    /// `[batch shape, K]`.
    pub(crate) fn param_shape(&self) -> Vec<i64> {
        self.weights.given().size()
    }

    /// K.
    fn categories(&self) -> i64 {
        self.param_shape().last().copied().unwrap_or(1)
    }

    /// As [`Categorical::logits`], but finite, so that a probability of 0 makes 0 of them.
    fn finite_logits(&self) -> Tensor {
        let logits = self.logits();
        logits.clamp_min(lowest(logits.kind()))
    }

    fn nan(&self) -> Tensor {
        let given = self.weights.given();
        Tensor::full(self.batch_shape(), f64::NAN, (given.kind(), given.device()))
    }
}

#[track_caller]
fn check_vectors(name: &str, weights: &Tensor) {
    assert!(
        weights.size().last().is_some_and(|categories| *categories > 0),
        "Categorical: `{name}` of {:?}; it is [..., K], with a number for each of K categories on the last axis",
        weights.size()
    );
}

impl Distribution for Categorical {
    fn batch_shape(&self) -> Vec<i64> {
        let mut shape = self.param_shape();
        let _ = shape.pop();
        shape
    }

    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| {
            let rows = self.probs().reshape([-1, self.categories()]);
            let draws = shape.iter().product();
            rows.multinomial(draws, true).tr().reshape(extended(self, shape))
        })
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let support = Constraint::Below(self.categories());
        let value = check_value(self, &support, value, self.weights.given()).to_kind(Kind::Int64).unsqueeze(-1);
        let [value, logits] = broadcast_all([&value, &self.logits()]).unwrap_or_else(|error| panic!("{error}"));
        logits.gather(-1, &value.slice(-1, 0, 1, 1), false).squeeze_dim(-1)
    }

    fn entropy(&self) -> Tensor {
        -(self.finite_logits() * self.probs()).sum_dim_intlist(-1i64, false, None)
    }

    /// NaN: categories are no numbers.
    fn mean(&self) -> Tensor {
        self.nan()
    }

    /// NaN: categories are no numbers.
    fn variance(&self) -> Tensor {
        self.nan()
    }

    /// The likeliest category, int64.
    fn mode(&self) -> Tensor {
        self.weights.given().argmax(-1, false)
    }
}

impl KlDivergence for Categorical {
    /// Infinite where the other one excludes a category that this one does not.
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let (p, q) = (self.probs(), other.probs());
        let terms = &p * (self.finite_logits() - other.finite_logits());
        let terms = terms.masked_fill(&q.eq(0.0), f64::INFINITY).masked_fill(&p.eq(0.0), 0.0);
        terms.sum_dim_intlist(-1i64, false, None)
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::distributions::kl_divergence;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("categorical_probs", |given| Categorical::from_probs(&given[0]));
        check_family("categorical_logits", |given| Categorical::from_logits(&given[0]));
    }

    #[test]
    fn counts_are_probabilities() {
        let probs = Categorical::from_probs(Tensor::from_slice(&[1i64, 3])).probs();
        assert_eq!(probs, Tensor::from_slice(&[0.25f32, 0.75]));
    }

    #[test]
    fn excluded_categories_leave_gradients_finite() {
        let logits = Tensor::from_slice(&[0.5f32, 0.0, f64::NEG_INFINITY as f32]).set_requires_grad(true);
        let before = Categorical::from_logits(&(&logits.detach() * 2.0));
        let dist = Categorical::from_logits(&logits);
        let kl = kl_divergence(&before, &dist);
        (dist.entropy() + &kl + dist.log_prob(&Tensor::from(0i64))).backward();
        assert!(kl.double_value(&[]) > 0.0 && kl.isfinite().int64_value(&[]) == 1);
        assert_eq!(logits.grad().isfinite().all().int64_value(&[]), 1, "{}", logits.grad());
        assert!(dist.sample(&[200]).max().int64_value(&[]) < 2);
    }

    #[test]
    #[should_panic(
        expected = "Categorical: `logits` has to be numbers, and not all of them -inf along the last axis, but 1 of 2"
    )]
    fn what_is_all_excluded_is_refused() {
        let rows = Tensor::from_slice2(&[[0.0, 1.0], [f64::NEG_INFINITY, f64::NEG_INFINITY]]);
        let _ = Categorical::from_logits(&rows);
    }

    #[test]
    #[should_panic(expected = "Categorical: `value` has to be an integer from 0 to 2, but 1 of 2 are not, such as 3")]
    fn a_category_beyond_the_last_is_refused() {
        let dist = Categorical::from_logits(Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)));
        let _ = dist.log_prob(&Tensor::from_slice(&[2i64, 3]));
    }

    #[test]
    #[should_panic(expected = "Categorical: no gradient can go through its samples")]
    fn there_is_no_gradient_of_a_choice() {
        let _ = Categorical::from_probs(Tensor::from_slice(&[0.5, 0.5])).rsample(&[]);
    }
}
