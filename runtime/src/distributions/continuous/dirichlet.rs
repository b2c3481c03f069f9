//! The Dirichlet distribution.

use std::borrow::Borrow;

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::check_floats;
use crate::modes::no_grad;

/// The Dirichlet distribution of vectors of K probabilities, with a density that is proportional to the product of
/// `x_k^(a_k - 1)`. As PyTorch's `Dirichlet`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = distributions::Dirichlet::new(Tensor::from_slice(&[0.5f32, 1.0, 2.0])).sample(&[4]);
/// assert_eq!(x.size(), [4, 3]);
/// assert!((x.sum(Kind::Float).double_value(&[]) - 4.0).abs() < 1e-5);
/// ```
#[derive(Debug)]
pub struct Dirichlet {
    concentration: Tensor,
}

impl Dirichlet {
    /// `concentration` is `[..., K]`; its last axis is the event.
    ///
    /// # Panics
    ///
    /// Where it is not positive, or a single number.
    #[track_caller]
    pub fn new(concentration: impl Borrow<Tensor>) -> Self {
        let concentration = concentration.borrow();
        assert!(concentration.dim() > 0, "Dirichlet: `concentration` is a single number; it is [..., K], such as [3]");
        check_floats("Dirichlet", "concentration", concentration);
        check("Dirichlet", &[("concentration", concentration, &Constraint::Positive)]);
        Self::of(concentration.shallow_clone())
    }

    /// As [`Dirichlet::new`], of what was checked.
    pub(super) fn of(concentration: Tensor) -> Self {
        Self { concentration }
    }

    /// `[..., K]`.
    pub fn concentration(&self) -> &Tensor {
        &self.concentration
    }

    /// [`Distribution::log_prob`] of what was checked.
    pub(super) fn log_density(&self, value: &Tensor) -> Tensor {
        last_sum(&(&self.concentration - 1.0).xlogy(value), false) + last_sum(&self.concentration, false).lgamma()
            - last_sum(&self.concentration.lgamma(), false)
    }

    /// The sum over the event, `[..., 1]`.
    fn total(&self) -> Tensor {
        last_sum(&self.concentration, true)
    }
}

fn last_sum(values: &Tensor, keepdim: bool) -> Tensor {
    values.sum_dim_intlist(-1i64, keepdim, None)
}

impl Distribution for Dirichlet {
    fn batch_shape(&self) -> Vec<i64> {
        let mut shape = self.concentration.size();
        let _ = shape.pop();
        shape
    }

    fn event_shape(&self) -> Vec<i64> {
        self.concentration.size().last().copied().into_iter().collect()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| self.concentration.expand(extended(self, shape), false).internal_sample_dirichlet())
    }

    /// With the gradient of M. Jankowiak and F. Obermeyer, "Pathwise derivatives beyond the reparameterization trick",
    /// 2018.
    fn rsample(&self, shape: &[i64]) -> Tensor {
        let x = self.sample(shape);
        if !self.concentration.requires_grad() {
            return x;
        }
        let concentration = self.concentration.expand(extended(self, shape), false);
        let slope = no_grad(|| {
            let total = last_sum(&concentration, true).expand_as(&concentration);
            Tensor::internal_dirichlet_grad(&x, &concentration, &total)
        });
        // libtorch has the derivative, but no operation that records it: adding a 0 of the same derivative does.
        let zero = slope * (&concentration - concentration.detach());
        &x + &zero - &x * last_sum(&zero, true)
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        self.log_density(&check_value(self, &Constraint::Simplex, value, &self.concentration))
    }

    fn entropy(&self) -> Tensor {
        let count = self.event_shape()[0] as f64;
        let total = last_sum(&self.concentration, false);
        last_sum(&self.concentration.lgamma(), false)
            - total.lgamma()
            - (count - &total) * total.digamma()
            - last_sum(&((&self.concentration - 1.0) * self.concentration.digamma()), false)
    }

    fn mean(&self) -> Tensor {
        &self.concentration / self.total()
    }

    fn variance(&self) -> Tensor {
        let total = self.total();
        &self.concentration * (&total - &self.concentration) / (total.square() * (&total + 1.0))
    }

    /// If all concentrations are below 1, the density has no bound at any corner, and the first corner is returned, as
    /// in PyTorch.
    fn mode(&self) -> Tensor {
        let above = (&self.concentration - 1.0).clamp_min(0.0);
        let mode = &above / last_sum(&above, true);
        let at_corners = self.concentration.lt(1.0).all_dim(-1, true);
        let corner = mode.argmax(-1, true);
        let corners = mode.zeros_like().scatter_value(-1, &corner, 1.0);
        corners.where_self(&at_corners, &mode)
    }
}

impl KlDivergence for Dirichlet {
    #[track_caller]
    fn kl_divergence(&self, other: &Self) -> Tensor {
        let (p, q) = (&self.concentration, &other.concentration);
        assert_eq!(
            self.event_shape(),
            other.event_shape(),
            "Dirichlet: a KL divergence between events of these shapes"
        );
        let (p_total, q_total) = (last_sum(p, false), last_sum(q, false));
        p_total.lgamma() - q_total.lgamma() - last_sum(&(p.lgamma() - q.lgamma()), false)
            + last_sum(&((p - q) * (p.digamma() - p_total.digamma().unsqueeze(-1))), false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("dirichlet", |given| Dirichlet::new(&given[0]));
    }

    #[test]
    #[should_panic(expected = "Dirichlet: `value` has to be probabilities along the last axis")]
    fn what_does_not_add_up_to_1_is_refused() {
        let _ = Dirichlet::new(Tensor::from_slice(&[1.0, 2.0])).log_prob(&Tensor::from_slice(&[0.5, 0.6]));
    }
}
