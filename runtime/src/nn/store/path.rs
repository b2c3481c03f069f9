//! The places in a store where layers make their variables.

use std::borrow::Borrow;
use std::ops::{Deref, Div};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tch::nn::Init;
use tch::{Device, Kind, TchError, Tensor};

use super::entry::Entry;
use super::given::Given;
use super::remade_layers::{Layer, Made};
use super::var_store::{SEPARATOR, VarStore, float_kinds, is_trainable};

/// A place in a [`VarStore`], under which a layer finds its variables: [`tch::nn::Path`], and used as that.
/// `path / "fc"` is a place below it.
#[derive(Debug, Clone)]
pub struct Path<'a> {
    path: tch::nn::Path<'a>,
    store: &'a VarStore,
    /// That the place belongs to, from the outermost on. Each cell that drops a path would compile how a `Vec` of them
    /// is dropped; for an `Arc` it calls that.
    layers: Arc<[Layer]>,
    /// Of a path that `set_group` has returned, and of those below it.
    grouped: Option<Arc<Grouped>>,
    /// What layers get instead of new variables.
    given: Option<Arc<Given>>,
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
        pub fn $name(&self, name: &str, dims: &[i64], $($argument: $ty),*) -> Tensor {
            let make = || self.add(name, self.empty_store().root().$name(NEW, dims, $($argument),*), true);
            self.given(name, dims).unwrap_or_else(make)
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
    pub(super) fn new(path: tch::nn::Path<'a>, store: &'a VarStore) -> Self {
        Self { path, store, layers: Arc::new([]), grouped: None, given: None }
    }

    /// The same place, with weights for the layers that are made there.
    pub(super) fn with_weights(self, given: Arc<Given>) -> Self {
        Self { given: Some(given), ..self }
    }

    /// The weight that is given instead of a variable.
    fn given(&self, name: &str, size: &[i64]) -> Option<Tensor> {
        self.given.as_ref().map(|given| given.take(&self.path.path(name), size))
    }

    /// Whether layers get weights here that are there already, instead of new ones.
    pub(crate) fn has_given_weights(&self) -> bool {
        self.given.is_some()
    }

    /// A place below this one; the same as `path / name`.
    ///
    /// # Panics
    ///
    /// Where the name holds a dot.
    pub fn sub(&self, name: impl ToString) -> Path<'a> {
        self.below(name.to_string())
    }

    fn below(&self, name: String) -> Path<'a> {
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

    pub(super) fn set_float_kind(&self, kind: Kind) {
        self.cast(kind, Tensor::is_floating_point);
    }

    fn cast(&self, kind: Kind, which: impl Fn(&Tensor) -> bool) {
        // tch takes `fc2.weight` to be below `fc`.
        let place: String = self.path.components().map(|part| format!("{part}{SEPARATOR}")).collect();
        let below = self.store.variables().into_iter().filter(|(name, _)| name.starts_with(&place));
        let cast: Vec<(String, Tensor)> = below.filter(|(_, variable)| which(variable)).collect();
        let can_be_trained = is_trainable(&Tensor::zeros([0], (kind, Device::Cpu)));
        if let Some((name, _)) = cast.iter().find(|(_, variable)| variable.requires_grad() && !can_be_trained) {
            panic!("the variable {name:?} is trained, which takes floating-point numbers, not {kind:?}");
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
        if let Some(given) = self.given(name, &tensor.size()) {
            return given;
        }
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
        var(init: Init);
        /// Makes a variable of zeros.
        zeros();
        /// Makes a variable of ones.
        ones();
        /// Makes a variable, normal with a mean of 0 and a deviation of 1.
        randn_standard();
        /// Makes a variable, normal.
        randn(mean: f64, stdev: f64);
        /// Makes a variable, uniform.
        uniform(lo: f64, up: f64);
        /// Makes a variable as [`init::kaiming_uniform_`](crate::nn::init::kaiming_uniform_) draws one for ReLU.
        kaiming_uniform();
        /// Makes a variable as [`init::kaiming_normal_`](crate::nn::init::kaiming_normal_) draws one for ReLU.
        kaiming_normal();
        /// Makes a variable as [`init::orthogonal_`](crate::nn::init::orthogonal_) draws one.
        orthogonal(gain: f64);
    }

    /// Makes a variable with the numbers of a tensor.
    pub fn var_copy(&self, name: &str, tensor: &Tensor) -> Tensor {
        self.add(name, self.empty_store().root().var_copy(NEW, tensor), true)
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
