//! Layers that leave out at random in training, and rest outside it.

use tch::Tensor;
use tch::nn::ModuleT;

use crate::nn::check_probability;

macro_rules! dropout {
    ($(#[$doc:meta])* $layer:ident, $(#[$make_doc:meta])* $make:ident, |$xs:ident, $p:ident| $drop:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $layer {
            p: f64,
        }

        $(#[$make_doc])*
        pub fn $make(p: f64) -> $layer {
            check_probability(stringify!($make), p);
            $layer { p }
        }

        impl ModuleT for $layer {
            fn forward_t(&self, $xs: &Tensor, train: bool) -> Tensor {
                let $p = self.p;
                if train && $p > 0.0 { $drop } else { $xs.shallow_clone() }
            }
        }
    };
}

dropout!(
    /// Sets each number to 0 with probability `p`, and scales the others by `1 / (1 - p)` (N. Srivastava et al.,
    /// Dropout, 2014).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let layer = nn::dropout(0.5);
    /// let x = Tensor::ones([2, 4], (Kind::Float, device()));
    /// assert_eq!(layer.forward_t(&x, false), x);
    /// ```
    Dropout,
    /// Makes a [`Dropout`]; in a chain there is the shorter `.dropout(p)`.
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    dropout,
    |xs, p| xs.dropout(p, true)
);
dropout!(
    /// Sets whole channels of `[N, C, ...]` to 0 with probability `p`, and scales the others (J. Tompson et al.,
    /// Efficient object localization using convolutional networks, 2015). PyTorch's `Dropout1d`, `Dropout2d` and
    /// `Dropout3d`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::ones([2, 8, 3, 3], (Kind::Float, device()));
    /// let y = nn::dropout2d(0.5).forward_t(&x, true);
    /// assert_eq!(y.i((0, 0)).max(), y.i((0, 0)).min());
    /// ```
    Dropout2d,
    /// Makes a [`Dropout2d`].
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    dropout2d,
    |xs, p| xs.feature_dropout(p, true)
);
dropout!(
    /// Dropout that keeps a mean of 0 and a deviation of 1: for SELU (G. Klambauer et al., Self-normalizing neural
    /// networks, 2017).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::randn([1000, 100], (Kind::Float, device()));
    /// let y = nn::alpha_dropout(0.3).forward_t(&x, true);
    /// assert!((y.std(true).double_value(&[]) - 1.0).abs() < 0.05);
    /// ```
    AlphaDropout,
    /// Makes an [`AlphaDropout`].
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    alpha_dropout,
    |xs, p| xs.alpha_dropout(p, true)
);
dropout!(
    /// Sets whole samples of `[N, ...]` to 0 with probability `p`, and scales the others: ahead of a residual
    /// connection it leaves out the branch (G. Huang et al., Deep networks with stochastic depth, 2016).
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::ones([8, 3], (Kind::Float, device()));
    /// let y = &x + nn::drop_path(0.5).forward_t(&x, true);
    /// assert!(y.eq(1.0).logical_or(&y.eq(3.0)).all().int64_value(&[]) == 1);
    /// ```
    DropPath,
    /// Makes a [`DropPath`].
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    drop_path,
    |xs, p| {
        let size = xs.size();
        assert!(!size.is_empty(), "drop_path: a single number; samples are [N, ...]");
        let mut mask = vec![1; size.len()];
        mask[0] = size[0];
        let mut mask = Tensor::empty(&mask, (xs.kind(), xs.device())).bernoulli_float_(1.0 - p);
        // Where nothing is kept there is nothing to scale.
        if p < 1.0 {
            mask /= 1.0 - p;
        }
        xs * mask
    }
);

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn all_rest_outside_training_and_with_a_probability_of_0() {
        let xs = Tensor::randn([3, 4, 2, 2], (Kind::Float, Device::Cpu));
        let layers: [(Box<dyn ModuleT>, Box<dyn ModuleT>); 4] = [
            (Box::new(dropout(0.5)), Box::new(dropout(0.0))),
            (Box::new(dropout2d(0.5)), Box::new(dropout2d(0.0))),
            (Box::new(alpha_dropout(0.5)), Box::new(alpha_dropout(0.0))),
            (Box::new(drop_path(0.5)), Box::new(drop_path(0.0))),
        ];
        for (half, never) in &layers {
            assert!(half.forward_t(&xs, false).equal(&xs), "{half:?}");
            assert!(never.forward_t(&xs, true).equal(&xs), "{never:?}");
        }
        assert_eq!(drop_path(1.0).forward_t(&xs, true).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn whole_channels_or_whole_samples_are_left_out_and_the_mean_stays() {
        let ones = Tensor::ones([1000, 20, 3], (Kind::Float, Device::Cpu));
        let cases: [(Box<dyn ModuleT>, i64); 2] = [(Box::new(dropout2d(0.25)), 2), (Box::new(drop_path(0.25)), 1)];
        for (layer, from) in cases {
            let dropped = layer.forward_t(&ones, true).flatten(from, -1);
            assert!(dropped.amax([from].as_slice(), false).equal(&dropped.amin([from].as_slice(), false)), "{layer:?}");
            let values = dropped.eq(0.0).logical_or(&(&dropped - 4.0 / 3.0).abs().lt(1e-5));
            assert_eq!(values.all().int64_value(&[]), 1);
            let mean = dropped.mean(Kind::Float).double_value(&[]);
            assert!((mean - 1.0).abs() < 0.1, "{layer:?}: {mean}");
        }
    }

    /// PyTorch's output is `a * alpha' + b` where a number is left out, and `a * x + b` elsewhere.
    #[test]
    fn alpha_dropout_scales_and_shifts_as_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/init.json"));
        let dropped = alpha_dropout(0.3).forward_t(&Tensor::ones([4000], (Kind::Double, Device::Cpu)), true);
        for (value, share) in [("low", 0.3), ("high", 0.7)] {
            let expected = reference.number(&format!("/alpha_dropout/{value}"));
            let count = (&dropped - expected).abs().lt(1e-6).sum(Kind::Int64).int64_value(&[]) as f64;
            assert!((count / 4000.0 - share).abs() < 0.05, "{value}: {count}");
        }
    }

    #[test]
    #[should_panic(expected = "drop_path: a probability of 1.5")]
    fn no_probability_is_refused() {
        let _ = drop_path(1.5);
    }
}
