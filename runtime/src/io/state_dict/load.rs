//! From weights by name to the variables of a network.

use std::collections::BTreeMap;
use std::path::Path;

use tch::Tensor;
use tch::nn::VarStore;

use super::{Loaded, StateDict, StateDictError};
use crate::modes::no_grad;
use crate::nn::is_trainable;

/// What PyTorch's batch norms count and libtorch's do not need.
const COUNTER: &str = "num_batches_tracked";

/// Sets the variables of a store to the weights of a file: `.safetensors`, `.gguf`, `.npz` and others, which
/// [`StateDict::read`] lists. All names and shapes must be the same, as in PyTorch's `load_state_dict`; only
/// `num_batches_tracked` of batch norms is left out.
///
/// # Errors
///
/// Where the file cannot be read, or is of another network: then no variable is changed, and the error lists what
/// differs.
pub fn load_state_dict(vs: &VarStore, path: impl AsRef<Path>) -> Result<(), StateDictError> {
    StateDict::read(path)?.load(vs)
}

impl StateDict {
    /// Sets all variables of a store; see [`load_state_dict`].
    ///
    /// # Errors
    ///
    /// Where a name or a shape differs. Then no variable is changed.
    pub fn load(&self, vs: &VarStore) -> Result<(), StateDictError> {
        self.load_variables(vs.variables())
    }

    pub(crate) fn load_variables(
        &self,
        variables: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<(), StateDictError> {
        self.set_all(variables, |variable, weight| variable.copy_(weight))
    }

    /// Sets the variables of a store for which there are weights, and says which names are on one side only: PyTorch's
    /// `strict=False`.
    ///
    /// # Errors
    ///
    /// Where a shape differs. Then no variable is changed.
    pub fn load_partial(&self, vs: &VarStore) -> Result<Loaded, StateDictError> {
        self.set(&mut vs.variables().into_iter().collect(), |variable, weight| variable.copy_(weight))
    }

    /// Has the variables of a store be these tensors, of which no copy is made: PyTorch's `assign=True`, for networks
    /// that fill the memory. The variables take the kind of the weights; on another device than the store's are copies.
    /// What trains the variables changes these tensors too, and no file.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// # let made = nn::VarStore::with_kind(Device::Cpu, Kind::BFloat16);
    /// # let _layer = nn::linear(made.root() / "fc", 4, 2, Default::default());
    /// # io::StateDict::of(&made).save("assigned.safetensors")?;
    /// let vs = nn::VarStore::with_kind(device(), Kind::BFloat16);
    /// let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
    /// io::StateDict::read("assigned.safetensors")?.assign(&vs)?;
    /// # assert_eq!(layer.ws.to_device(Device::Cpu), made.variables()["fc.weight"]);
    /// # std::fs::remove_file("assigned.safetensors")?;
    /// ```
    ///
    /// # Errors
    ///
    /// Where a name or a shape differs. Then no variable is changed.
    pub fn assign(&self, vs: &VarStore) -> Result<(), StateDictError> {
        self.set_all(vs.variables(), |variable, weight| {
            if variable.requires_grad() && !is_trainable(weight) {
                variable.copy_(weight);
            } else {
                variable.set_data(&weight.detach().to_device(variable.device()));
            }
        })
    }

    /// Sets all variables, to which all of the weights belong.
    fn set_all(
        &self,
        variables: impl IntoIterator<Item = (String, Tensor)>,
        set: impl FnMut(&mut Tensor, &Tensor),
    ) -> Result<(), StateDictError> {
        let mut variables = variables.into_iter().collect();
        let loaded = self.compare(&variables);
        if !(loaded.missing.is_empty() && loaded.unexpected.is_empty()) {
            return Err(self.mismatch(loaded, &variables));
        }
        self.set(&mut variables, set).map(drop)
    }

    fn set(
        &self,
        variables: &mut BTreeMap<String, Tensor>,
        mut set: impl FnMut(&mut Tensor, &Tensor),
    ) -> Result<Loaded, StateDictError> {
        let loaded = self.compare(variables);
        if !self.other_shapes(variables).is_empty() {
            return Err(self.mismatch(loaded, variables));
        }
        no_grad(|| {
            for (name, variable) in variables {
                if let Some(weight) = self.tensors.get(name) {
                    set(variable, weight);
                }
            }
        });
        Ok(loaded)
    }

    /// Whether each variable has weights of its shape, or with `partial` those that have weights; gives the names of
    /// those that have none.
    pub(crate) fn check(
        &self,
        variables: impl IntoIterator<Item = (String, Tensor)>,
        partial: bool,
    ) -> Result<Vec<String>, StateDictError> {
        let variables = variables.into_iter().collect();
        let loaded = self.compare(&variables);
        let lacks = !partial && !loaded.missing.is_empty();
        if !lacks && self.other_shapes(&variables).is_empty() {
            return Ok(loaded.missing);
        }
        // What is there besides is no fault, and may tell what became of what is missing.
        Err(self
            .mismatch(if lacks { loaded } else { Loaded { missing: Vec::new(), unexpected: Vec::new() } }, &variables))
    }

    fn compare(&self, variables: &BTreeMap<String, Tensor>) -> Loaded {
        let is_counter = |name: &str| name == COUNTER || name.ends_with(&format!(".{COUNTER}"));
        let missing = variables.keys().filter(|name| !self.tensors.contains_key(*name)).cloned();
        let unexpected =
            self.names().filter(|name| !variables.contains_key(*name) && !is_counter(name)).map(str::to_owned);
        Loaded { missing: missing.collect(), unexpected: unexpected.collect() }
    }

    fn other_shapes(&self, variables: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<i64>, Vec<i64>)> {
        let shapes = variables.iter().filter_map(|(name, variable)| {
            let (there, here) = (self.get(name)?.size(), variable.size());
            (there != here).then(|| (name.clone(), there, here))
        });
        shapes.collect()
    }

    fn mismatch(&self, Loaded { missing, unexpected }: Loaded, variables: &BTreeMap<String, Tensor>) -> StateDictError {
        StateDictError::Mismatch {
            origin: self.origin.clone(),
            missing,
            unexpected,
            shapes: self.other_shapes(variables),
        }
    }
}
