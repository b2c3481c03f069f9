//! Mixtures of distributions of one family.

use tch::Tensor;

use super::constraint::check_shape;
use super::discrete::categorical::Categorical;
use super::distribution::Distribution;
use crate::modes::no_grad;

/// `p(x) = sum_k p(k) p_k(x)`: a category chooses one of K components, the last axis of their batch. PyTorch's
/// `MixtureSameFamily`; with a network for its parameters a mixture density network (C. M. Bishop, 1994).
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::{Categorical, MixtureSameFamily, Normal};
/// let vs = nn::VarStore::new(device());
/// let net = nn::linear(vs.root(), 2, 3 * 5, Default::default());
/// let x = Tensor::randn([8, 2], (Kind::Float, device()));
/// let out = net.forward(&x).chunk(3, -1); // logits, means and scales of 5 components
/// let components = Normal::new(&out[1], out[2].exp());
/// let mixture = MixtureSameFamily::new(Categorical::from_logits(&out[0]), components);
/// let y = Tensor::randn([8], (Kind::Float, device()));
/// let loss = -mixture.log_prob(&y).mean(Kind::Float);
/// loss.backward();
/// assert_eq!(mixture.sample(&[10]).size(), [10, 8]);
/// ```
///
/// A choice among components has no gradient, so there is no `rsample`; entropy and mode have no closed form.
#[derive(Debug)]
pub struct MixtureSameFamily<D> {
    mixture: Categorical,
    components: D,
}

impl<D: Distribution> MixtureSameFamily<D> {
    /// Mixes components with a batch shape of `[..., K]`, by a choice among K with a batch shape of `[...]`, or of `[]`
    /// if all batches are mixed alike.
    ///
    /// # Panics
    ///
    /// Where the shapes do not fit.
    #[track_caller]
    pub fn new(mixture_distribution: Categorical, component_distribution: D) -> Self {
        let (choices, components) = (mixture_distribution.param_shape(), component_distribution.batch_shape());
        assert!(
            components == choices || (choices.len() == 1 && components.ends_with(&choices)),
            "MixtureSameFamily: a choice with parameters of {choices:?} and components with a batch of {components:?}; \
             both end with the number of components, and what stands before is the same or stands in the components \
             alone. (If an axis of the components belongs to their events, make them `Independent` first.)"
        );
        Self { mixture: mixture_distribution, components: component_distribution }
    }

    /// What chooses.
    pub fn mixture_distribution(&self) -> &Categorical {
        &self.mixture
    }

    /// What is chosen from.
    pub fn component_distribution(&self) -> &D {
        &self.components
    }

    /// The axis of the components in what they return, counted from the end.
    fn axis(&self) -> i64 {
        -1 - self.components.event_shape().len() as i64
    }

    /// The probabilities of the components, `[..., K, 1, ...]` with an axis of 1 for each of the event.
    fn weights(&self) -> Tensor {
        let ones = vec![1; self.components.event_shape().len()];
        let probs = self.mixture.probs();
        probs.reshape([probs.size(), ones].concat())
    }

    fn weighted(&self, values: &Tensor) -> Tensor {
        (self.weights() * values).sum_dim_intlist(self.axis(), false, None)
    }
}

impl<D: Distribution> Distribution for MixtureSameFamily<D> {
    fn batch_shape(&self) -> Vec<i64> {
        let mut shape = self.components.batch_shape();
        let _ = shape.pop();
        shape
    }

    fn event_shape(&self) -> Vec<i64> {
        self.components.event_shape()
    }

    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| {
            let batch = self.batch_shape();
            let alike = self.mixture.batch_shape().len() < batch.len();
            let choice = self.mixture.sample(&if alike { [shape, &batch].concat() } else { shape.to_vec() });
            let drawn = self.components.sample(shape);
            let dim = choice.dim();
            let ones = vec![1; drawn.dim() - dim];
            let mut index_shape = drawn.size();
            index_shape[dim] = 1;
            let index = choice.reshape([choice.size(), ones].concat()).expand(index_shape, false);
            drawn.gather(dim as i64, &index, false).squeeze_dim(dim as i64)
        })
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        check_shape(self, value);
        let each = self.components.log_prob(&value.unsqueeze(self.axis()));
        (each + self.mixture.logits().log_softmax(-1, None)).logsumexp(-1i64, false)
    }

    fn mean(&self) -> Tensor {
        self.weighted(&self.components.mean())
    }

    /// By the law of total variance: `E[Var(x | k)] + Var(E[x | k])`.
    fn variance(&self) -> Tensor {
        let deviations = self.components.mean() - self.mean().unsqueeze(self.axis());
        self.weighted(&self.components.variance()) + self.weighted(&deviations.square())
    }

    #[track_caller]
    fn cdf(&self, value: &Tensor) -> Tensor {
        check_shape(self, value);
        let each = self.components.cdf(&value.unsqueeze(self.axis()));
        (each * self.mixture.probs()).sum_dim_intlist(-1i64, false, None)
    }
}
