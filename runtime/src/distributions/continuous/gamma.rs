//! The gamma distribution.

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::limits::tiny;
use crate::distributions::parameter::{Parameter, parameters};

/// The gamma distribution with the density `rate^a x^(a - 1) exp(-rate x) / Γ(a)` for `x > 0`, where `a` is the
/// concentration. As PyTorch's `Gamma`. Samples have gradients by implicit reparameterization (M. Figurnov et al.,
/// 2018).
///
/// ```
/// use oxtorch::prelude::*;
/// let shape = Tensor::from_slice(&[0.5f32, 2.0]).set_requires_grad(true);
/// let gamma = distributions::Gamma::new(&shape, 1.0);
/// gamma.rsample(&[100]).mean(Kind::Float).backward();
/// assert!(shape.grad().gt(0.0).all().int64_value(&[]) == 1);
/// ```
#[derive(Debug)]
pub struct Gamma {
    concentration: Tensor,
    rate: Tensor,
}

impl Gamma {
    /// `concentration` is the shape, often called α, and `rate` the inverse of the scale, often called β.
    ///
    /// # Panics
    ///
    /// Where one is not positive, or the shapes do not broadcast.
    #[track_caller]
    pub fn new(concentration: impl Into<Parameter>, rate: impl Into<Parameter>) -> Self {
        let given = [
            ("concentration", concentration.into(), Constraint::Positive),
            ("rate", rate.into(), Constraint::Positive),
        ];
        let [concentration, rate] = parameters("Gamma", given);
        Self { concentration, rate }
    }

    /// The shape α, `[batch shape]`.
    pub fn concentration(&self) -> &Tensor {
        &self.concentration
    }

    /// The inverse β of the scale, `[batch shape]`.
    pub fn rate(&self) -> &Tensor {
        &self.rate
    }
}

impl Distribution for Gamma {
    fn batch_shape(&self) -> Vec<i64> {
        self.rate.size()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let value = self.concentration.expand(extended(self, shape), false).internal_standard_gamma() / &self.rate;
        // A small concentration gives numbers that round to 0, whose logarithm nobody can use. The gradient stays.
        let _ = value.detach().clamp_min_(tiny(value.kind()));
        value
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::NonNegative, value, &self.rate);
        self.concentration.xlogy(&self.rate) + (&self.concentration - 1.0).xlogy(&value)
            - &self.rate * value
            - self.concentration.lgamma()
    }

    fn entropy(&self) -> Tensor {
        &self.concentration - self.rate.log()
            + self.concentration.lgamma()
            + (1.0 - &self.concentration) * self.concentration.digamma()
    }

    fn mean(&self) -> Tensor {
        &self.concentration / &self.rate
    }

    fn variance(&self) -> Tensor {
        &self.concentration / self.rate.square()
    }

    fn mode(&self) -> Tensor {
        ((&self.concentration - 1.0) / &self.rate).clamp_min(0.0)
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::NonNegative, value, &self.rate);
        self.concentration.special_gammainc(&(&self.rate * value))
    }
}

impl KlDivergence for Gamma {
    fn kl_divergence(&self, other: &Self) -> Tensor {
        &other.concentration * (&self.rate / &other.rate).log() + other.concentration.lgamma()
            - self.concentration.lgamma()
            + (&self.concentration - &other.concentration) * self.concentration.digamma()
            + (&other.rate - &self.rate) * (&self.concentration / &self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("gamma", |given| Gamma::new(&given[0], &given[1]));
    }

    #[test]
    fn no_draw_is_0() {
        assert!(Gamma::new(1e-4, 1.0).sample(&[1000]).min().double_value(&[]) > 0.0);
    }
}
