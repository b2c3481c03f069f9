//! The uniform distribution.

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, broadcast};

/// The uniform distribution on `[low, high)`. As PyTorch's `Uniform`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = distributions::Uniform::new(-1.0, 1.0).sample(&[100]);
/// assert!(x.abs().max().double_value(&[]) <= 1.0);
/// ```
#[derive(Debug)]
pub struct Uniform {
    low: Tensor,
    high: Tensor,
}

impl Uniform {
    /// From `low`, which belongs to it, to `high`, which does not.
    ///
    /// # Panics
    ///
    /// Where `high` is not above `low`, or the shapes do not broadcast.
    #[track_caller]
    pub fn new(low: impl Into<Parameter>, high: impl Into<Parameter>) -> Self {
        let [low, high] = broadcast("Uniform", [("low", low.into()), ("high", high.into())]);
        check("Uniform", &[("high", &high, &Constraint::Above("low", &low))]);
        Self { low, high }
    }

    /// The least value, `[batch shape]`.
    pub fn low(&self) -> &Tensor {
        &self.low
    }

    /// What all values are below, `[batch shape]`.
    pub fn high(&self) -> &Tensor {
        &self.high
    }

    fn width(&self) -> Tensor {
        &self.high - &self.low
    }

    #[track_caller]
    fn checked(&self, value: &Tensor) -> Tensor {
        check_value(self, &Constraint::Between(&self.low, &self.high), value, &self.low)
    }
}

impl Distribution for Uniform {
    fn batch_shape(&self) -> Vec<i64> {
        self.low.size()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let random = Tensor::rand(extended(self, shape), (self.low.kind(), self.low.device()));
        &self.low + random * self.width()
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = self.checked(value);
        let inside = value.ge_tensor(&self.low).logical_and(&value.lt_tensor(&self.high));
        inside.to_kind(self.low.kind()).log() - self.width().log()
    }

    fn entropy(&self) -> Tensor {
        self.width().log()
    }

    fn mean(&self) -> Tensor {
        (&self.low + &self.high) / 2.0
    }

    fn variance(&self) -> Tensor {
        self.width().square() / 12.0
    }

    fn stddev(&self) -> Tensor {
        self.width() / 12f64.sqrt()
    }

    fn mode(&self) -> Tensor {
        self.high.full_like(f64::NAN)
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        ((self.checked(value) - &self.low) / self.width()).clamp(0.0, 1.0)
    }

    fn icdf(&self, probability: &Tensor) -> Tensor {
        probability * self.width() + &self.low
    }
}

impl KlDivergence for Uniform {
    /// Infinite where the other one leaves out a part of this.
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let beyond = other.low.gt_tensor(&self.low).logical_or(&other.high.lt_tensor(&self.high));
        (other.width() / self.width()).log().masked_fill(&beyond, f64::INFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("uniform", |given| Uniform::new(&given[0], &given[1]));
    }

    #[test]
    #[should_panic(expected = "Uniform: `high` has to be above `low`, but 1 of 1 are not, such as -1")]
    fn an_empty_interval_is_refused() {
        let _ = Uniform::new(0, -1);
    }

    #[test]
    #[should_panic(expected = "Uniform: `value` has to be from `low` to `high`, but 1 of 2 are not, such as 3")]
    fn a_value_beyond_it_is_refused() {
        let _ = Uniform::new(0, 2).log_prob(&Tensor::from_slice(&[2.0, 3.0]));
    }
}
