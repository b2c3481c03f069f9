//! Activations, pools and dropout as methods of `nn::seq()` and `nn::seq_t()`, so that a network reads from top to
//! bottom.

use tch::{Kind, Tensor};

use super::sequential::{Sequential, SequentialT};

pub(super) type Function = Box<dyn Fn(&Tensor) -> Tensor + Send>;
/// A function that is told whether this is training.
pub(super) type FunctionT = Box<dyn Fn(&Tensor, bool) -> Tensor + Send>;

/// What a chain of layers can go on with, besides `add`. In the prelude.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let root = vs.root();
/// let cnn = nn::seq_t()
///     .add(nn::conv2d(&root / "conv", 1, 8, 3, nn::ConvConfig { padding: 1, ..Default::default() }))
///     .relu()
///     .max_pool2d(2)
///     .flatten()
///     .dropout(0.2)
///     .add(nn::linear(&root / "out", 8 * 14 * 14, 10, Default::default()));
/// let x = Tensor::zeros([4, 1, 28, 28], (Kind::Float, device()));
/// assert_eq!(cnn.forward_t(&x, true).size(), [4, 10]);
/// ```
pub trait Chain: Sized {
    /// Any function of a tensor.
    fn then(self, function: fn(&Tensor) -> Tensor) -> Self {
        self.then_named("Function", Box::new(function))
    }

    /// A function, with the name under which it stands in a [`summary`](crate::summary::summary).
    #[doc(hidden)]
    fn then_named(self, name: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self;

    /// `max(x, 0)`
    fn relu(self) -> Self {
        self.then_named("ReLU", Box::new(Tensor::relu))
    }

    /// `x * Phi(x)`, with the normal distribution's Phi (D. Hendrycks and K. Gimpel, 2016).
    fn gelu(self) -> Self {
        self.then_named("GELU", Box::new(|xs| xs.gelu("none")))
    }

    /// `x * sigmoid(x)`, also called swish.
    fn silu(self) -> Self {
        self.then_named("SiLU", Box::new(Tensor::silu))
    }

    /// `x` where it is positive, else `0.01 * x`.
    fn leaky_relu(self) -> Self {
        self.then_named("LeakyReLU", Box::new(Tensor::leaky_relu))
    }

    /// `x` where it is positive, else `exp(x) - 1` (D.-A. Clevert et al., 2015).
    fn elu(self) -> Self {
        self.then_named("ELU", Box::new(Tensor::elu))
    }

    /// `x * tanh(log(1 + exp(x)))` (D. Misra, 2019).
    fn mish(self) -> Self {
        self.then_named("Mish", Box::new(Tensor::mish))
    }

    /// `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`
    fn tanh(self) -> Self {
        self.then_named("Tanh", Box::new(Tensor::tanh))
    }

    /// `1 / (1 + exp(-x))`
    fn sigmoid(self) -> Self {
        self.then_named("Sigmoid", Box::new(Tensor::sigmoid))
    }

    /// `exp(x) / sum(exp(x))` over the last dimension.
    fn softmax(self) -> Self {
        self.then_named("Softmax", Box::new(|xs| xs.softmax(-1, None::<Kind>)))
    }

    /// `log(softmax(x))` over the last dimension.
    fn log_softmax(self) -> Self {
        self.then_named("LogSoftmax", Box::new(|xs| xs.log_softmax(-1, None::<Kind>)))
    }

    /// `[N, ...]` to `[N, product of the rest]`.
    fn flatten(self) -> Self {
        self.then_named("Flatten", Box::new(|xs| xs.flatten(1, -1)))
    }

    /// The greatest value of each square of `size` by `size`, side by side: `[N, C, H, W]` to
    /// `[N, C, H / size, W / size]`.
    fn max_pool2d(self, size: i64) -> Self {
        self.then_named("MaxPool2d", Box::new(move |xs| xs.max_pool2d_default(size)))
    }

    /// The mean of each square of `size` by `size`, side by side.
    fn avg_pool2d(self, size: i64) -> Self {
        // `avg_pool2d_default` of tch divides by 1: it gives sums.
        let pool = move |xs: &Tensor| xs.avg_pool2d([size, size], [size, size], [0, 0], false, true, None);
        self.then_named("AvgPool2d", Box::new(pool))
    }

    /// The mean of as many areas as give `size` by `size`; 1 for the mean of each channel.
    fn adaptive_avg_pool2d(self, size: i64) -> Self {
        self.then_named("AdaptiveAvgPool2d", Box::new(move |xs| xs.adaptive_avg_pool2d([size, size])))
    }
}

/// What only a chain that knows of training can go on with. In the prelude.
pub trait ChainT: Chain {
    /// A function that is told whether this is training, with the name under which it stands in a summary.
    #[doc(hidden)]
    fn then_named_t(self, name: &'static str, function: FunctionT) -> Self;

    /// Sets each number to 0 with probability `p` in training, and scales the others by `1 / (1 - p)` (N. Srivastava et
    /// al., 2014).
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    fn dropout(self, p: f64) -> Self {
        check_probability("dropout", p);
        self.then_named_t("Dropout", Box::new(move |xs, train| xs.dropout(p, train)))
    }

    /// The same for whole channels of `[N, C, ...]` (J. Tompson et al., 2015).
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    fn dropout2d(self, p: f64) -> Self {
        check_probability("dropout2d", p);
        self.then_named_t("Dropout2d", Box::new(move |xs, train| xs.feature_dropout(p, train)))
    }
}

impl Chain for Sequential {
    fn then_named(self, name: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self {
        self.add_function(name, function)
    }
}

impl Chain for SequentialT {
    fn then_named(self, name: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self {
        self.add_function(name, function)
    }
}

impl ChainT for SequentialT {
    fn then_named_t(self, name: &'static str, function: FunctionT) -> Self {
        self.add_function_t(name, function)
    }
}

/// A chain that was made by tch itself.
impl Chain for tch::nn::Sequential {
    fn then_named(self, _: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self {
        self.add_fn(function)
    }
}

/// A chain that was made by tch itself.
impl Chain for tch::nn::SequentialT {
    fn then_named(self, _: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self {
        self.add_fn(function)
    }
}

/// A chain that was made by tch itself.
impl ChainT for tch::nn::SequentialT {
    fn then_named_t(self, _: &'static str, function: FunctionT) -> Self {
        self.add_fn_t(function)
    }
}

pub(crate) fn check_probability(what: &str, p: f64) {
    assert!((0.0..=1.0).contains(&p), "{what}: a probability of {p}; it must be between 0 and 1");
}

#[cfg(test)]
mod tests {
    use tch::Device;
    use tch::nn::{Module, ModuleT};

