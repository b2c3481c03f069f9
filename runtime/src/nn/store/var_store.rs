//! The store of a network's variables and the paths into it: tch's, for notebooks, where a cell that makes a layer is
//! run again.

use std::borrow::Borrow;
use std::io::{Read, Seek};
use std::ops::{Deref, DerefMut, Div};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tch::nn::{Init, Variables};
use tch::{Device, Kind, TchError, Tensor};

use super::entry::Entry;
use super::remade_layers::{Layer, Made, Register};
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
    store: tch::nn::VarStore,
    register: Register,
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

impl VarStore {
    /// An empty store, whose variables are going to be on a device.
    pub fn new(device: Device) -> Self {
        tch::nn::VarStore::new(device).into()
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
        Path { path: self.store.root(), store: self, layers: Vec::new(), grouped: None }
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
        let weights = StateDict::of(src);
        let variables = self.variables();
        weights.check(self.variables(), false).map_err(told)?;
        no_grad(|| {
            for (name, mut variable) in variables {
                if let Some(weight) = weights.get(&name) {
                    variable.copy_(weight);
                }
            }
        });
        Ok(())
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

fn is_trainable(tensor: &Tensor) -> bool {
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

/// A place in a [`VarStore`], under which a layer finds its variables: [`tch::nn::Path`], and used as that.
/// `path / "fc"` is a place below it.
#[derive(Debug, Clone)]
pub struct Path<'a> {
    path: tch::nn::Path<'a>,
    store: &'a VarStore,
    /// That the place belongs to, from the outermost on.
    layers: Vec<Layer>,
    /// Of a path that `set_group` has returned, and of those below it.
    grouped: Option<Arc<Grouped>>,
}

/// Whether anything was done with a path that has a group of its own.
#[derive(Debug)]
struct Grouped {
    group: usize,
    is_used: AtomicBool,
}

/// A path that nobody uses is one that was thought to have been changed.
impl Drop for Grouped {
    fn drop(&mut self) {
        if !self.is_used.load(Ordering::Relaxed) {
            crate::cell::note(format!(
                "set_group({0}) changes nothing by itself, and no layer was made with the path that it returns: `let path = \
                 path.set_group({0});`",
                self.group
            ));
        }
    }
}

// Each is made in an empty store first: what panics or is an error takes no variable's place.
macro_rules! variables {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $ty:ty),*);)*) => {
        $($(#[$doc])*
        pub fn $name(&self, name: &str, $($argument: $ty),*) -> Tensor {
            self.add(name, self.empty_store().root().$name(NEW, $($argument),*), true)
        })*
    };
}

macro_rules! fallible_variables {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $ty:ty),*), $trainable:literal;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        ///
        /// libtorch's, where there is no such tensor. Then the store is as it was.
        pub fn $name(&self, name: &str, $($argument: $ty),*) -> Result<Tensor, TchError> {
            Ok(self.add(name, self.empty_store().root().$name(NEW, $($argument),*)?, $trainable))
        })*
    };
}

/// The name of a variable in the store in which it is made.
const NEW: &str = "new";

