//! Mixed precision: half of the bits where that is enough, on processors that are faster with it.

use tch::Tensor;

use crate::modes::{Autocast, no_grad};

/// Runs a part of the network in mixed precision: matrix products and convolutions in half of the bits, losses in
/// float32 (P. Micikevicius et al., Mixed precision training, 2018). Those of tensors on a GPU are computed in float16,
/// those of tensors on the CPU in bfloat16, as by PyTorch's `torch.autocast` for each; a CPU without instructions for
/// bfloat16 is slower with it. With `false` the part runs in full precision, also within a part that does not.
///
/// It is also over where the part panics or is interrupted.
///
/// ```
/// use oxtorch::prelude::*;
/// let a = Tensor::ones([2, 2], (Kind::Float, device()));
/// let product = train::autocast(true, || a.matmul(&a));
/// assert_eq!(product.kind(), if device().is_cuda() { Kind::Half } else { Kind::BFloat16 });
/// assert_eq!(product.double_value(&[0, 0]), 2.0);
/// ```
pub fn autocast<T>(enabled: bool, run: impl FnOnce() -> T) -> T {
    // Dropped by unwinding as well.
    let _guard = Autocast::begin(enabled);
    run()
}

/// Keeps small gradients from becoming 0 in float16: the loss is scaled up before `backward`, the gradients down after
/// it, and a step whose gradients overflowed is left out. As `torch.amp.GradScaler`, with its default factors.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let w = vs.root().ones("w", &[2]);
/// let mut optimizer = nn::Sgd::default().build(&vs, 0.1)?;
/// let mut scaler = train::LossScaler::new();
/// optimizer.zero_grad();
/// scaler.scale(&w.square().sum(Kind::Float)).backward();
/// if scaler.unscale(&vs.trainable_variables()) {
///     optimizer.step();
/// }
/// assert!((w.double_value(&[0]) - 0.8).abs() < 1e-6);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct LossScaler {
    scale: f64,
    good_steps: u32,
}

impl Default for LossScaler {
    fn default() -> Self {
        Self { scale: 65536.0, good_steps: 0 }
    }
}

impl LossScaler {
    /// Begins with a scale of 65,536, doubles it after 2,000 good steps, and halves it after a bad one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether so many steps in a row were bad that it cannot be the scale: it is below 1/1024, after 27 of them at the
    /// start.
    pub fn is_spent(&self) -> bool {
        self.scale < 1.0 / 1024.0
    }

    /// The loss to call `backward` on.
    pub fn scale(&self, loss: &Tensor) -> Tensor {
        loss * self.scale
    }