    use super::*;
    use crate::nn::{seq, seq_t};
    use crate::reference::Reference;

    #[test]
    fn each_link_of_a_chain_is_pytorchs_function() {
        let reference = Reference::parse(include_str!("../../../tests/reference/layers.json"));
        let input = reference.tensor("/chain/input");
        let chains = [
            ("relu", seq().relu()),
            ("gelu", seq().gelu()),
            ("silu", seq().silu()),
            ("leaky_relu", seq().leaky_relu()),
            ("elu", seq().elu()),
            ("mish", seq().mish()),
            ("tanh", seq().tanh()),
            ("sigmoid", seq().sigmoid()),
            ("softmax", seq().softmax()),
            ("log_softmax", seq().log_softmax()),
            ("flatten", seq().flatten()),
            ("max_pool2d", seq().max_pool2d(2)),
            ("avg_pool2d", seq().avg_pool2d(2)),
            ("adaptive_avg_pool2d", seq().adaptive_avg_pool2d(1)),
        ];
        for (name, chain) in chains {
            reference.check(&format!("/chain/{name}"), &chain.forward(&input), 1e-6);
        }
    }

    #[test]
    fn dropout_scales_what_it_keeps_and_rests_outside_training() {
        let ones = Tensor::ones([4, 50, 6, 6], (Kind::Float, Device::Cpu));
        let dropped = seq_t().dropout(0.5).forward_t(&ones, true);
        let (zeros, twos) = (dropped.eq(0.0).sum(Kind::Int64), dropped.eq(2.0).sum(Kind::Int64));
        assert_eq!(zeros.int64_value(&[]) + twos.int64_value(&[]), 7200);
        assert!((3000..4200).contains(&zeros.int64_value(&[])), "{zeros}");
        assert!(seq_t().dropout(0.5).forward_t(&ones, false).equal(&ones));
        let channels = seq_t().dropout2d(0.5).forward_t(&ones, true).flatten(2, -1);
        assert!(channels.amin([2i64].as_slice(), false).equal(&channels.amax([2i64].as_slice(), false)));
    }
}
