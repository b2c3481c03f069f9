//! Activations that are computed again in the backward pass instead of being kept.

use std::fmt;
use std::sync::{Arc, Mutex};

use tch::gradients::records_gradients;
use tch::nn::{Module, ModuleT};
use tch::{Device, Tensor, with_grad};

use super::{Grad, custom, shim};
use crate::lock::lock;

/// Runs a part of a network without keeping its activations; the backward pass computes them again.
/// `torch.utils.checkpoint.checkpoint`.
///
/// The function owns what it uses, since it is called again later. For layers there is [`checkpointed`]. Random
/// numbers, as of dropout, are the same both times. Besides its argument it may use tensors that require gradients if
/// they are leaves, as weights are. Those that were computed from others have to be its argument.
///
/// ```
/// use oxtorch::prelude::*;
/// let w = Tensor::from_slice(&[2.0f32]).set_requires_grad(true);
/// let x = Tensor::from_slice(&[3.0f32]).set_requires_grad(true);
/// let weight = w.shallow_clone();
/// let y = autograd::checkpoint(move |x| (x * &weight).tanh(), &x);
/// y.backward();
/// assert!(w.grad().defined() && x.grad().defined());
/// ```
///
/// # Panics
///
/// If the function does. If it gives a tensor of another shape in the backward pass, that pass fails.
pub fn checkpoint(function: impl Fn(&Tensor) -> Tensor + Send + 'static, x: &Tensor) -> Tensor {
    let random = Random::now(x.device());
    // The graph is there for as long as it takes to find the weights in it.
    let (y, weights) = {
        let y = function(&x.detach());
        let weights = if y.requires_grad() { shim::leaves(&y) } else { Ok(Vec::new()) };
        (y.detach(), weights.unwrap_or_else(|error| panic!("checkpoint: {error}")))
    };
    let inputs: Vec<&Tensor> = std::iter::once(x).chain(&weights).collect();
    custom::custom_of(&inputs, &y, move |gradient, saved| {
        let inputs = &saved[..saved.len() - 1];
        let y = random.again(|| with_grad(|| function(&inputs[0])));
        if y.size() != gradient.size() {
            return Err(format!(
                "checkpoint: the function gave a tensor of shape {:?} at first and {:?} now",
                gradient.size(),
                y.size()
            ));
        }
        let asked: Vec<&Tensor> = inputs.iter().filter(|input| input.requires_grad()).collect();
        let of = Grad::of(&y).grad_output(&gradient);
        // The backward pass is to be differentiated.
        let of = if records_gradients() { of.create_graph() } else { of };
        let mut gradients = of.by_used(&asked).into_iter();
        Ok(inputs.iter().map(|input| if input.requires_grad() { gradients.next().flatten() } else { None }).collect())
    })
}

/// Where the random numbers were that a function drew.
struct Random {
    states: Vec<(Device, Tensor)>,
}

impl Random {
    fn now(device: Device) -> Self {
        let devices = [Device::Cpu].into_iter().chain(device.is_cuda().then_some(device));
        let state = |device| (device, shim::rng_state(device).unwrap_or_else(|error| panic!("checkpoint: {error}")));
        Self { states: devices.map(state).collect() }
    }

    /// Runs with the same random numbers; afterwards the next ones are those that would have been drawn without it.
    fn again<T>(&self, run: impl FnOnce() -> T) -> T {
        /// A panic puts them back too.
        struct Back(Random);
        impl Drop for Back {
            fn drop(&mut self) {
                self.0.set();
            }
        }
        let _back =
            Back(Self { states: self.states.iter().flat_map(|(device, _)| Self::now(*device).states).collect() });
        self.set();
        run()
    }

    fn set(&self) {
        for (device, state) in &self.states {
            // A device that gave its state takes it.
            let _ = shim::set_rng_state(*device, state);
        }
    }
}

/// A layer whose activations are computed again in the backward pass; made by [`checkpointed`].
pub struct Checkpoint<M> {
    layer: Arc<Mutex<M>>,
}

/// Wraps a layer, such as a block of a transformer, so that it keeps only its input for the backward pass, which then
/// takes a forward pass more.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let block = nn::seq().add(nn::linear(vs.root() / "wide", 8, 64, Default::default())).relu().add(nn::linear(
///     vs.root() / "narrow",
///     64,
///     8,
///     Default::default(),
/// ));
/// let block = autograd::checkpointed(block);
/// block.forward(&Tensor::ones([2, 8], (Kind::Float, device()))).sum(None).backward();
/// assert!(vs.trainable_variables().iter().all(|weight| weight.grad().defined()));
/// ```
pub fn checkpointed<M>(layer: M) -> Checkpoint<M> {
    Checkpoint { layer: Arc::new(Mutex::new(layer)) }
}

