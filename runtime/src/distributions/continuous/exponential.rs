//! The exponential distribution.

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, parameters};

/// The exponential distribution with the density `rate exp(-rate x)` for `x >= 0`: the time between events that come
/// `rate` times per unit of time. As PyTorch's `Exponential`.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(distributions::Exponential::new(4.0).mean().double_value(&[]), 0.25);
/// ```
#[derive(Debug)]
pub struct Exponential {
    rate: Tensor,
}

impl Exponential {
    /// `rate` is the inverse of the mean.
    ///
    /// # Panics
    ///
    /// Where `rate` is not positive.
    #[track_caller]
    pub fn new(rate: impl Into<Parameter>) -> Self {
        let [rate] = parameters("Exponential", [("rate", rate.into(), Constraint::Positive)]);
        Self { rate }
    }

    /// The inverse of the mean, `[batch shape]`.
    pub fn rate(&self) -> &Tensor {
        &self.rate
    }
}

impl Distribution for Exponential {
    fn batch_shape(&self) -> Vec<i64> {
        self.rate.size()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let empty = Tensor::empty(extended(self, shape), (self.rate.kind(), self.rate.device()));
        empty.exponential(1.0) / &self.rate
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::NonNegative, value, &self.rate);
        self.rate.log() - &self.rate * value
    }

    fn entropy(&self) -> Tensor {
        1.0 - self.rate.log()
    }

    fn mean(&self) -> Tensor {
        self.rate.reciprocal()
    }

    fn variance(&self) -> Tensor {
        self.rate.square().reciprocal()
    }

    fn stddev(&self) -> Tensor {
        self.rate.reciprocal()
    }

    fn mode(&self) -> Tensor {
        self.rate.zeros_like()
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::NonNegative, value, &self.rate);
        -(-&self.rate * value).expm1()
    }

    fn icdf(&self, probability: &Tensor) -> Tensor {
        -(-probability).log1p() / &self.rate
    }
}

impl KlDivergence for Exponential {
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let ratio = &other.rate / &self.rate;
        -ratio.log() + ratio - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("exponential", |given| Exponential::new(&given[0]));
    }
}
