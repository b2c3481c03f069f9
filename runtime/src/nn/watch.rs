//! Layers that tell what they give while a network is run for [`summary`](crate::summary::summary): forward hooks.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::ops::{Deref, DerefMut};

use tch::Tensor;
use tch::nn::{
    Conv1D, Conv2D, Conv3D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D, Embedding, GroupNorm, LayerNorm, Linear,
    Module, ModuleT,
};

use super::BatchNorm;

/// One call of a layer.
#[derive(Debug)]
pub(crate) struct Call {
    /// How many layers this one is within.
    pub(crate) depth: usize,
    /// As its type is called.
    pub(crate) kind: String,
    /// Where they can be told.
    pub(crate) weights: Vec<Tensor>,
    pub(crate) output: Vec<i64>,
}

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static CALLS: RefCell<Vec<Call>> = const { RefCell::new(Vec::new()) };
}

/// The calls of layers in the order in which they begin, while a function runs.
pub(crate) fn calls(run: impl FnOnce()) -> Vec<Call> {
    /// A panic ends it too.
    struct Watching;
    impl Drop for Watching {
        fn drop(&mut self) {
            WATCHING.set(false);
            DEPTH.set(0);
        }
    }
    CALLS.with_borrow_mut(Vec::clear);
    WATCHING.set(true);
    let watching = Watching;
    run();
    drop(watching);
    CALLS.take()
}

/// Layers around another one, whose call they note.
const NOTE_THEMSELVES: [&str; 2] = ["::watch::Watched", "::shared::Shared"];

/// Runs a layer, and notes its call where calls are noted.
pub(crate) fn call(layer: &dyn Any, kind: &str, forward: &mut dyn FnMut() -> Tensor) -> Tensor {
    if !WATCHING.get() || NOTE_THEMSELVES.iter().any(|path| kind.contains(path)) {
        return forward();
    }
    let depth = DEPTH.get();
    let call = Call { depth, kind: short(kind), weights: weights(layer), output: Vec::new() };
    let at = CALLS.with_borrow_mut(|calls| {
        calls.push(call);
        calls.len() - 1
    });
    DEPTH.set(depth + 1);
    let output = forward();
    DEPTH.set(depth);
    CALLS.with_borrow_mut(|calls| calls[at].output = output.size());
    output
}

/// `tch::nn::linear::Linear` is `Linear`; the types of convolutions are told by their aliases.
pub(crate) fn short(kind: &str) -> String {
    let (path, parameters) = kind.split_once('<').unwrap_or((kind, ""));
    let name = path.rsplit("::").next().unwrap_or(path);
    let dimensions = parameters.strip_prefix("[i64; ").and_then(|rest| rest.strip_suffix("]>"));
    match (name, dimensions) {
        ("Conv", Some(dimensions)) => format!("Conv{dimensions}D"),
        ("ConvTransposeND", Some(dimensions)) => format!("ConvTranspose{dimensions}D"),
        ("Func" | "FuncT", _) => "Function".to_owned(),
        (name, _) => name.to_owned(),
    }
}

/// The weights of a layer of tch. Others consist of such layers, or keep them to themselves.
fn weights(layer: &dyn Any) -> Vec<Tensor> {
    fn pair(weight: Option<&Tensor>, bias: Option<&Tensor>) -> Vec<Tensor> {
        weight.into_iter().chain(bias).map(Tensor::shallow_clone).collect()
    }
    macro_rules! first {
        ($($($type:ty),* => |$layer:ident| $weights:expr;)*) => {
            $($(if let Some($layer) = layer.downcast_ref::<$type>() { return $weights; })*)*
        };
    }
    first! {
        Linear, Conv1D, Conv2D, Conv3D, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D => |layer| {
            pair(Some(&layer.ws), layer.bs.as_ref())
        };
        Embedding => |layer| pair(Some(&layer.ws), None);
        LayerNorm, GroupNorm => |layer| pair(layer.ws.as_ref(), layer.bs.as_ref());
        BatchNorm => |layer| {
            let mut weights = pair(layer.ws.as_ref(), layer.bs.as_ref());
            weights.extend([layer.running_mean.shallow_clone(), layer.running_var.shallow_clone()]);
            weights
        };
    }
    Vec::new()
}

/// A layer whose output [`summary`](crate::summary::summary) shows. It is used as the layer itself.
///
/// ```
/// use oxtorch::prelude::*;
/// #[derive(Debug)]
/// struct Net { conv: nn::Watched<nn::Conv2D>, out: nn::Watched<nn::Linear> }
/// impl nn::Module for Net {
///     fn forward(&self, xs: &Tensor) -> Tensor {
///         xs.apply(&self.conv).relu().flatten(1, -1).apply(&self.out)
///     }
/// }
/// let vs = nn::VarStore::new(device());
/// let net = Net {
///     conv: nn::watch(nn::conv2d(&vs.root() / "conv", 1, 4, 3, Default::default())),
///     out: nn::watch(nn::linear(&vs.root() / "out", 4 * 6 * 6, 10, Default::default())),
/// };
/// assert_eq!(net.conv.ws.size(), [4, 1, 3, 3]);
/// summary(&vs).forward(&net, [1, 1, 8, 8])
/// # ;
/// ```
pub struct Watched<M>(M);

/// The layer's own.
impl<M: Debug> Debug for Watched<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Has [`summary`](crate::summary::summary) show the output of a layer that stands in a struct of one's own. Layers of
/// `nn::seq()` and `nn::seq_t()` are shown without it.
pub fn watch<M>(layer: M) -> Watched<M> {
    Watched(layer)
}

impl<M> Deref for Watched<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for Watched<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M: Module + 'static> Module for Watched<M> {
    fn forward(&self, xs: &Tensor) -> Tensor {
        call(&self.0, std::any::type_name::<M>(), &mut || self.0.forward(xs))
    }
}

/// A layer with a training mode whose output [`summary`](crate::summary::summary) shows, as [`Watched`] is for one
/// without.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let norm: nn::WatchedT<nn::BatchNorm> = nn::watch_t(nn::batch_norm2d(vs.root(), 3, Default::default()));
/// let x = Tensor::randn([2, 3, 4, 4], (Kind::Float, device()));
/// assert_eq!(norm.forward_t(&x, true).size(), [2, 3, 4, 4]);
/// ```
pub struct WatchedT<M>(M);

/// The layer's own.
impl<M: Debug> Debug for WatchedT<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// [`watch`] for a layer with a training mode, such as a batch norm.
pub fn watch_t<M>(layer: M) -> WatchedT<M> {
    WatchedT(layer)
}

impl<M> Deref for WatchedT<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.0
    }
}

impl<M> DerefMut for WatchedT<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.0
    }
}

impl<M: ModuleT + 'static> ModuleT for WatchedT<M> {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        call(&self.0, std::any::type_name::<M>(), &mut || self.0.forward_t(xs, train))
    }
}
