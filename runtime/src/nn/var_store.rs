//! The store of a network's variables and the paths into it: tch's, for notebooks, where a cell that makes a layer is run again.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::io::{Read, Seek};
use std::ops::{Deref, DerefMut, Div};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tch::nn::{Init, Variables};
use tch::{Device, Kind, TchError, Tensor};

use crate::io::{FileError, StateDict};
use crate::modes::no_grad;
use crate::replace::replace_file;

/// Between the parts of a variable's name.
const SEPARATOR: char = '.';

/// Holds the variables of layers by name; [`tch::nn::VarStore`], and used as that.
///
/// **A cell that is run again:** a layer that a later run of a cell makes under a name takes the name over, with new weights, and a note
/// says so: the store, what is saved of it and its summary have each layer once. An optimiser that was built before trains the new
/// layer as well. Within one run of a cell the name of a second layer gets a number, as in tch. To share weights, use the layer itself twice,
/// or take a variable that may be there by `path.entry(name)`. What the functions of [`mod@tch::nn`] and `tch::vision` make in the store is numbered
/// always.
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
    /// How each variable was made, by name.
    made: Mutex<HashMap<String, Made>>,
}

#[derive(Debug, Clone, Copy)]
struct Made {
    /// In which run of a cell.
    run: u64,
    /// The group that its path had.
    group: usize,
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
        let stores = stores.into_iter().map(|(store, prefix)| (store.store, prefix)).collect();
        tch::nn::VarStore::merge(stores).map(Self::from)
    }

    /// Where paths begin: `vs.root() / "encoder" / "fc"`.
    pub fn root(&self) -> Path<'_> {
        Path { path: self.store.root(), store: self, grouped: None }
    }

    /// The variables that are trained, in the order in which they were made.
    pub fn trainable_variables(&self) -> Vec<Tensor> {
        let mut variables = self.store.trainable_variables();
        // See `take_from_trainable`.
        variables.retain(|variable| variable.numel() > 0);
        variables
    }

    float_kinds!("that are there, and those that are going to be made,");

    fn set_float_kind(&mut self, kind: Kind) {
        self.root().set_float_kind(kind);
        // tch sets the kind of what is going to be made only together with that of all that is there, whole numbers too: of a store
        // that is empty, which then gets the variables.
        let mut store = tch::nn::VarStore::new(self.store.device());
        store.set_kind(kind);
        store.variables_ = self.store.variables_.clone();
        self.store = store;
    }

    /// Writes the variables by name into a file, which [`VarStore::load`] reads: `.safetensors` and `.npz`, which Python reads as well, or with another
    /// ending the format of libtorch. A file of that name is replaced when the new one is whole.
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
        let path = path.as_ref();
        if path.extension().is_some_and(|ending| ending == "safetensors" || ending == "npz") {
            return StateDict::of(&self.store).save(path).map_err(told);
        }
        let written = replace_file(path, FileError::writing(path), |new| {
            self.store.save(new).map_err(|error| FileError::refused_writing(path, &error))
        });
        written.map_err(told)
    }

    /// Sets the variables to those of a file that [`VarStore::save`] has written, or Python: `.safetensors`, `.npz`, or a plain dictionary of
    /// tensors in `.pt`. The variables take the kind that the file has. What the file has besides is left out; [`io::load_state_dict`](crate::io::load_state_dict) refuses it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, lacks a variable, or has one of another shape. Then no variable is changed.
    pub fn load(&mut self, path: impl AsRef<std::path::Path>) -> Result<(), TchError> {
        self.take_over(&StateDict::read_for_store(path.as_ref()).map_err(told)?, false).map(drop)
    }

    /// As [`VarStore::load`], for a file that has some of the variables; gives the names of those that it lacks, which stay as they are.
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
        let missing = weights.check(self.store.variables(), partial).map_err(told)?;
        let mut variables = self.store.variables_.lock().unwrap_or_else(PoisonError::into_inner);
        no_grad(|| {
            for (name, variable) in &mut variables.named_variables {
                if let Some(weight) = weights.get(name) {
                    variable.set_data(&variable.to_kind(weight.kind()));
                    variable.copy_(weight);
                }
            }
        });
        Ok(missing)
    }

    /// Makes room for a name that an earlier run of a cell has given. Gives the group of an optimiser into which the variable was put after
    /// it was made, by [`optim::group_by`](crate::optim::group_by).
    fn give_up(&self, name: &str, run: u64) -> Option<usize> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made_in = made.get(name).copied().filter(|made| made.run != run)?;
        // Those that tch has numbered, where one cell made several of one name.
        let is_numbered = |other: &str| {
            let number = other.strip_prefix(name).and_then(|rest| rest.strip_prefix("__"));
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let names: Vec<String> = made
            .iter()
            .filter(|(other, made)| made.run != run && (*other == name || is_numbered(other)))
            .map(|(other, _)| other.clone())
            .collect();
        let mut variables = self.store.variables_.lock().unwrap_or_else(PoisonError::into_inner);
        let mut group = None;
        for other in names {
            made.remove(&other);
            let Some(old) = variables.named_variables.remove(&other) else { continue };
            let of_old = take_from_trainable(&mut variables, &old);
            if other == name {
                group = of_old.filter(|group| *group != made_in.group);
            }
        }
        let layer = name.rsplit_once(SEPARATOR).map_or(name, |(layer, _)| layer);
        crate::cell::note_each(RENEWED, layer);
        group
    }
}

