//! The state of optimisers as tensors by name, which files hold as they hold weights.
//!
//! | name | what it is |
//! | --- | --- |
//! | `algorithm` | the name of the algorithm, as bytes |
//! | `steps` | how many steps were taken |
//! | `group.0.lr` | a setting of a group; flags are 0 or 1 |
//! | `state.fc.weight.exp_avg` | what is kept for the variable `fc.weight` |

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tch::{Device, Tensor};

use super::Optimizer;
use super::fused::copy_in_order_of;
use super::groups::Group;
use super::parameters::{State, real};
use crate::io::{FileError, StateDict, StateDictError};
use crate::modes::no_grad;

const ALGORITHM: &str = "algorithm";
const STEPS: &str = "steps";
const GROUP: &str = "group.";
const STATE: &str = "state.";

/// What a state is written to.
#[derive(Default)]
pub(in crate::optim) struct Writer(Vec<(String, Tensor)>);

impl Writer {
    pub(in crate::optim) fn new(algorithm: &str, steps: usize) -> Self {
        let mut writer = Self::default();
        writer.add(ALGORITHM, &Tensor::from_slice(algorithm.as_bytes()));
        writer.add(STEPS, &Tensor::from(steps as i64));
        writer
    }

    pub(in crate::optim) fn number(&mut self, name: impl Into<String>, value: f64) {
        self.add(name, &Tensor::from(value));
    }

    /// A copy, on the CPU: what is kept for the parameters changes with the next step.
    pub(in crate::optim) fn add(&mut self, name: impl Into<String>, tensor: &Tensor) {
        self.0.push((name.into(), tensor.detach().to_device(Device::Cpu).copy()));
    }

    pub(in crate::optim) fn finish(self) -> StateDict {
        StateDict::new("the other optimizer", self.0)
    }
}

/// What a state is read from.
pub(in crate::optim) struct Reader<'a>(&'a StateDict);

impl<'a> Reader<'a> {
    /// Of an algorithm, with the number of steps.
    pub(in crate::optim) fn of(dict: &'a StateDict, algorithm: &str) -> Result<(Self, usize), StateDictError> {
        let reader = Self(dict);
        let name = dict.get(ALGORITHM).and_then(|name| Vec::<u8>::try_from(name).ok());
        let Some(name) = name.and_then(|name| String::from_utf8(name).ok()) else {
            return Err(reader.refuse("it is not the state of an optimizer, as `optimizer.save` writes it"));
        };
        if name != algorithm {
            return Err(reader.refuse(format!("it is the state of {name}, and this is {algorithm}")));
        }
        let steps = reader.number(STEPS)?;
        Ok((reader, steps as usize))
    }

    pub(in crate::optim) fn number(&self, name: &str) -> Result<f64, StateDictError> {
        let number = self.tensor(name)?;
        if number.numel() == 1 {
            Ok(number.double_value(&[]))
        } else {
            Err(self.refuse(format!("{name:?} is no number")))
        }
    }

    pub(in crate::optim) fn tensor(&self, name: &str) -> Result<&'a Tensor, StateDictError> {
        self.0.get(name).ok_or_else(|| self.refuse(format!("it lacks {name:?}")))
    }

    pub(in crate::optim) fn refuse(&self, why: impl Into<String>) -> StateDictError {
        StateDictError::Optimizer { origin: self.0.origin().to_owned(), why: why.into() }
    }

    /// What stands behind a beginning.
    fn below(&self, beginning: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.names().filter_map(move |name| name.strip_prefix(beginning))
    }
}

impl Optimizer {
    /// All that the optimiser has besides the weights, as a copy on the CPU: the state of each parameter, the settings
    /// of the groups, and the number of steps. Python reads the file that it is saved to as a dictionary of tensors.
    pub fn state_dict(&self) -> StateDict {
        let mut writer = Writer::new(self.groups.name(), self.steps);
        for (number, group) in self.groups.iter() {
            for (name, value) in group.settings() {
                writer.number(format!("{GROUP}{number}.{name}"), value);
            }
        }
        for (slot, name) in self.parameters.slots.iter().zip(self.parameters.names()) {
            // What went from the store is not saved with the weights either.
            let Some(name) = name else { continue };
            for (key, tensor) in &slot.state.0 {
                writer.add(format!("{STATE}{name}.{key}"), tensor);
            }
        }
        writer.finish()
    }

