//! The parameters of an optimiser, and what it keeps for each.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use tch::nn::{VarStore, Variables};
use tch::{Device, Kind, Tensor};

use super::groups::Group;
use crate::lock::lock;

/// A parameter with its gradient, as [`Algorithm::step`](super::Algorithm::step) gets it. One of complex numbers comes
/// as real ones `[.., 2]`.
#[derive(Debug)]
pub struct Parameter<'a> {
    /// The parameter itself, to be changed in place.
    pub value: Tensor,
    /// Its gradient, of the same shape and kind; not to be changed.
    pub grad: Tensor,
    /// What is kept for it from step to step.
    pub state: &'a mut State,
}

/// The tensors that an optimiser keeps for a parameter, by name.
#[derive(Debug, Default)]
pub struct State(pub(super) BTreeMap<&'static str, Tensor>);

impl State {
    /// A tensor of the shape, kind and device of the parameter: zeros at first, later what was made of it in place.
    pub fn zeros_like(&mut self, name: &'static str, value: &Tensor) -> Tensor {
        self.like(name, value, Tensor::zeros_like)
    }

    /// As [`State::zeros_like`], with a tensor that a function makes at first.
    pub fn like(&mut self, name: &'static str, value: &Tensor, first: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        self.kept(name, value.kind(), value.device(), || first(value))
    }

    /// A number, in float32 as in PyTorch, on a device.
    pub fn number(&mut self, name: &'static str, first: f64, device: Device) -> Tensor {
        self.kept(name, Kind::Float, device, || Tensor::full([0; 0], first, (Kind::Float, device)))
    }

    /// Counts the steps of this parameter, under the name `step`: 1 at the first call.
    pub fn count(&mut self) -> f64 {
        let mut step = self.number(STEP, 0.0, Device::Cpu);
        step += 1.0;
        step.double_value(&[])
    }

    /// Whether there is a tensor of a name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A variable may have been cast or moved since.
    fn kept(&mut self, name: &'static str, kind: Kind, device: Device, first: impl FnOnce() -> Tensor) -> Tensor {
        let tensor = self.0.entry(name).or_insert_with(first);
        if tensor.kind() != kind || tensor.device() != device {
            *tensor = tensor.to_kind(kind).to_device(device);
        }
        tensor.shallow_clone()
    }
}

/// What PyTorch calls the number of steps of a parameter.
pub(in crate::optim) const STEP: &str = "step";

/// A variable, its group, and what is kept for it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) variable: Tensor,
    group: usize,
    pub(super) state: State,
}

/// Those of a store in the order in which they were made.
#[derive(Debug)]
pub(super) struct Parameters {
    store: Arc<Mutex<Variables>>,
    pub(super) slots: Vec<Slot>,
}

/// Where the numbers of a tensor lie, and its shape: two tensors for which both are the same are one.
type Place = (usize, Vec<i64>);

pub(super) fn place(tensor: &Tensor) -> Option<Place> {
    let has_memory = tensor.defined() && !tensor.is_sparse() && tensor.numel() > 0;
    has_memory.then(|| (tensor.data_ptr() as usize, tensor.size()))
}

impl Parameters {
    pub(super) fn of(vs: &VarStore) -> Self {
        Self { store: vs.variables_.clone(), slots: Vec::new() }
    }

    /// Takes what was put into the store since the last call, and the groups that the variables have now. What went
    /// from the store is still a parameter, as a layer that is kept from before may be trained on.
    pub(super) fn take_up(&mut self) {
        let mut known: HashMap<Place, usize> =
            self.slots.iter().enumerate().filter_map(|(at, slot)| Some((place(&slot.variable)?, at))).collect();
        for variable in &lock(&self.store).trainable_variables {
            let Some(place) = place(&variable.tensor) else { continue };
            let at = *known.entry(place).or_insert(self.slots.len());
            match self.slots.get_mut(at) {
                Some(slot) => slot.group = variable.group,
                None => self.slots.push(Slot {
                    variable: variable.tensor.shallow_clone(),
                    group: variable.group,
                    state: State::default(),
                }),
            }
        }
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|slot| slot.group)
    }

    pub(super) fn tensors(&self) -> Vec<&Tensor> {
        self.slots.iter().map(|slot| &slot.variable).collect()
    }

    /// The trainable variables of the store, also those that no call has taken up yet.
    pub(super) fn of_store(&self) -> Vec<Tensor> {
        lock(&self.store).trainable_variables.iter().map(|variable| variable.tensor.shallow_clone()).collect()
    }

    /// What the store calls each parameter now, if it has it still: of several names the first in the order of the
    /// alphabet.
    pub(super) fn names(&self) -> Vec<Option<String>> {
        let store = lock(&self.store);
        let mut named: Vec<(&String, &Tensor)> = store.named_variables.iter().collect();
        named.sort_unstable_by_key(|(name, _)| std::cmp::Reverse(*name));
        let names: HashMap<Place, &String> =
            named.into_iter().filter_map(|(name, tensor)| Some((place(tensor)?, name))).collect();
        self.slots.iter().map(|slot| names.get(&place(&slot.variable)?).map(|name| (*name).clone())).collect()
    }

    /// The parameters of a group that have gradients.
    pub(super) fn ready(&mut self, number: usize, group: &Group) -> Vec<Parameter<'_>> {
        self.slots.iter_mut().filter(|slot| slot.group == number).filter_map(|slot| slot.ready(group)).collect()
    }
}

impl Slot {
    /// As dense, real numbers; zeros where there is none.
    pub(super) fn gradient(&self) -> Tensor {
        let grad = self.variable.grad();
        if grad.defined() { self.fitting(&grad) } else { real(&self.variable).zeros_like() }
    }

    fn ready(&mut self, group: &Group) -> Option<Parameter<'_>> {
        let grad = self.variable.grad();
        if !grad.defined() {
            return None;
        }
        let algorithm = &group.algorithm;
        assert!(
            !grad.is_sparse() || algorithm.takes_sparse(),
            "{} does not take sparse gradients, such as those of an embedding with `sparse: true`; nn::Sgd and \
             optim::Adagrad do",
            algorithm.name()
        );
        let grad = if group.maximize { -self.fitting(&grad) } else { self.fitting(&grad) };
        Some(Parameter { value: real(&self.variable), grad, state: &mut self.state })
    }

    /// A gradient as dense, real numbers. A variable that was cast or moved keeps the gradient that it had.
    fn fitting(&self, grad: &Tensor) -> Tensor {
        let grad = if grad.is_sparse() { grad.to_dense(None, false) } else { grad.shallow_clone() };
        real(&grad.to_device(self.variable.device()).to_kind(self.variable.kind()))
    }
}

/// Complex numbers as two real ones each.
pub(super) fn real(tensor: &Tensor) -> Tensor {
    if tensor.is_complex() { tensor.view_as_real() } else { tensor.shallow_clone() }
}
