//! Batches of independent distributions as one distribution of vectors.

use tch::Tensor;

use super::distribution::{Distribution, sum_rightmost};
use super::kl::KlDivergence;

/// Makes the last axes of the batch axes of the event: what is independent is one draw, and its
/// [`log_prob`](Distribution::log_prob), entropy and KL divergence are summed over these axes. As PyTorch's
/// `Independent`.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::{Independent, Normal};
/// let (mean, scale) = (Tensor::zeros([8, 3], (Kind::Float, device())), 0.5);
/// let actions = Independent::new(Normal::new(&mean, scale), 1);
/// assert_eq!((actions.batch_shape(), actions.event_shape()), (vec![8], vec![3]));
/// assert_eq!(actions.log_prob(&actions.sample(&[])).size(), [8]);
/// ```
#[derive(Debug)]
pub struct Independent<D> {
    base: D,
    dims: usize,
}

impl<D: Distribution> Independent<D> {
    /// The last `reinterpreted_batch_ndims` axes of the batch become the first ones of the event.
    ///
    /// # Panics
    ///
    /// Where the batch has fewer axes.
    #[track_caller]
    pub fn new(base: D, reinterpreted_batch_ndims: usize) -> Self {
        let batch = base.batch_shape();
        assert!(
            reinterpreted_batch_ndims <= batch.len(),
            "Independent: {reinterpreted_batch_ndims} axes of a batch of {batch:?}; it has {}",
            batch.len()
        );
        Self { base, dims: reinterpreted_batch_ndims }
    }

    /// The distribution that it was made of.
    pub fn base_dist(&self) -> &D {
        &self.base
    }
}

impl<D: Distribution> Distribution for Independent<D> {
    fn batch_shape(&self) -> Vec<i64> {
        let mut shape = self.base.batch_shape();
        shape.truncate(shape.len() - self.dims);
        shape
    }

    fn event_shape(&self) -> Vec<i64> {
        let batch = self.base.batch_shape();
        [&batch[batch.len() - self.dims..], &self.base.event_shape()].concat()
    }

    fn has_rsample(&self) -> bool {
        self.base.has_rsample()
    }

    #[track_caller]
    fn sample(&self, shape: &[i64]) -> Tensor {
        self.base.sample(shape)
    }

    #[track_caller]
    fn rsample(&self, shape: &[i64]) -> Tensor {
        self.base.rsample(shape)
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        sum_rightmost(&self.base.log_prob(value), self.dims)
    }

    #[track_caller]
    fn entropy(&self) -> Tensor {
        sum_rightmost(&self.base.entropy(), self.dims)
    }

    fn mean(&self) -> Tensor {
        self.base.mean()
    }

    fn variance(&self) -> Tensor {
        self.base.variance()
    }

    #[track_caller]
    fn mode(&self) -> Tensor {
        self.base.mode()
    }
}

impl<P: KlDivergence<Q>, Q: Distribution> KlDivergence<Independent<Q>> for Independent<P> {
    #[track_caller]
    fn kl_divergence(&self, other: &Independent<Q>) -> Tensor {
        assert_eq!(
            self.dims, other.dims,
            "Independent: the KL divergence of two that were made with the same number of axes is known, not of {} \
             and {}",
            self.dims, other.dims
        );
        sum_rightmost(&self.base.kl_divergence(&other.base), self.dims)
    }
}
