//! The store of a network's variables: tch's, for notebooks, where a cell that makes a layer is run again.

use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, Weak};

use tch::nn::Variables;
use tch::{Device, Kind, TchError, Tensor};

use super::path::Path;
use super::remade_layers::Register;
use crate::io::replace::replace_file;
use crate::io::{FileError, StateDict};
use crate::lock::lock;
use crate::modes::no_grad;

/// Between the parts of a variable's name.
pub(super) const SEPARATOR: char = '.';

/// Holds the variables of layers by name; [`tch::nn::VarStore`], and used as that.
///
/// **A cell that is run again:** a layer that a later run of a cell makes under a name takes the name over, with new
/// weights, and a note says so: the store, what is saved of it and its summary have each layer once. What the layer no
/// longer has goes from the store, such as a bias or the blocks of a network that has fewer, and a note names it. An
/// optimiser that was built before trains the new layer as well. Within one run of a cell the name of a second layer
/// gets a number, as in tch. To share weights, use the layer itself twice, or take a variable that may be there by
/// `path.entry(name)`.
///
/// What the functions of [`mod@tch::nn`] and `tch::vision` make takes a name over too; of an older network of theirs,
/// variables go that stood directly beside one that was made anew.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
/// assert_eq!(vs.variables()["fc.weight"], layer.ws);
/// ```
#[derive(Debug)]
pub struct VarStore {
    pub(super) store: tch::nn::VarStore,
    pub(super) register: Register,
}

/// The variables of all stores. A panic in a function of tch's that holds their lock, such as that of an optimiser
/// which is to clip gradients that are not there, leaves none half made; but from then on tch would refuse to read
/// them, and to save what was learned.
static LOCKS: Mutex<Vec<Weak<Mutex<Variables>>>> = Mutex::new(Vec::new());

/// Has the variables of all stores be read again after a panic.
pub(crate) fn forget_panics() {
    let mut locks = lock(&LOCKS);
    locks.retain(|lock| lock.upgrade().inspect(|lock| lock.clear_poison()).is_some());
}

/// The variables of a store, in the order of their names.
pub(crate) fn by_name(vs: &tch::nn::VarStore) -> Vec<(String, Tensor)> {
    vs.variables().into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}

macro_rules! float_kinds {
    ($which:literal) => {
        float_kinds! { $which; half Half "float16"; bfloat16 BFloat16 "bfloat16"; float Float "float32"; double Double "float64" }
    };
    ($which:literal; $($name:ident $kind:ident $written:literal);*) => {$(
        #[doc = concat!("Casts the variables of floating-point numbers ", $which, " to ", $written, ".")]
        pub fn $name(&mut self) {
            self.set_float_kind(Kind::$kind);
        }
    )*};
}
pub(super) use float_kinds;

impl VarStore {
    /// An empty store, whose variables are going to be on a device.
    pub fn new(device: Device) -> Self {
        tch::nn::VarStore::new(device).into()
    }

    /// An empty store, whose variables are going to be of a kind of floating-point numbers, such as `Kind::BFloat16`:
    /// a large network is never there in float32. The same as `vs.set_kind(kind)` ahead of the first layer.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::with_kind(device(), Kind::BFloat16);
    /// let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
    /// assert_eq!(layer.ws.kind(), Kind::BFloat16);
    /// ```
    pub fn with_kind(device: Device, kind: Kind) -> Self {
        let mut store = tch::nn::VarStore::new(device);
        store.set_kind(kind);
        store.into()
    }

    /// The variables of several stores in one, each store's names behind a prefix of its own.
    ///
    /// # Errors
    ///
    /// Where two have the same name, or the stores are on different devices.
    pub fn merge(stores: Vec<(VarStore, Option<&str>)>) -> Result<Self, TchError> {
        stores.iter().for_each(|(store, _)| store.settle());
        let stores = stores.into_iter().map(|(store, prefix)| (store.store, prefix)).collect();
        tch::nn::VarStore::merge(stores).map(Self::from)
    }

