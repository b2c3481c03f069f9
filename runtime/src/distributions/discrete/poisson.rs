//! The Poisson distribution.

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, parameters};
use crate::modes::no_grad;

/// `P(k) = rate^k exp(-rate) / k!`: how many events there are in a unit of time. As PyTorch's `Poisson`; samples are
/// floats.
///
/// ```
/// use oxtorch::prelude::*;
/// let calls = distributions::Poisson::new(3.0);
/// let share_of_none = calls.log_prob(&Tensor::from(0)).exp();
/// assert!((share_of_none.double_value(&[]) - (-3f64).exp()).abs() < 1e-6);
/// ```
#[derive(Debug)]
pub struct Poisson {
    rate: Tensor,
}

impl Poisson {
    /// `rate` is the mean.
    ///
    /// # Panics
    ///
    /// Where it is negative.
    #[track_caller]
    pub fn new(rate: impl Into<Parameter>) -> Self {
        let [rate] = parameters("Poisson", [("rate", rate.into(), Constraint::NonNegative)]);
        Self { rate }
    }

    /// The mean, `[batch shape]`.
    pub fn rate(&self) -> &Tensor {
        &self.rate
    }
}

impl Distribution for Poisson {
    fn batch_shape(&self) -> Vec<i64> {
        self.rate.size()
    }

    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| self.rate.expand(extended(self, shape), false).poisson())
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Count, value, &self.rate);
        value.xlogy(&self.rate) - &self.rate - (value + 1.0).lgamma()
    }

    fn mean(&self) -> Tensor {
        self.rate.shallow_clone()
    }

    fn variance(&self) -> Tensor {
        self.rate.shallow_clone()
    }

    fn mode(&self) -> Tensor {
        self.rate.floor()
    }
}

impl KlDivergence for Poisson {
    fn kl_divergence(&self, other: &Self) -> Tensor {
        &self.rate * (self.rate.log() - other.rate.log()) - (&self.rate - &other.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("poisson", |given| Poisson::new(&given[0]));
    }

    #[test]
    #[should_panic(expected = "Poisson: `value` has to be an integer of at least 0, but 2 of 3 are not, such as -1")]
    fn what_is_no_count_is_refused() {
        let _ = Poisson::new(2.0).log_prob(&Tensor::from_slice(&[-1.0, 0.0, 0.5]));
    }
}
