//! The beta distribution.

use tch::Tensor;

use super::dirichlet::Dirichlet;
use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::Distribution;
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{Parameter, parameters};

/// The beta distribution on 0 to 1, with a density that is proportional to `x^(a - 1) (1 - x)^(b - 1)`. As PyTorch's
/// `Beta`: the first of two probabilities of a [`Dirichlet`].
///
/// ```
/// use oxtorch::prelude::*;
/// // What is known of a coin after 7 heads and 3 tails.
/// let coin = distributions::Beta::new(1 + 7, 1 + 3);
/// assert!((coin.mean().double_value(&[]) - 8.0 / 12.0).abs() < 1e-6);
/// ```
#[derive(Debug)]
pub struct Beta {
    dirichlet: Dirichlet,
}

impl Beta {
    /// `concentration1` is often called α, and `concentration0` β.
    ///
    /// # Panics
    ///
    /// Where one is not positive, or the shapes do not broadcast.
    #[track_caller]
    pub fn new(concentration1: impl Into<Parameter>, concentration0: impl Into<Parameter>) -> Self {
        let given = [
            ("concentration1", concentration1.into(), Constraint::Positive),
            ("concentration0", concentration0.into(), Constraint::Positive),
        ];
        Self { dirichlet: Dirichlet::of(Tensor::stack(&parameters("Beta", given), -1)) }
    }

    /// The concentration α at 1, `[batch shape]`.
    pub fn concentration1(&self) -> Tensor {
        self.dirichlet.concentration().select(-1, 0)
    }

    /// The concentration β at 0, `[batch shape]`.
    pub fn concentration0(&self) -> Tensor {
        self.dirichlet.concentration().select(-1, 1)
    }
}

impl Distribution for Beta {
    fn batch_shape(&self) -> Vec<i64> {
        self.dirichlet.batch_shape()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        self.dirichlet.rsample(shape).select(-1, 0)
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::UnitInterval, value, self.dirichlet.concentration());
        self.dirichlet.log_density(&Tensor::stack(&[&value, &(1.0 - &value)], -1))
    }

    fn entropy(&self) -> Tensor {
        self.dirichlet.entropy()
    }

    fn mean(&self) -> Tensor {
        self.dirichlet.mean().select(-1, 0)
    }

    fn variance(&self) -> Tensor {
        self.dirichlet.variance().select(-1, 0)
    }

    fn mode(&self) -> Tensor {
        self.dirichlet.mode().select(-1, 0)
    }
}

impl KlDivergence for Beta {
    #[track_caller]
    fn kl_divergence(&self, other: &Self) -> Tensor {
        self.dirichlet.kl_divergence(&other.dirichlet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("beta", |given| Beta::new(&given[0], &given[1]));
    }
}