    /// Where paths begin: `vs.root() / "encoder" / "fc"`.
    pub fn root(&self) -> Path<'_> {
        self.settle();
        Path::new(self.store.root(), self)
    }

    /// Has what tch's functions have put into the store, or left of it by a panic, be as it is to be found.
    fn settle(&self) {
        self.store.variables_.clear_poison();
        self.register.settle(&self.store.variables_, crate::cell::run());
    }

    /// The variables that are trained, in the order in which they were made.
    pub fn trainable_variables(&self) -> Vec<Tensor> {
        self.settle();
        let mut variables = self.store.trainable_variables();
        // See `Register`: the place of one that is gone stays.
        variables.retain(|variable| variable.numel() > 0);
        variables
    }

    /// The variables that are trained, with their names, in the order of the names; `named_parameters()` of PyTorch.
    pub fn named_parameters(&self) -> Vec<(String, Tensor)> {
        by_name(self).into_iter().filter(|(_, variable)| variable.requires_grad()).collect()
    }

    float_kinds!("that are there, and those that are going to be made,");

    fn set_float_kind(&mut self, kind: Kind) {
        self.root().set_float_kind(kind);
        self.remake(self.device(), kind);
    }

    /// Casts the variables that are there, and those that are going to be made, to another kind; [`VarStore::float`]
    /// and the like leave whole numbers as they are.
    ///
    /// # Panics
    ///
    /// As [`Path::set_kind`].
    pub fn set_kind(&mut self, kind: Kind) {
        self.root().set_kind(kind);
        self.remake(self.device(), kind);
    }

    /// Moves the variables to another device, on which those that are going to be made are as well.
    ///
    /// # Panics
    ///
    /// Where there is no such device. Then no variable has moved.
    pub fn set_device(&mut self, device: Device) {
        let moved = self.variables().into_values().map(|variable| (variable.to_device(device), variable));
        let moved: Vec<(Tensor, Tensor)> = moved.collect();
        for (moved, mut variable) in moved {
            variable.set_data(&moved);
        }
        self.remake(device, self.kind());
    }

    /// Sets the variables to those of another store, which has all of them, and may have more.
    ///
    /// # Errors
    ///
    /// Where the other store lacks a variable, or has one of another shape. Then no variable is changed.
    pub fn copy(&mut self, src: &tch::nn::VarStore) -> Result<(), TchError> {
        self.change_by(src, Tensor::copy_)
    }

    /// Changes each variable by that of the same name in another store.
    fn change_by(&mut self, src: &tch::nn::VarStore, change: impl Fn(&mut Tensor, &Tensor)) -> Result<(), TchError> {
        let weights = StateDict::of(src);
        let variables = self.variables();
        weights.check(self.variables(), false).map_err(told)?;
        no_grad(|| {
            for (name, mut variable) in variables {
                if let Some(weight) = weights.get(&name) {
                    change(&mut variable, weight);
                }
            }
        });
        Ok(())
    }

    /// Brings the variables nearer to those of another store, `w = w + tau (w' - w)`, statistics too: the soft update
    /// of a target network, or Polyak averaging, as in DDPG and SAC (T. Lillicrap et al., 2016,
    /// <https://arxiv.org/abs/1509.02971>). With a `tau` of 1 they become those of the other store. Whole numbers, such
    /// as counts, become equal.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let (critic, mut target) = (nn::VarStore::new(device()), nn::VarStore::new(device()));
    /// critic.root().ones("w", &[2]);
    /// let w = target.root().zeros("w", &[2]);
    /// target.soft_update(&critic, 0.25)?;
    /// assert_eq!(w, Tensor::full([2], 0.25, (Kind::Float, device())));
    /// ```
    ///
    /// # Errors
    ///
    /// As [`VarStore::copy`]. Then no variable is changed.
    ///
    /// # Panics
    ///
    /// Where `tau` is not between 0 and 1.
    pub fn soft_update(&mut self, src: &tch::nn::VarStore, tau: f64) -> Result<(), TchError> {
        assert!((0.0..=1.0).contains(&tau), "soft_update: tau is {tau}; it must be between 0 and 1");
        self.change_by(src, |variable, weight| {
            if is_trainable(variable) {
                let weight = weight.to_device(variable.device()).to_kind(variable.kind());
                let _ = variable.lerp_(&weight, tau);
            } else {
                variable.copy_(weight);
            }
        })
    }

    /// Has other variables be made from now on. tch sets that only together with what is there: of a store that is
    /// empty, which then gets the variables.
    fn remake(&mut self, device: Device, kind: Kind) {
        let mut store = tch::nn::VarStore::new(device);
        store.set_kind(kind);
        store.variables_ = self.store.variables_.clone();
        self.store = store;
    }

    /// Writes the variables by name into a file, which [`VarStore::load`] reads: `.safetensors` and `.npz`, which
    /// Python reads as well, or with another ending the format of libtorch. A file of that name is replaced when the
    /// new one is whole.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let path = std::env::temp_dir().join("oxtorch-linear.safetensors");
    /// let mut vs = nn::VarStore::new(device());
    /// let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
    /// vs.save(&path)?;
    /// no_grad(|| layer.ws.shallow_clone().zero_());
    /// vs.load(&path)?;
    /// assert!(layer.ws.abs().sum(Kind::Float).double_value(&[]) > 0.0);
    /// # std::fs::remove_file(&path)?;
    /// # anyhow::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where the file cannot be written. Then what was there before still is.
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<(), TchError> {
        self.settle();
        let path = path.as_ref();
        if path.extension().is_some_and(|ending| ending == "safetensors" || ending == "npz") {
            return StateDict::of(&self.store).save(path).map_err(told);
        }
        let written = replace_file(path, FileError::writing(path), |new| {
            self.store.save(new).map_err(|error| FileError::refused_writing(path, &error))
        });
        written.map_err(told)
    }

    /// Sets the variables to those of a file that [`VarStore::save`] has written, or Python: `.safetensors`, `.npz`, or
    /// a plain dictionary of tensors in `.pt`. The variables take the kind that the file has. What the file has besides
    /// is left out; [`io::load_state_dict`](crate::io::load_state_dict) refuses it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, lacks a variable, or has one of another shape. Then no variable is changed.
    pub fn load(&mut self, path: impl AsRef<std::path::Path>) -> Result<(), TchError> {
        self.take_over(&StateDict::read_for_store(path.as_ref()).map_err(told)?, false).map(drop)
    }

    /// As [`VarStore::load`], for a file that has some of the variables; gives the names of those that it lacks, which
    /// stay as they are.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or has a variable of another shape. Then no variable is changed.
    pub fn load_partial(&mut self, path: impl AsRef<std::path::Path>) -> Result<Vec<String>, TchError> {
        self.take_over(&StateDict::read_for_store(path.as_ref()).map_err(told)?, true)
    }

    /// As [`VarStore::load`], of what [`save_to_stream`](tch::nn::VarStore::save_to_stream) has written.
    ///
    /// # Errors
    ///
    /// As [`VarStore::load`].
    pub fn load_from_stream(&mut self, stream: impl Read + Seek) -> Result<(), TchError> {
        let tensors = Tensor::load_multi_from_stream(stream)?;
        self.take_over(&StateDict::new("the stream", tensors), false).map(drop)
    }

    /// Gives the names that the weights lack.
    fn take_over(&mut self, weights: &StateDict, partial: bool) -> Result<Vec<String>, TchError> {
        let missing = weights.check(self.variables(), partial).map_err(told)?;
        no_grad(|| {
            for (name, mut variable) in self.variables() {
                if let Some(weight) = weights.get(&name) {
                    // libtorch trains no whole numbers.
                    if is_trainable(weight) || !variable.requires_grad() {
                        variable.set_data(&variable.to_kind(weight.kind()));
                    }
                    variable.copy_(weight);
                }
            }
        });
        Ok(missing)
    }
}

pub(crate) fn is_trainable(tensor: &Tensor) -> bool {
    tensor.is_floating_point() || tensor.is_complex()
}

/// As an error of tch's, which is what its store has, with the text as it is.
fn told(error: impl std::error::Error + Send + Sync + 'static) -> TchError {
    TchError::Io(std::io::Error::other(error))
}

impl From<tch::nn::VarStore> for VarStore {
    fn from(store: tch::nn::VarStore) -> Self {
        let mut locks = lock(&LOCKS);
        locks.retain(|lock| lock.strong_count() > 0);
        locks.push(Arc::downgrade(&store.variables_));
        Self { store, register: Register::new(crate::cell::run()) }
    }
}

impl Deref for VarStore {
    type Target = tch::nn::VarStore;

    fn deref(&self) -> &tch::nn::VarStore {
        self.settle();
        &self.store
    }
}

impl DerefMut for VarStore {
    fn deref_mut(&mut self) -> &mut tch::nn::VarStore {
        self.settle();
        &mut self.store
    }
}

#[cfg(test)]
mod tests;
