//! Chains of layers: `nn::seq()` and `nn::seq_t()`, as tch's, that know what their layers are called.

use std::any::{Any, type_name};
use std::fmt::{self, Debug};

use tch::Tensor;
use tch::nn::{Module, ModuleT};

use super::{chain, watch};

mod boxed;
mod place;
mod shared;

use boxed::Boxed;
pub use place::LayerKey;
use place::Place;
pub use shared::{Shared, shared};

/// A function as a layer, with the name under which it is shown.
struct Named<F: ?Sized> {
    name: &'static str,
    function: Box<F>,
}

impl<F: ?Sized> Debug for Named<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}()", self.name)
    }
}

type Function = Named<dyn Fn(&Tensor) -> Tensor + Send>;
type FunctionT = Named<dyn Fn(&Tensor, bool) -> Tensor + Send>;

impl Module for Function {
    fn forward(&self, xs: &Tensor) -> Tensor {
        (self.function)(xs)
    }
}

impl ModuleT for FunctionT {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        (self.function)(xs, train)
    }
}

/// What a layer is called where its type does not say.
fn kind(layer: &dyn Any) -> Option<&str> {
    macro_rules! first {
        ($($type:ty => $kind:ident,)*) => {
            $(if let Some(layer) = layer.downcast_ref::<$type>() { return Some(layer.$kind.as_ref()); })*
        };
    }
    first! {
        Function => name,
        FunctionT => name,
        Boxed<dyn Module> => kind,
        Boxed<dyn ModuleT> => kind,
    }
    None
}

const FUNCTION: &str = "Function";

macro_rules! sequential {
    (
        $(#[$doc:meta])* $chain:ident, $(#[$make_doc:meta])* $make:ident, $module:ident, $link:ident, $forward:ident,
        $all:ident, $($train:ident)?
    ) => {
        /// A layer of any type that can still say which.
        trait $link: $module + Any {
            fn type_name(&self) -> &'static str;
        }

        impl dyn $link {
            fn kind(&self) -> &str {
                kind(self).unwrap_or_else(|| self.type_name())
            }
        }

        impl<M: $module + 'static> $link for M {
            fn type_name(&self) -> &'static str {
                type_name::<M>()
            }
        }

        $(#[$doc])*
        pub struct $chain {
            layers: Vec<Box<dyn $link>>,
            /// Of each layer; empty for one without.
            names: Vec<String>,
        }

        $(#[$make_doc])*
        pub fn $make() -> $chain {
            $chain { layers: Vec::new(), names: Vec::new() }
        }

        impl $chain {
            /// The number of layers.
            pub fn len(&self) -> i64 {
                self.layers.len() as i64
            }

            /// Whether there is no layer.
            pub fn is_empty(&self) -> bool {
                self.layers.is_empty()
            }

            /// Goes on with a layer.
            #[allow(clippy::should_implement_trait, reason = "named as tch names it")]
            pub fn add<M: $module + 'static>(self, layer: M) -> Self {
                self.push(String::new(), Box::new(layer))
            }

            /// Goes on with a layer that has a name in the chain: for [`layer`](Self::layer), and for the message of a
            /// panic. Its variables have the names of the path with which it was made.
            ///
            /// ```
            /// use oxtorch::prelude::*;
            /// let vs = nn::VarStore::new(device());
            /// let hidden = nn::linear(vs.root() / "hidden", 4, 8, Default::default());
            /// let net = nn::seq().add_named("hidden", hidden).relu();
            /// assert_eq!(net.layer::<nn::Linear>("hidden").ws.size(), [8, 4]);
            /// assert_eq!(net.names(), ["hidden", ""]);
            /// ```
            ///
            /// # Panics
            ///
            /// Where the name is empty, or another layer of the chain has it.
            #[track_caller]
            pub fn add_named<M: $module + 'static>(self, name: impl Into<String>, layer: M) -> Self {
                let name = name.into();
                assert!(!name.is_empty(), "add_named: a name without letters; `add` adds a layer without one");
                assert!(!self.names.contains(&name), "add_named: there is a layer {name:?} already");
                self.push(name, Box::new(layer))
            }

            /// Goes on with a layer in a box, such as one that a function chose. `collect()` makes a chain of many.
            ///
            /// ```
            /// use oxtorch::prelude::*;
            /// use nn::{Module, ModuleT};
            /// let vs = nn::VarStore::new(device());
            /// let linear = |at: i64| nn::linear(vs.root() / at, 4, 4, Default::default());
            /// let layers: Vec<Box<dyn ModuleT>> = vec![Box::new(linear(0)), Box::new(nn::dropout(0.1))];
            /// let net: nn::SequentialT = layers.into_iter().collect();
            /// let boxed: Box<dyn Module> = Box::new(linear(1));
            /// assert_eq!((net.len(), nn::seq().add_boxed(boxed).len()), (2, 1));
            /// ```
            pub fn add_boxed(self, layer: Box<dyn $module>) -> Self {
                self.add(Boxed::new(layer))
            }

            /// The name of each layer, empty for those without.
            pub fn names(&self) -> &[String] {
                &self.names
            }

            fn push(mut self, name: String, layer: Box<dyn $link>) -> Self {
                self.layers.push(layer);
                self.names.push(name);
                self
            }

            /// Goes on with a function.
            pub fn add_fn<F>(self, function: F) -> Self
            where
                F: Fn(&Tensor) -> Tensor + Send + 'static,
            {
                self.add_function(FUNCTION, Box::new(function))
            }

            pub(super) fn add_function(self, name: &'static str, function: chain::Function) -> Self {
                self.add(Function { name, function })
            }

            /// The output of each of the first `n` layers, or of all.
            pub fn $all(&self, xs: &Tensor, $($train: bool,)? n: Option<usize>) -> Vec<Tensor> {
                if self.layers.is_empty() {
                    return vec![xs.shallow_clone()];
                }
                let mut outputs: Vec<Tensor> = Vec::new();
                for index in 0..n.map_or(self.layers.len(), |n| n.min(self.layers.len())) {
                    outputs.push(self.call(index, outputs.last().unwrap_or(xs), $($train)?));
                }
                outputs
            }

            /// The layer at an index, from 0, or of a name, as what it is: `net[0]` and `net.hidden` of PyTorch.
            /// Functions such as `relu()` count.
            ///
            /// ```
            /// use oxtorch::prelude::*;
            /// let vs = nn::VarStore::new(device());
            /// let net = nn::seq().add(nn::linear(vs.root() / "hidden", 4, 8, Default::default())).relu();
            /// let hidden: &nn::Linear = net.layer(0);
            /// assert_eq!(hidden.ws.size(), [8, 4]);
            /// ```
            ///
            /// # Panics
            ///
            /// Where there is no such layer, or it is of another type.
            #[track_caller]
            pub fn layer<M: $module + 'static>(&self, key: impl LayerKey) -> &M {
                let layer = self.layers[key.index(&self.names)].as_ref();
                let any: &dyn Any = layer;
                any.downcast_ref()
                    .unwrap_or_else(|| panic!("layer: layer {key:?} is {}, not {}", layer.kind(), type_name::<M>()))
            }

            fn call(&self, index: usize, xs: &Tensor, $($train: bool)?) -> Tensor {
                let layer = self.layers[index].as_ref();
                let _place =
                    Place { chain: stringify!($chain), index, name: &self.names[index], kind: layer.kind(), input: xs };
                watch::call(layer, layer.kind(), &mut || layer.$forward(xs, $($train)?))
            }
        }

        /// Each layer with its name, or its index.
        impl Debug for $chain {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut chain = f.debug_struct(stringify!($chain));
                for (index, (layer, name)) in self.layers.iter().zip(&self.names).enumerate() {
                    chain.field(if name.is_empty() { index.to_string() } else { name.clone() }.as_str(), layer);
                }
                chain.finish()
            }
        }

        impl FromIterator<Box<dyn $module>> for $chain {
            fn from_iter<I: IntoIterator<Item = Box<dyn $module>>>(layers: I) -> Self {
                layers.into_iter().fold($make(), Self::add_boxed)
            }
        }

        impl $module for $chain {
            fn $forward(&self, xs: &Tensor, $($train: bool)?) -> Tensor {
                (0..self.layers.len()).fold(xs.shallow_clone(), |xs, index| self.call(index, &xs, $($train)?))
            }
        }
    };
}

