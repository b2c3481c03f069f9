//! How far one distribution is from another.

use tch::Tensor;

use super::distribution::Distribution;

/// `KL(p || q) = E_p[log p(x) - log q(x)]` in closed form, in nats, `[batch shape]`. As PyTorch's
/// `torch.distributions.kl_divergence`: gradients go to the parameters of both, and batches broadcast.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::{Normal, kl_divergence};
/// let kl = kl_divergence(&Normal::new(1.0, 1.0), &Normal::new(0.0, 1.0));
/// assert_eq!(kl.double_value(&[]), 0.5);
/// ```
///
/// Pairs for which there is no [`KlDivergence`] do not compile:
///
/// ```compile_fail
/// use oxtorch::prelude::*;
/// use distributions::{Beta, Normal, kl_divergence};
/// let kl = kl_divergence(&Normal::new(0.0, 1.0), &Beta::new(1.0, 1.0));
/// ```
///
/// # Panics
///
/// Where the shapes of batches do not broadcast, or those of events differ.
#[track_caller]
pub fn kl_divergence<P: KlDivergence<Q>, Q: Distribution>(p: &P, q: &Q) -> Tensor {
    p.kl_divergence(q)
}

/// Distributions whose [`kl_divergence`] to one of type `Q` is known.
#[diagnostic::on_unimplemented(
    message = "the KL divergence from `{Self}` to `{Q}` has no closed form here",
    label = "`kl_divergence` takes two distributions of one family",
    note = "estimate it by samples: `let x = p.sample(&[1000]); (p.log_prob(&x) - q.log_prob(&x)).mean(Kind::Float)`"
)]
pub trait KlDivergence<Q = Self>: Distribution {
    /// As the function [`kl_divergence`].
    fn kl_divergence(&self, other: &Q) -> Tensor;
}
