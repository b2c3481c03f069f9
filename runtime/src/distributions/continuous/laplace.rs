//! The Laplace distribution.

use std::f64::consts::SQRT_2;

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::limits::eps;
use crate::distributions::parameter::{Parameter, parameters};

/// The Laplace distribution with the density `exp(-|x - loc| / scale) / (2 scale)`: heavier tails than the normal one.
/// As PyTorch's `Laplace`.
///
/// ```
/// use oxtorch::prelude::*;
/// let noise = distributions::Laplace::new(0.0, 2.0);
/// assert_eq!(noise.variance().double_value(&[]), 8.0);
/// ```
#[derive(Debug)]
pub struct Laplace {
    loc: Tensor,
    scale: Tensor,
}

impl Laplace {
    /// `loc` is the mean, `scale` the mean distance from it.
    ///
    /// # Panics
    ///
    /// Where `scale` is not positive, or the shapes do not broadcast.
    #[track_caller]
    pub fn new(loc: impl Into<Parameter>, scale: impl Into<Parameter>) -> Self {
        let given = [("loc", loc.into(), Constraint::Real), ("scale", scale.into(), Constraint::Positive)];
        let [loc, scale] = parameters("Laplace", given);
        Self { loc, scale }
    }

    /// The mean, `[batch shape]`.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The mean distance from the mean, `[batch shape]`.
    pub fn scale(&self) -> &Tensor {
        &self.scale
    }
}

impl Distribution for Laplace {
    fn batch_shape(&self) -> Vec<i64> {
        self.loc.size()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let kind = self.loc.kind();
        let empty = Tensor::empty(extended(self, shape), (kind, self.loc.device()));
        // Not from -1, whose logarithm would be that of 0.
        let u = empty.uniform(eps(kind) - 1.0, 1.0);
        &self.loc - &self.scale * u.sign() * (-u.abs()).log1p()
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Real, value, &self.loc);
        -(&self.scale * 2.0).log() - (value - &self.loc).abs() / &self.scale
    }

    fn entropy(&self) -> Tensor {
        (&self.scale * 2.0).log() + 1.0
    }

    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    fn variance(&self) -> Tensor {
        self.scale.square() * 2.0
    }

    fn stddev(&self) -> Tensor {
        &self.scale * SQRT_2
    }

    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        let from_loc = check_value(self, &Constraint::Real, value, &self.loc) - &self.loc;
        0.5 - from_loc.sign() * (-from_loc.abs() / &self.scale).expm1() * 0.5
    }

    fn icdf(&self, probability: &Tensor) -> Tensor {
        let from_half = probability - 0.5;
        &self.loc - &self.scale * from_half.sign() * (from_half.abs() * -2.0).log1p()
    }
}

impl KlDivergence for Laplace {
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let ratio = &self.scale / &other.scale;
        let distance = (&self.loc - &other.loc).abs();
        -ratio.log() + &distance / &other.scale + ratio * (-distance / &self.scale).exp() - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("laplace", |given| Laplace::new(&given[0], &given[1]));
    }
}