impl<M> fmt::Debug for Checkpoint<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Checkpoint of {}", std::any::type_name::<M>())
    }
}

impl<M: Module + 'static> Module for Checkpoint<M> {
    fn forward(&self, xs: &Tensor) -> Tensor {
        let layer = Arc::clone(&self.layer);
        checkpoint(move |x| lock(&layer).forward(x), xs)
    }
}

/// As [`Checkpoint`], of a layer that is told whether it trains; made by [`checkpointed_t`].
pub struct CheckpointT<M> {
    layer: Arc<Mutex<M>>,
}

/// As [`checkpointed`], for a layer that is told whether it trains, such as one with dropout.
pub fn checkpointed_t<M>(layer: M) -> CheckpointT<M> {
    CheckpointT { layer: Arc::new(Mutex::new(layer)) }
}

impl<M> fmt::Debug for CheckpointT<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CheckpointT of {}", std::any::type_name::<M>())
    }
}

impl<M: ModuleT + 'static> ModuleT for CheckpointT<M> {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let layer = Arc::clone(&self.layer);
        checkpoint(move |x| lock(&layer).forward_t(x, train), xs)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tch::{Kind, no_grad};

    use super::super::{grad, gradgradcheck};
    use super::*;
    use crate::nn;

    #[test]
    fn gradients_are_those_without_it() {
        let x = Tensor::randn([3, 4], (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let w = Tensor::randn([4, 4], (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let attempt = || {
            let calls = Arc::new(AtomicUsize::new(0));
            let (counted, kept) = (Arc::clone(&calls), w.shallow_clone());
            let block = move |x: &Tensor| {
                counted.fetch_add(1, Ordering::Relaxed);
                x.matmul(&kept).tanh().dropout(0.5, true)
            };
            nn::seed(3);
            let expected = grad(&block(&x).square().sum(Kind::Double), [&x, &w]);
            let after = Tensor::rand([2], (Kind::Double, Device::Cpu));
            nn::seed(3);
            let y = checkpoint(block, &x);
            let found = grad(&y.square().sum(Kind::Double), [&x, &w]);
            assert_eq!(calls.load(Ordering::Relaxed), 3);
            // The backward pass draws no random numbers for those after it.
            found.iter().zip(&expected).all(|(found, expected)| found.allclose(expected, 1e-12, 1e-12, false))
                && Tensor::rand([2], (Kind::Double, Device::Cpu)) == after
        };
        // Random numbers are the process's, and another test may draw some in between.
        assert!((0..100).any(|_| attempt()));
    }

    #[test]
    fn a_weight_learns_although_the_input_requires_nothing() {
        let w = Tensor::from_slice(&[2.0f64]).set_requires_grad(true);
        let kept = w.shallow_clone();
        let y = checkpoint(move |x| x * &kept, &Tensor::from_slice(&[3.0f64]));
        y.backward();
        assert_eq!(w.grad(), Tensor::from_slice(&[3.0f64]));
        let nothing = no_grad(|| checkpoint(|x| x * 2.0, &w));
        assert!(!nothing.requires_grad());
    }

    #[test]
    fn it_can_be_differentiated_twice() {
        let x = Tensor::from_slice(&[0.3f64, -0.8]).set_requires_grad(true);
        gradgradcheck(|[x]| checkpoint(|x| x.tanh() * x, &(x * 2.0)), [&x]).expect("is right");
    }

    #[test]
    fn a_layer_that_trains_drops_the_same_out_twice() {
        let x = Tensor::ones([64], (Kind::Double, Device::Cpu)).set_requires_grad(true);
        let layer = checkpointed_t(nn::func_t(|x, train| x.dropout(0.5, train)));
        let y = layer.forward_t(&x, true);
        assert_eq!(grad(&y.sum(Kind::Double), &x), y);
        assert_eq!(layer.forward_t(&x, false), x);
    }

    #[test]
    fn a_panic_in_the_second_run_fails_the_pass() {
        let x = Tensor::from_slice(&[3.0f64]).set_requires_grad(true);
        let first = Mutex::new(true);
        let y = checkpoint(
            move |x| {
                assert!(std::mem::take(&mut *lock(&first)), "only once");
                x * 2.0
            },
            &x,
        );
        assert!(y.f_backward().expect_err("the second run panics").to_string().contains("only once"));
    }
}
