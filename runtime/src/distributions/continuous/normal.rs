//! The normal distribution.

use std::f64::consts::{PI, SQRT_2};

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, parameters};

/// The normal (Gaussian) distribution with the density `exp(-(x - loc)^2 / (2 scale^2)) / (scale sqrt(2 pi))`. As
/// PyTorch's `Normal`.
///
/// Soft actor-critic squashes such actions (T. Haarnoja et al., 2018), and corrects `log_prob` for it by
/// `log(1 - tanh(u)^2)`, here in a form that does not overflow:
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::{Independent, Normal};
/// let mean = Tensor::zeros([8, 2], (Kind::Float, device())).set_requires_grad(true);
/// let policy = Independent::new(Normal::new(&mean, 0.5), 1);
/// let u = policy.rsample(&[]);
/// let action = u.tanh();
/// let correction = ((&u * -2.0).softplus() + &u - 2f64.ln()) * -2.0;
/// let log_prob = policy.log_prob(&u) - correction.sum_dim_intlist(-1i64, false, None);
/// let reward = -action.square().sum_dim_intlist(-1i64, false, None);
/// (log_prob * 0.2 - reward).mean(Kind::Float).backward();
/// assert_eq!(mean.grad().size(), [8, 2]);
/// ```
#[derive(Debug)]
pub struct Normal {
    loc: Tensor,
    scale: Tensor,
}

impl Normal {
    /// `loc` is the mean, `scale` the standard deviation.
    ///
    /// # Panics
    ///
    /// Where `scale` is not positive, or the shapes do not broadcast.
    #[track_caller]
    pub fn new(loc: impl Into<Parameter>, scale: impl Into<Parameter>) -> Self {
        let given = [("loc", loc.into(), Constraint::Real), ("scale", scale.into(), Constraint::Positive)];
        let [loc, scale] = parameters("Normal", given);
        Self { loc, scale }
    }

    /// The mean, `[batch shape]`.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The standard deviation, `[batch shape]`.
    pub fn scale(&self) -> &Tensor {
        &self.scale
    }
}

impl Distribution for Normal {
    fn batch_shape(&self) -> Vec<i64> {
        self.loc.size()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let noise = Tensor::randn(extended(self, shape), (self.loc.kind(), self.loc.device()));
        &self.loc + noise * &self.scale
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Real, value, &self.loc);
        -(value - &self.loc).square() / (self.scale.square() * 2.0) - self.scale.log() - 0.5 * (2.0 * PI).ln()
    }

    fn entropy(&self) -> Tensor {
        self.scale.log() + 0.5 + 0.5 * (2.0 * PI).ln()
    }

    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    fn variance(&self) -> Tensor {
        self.scale.square()
    }

    fn stddev(&self) -> Tensor {
        self.scale.shallow_clone()
    }

    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Real, value, &self.loc);
        (((value - &self.loc) / &self.scale / SQRT_2).erf() + 1.0) * 0.5
    }

    fn icdf(&self, probability: &Tensor) -> Tensor {
        &self.loc + &self.scale * (probability * 2.0 - 1.0).erfinv() * SQRT_2
    }
}

impl KlDivergence for Normal {
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let ratio = (&self.scale / &other.scale).square();
        let distance = ((&self.loc - &other.loc) / &other.scale).square();
        (&ratio + distance - 1.0 - ratio.log()) * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("normal", |given| Normal::new(&given[0], &given[1]));
    }
}