    /// Writes [`Optimizer::state_dict`] to a file, `.safetensors` or `.npz`.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, or has another ending.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        self.state_dict().save(path)
    }

    /// Takes up what [`Optimizer::save`] has written. Load the weights too: a training then goes on as if it had not
    /// ended. Settings such as the learning rate become those of the file.
    ///
    /// # Errors
    ///
    /// As [`Optimizer::load_state_dict`], or where the file cannot be read.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), StateDictError> {
        self.load_state_dict(&StateDict::read(path)?)
    }

    /// Takes up what [`Optimizer::state_dict`] gave, of the same algorithm for a network with the same variables in the
    /// same groups. Parameters of which it has nothing, as they had no gradient yet, begin anew.
    ///
    /// # Errors
    ///
    /// Where it is of another algorithm or another network. Then nothing is changed.
    pub fn load_state_dict(&mut self, dict: &StateDict) -> Result<(), StateDictError> {
        self.take_up();
        let (reader, steps) = Reader::of(dict, self.groups.name())?;
        let groups = self.read_groups(&reader)?;
        let states = self.read_states(&reader)?;
        self.groups.replace(groups);
        self.steps = steps;
        for (slot, state) in self.parameters.slots.iter_mut().zip(states) {
            slot.state = state;
        }
        Ok(())
    }

    fn read_groups(&self, reader: &Reader<'_>) -> Result<BTreeMap<usize, Group>, StateDictError> {
        let here: BTreeSet<usize> = self.groups.iter().map(|(number, _)| number).collect();
        let there: BTreeSet<usize> =
            reader.below(GROUP).filter_map(|name| name.split_once('.')?.0.parse().ok()).collect();
        if here != there {
            return Err(reader.refuse(format!(
                "it has parameters in the groups {there:?}, and this in {here:?}; make the groups before it is loaded"
            )));
        }
        let mut groups = BTreeMap::new();
        for (number, group) in self.groups.iter() {
            let mut read = group.clone();
            for (name, _) in group.settings() {
                read.set(name, reader.number(&format!("{GROUP}{number}.{name}"))?);
            }
            groups.insert(number, read);
        }
        Ok(groups)
    }

    /// For each parameter.
    fn read_states(&self, reader: &Reader<'_>) -> Result<Vec<State>, StateDictError> {
        let slots = &self.parameters.slots;
        let at: BTreeMap<String, usize> =
            self.parameters.names().into_iter().enumerate().filter_map(|(at, name)| Some((name?, at))).collect();
        let mut states: Vec<State> = slots.iter().map(|_| State::default()).collect();
        let (mut unexpected, mut shapes) = (Vec::new(), Vec::new());
        let known = self.groups.usual().algorithm.state();
        for name in reader.below(STATE) {
            let found = name
                .rsplit_once('.')
                .and_then(|(variable, key)| Some((*at.get(variable)?, *known.iter().find(|known| **known == key)?)));
            let Some((at, key)) = found else {
                unexpected.push(name.to_owned());
                continue;
            };
            let (tensor, variable) = (reader.tensor(&format!("{STATE}{name}"))?, real(&slots[at].variable));
            if tensor.dim() > 0 && tensor.size() != variable.size() {
                shapes.push((name.to_owned(), tensor.size(), variable.size()));
                continue;
            }
            states[at].0.insert(key, no_grad(|| arranged(tensor, &variable)));
        }
        if unexpected.is_empty() && shapes.is_empty() {
            return Ok(states);
        }
        Err(StateDictError::Mismatch { origin: reader.0.origin().to_owned(), missing: Vec::new(), unexpected, shapes })
    }
}

/// A copy in the order in memory of a variable, for the kernels that go through both. Single numbers stay on the CPU
/// until they are used.
fn arranged(tensor: &Tensor, variable: &Tensor) -> Tensor {
    if tensor.dim() == 0 { tensor.copy() } else { copy_in_order_of(variable, tensor) }
}