sequential!(
    /// Layers one after the other.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let net: nn::Sequential = nn::seq()
    ///     .add(nn::linear(&vs.root() / "hidden", 4, 8, Default::default()))
    ///     .relu()
    ///     .add(nn::linear(&vs.root() / "out", 8, 2, Default::default()));
    /// assert_eq!(net.forward(&Tensor::zeros([5, 4], (Kind::Float, device()))).size(), [5, 2]);
    /// ```
    Sequential,
    /// A chain without layers yet.
    seq,
    Module,
    Link,
    forward,
    forward_all,
);
sequential!(
    /// Layers one after the other, some of which do otherwise in training.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let vs = nn::VarStore::new(device());
    /// let net: nn::SequentialT = nn::seq_t()
    ///     .add(nn::conv2d(&vs.root() / "conv", 1, 4, 3, Default::default()))
    ///     .add(nn::batch_norm2d(&vs.root() / "norm", 4, Default::default()))
    ///     .relu();
    /// assert_eq!(net.forward_t(&Tensor::zeros([2, 1, 8, 8], (Kind::Float, device())), true).size(), [2, 4, 6, 6]);
    /// ```
    SequentialT,
    /// A chain that knows of training, without layers yet.
    seq_t,
    ModuleT,
    LinkT,
    forward_t,
    forward_all_t,
    train
);

impl SequentialT {
    /// Goes on with a function that is told whether this is training.
    pub fn add_fn_t<F>(self, function: F) -> Self
    where
        F: Fn(&Tensor, bool) -> Tensor + Send + 'static,
    {
        self.add_function_t(FUNCTION, Box::new(function))
    }

    pub(super) fn add_function_t(self, name: &'static str, function: chain::FunctionT) -> Self {
        self.add(FunctionT { name, function })
    }
}

#[cfg(test)]
mod tests;
