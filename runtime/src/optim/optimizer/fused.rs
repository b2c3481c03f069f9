//! libtorch's fused kernels: a step of many parameters at once, which reads and writes each number once.

use std::ffi::c_int;

use tch::{Device, Kind, Tensor};
use torch_sys::C_tensor;

use super::Parameter;
use crate::device::threads::on_one_thread;
use crate::shim::{length, pointers, succeeded};

type Tensors = *const *mut C_tensor;

/// The kernels share out each tensor among the threads. Below so many elements that takes longer than the step: waking
/// another thread takes some 9 µs, and Adam 0.7 ns an element.
const SMALL: usize = 1 << 15;

// As `kernel/setup/src/shim/fused.h` defines them; the shim is loaded with the runtime.
unsafe extern "C" {
    fn oxtorch_fused_adam(
        decoupled: c_int,
        count: c_int,
        params: Tensors,
        grads: Tensors,
        exp_avgs: Tensors,
        exp_avg_sqs: Tensors,
        max_exp_avg_sqs: Tensors,
        steps: Tensors,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    );

    fn oxtorch_fused_sgd(
        is_first: c_int,
        nesterov: c_int,
        count: c_int,
        params: Tensors,
        grads: Tensors,
        buffers: Tensors,
        lr: f64,
        momentum: f64,
        dampening: f64,
        weight_decay: f64,
    );

    fn oxtorch_forget_gradients(count: c_int, params: Tensors);
}

/// The numbers of a step of Adam or, with `decoupled`, of AdamW.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) struct FusedAdam {
    pub(in crate::optim) decoupled: bool,
    pub(in crate::optim) lr: f64,
    pub(in crate::optim) beta1: f64,
    pub(in crate::optim) beta2: f64,
    pub(in crate::optim) weight_decay: f64,
    pub(in crate::optim) eps: f64,
}