/// As an error of tch's, which is what its store has, with the text as it is.
fn told(error: impl std::error::Error + Send + Sync + 'static) -> TchError {
    TchError::Io(std::io::Error::other(error))
}

const RENEWED: &str = "made anew. The store, and what is saved of it, has the new layer under the name; an optimiser that was built before \
                       trains it too. A layer that you keep from before is no longer in the store: to have both, give them paths of \
                       their own";

/// Optimisers know how many of the trainable variables they have taken, from the first on, and take what comes behind: the place of one
/// that goes stays, with nothing in it. Gives the variable's group.
fn take_from_trainable(variables: &mut Variables, old: &Tensor) -> Option<usize> {
    let at = old.data_ptr();
    let slot = variables.trainable_variables.iter_mut().find(|slot| !at.is_null() && slot.tensor.data_ptr() == at)?;
    slot.tensor = Tensor::zeros([0], (Kind::Float, Device::Cpu));
    Some(slot.group)
}

impl From<tch::nn::VarStore> for VarStore {
    fn from(store: tch::nn::VarStore) -> Self {
        Self { store, made: Mutex::default() }
    }
}

impl Deref for VarStore {
    type Target = tch::nn::VarStore;

    fn deref(&self) -> &tch::nn::VarStore {
        &self.store
    }
}

impl DerefMut for VarStore {
    fn deref_mut(&mut self) -> &mut tch::nn::VarStore {
        &mut self.store
    }
}

/// A place in a [`VarStore`], under which a layer finds its variables: [`tch::nn::Path`], and used as that. `path / "fc"` is a place below it.
#[derive(Debug, Clone)]
pub struct Path<'a> {
    path: tch::nn::Path<'a>,
    store: &'a VarStore,
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

macro_rules! variables {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $ty:ty),*) -> $gives:ty;)*) => {
        $($(#[$doc])*
        pub fn $name(&self, name: &str, $($argument: $ty),*) -> $gives {
            self.make(name, |path| path.$name(name, $($argument),*))
        })*
    };
}

