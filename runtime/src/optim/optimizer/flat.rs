//! All parameters of a store as one vector.

use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use super::parameters::{Parameters, real};

/// The trainable variables of a store, one after the other. They are on one device.
#[derive(Debug)]
pub(in crate::optim) struct Flat(Parameters);

impl Flat {
    pub(in crate::optim) fn of(vs: &VarStore) -> Self {
        let mut flat = Self(Parameters::of(vs));
        flat.take_up();
        flat
    }

    /// Takes what was put into the store since the last call, and says whether that was anything.
    pub(in crate::optim) fn take_up(&mut self) -> bool {
        let before = self.0.slots.len();
        self.0.take_up();
        self.0.slots.len() > before
    }

    pub(in crate::optim) fn variables(&self) -> Vec<&Tensor> {
        self.0.tensors()
    }

    fn values(&self) -> impl Iterator<Item = Tensor> {
        self.0.slots.iter().map(|slot| real(&slot.variable))
    }

    /// How many numbers there are.
    pub(in crate::optim) fn len(&self) -> i64 {
        self.values().map(|value| value.numel() as i64).sum()
    }

    /// A copy of a vector on the device and of the kind of the parameters.
    pub(in crate::optim) fn like(&self, vector: &Tensor) -> Tensor {
        let first = self.values().next();
        let (kind, device) = first.map_or((Kind::Float, Device::Cpu), |first| (first.kind(), first.device()));
        vector.to_device(device).to_kind(kind).copy()
    }

    pub(in crate::optim) fn has_no_gradients(&self) -> bool {
        self.0.slots.iter().all(|slot| !slot.variable.grad().defined())
    }

    /// The gradients, zeros where there are none.
    pub(in crate::optim) fn gradient(&self) -> Tensor {
        let gradients: Vec<Tensor> = self.0.slots.iter().map(|slot| flat(&slot.gradient())).collect();
        if gradients.is_empty() { Tensor::zeros([0], (Kind::Float, Device::Cpu)) } else { Tensor::cat(&gradients, 0) }
    }

    /// Goes so far in a direction.
    pub(in crate::optim) fn add(&mut self, length: f64, direction: &Tensor) {
        let mut begin = 0;
        for mut value in self.values() {
            let count = value.numel() as i64;
            value += direction.narrow(0, begin, count).view_as(&value) * length;
            begin += count;
        }
    }

    pub(in crate::optim) fn copy(&self) -> Vec<Tensor> {
        self.values().map(|value| value.copy()).collect()
    }

    pub(in crate::optim) fn set(&mut self, values: &[Tensor]) {
        for (mut value, set) in self.values().zip(values) {
            value.copy_(set);
        }
    }
}

fn flat(tensor: &Tensor) -> Tensor {
    tensor.reshape([-1])
}
