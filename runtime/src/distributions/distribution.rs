//! What all distributions can be asked.

use std::fmt::Debug;

use tch::Tensor;

use crate::modes::no_grad;

/// A probability distribution, or a batch of them: `torch.distributions.Distribution`.
///
/// The batch shape is that of the parameters: one distribution for each element. The event shape is that of one draw:
/// `[]` for numbers, `[D]` for vectors. What is drawn has the shape `shape + batch shape + event shape`, and what
/// [`log_prob`](Distribution::log_prob) returns has no event shape any more.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::Normal;
/// let batch = Normal::new(&Tensor::zeros([3], (Kind::Float, device())), 1.0);
/// let x = batch.sample(&[5]);
/// assert_eq!(x.size(), [5, 3]);
/// assert_eq!(batch.log_prob(&x).size(), [5, 3]);
/// // One distribution of vectors in place of three of numbers.
/// let joint = distributions::Independent::new(batch, 1);
/// assert_eq!(joint.event_shape(), [3]);
/// assert_eq!(joint.log_prob(&x).size(), [5]);
/// ```
///
/// A distribution of your own needs `batch_shape`, `event_shape`, `log_prob`, and `sample` or `rsample`.
pub trait Distribution: Debug {
    /// One distribution for each element of this shape.
    fn batch_shape(&self) -> Vec<i64>;

    /// The shape of one draw from one distribution.
    fn event_shape(&self) -> Vec<i64> {
        Vec::new()
    }

    /// Whether [`rsample`](Distribution::rsample) is there.
    fn has_rsample(&self) -> bool {
        false
    }

    /// Draws `shape + batch shape + event shape`; `&[]` draws once from each distribution. No gradient goes back to
    /// the parameters. The numbers come from libtorch, so [`seed`](crate::nn::seed) repeats them; on the CPU they are
    /// those of PyTorch after the same seed.
    #[track_caller]
    fn sample(&self, shape: &[i64]) -> Tensor {
        no_grad(|| self.rsample(shape))
    }

    /// As [`sample`](Distribution::sample), with gradients from what was drawn to the parameters (the
    /// reparameterization trick: D. P. Kingma and M. Welling, 2014).
    ///
    /// # Panics
    ///
    /// Where the distribution has none; see [`has_rsample`](Distribution::has_rsample).
    #[track_caller]
    fn rsample(&self, _shape: &[i64]) -> Tensor {
        panic!(
            "{0}: no gradient can go through its samples, so it has no `rsample`. Use `sample`, and weight \
             `log_prob` of the sample in the loss (as policy gradients do); `nn::gumbel_softmax` is a way around for \
             categories",
            name::<Self>()
        )
    }

    /// The logarithm of the density, or of the probability if the distribution is discrete, at each event in `value`.
    /// `value` has a shape that broadcasts to the batch shape and the event shape, as that of a sample does. Integers
    /// are converted to the kind of the parameters. In nats; shape: that of the values, without the event shape.
    ///
    /// # Panics
    ///
    /// Where the shape does not fit, or a value is not in the support; see
    /// [`set_default_validate_args`](super::set_default_validate_args).
    fn log_prob(&self, value: &Tensor) -> Tensor;

    /// `-E[log_prob(x)]`, in nats, `[batch shape]`.
    ///
    /// # Panics
    ///
    /// Where there is no closed form, as for mixtures.
    #[track_caller]
    fn entropy(&self) -> Tensor {
        no::<Self>(
            "entropy in closed form; `-dist.log_prob(&dist.sample(&[1000]))` estimates it by its mean over axis 0",
        )
    }

    /// `exp(entropy)`, `[batch shape]`.
    #[track_caller]
    fn perplexity(&self) -> Tensor {
        self.entropy().exp()
    }

    /// `E[x]`, of the shape `batch shape + event shape`. NaN where it does not exist.
    #[track_caller]
    fn mean(&self) -> Tensor {
        no::<Self>("mean")
    }

    /// `E[(x - mean)^2]`, of the shape `batch shape + event shape`. NaN where it does not exist.
    #[track_caller]
    fn variance(&self) -> Tensor {
        no::<Self>("variance")
    }

    /// `sqrt(variance)`, of the shape `batch shape + event shape`.
    #[track_caller]
    fn stddev(&self) -> Tensor {
        self.variance().sqrt()
    }

    /// Where the density or the probability is highest, of the shape `batch shape + event shape`. NaN where more than
    /// one value is.
    ///
    /// # Panics
    ///
    /// Where there is no closed form.
    #[track_caller]
    fn mode(&self) -> Tensor {
        no::<Self>("mode in closed form")
    }

    /// The probability that a draw is at most `value`.
    ///
    /// # Panics
    ///
    /// Where PyTorch has none, and as [`log_prob`](Distribution::log_prob).
    #[track_caller]
    fn cdf(&self, _value: &Tensor) -> Tensor {
        no::<Self>("cumulative distribution function (`cdf`)")
    }

    /// The value below which a draw is with this probability: the inverse of [`cdf`](Distribution::cdf).
    ///
    /// # Panics
    ///
    /// Where PyTorch has none.
    #[track_caller]
    fn icdf(&self, _probability: &Tensor) -> Tensor {
        no::<Self>("inverse of the cumulative distribution function (`icdf`)")
    }
}

#[track_caller]
fn no<D: ?Sized>(what: &str) -> ! {
    panic!("{}: it has no {what}", name::<D>())
}

/// The name of a type without its path and its parameters.
pub(super) fn name<D: ?Sized>() -> &'static str {
    let path = std::any::type_name::<D>();
    let path = path.split_once('<').map_or(path, |(path, _)| path);
    path.rsplit_once("::").map_or(path, |(_, name)| name)
}

/// The shape of what is drawn.
pub(super) fn extended(distribution: &(impl Distribution + ?Sized), shape: &[i64]) -> Vec<i64> {
    [shape, &distribution.batch_shape(), &distribution.event_shape()].concat()
}

/// The sum over the last `dims` axes.
pub(super) fn sum_rightmost(values: &Tensor, dims: usize) -> Tensor {
    match dims as i64 {
        0 => values.shallow_clone(),
        dims => values.flatten(-dims, -1).sum_dim_intlist(-1i64, false, None),
    }
}