impl<'a> Path<'a> {
    /// A place below this one; the same as `path / name`.
    ///
    /// # Panics
    ///
    /// Where the name holds a dot.
    pub fn sub(&self, name: impl ToString) -> Path<'a> {
        Path { path: self.path.sub(name), store: self.store, grouped: self.grouped.clone() }
    }

    /// The same place, whose variables are going to belong to another group of an optimiser's parameters. It is the path that is returned
    /// which has the group: `let path = path.set_group(1);`. See [`optim::group_by`](crate::optim::group_by) too.
    #[must_use = "the path that is returned has the group: `let path = path.set_group(1);`"]
    pub fn set_group(&self, group: usize) -> Path<'a> {
        let grouped = Some(Arc::new(Grouped { group, is_used: AtomicBool::new(false) }));
        Path { path: self.path.set_group(group), store: self.store, grouped }
    }

    /// Casts the variables that are there at this place and below it to another kind.
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
        let mut variables = self.store.store.variables_.lock().unwrap_or_else(PoisonError::into_inner);
        let below = variables.named_variables.iter_mut().filter(|(name, _)| name.starts_with(&place));
        for (_, variable) in below.filter(|(_, variable)| which(variable)) {
            variable.set_data(&variable.to_kind(kind));
        }
    }

    /// Puts a tensor into the store, as a variable that is trained or is not.
    pub fn add(&self, name: &str, tensor: Tensor, trainable: bool) -> Tensor {
        self.make(name, |path| path.add(name, tensor, trainable))
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
        var(dims: &[i64], init: Init) -> Tensor;
        /// Makes a variable of zeros.
        zeros(dims: &[i64]) -> Tensor;
        /// Makes a variable of ones.
        ones(dims: &[i64]) -> Tensor;
        /// Makes a variable, normal with a mean of 0 and a deviation of 1.
        randn_standard(dims: &[i64]) -> Tensor;
        /// Makes a variable, normal.
        randn(dims: &[i64], mean: f64, stdev: f64) -> Tensor;
        /// Makes a variable, uniform.
        uniform(dims: &[i64], lo: f64, up: f64) -> Tensor;
        /// Makes a variable as [`init::kaiming_uniform_`](super::init::kaiming_uniform_) draws one for ReLU.
        kaiming_uniform(dims: &[i64]) -> Tensor;
        /// Makes a variable as [`init::kaiming_normal_`](super::init::kaiming_normal_) draws one for ReLU.
        kaiming_normal(dims: &[i64]) -> Tensor;
        /// Makes a variable as [`init::orthogonal_`](super::init::orthogonal_) draws one.
        orthogonal(dims: &[i64], gain: f64) -> Tensor;
        /// Makes a variable with the numbers of a tensor.
        var_copy(tensor: &Tensor) -> Tensor;
        /// As [`Path::zeros_no_train`], float32 always.
        f_zeros_no_train(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::ones_no_train`], float32 always.
        f_ones_no_train(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::var`], with libtorch's error.
        f_var(dims: &[i64], init: Init) -> Result<Tensor, TchError>;
        /// As [`Path::zeros`], with libtorch's error.
        f_zeros(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::ones`], with libtorch's error.
        f_ones(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::randn_standard`], with libtorch's error.
        f_randn_standard(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::randn`], with libtorch's error.
        f_randn(dims: &[i64], mean: f64, stdev: f64) -> Result<Tensor, TchError>;
        /// As [`Path::uniform`], with libtorch's error.
        f_uniform(dims: &[i64], lo: f64, up: f64) -> Result<Tensor, TchError>;
        /// As [`Path::kaiming_uniform`], with libtorch's error.
        f_kaiming_uniform(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::kaiming_normal`], with libtorch's error.
        f_kaiming_normal(dims: &[i64]) -> Result<Tensor, TchError>;
        /// As [`Path::orthogonal`], with libtorch's error.
        f_orthogonal(dims: &[i64], gain: f64) -> Result<Tensor, TchError>;
        /// As [`Path::var_copy`], with libtorch's error.
        f_var_copy(tensor: &Tensor) -> Result<Tensor, TchError>;
    }

    fn make<T>(&self, name: &str, make: impl FnOnce(&tch::nn::Path<'a>) -> T) -> T {
        self.note_use();
        let (run, full) = (crate::cell::run(), self.path.path(name));
        let group = self.store.give_up(&full, run);
        let before = self.trainable_count();
        let numbered = self.store.variables_.lock().unwrap_or_else(PoisonError::into_inner).named_variables.len();
        let is_taken = self.path.get(name).is_some();
        let value = make(&self.path);
        let full = if is_taken { format!("{full}__{numbered}") } else { full };
        let made = Made { run, group: self.grouped.as_ref().map_or(0, |grouped| grouped.group) };
        self.store.made.lock().unwrap_or_else(PoisonError::into_inner).insert(full, made);
        let mut variables = self.store.variables_.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(variable), Some(group)) = (variables.trainable_variables.get_mut(before), group) {
            variable.group = group;
        }
        value
    }

    fn note_use(&self) {
        if let Some(grouped) = &self.grouped {
            grouped.is_used.store(true, Ordering::Relaxed);
        }
    }

    fn trainable_count(&self) -> usize {
        self.store.variables_.lock().unwrap_or_else(PoisonError::into_inner).trainable_variables.len()
    }
}