impl FusedAdam {
    /// `state` has for each parameter `exp_avg`, `exp_avg_sq`, `step` and, if the largest squares count,
    /// `max_exp_avg_sq`.
    pub(in crate::optim) fn step(self, parameters: &[Parameter<'_>], state: &[Vec<Tensor>]) {
        for batch in Batch::all(parameters, state) {
            let (values, grads) = (pointers(&batch.values), pointers(&batch.grads));
            let kept: Vec<Vec<*mut C_tensor>> = batch.state.iter().map(|all| pointers(all.iter().copied())).collect();
            let largest = kept.get(3).map_or(std::ptr::null(), Vec::as_ptr);
            // SAFETY: each list has as many tensors as `count` says, which live in `batch`. The kernel checks the rest.
            batch.run(|| unsafe {
                oxtorch_fused_adam(
                    c_int::from(self.decoupled),
                    batch.count(),
                    values.as_ptr(),
                    grads.as_ptr(),
                    kept[0].as_ptr(),
                    kept[1].as_ptr(),
                    largest,
                    kept[2].as_ptr(),
                    self.lr,
                    self.beta1,
                    self.beta2,
                    self.weight_decay,
                    self.eps,
                );
            });
            refuse_failure();
            batch.write_back();
        }
    }
}

/// The numbers of a step of SGD.
#[derive(Debug, Clone, Copy)]
pub(in crate::optim) struct FusedSgd {
    pub(in crate::optim) nesterov: bool,
    pub(in crate::optim) lr: f64,
    pub(in crate::optim) momentum: f64,
    pub(in crate::optim) dampening: f64,
    pub(in crate::optim) weight_decay: f64,
}

impl FusedSgd {
    /// `state` has for each parameter the buffer of its momentum, or nothing without momentum. With `is_first` the
    /// buffers get the gradients.
    pub(in crate::optim) fn step(self, is_first: bool, parameters: &[Parameter<'_>], state: &[Vec<Tensor>]) {
        for batch in Batch::all(parameters, state) {
            let (values, grads) = (pointers(&batch.values), pointers(&batch.grads));
            let buffers = batch.state.first().map(|all| pointers(all.iter().copied()));
            // SAFETY: each list has as many tensors as `count` says, which live in `batch`. The kernel checks the rest.
            batch.run(|| unsafe {
                oxtorch_fused_sgd(
                    c_int::from(is_first),
                    c_int::from(self.nesterov),
                    batch.count(),
                    values.as_ptr(),
                    grads.as_ptr(),
                    buffers.as_ref().map_or(std::ptr::null(), Vec::as_ptr),
                    self.lr,
                    self.momentum,
                    self.dampening,
                    self.weight_decay,
                );
            });
            refuse_failure();
            batch.write_back();
        }
    }
}

/// Has variables have no gradients.
pub(in crate::optim) fn forget_gradients(variables: &[&Tensor]) {
    let variables = pointers(variables.iter().copied());
    // SAFETY: the tensors live, and are as many as is said.
    unsafe { oxtorch_forget_gradients(length(&variables), variables.as_ptr()) };
}

/// Parameters of one kind on one device, as the kernels take them together: the small ones and the large ones apart.
struct Batch<'a> {
    place: (Device, Kind, bool),
    values: Vec<Tensor>,
    grads: Vec<Tensor>,
    /// For each name of the state, the tensors of all parameters.
    state: Vec<Vec<&'a Tensor>>,
    /// Parameters of which the kernel gets a copy, with that.
    copied: Vec<(Tensor, Tensor)>,
}

impl<'a> Batch<'a> {
    fn all(parameters: &[Parameter<'_>], state: &'a [Vec<Tensor>]) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::new();
        for (parameter, state) in parameters.iter().zip(state) {
            let value = &parameter.value;
            let is_small = value.device() == Device::Cpu && value.numel() < SMALL;
            let place = (value.device(), value.kind(), is_small);
            let at = batches.iter().position(|batch| batch.place == place).unwrap_or_else(|| {
                let state = vec![Vec::new(); state.len()];
                batches.push(Self { place, values: Vec::new(), grads: Vec::new(), state, copied: Vec::new() });
                batches.len() - 1
            });
            batches[at].add(parameter, state);
        }
        batches
    }

    /// The kernels go through memory from its beginning to its end: what lies in another order than the state, or has
    /// gaps, is copied.
    fn add(&mut self, parameter: &Parameter<'_>, state: &'a [Tensor]) {
        let value = &parameter.value;
        let order = match state.first() {
            Some(kept) => kept.shallow_clone(),
            None if value.is_contiguous() => value.shallow_clone(),
            None => value.empty_like(),
        };
        let strides = order.stride();
        let arranged = |tensor: &Tensor| {
            if tensor.stride() == strides { tensor.shallow_clone() } else { copy_in_order_of(&order, tensor) }
        };
        let arranged_value = arranged(value);
        if arranged_value.data_ptr() != value.data_ptr() {
            self.copied.push((value.shallow_clone(), arranged_value.shallow_clone()));
        }
        self.values.push(arranged_value);
        self.grads.push(arranged(&parameter.grad));
        self.state.iter_mut().zip(state).for_each(|(all, tensor)| all.push(tensor));
    }

    /// Calls a kernel on as many threads as suit the tensors.
    fn run(&self, kernel: impl FnOnce()) {
        match self.place {
            (_, _, true) => on_one_thread(kernel),
            _ => kernel(),
        }
    }

    fn count(&self) -> c_int {
        length(&self.values)
    }

    fn write_back(self) {
        for (mut value, copy) in self.copied {
            value.copy_(&copy);
        }
    }
}

/// A copy of a tensor in the order in memory of another one.
pub(super) fn copy_in_order_of(order: &Tensor, tensor: &Tensor) -> Tensor {
    let mut copy = order.empty_like();
    copy.copy_(tensor);
    copy
}

/// Panics with what libtorch says of a call that failed.
fn refuse_failure() {
    succeeded().unwrap_or_else(|error| panic!("{error}"));
}