    /// Divides the gradients by the scale, and says whether they are all finite. If not, leave the step out.
    pub fn unscale(&mut self, variables: &[Tensor]) -> bool {
        let is_finite = no_grad(|| {
            let mut all = true;
            for variable in variables {
                let mut gradient = variable.grad();
                if gradient.defined() {
                    let _ = gradient.g_mul_scalar_(1.0 / self.scale);
                    all &= gradient.isfinite().all().int64_value(&[]) == 1;
                }
            }
            all
        });
        if is_finite {
            self.good_steps += 1;
            if self.good_steps == 2000 {
                self.scale *= 2.0;
                self.good_steps = 0;
            }
        } else {
            self.scale /= 2.0;
            self.good_steps = 0;
        }
        is_finite
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use tch::{Device, Kind, Reduction};

    use super::*;
    use crate::nn::VarStore;

    #[test]
    fn gradients_that_overflow_halve_the_scale_and_good_steps_double_it() {
        let vs = VarStore::new(Device::Cpu);
        let weight = vs.root().ones("w", &[2]);
        let mut scaler = LossScaler::new();
        scaler.scale(&(&weight * f64::from(f32::MAX)).sum(Kind::Float)).backward();
        assert!(!scaler.unscale(&vs.trainable_variables()));
        assert_eq!(scaler.scale, 32768.0);
        for _ in 0..2000 {
            let _ = weight.grad().zero_();
            scaler.scale(&(&weight * 3.0).sum(Kind::Float)).backward();
            assert!(scaler.unscale(&vs.trainable_variables()));
        }
        assert_eq!(scaler.scale, 65536.0);
        assert_eq!(weight.grad(), Tensor::from_slice(&[3f32, 3.0]));
    }

    #[test]
    fn gradients_that_stay_infinite_spend_the_scale() {
        let vs = VarStore::new(Device::Cpu);
        let weight = vs.root().zeros("w", &[1]);
        let mut scaler = LossScaler::new();
        for step in 0..27 {
            assert!(!scaler.is_spent(), "after {step} steps");
            // The slope of a root at 0.
            scaler.scale(&weight.sqrt().sum(Kind::Float)).backward();
            assert!(!scaler.unscale(&vs.trainable_variables()));
        }
        assert!(scaler.is_spent());
    }

    #[test]
    fn products_on_the_cpu_are_of_bfloat16_and_losses_of_float32() {
        // 1 + 2^-9 is rounded to 1 in bfloat16, which has 7 bits behind the first one.
        let a = Tensor::from_slice2(&[[1.0f32 + 1.0 / 512.0, 3.0]]);
        let b = Tensor::from_slice2(&[[2.0f32], [1.0 / 64.0]]).set_requires_grad(true);
        let (product, exact, loss, outer) = autocast(true, || {
            let product = a.matmul(&b);
            let loss = product.mse_loss(&Tensor::zeros([1, 1], (Kind::Float, Device::Cpu)), Reduction::Mean);
            (product, autocast(false, || a.matmul(&b)), loss, autocast(true, || a.matmul(&b)))
        });
        assert_eq!(
            [product.kind(), outer.kind(), exact.kind(), loss.kind()],
            [Kind::BFloat16, Kind::BFloat16, Kind::Float, Kind::Float]
        );
        // 2 + 3/64, of which bfloat16 has 2 + 3/64 rounded to a 64th.
        assert_eq!(product.double_value(&[0, 0]), 2.046875);
        assert_eq!(exact.double_value(&[0, 0]), 2.0 + 2.0 / 512.0 + 3.0 / 64.0);
        assert_eq!(loss.double_value(&[]), 2.046875 * 2.046875);
        loss.backward();
        // 2 * 2.046875 in bfloat16 times 1 and 3: the gradient of a weight is of the weight's kind.
        assert_eq!(b.grad(), Tensor::from_slice2(&[[4.09375f32], [12.25]]));
        assert_eq!(a.matmul(&b).kind(), Kind::Float);
    }

    #[test]
    fn layers_compute_in_it() {
        let vs = VarStore::new(Device::Cpu);
        let linear = crate::nn::linear(vs.root() / "fc", 8, 4, Default::default());
        let conv = crate::nn::conv2d(vs.root() / "conv", 3, 4, 3, Default::default());
        let (x, image) =
            (Tensor::ones([2, 8], (Kind::Float, Device::Cpu)), Tensor::ones([1, 3, 8, 8], (Kind::Float, Device::Cpu)));
        let (y, z) = autocast(true, || (x.apply(&linear), image.apply(&conv)));
        assert_eq!([y.kind(), z.kind()], [Kind::BFloat16; 2]);
        let half = |tensor: &Tensor| tensor.to_kind(Kind::BFloat16);
        let expected = half(&x).linear(&half(&linear.ws), linear.bs.as_ref().map(half));
        assert_eq!(y, expected);
        assert!((z.to_kind(Kind::Float) - image.apply(&conv)).abs().max().double_value(&[]) < 0.02);
    }

    #[test]
    fn a_panic_passes_through_and_ends_it() {
        let a = Tensor::ones([1, 1], (Kind::Float, Device::Cpu));
        let caught = catch_unwind(|| autocast(true, || panic!("within")));
        assert_eq!(caught.expect_err("a panic").downcast_ref::<&str>(), Some(&"within"));
        assert_eq!(a.matmul(&a).kind(), Kind::Float);
        assert_eq!(autocast(true, || 3), 3);
    }
}