impl<'a> Deref for Path<'a> {
    type Target = tch::nn::Path<'a>;

    fn deref(&self) -> &tch::nn::Path<'a> {
        self.note_use();
        &self.path
    }
}

impl<'a> From<Path<'a>> for tch::nn::Path<'a> {
    fn from(path: Path<'a>) -> Self {
        path.note_use();
        path.path
    }
}

/// For the layers of tch.
impl<'a> Borrow<tch::nn::Path<'a>> for Path<'a> {
    fn borrow(&self) -> &tch::nn::Path<'a> {
        self.note_use();
        &self.path
    }
}

/// For the layers of tch.
impl<'a> Borrow<tch::nn::Path<'a>> for &Path<'a> {
    fn borrow(&self) -> &tch::nn::Path<'a> {
        self.note_use();
        &self.path
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
mod tests {
    use tch::nn::OptimizerConfig;

    use super::*;
    use crate::nn::{Module, linear};
    use crate::optim;

    fn names(vs: &VarStore) -> Vec<String> {
        let mut names: Vec<String> = vs.variables().into_keys().collect();
        names.sort();
        names
    }

    /// As a later run of a cell would see what is there.
    fn a_later_run(vs: &VarStore) {
        vs.made.lock().expect("no test panics here").values_mut().for_each(|made| made.run = u64::MAX);
    }

    fn ones(size: [i64; 2]) -> Tensor {
        Tensor::ones(size, (Kind::Float, Device::Cpu))
    }

    #[test]
    fn a_later_run_takes_a_name_over_and_the_optimiser_goes_on_with_the_new_layer() {
        let vs = VarStore::new(Device::Cpu);
        let make = || linear(vs.root() / "fc", 3, 2, Default::default());
        let old = make();
        optim::group_by(&vs, |name, _| if name == "fc.bias" { 1 } else { 0 });
        let mut optimizer = tch::nn::Sgd::default().build(&vs, 0.1).expect("builds");
        optimizer.set_lr_group(1, 0.0);
        a_later_run(&vs);
        let new = make();
        assert_eq!(names(&vs), ["fc.bias", "fc.weight"]);
        assert!(vs.variables()["fc.weight"].equal(&new.ws) && !new.ws.equal(&old.ws));
        assert_eq!((optim::parameters(&vs), vs.trainable_variables().len()), (8, 2));
        let before = [&old.ws, &new.ws].map(Tensor::copy);
        let bias = new.bs.as_ref().map(Tensor::copy).expect("a bias");
        optimizer.backward_step(&new.forward(&ones([1, 3])).square().sum(Kind::Float));
        assert!(old.ws.equal(&before[0]) && !new.ws.equal(&before[1]));
        // In the group that the variable before it was put into.
        assert!(new.bs.as_ref().expect("a bias").equal(&bias));
    }

    #[test]
    fn layers_of_one_path_within_a_run_are_numbered_and_made_again_together() {
        let vs = VarStore::new(Device::Cpu);
        let make = || [linear(vs.root(), 3, 4, Default::default()), linear(vs.root(), 4, 2, Default::default())];
        let _first = make();
        let before = names(&vs);
        assert_eq!(before, ["bias", "bias__3", "weight", "weight__2"]);
        a_later_run(&vs);
        let [_, second] = make();
        assert_eq!(names(&vs), before);
        assert!(vs.variables()["weight__2"].equal(&second.ws));
    }

    #[test]
    fn a_kind_holds_for_what_is_made_later_and_for_what_is_below_a_path() {
        let mut vs = VarStore::new(Device::Cpu);
        vs.half();
        let layer = linear(vs.root() / "fc", 2, 2, Default::default());
        let norm = crate::nn::batch_norm1d(vs.root() / "fc2", 2, Default::default());
        assert_eq!([layer.ws.kind(), norm.running_var.kind(), vs.kind()], [Kind::Half; 3]);
        (vs.root() / "fc").float();
        assert_eq!([layer.ws.kind(), norm.running_var.kind()], [Kind::Float, Kind::Half]);
    }

