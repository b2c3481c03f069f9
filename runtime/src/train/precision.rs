//! Mixed precision: half of the bits where that is enough, on GPUs that are faster with it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tch::Tensor;

use crate::modes::no_grad;

/// Runs a part of the network in mixed precision: matrix products and convolutions in float16, sums and losses in float32 (P.
/// Micikevicius et al., Mixed precision training, 2018). On the GPU only; on the CPU everything stays float32, and where there is no GPU a
/// note says so. As `tch::autocast`, and it is also over where the part panics or is interrupted.
///
/// ```
/// use oxtorch::prelude::*;
/// let a = Tensor::ones([2, 2], (Kind::Float, device()));
/// let product = train::autocast(true, || a.matmul(&a));
/// assert_eq!(product.double_value(&[0, 0]), 2.0);
/// ```
pub fn autocast<T>(enabled: bool, run: impl FnOnce() -> T) -> T {
    if !enabled {
        return run();
    }
    if !tch::utils::has_cuda() {
        crate::cell::note("autocast: there is no GPU here, and on the CPU everything stays float32".to_owned());
    }
    match tch::autocast(true, || catch_unwind(AssertUnwindSafe(run))) {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}

/// Keeps small gradients from becoming 0 in float16: the loss is scaled up before `backward`, the gradients down after it, and a step whose
/// gradients overflowed is left out. As `torch.amp.GradScaler`, with its default factors.
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

    /// Whether so many steps in a row were bad that it cannot be the scale: it is below 1/1024, after 27 of them at the start.
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
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;

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
    fn where_it_has_no_effect_it_says_so() {
        let a = Tensor::ones([2, 2], (Kind::Float, Device::Cpu));
        assert_eq!(autocast(true, || a.matmul(&a)).kind(), Kind::Float);
        let is_told = crate::cell::take_notes().iter().any(|note| note.starts_with("autocast: there is no GPU here"));
        assert_eq!(is_told, !tch::utils::has_cuda());
    }

    #[test]
    fn a_panic_passes_through() {
        let caught = catch_unwind(|| autocast(true, || panic!("within")));
        assert_eq!(caught.expect_err("a panic").downcast_ref::<&str>(), Some(&"within"));
        assert_eq!(autocast(true, || 3), 3);
    }
}