impl<'a> Path<'a> {
    /// A place below this one; the same as `path / name`.
    ///
    /// # Panics
    ///
    /// Where the name holds a dot.
    pub fn sub(&self, name: impl ToString) -> Path<'a> {
        Path { path: self.path.sub(name), ..self.clone() }
    }

    /// The same place, with a layer that is made there: what is made by this path and those below it belongs to it, and
    /// goes when the layer is made anew.
    pub(crate) fn layer(&self) -> Path<'a> {
        let layer = Layer::new(self.path.components().collect::<Vec<_>>().join(&SEPARATOR.to_string()));
        Path { layers: self.layers.iter().cloned().chain([layer]).collect(), ..self.clone() }
    }

    /// The same place, whose variables are going to belong to another group of an optimiser's parameters. It is the
    /// path that is returned which has the group: `let path = path.set_group(1);`. See
    /// [`optim::group_by`](crate::optim::group_by) too.
    #[must_use = "the path that is returned has the group: `let path = path.set_group(1);`"]
    pub fn set_group(&self, group: usize) -> Path<'a> {
        let grouped = Some(Arc::new(Grouped { group, is_used: AtomicBool::new(false) }));
        Path { path: self.path.set_group(group), grouped, ..self.clone() }
    }

    /// Casts the variables that are there at this place and below it to another kind.
    ///
    /// # Panics
    ///
    /// Where one of them is trained, and the kind is none of floating-point numbers. Then none is cast.
    pub fn set_kind(&mut self, kind: Kind) {
        self.cast(kind, |_| true);
    }

    float_kinds!("that are there at this place and below it");

    fn set_float_kind(&self, kind: Kind) {
        self.cast(kind, Tensor::is_floating_point);
    }

    fn cast(&self, kind: Kind, which: impl Fn(&Tensor) -> bool) {
        // tch takes `fc2.weight` to be below `fc`.
        let place: String = self.path.components().map(|part| format!("{part}{SEPARATOR}")).collect();
        let below = self.store.variables().into_iter().filter(|(name, _)| name.starts_with(&place));
        let cast: Vec<(String, Tensor)> = below.filter(|(_, variable)| which(variable)).collect();
        let can_be_trained = is_trainable(&Tensor::zeros([0], (kind, Device::Cpu)));
        if let Some((name, _)) = cast.iter().find(|(_, variable)| variable.requires_grad() && !can_be_trained) {
            panic!("the variable {name:?} is trained, which only floating-point numbers are, and not {kind:?}");
        }
        for (_, mut variable) in cast {
            variable.set_data(&variable.to_kind(kind));
        }
    }

    /// Puts a tensor into the store, as a variable that is trained or is not.
    ///
    /// # Panics
    ///
    /// Where the name holds a dot, or a variable that is trained would hold whole numbers.
    pub fn add(&self, name: &str, tensor: Tensor, trainable: bool) -> Tensor {
        assert!(
            !trainable || is_trainable(&tensor),
            "the variable {name:?} holds {:?}, and only floating-point numbers are trained: give `false` for `trainable`, or \
             `.to_kind(Kind::Float)`",
            tensor.kind()
        );
        self.note_use();
        let full = self.path.path(name);
        let store = self.store;
        store.store.variables_.clear_poison();
        let group = self.grouped.as_ref().map_or(0, |grouped| grouped.group);
        let made = Made::new(&full, &self.layers, group, crate::cell::run());
        store.register.add(&store.store.variables_, &full, made, || self.path.add(name, tensor, trainable))
    }

    /// The variable of a name, which may be there from an earlier run of a cell or is made:
    /// `path.entry("scale").or_ones(&[1])`.
    pub fn entry<'b>(&'b self, name: &'b str) -> Entry<'b> {
        Entry::new(self, name)
    }

    /// As this path is, and without variables.
    fn empty_store(&self) -> tch::nn::VarStore {
        let mut store = tch::nn::VarStore::new(self.path.device());
        store.set_kind(self.path.kind());
        store
    }

    /// Makes a variable of zeros that is not trained, such as a statistic.
    pub fn zeros_no_train(&self, name: &str, dims: &[i64]) -> Tensor {
        self.add(name, Tensor::zeros(dims, (self.path.kind(), self.path.device())), false)
    }

    /// Makes a variable of ones that is not trained, such as a statistic.
    pub fn ones_no_train(&self, name: &str, dims: &[i64]) -> Tensor {
        self.add(name, Tensor::ones(dims, (self.path.kind(), self.path.device())), false)
    }

    variables! {
        /// Makes a variable that is trained.
        var(dims: &[i64], init: Init);
        /// Makes a variable of zeros.
        zeros(dims: &[i64]);
        /// Makes a variable of ones.
        ones(dims: &[i64]);
        /// Makes a variable, normal with a mean of 0 and a deviation of 1.
        randn_standard(dims: &[i64]);
        /// Makes a variable, normal.
        randn(dims: &[i64], mean: f64, stdev: f64);
        /// Makes a variable, uniform.
        uniform(dims: &[i64], lo: f64, up: f64);
        /// Makes a variable as [`init::kaiming_uniform_`](crate::nn::init::kaiming_uniform_) draws one for ReLU.
        kaiming_uniform(dims: &[i64]);
        /// Makes a variable as [`init::kaiming_normal_`](crate::nn::init::kaiming_normal_) draws one for ReLU.
        kaiming_normal(dims: &[i64]);
        /// Makes a variable as [`init::orthogonal_`](crate::nn::init::orthogonal_) draws one.
        orthogonal(dims: &[i64], gain: f64);
        /// Makes a variable with the numbers of a tensor.
        var_copy(tensor: &Tensor);
    }

    fallible_variables! {
        /// As [`Path::zeros_no_train`], float32 always.
        f_zeros_no_train(dims: &[i64]), false;
        /// As [`Path::ones_no_train`], float32 always.
        f_ones_no_train(dims: &[i64]), false;
        /// As [`Path::var`].
        f_var(dims: &[i64], init: Init), true;
        /// As [`Path::zeros`].
        f_zeros(dims: &[i64]), true;
        /// As [`Path::ones`].
        f_ones(dims: &[i64]), true;
        /// As [`Path::randn_standard`].
        f_randn_standard(dims: &[i64]), true;
        /// As [`Path::randn`].
        f_randn(dims: &[i64], mean: f64, stdev: f64), true;
        /// As [`Path::uniform`].
        f_uniform(dims: &[i64], lo: f64, up: f64), true;
        /// As [`Path::kaiming_uniform`].
        f_kaiming_uniform(dims: &[i64]), true;
        /// As [`Path::kaiming_normal`].
        f_kaiming_normal(dims: &[i64]), true;
        /// As [`Path::orthogonal`].
        f_orthogonal(dims: &[i64], gain: f64), true;
        /// As [`Path::var_copy`].
        f_var_copy(tensor: &Tensor), true;
    }

    fn note_use(&self) {
        if let Some(grouped) = &self.grouped {
            grouped.is_used.store(true, Ordering::Relaxed);
        }
    }
}

impl<'a> Deref for Path<'a> {
    type Target = tch::nn::Path<'a>;

    fn deref(&self) -> &tch::nn::Path<'a> {
        self.note_use();
        self.store.store.variables_.clear_poison();
        &self.path
    }
}

impl<'a> From<Path<'a>> for tch::nn::Path<'a> {
    fn from(path: Path<'a>) -> Self {
        let _ = path.deref();
        path.path
    }
}

/// For the layers of tch.
impl<'a> Borrow<tch::nn::Path<'a>> for Path<'a> {
    fn borrow(&self) -> &tch::nn::Path<'a> {
        self
    }
}

/// For the layers of tch.
impl<'a> Borrow<tch::nn::Path<'a>> for &Path<'a> {
    fn borrow(&self) -> &tch::nn::Path<'a> {
        self
    }
}

macro_rules! below {
    ($($path:ty)*) => {
        $(impl<'a, T: ToString> Div<T> for $path {
            type Output = Path<'a>;

            fn div(self, name: T) -> Path<'a> {
                self.sub(name)
            }
        })*
    };
}

below!(Path<'a> &Path<'a> &mut Path<'a>);

#[cfg(test)]
mod tests;