    fn network(outputs: i64) -> VarStore {
        let vs = VarStore::new(Device::Cpu);
        let _layer = linear(vs.root() / "fc", 2, outputs, Default::default());
        vs
    }

    #[test]
    fn variables_read_back_from_files_of_every_ending() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["w.ot", "w.safetensors", "w.npz", "w.pt", "w.pth", "w.bin", "w"] {
            let (from, mut to) = (network(3), network(3));
            let path = folder.path().join(name);
            std::fs::write(&path, "old").expect("writes");
            from.save(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            to.load(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let is_same = |(name, variable): (String, Tensor)| variable.equal(&to.variables()[&name]);
            assert!(from.variables().into_iter().all(is_same), "{name}");
            assert!(to.trainable_variables().iter().all(Tensor::requires_grad), "{name}");
        }
        // Nothing is left beside them.
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 7);
        let mut stream = std::io::Cursor::new(Vec::new());
        let (from, mut to) = (network(3), network(3));
        from.save_to_stream(&mut stream).expect("writes");
        stream.set_position(0);
        to.load_from_stream(stream).expect("reads");
        assert!(from.variables()["fc.weight"].equal(&to.variables()["fc.weight"]));
    }

    #[test]
    fn a_file_that_does_not_fit_changes_nothing_and_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        // Broadcast, the one number of each would fill three.
        network(1).save(path("one.ot")).expect("writes");
        let partial = VarStore::new(Device::Cpu);
        let weight = (partial.root() / "fc").ones("weight", &[3, 2]);
        let _other = partial.root().ones("other", &[1]);
        partial.save(path("partial.ot")).expect("writes");
        let mut vs = network(3);
        let before = vs.variables()["fc.weight"].copy();
        for name in ["one.ot", "partial.ot", "none.ot", "one.safetensors"] {
            let error = vs.load(path(name)).expect_err("does not fit").to_string();
            assert!(error.contains(&path(name).display().to_string()), "{error}");
            assert!(vs.variables()["fc.weight"].equal(&before), "{name}");
        }
        let error = vs.load(path("one.ot")).expect_err("another shape").to_string();
        assert!(error.contains("shape of fc.weight: [1, 2] there, [3, 2] here"), "{error}");
        let error = vs.load(path("partial.ot")).expect_err("lacks the bias").to_string();
        assert!(error.contains("missing: fc.bias\n  unexpected: other"), "{error}");
        assert!(vs.load_partial(path("one.ot")).is_err());
        assert_eq!(vs.load_partial(path("partial.ot")).expect("reads"), ["fc.bias"]);
        assert!(vs.variables()["fc.weight"].equal(&weight));
    }

    #[test]
    fn a_save_that_fails_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("w.ot");
        network(3).save(&path).expect("writes");
        let before = std::fs::read(&path).expect("reads");
        let undefined = VarStore::new(Device::Cpu);
        undefined.variables_.lock().expect("nobody panicked").named_variables.insert("none".to_owned(), Tensor::new());
        assert!(undefined.save(&path).is_err());
        assert_eq!(std::fs::read(&path).expect("reads"), before);
        let nowhere = folder.path().join("none").join("w.ot");
        let error = network(3).save(&nowhere).expect_err("there is no such folder").to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", nowhere.display())), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("reads").count(), 1);
    }

    #[test]
    fn layers_of_tch_take_the_paths_and_the_store() {
        let mut vs = VarStore::new(Device::Cpu);
        let _layer = tch::nn::linear(vs.root() / "fc", 2, 2, Default::default());
        let root = vs.root();
        let _other = tch::nn::linear(&root / "out", 2, 2, Default::default());
        let by_value = |path: tch::nn::Path| path.components().count();
        assert_eq!(by_value((&root / "fc").into()), 1);
        let of_tch: &tch::nn::Path = &root;
        assert_eq!(of_tch.components().count(), 0);
        assert_eq!(vs.len(), 4);
        vs.freeze();
        assert!(vs.trainable_variables().iter().all(|variable| !variable.requires_grad()));
    }
}
