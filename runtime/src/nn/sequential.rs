//! Chains of layers: `nn::seq()` and `nn::seq_t()`, as tch's, that know what their layers are called.

use std::any::{Any, type_name};
use std::fmt::{self, Debug};

use tch::Tensor;
use tch::nn::{Module, ModuleT};

use super::{chain, watch};

/// A function as a layer, with the name under which it is shown.
struct Named<F: ?Sized> {
    name: &'static str,
    function: Box<F>,
}

impl<F: ?Sized> Debug for Named<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
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

fn kind(layer: &dyn Any, type_name: &'static str) -> &'static str {
    let function = layer.downcast_ref::<Function>().map(|function| function.name);
    function.or_else(|| layer.downcast_ref::<FunctionT>().map(|function| function.name)).unwrap_or(type_name)
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

        impl<M: $module + 'static> $link for M {
            fn type_name(&self) -> &'static str {
                type_name::<M>()
            }
        }

        $(#[$doc])*
        #[derive(Debug)]
        pub struct $chain {
            layers: Vec<Box<dyn $link>>,
        }

        $(#[$make_doc])*
        pub fn $make() -> $chain {
            $chain { layers: Vec::new() }
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
            pub fn add<M: $module + 'static>(mut self, layer: M) -> Self {
                self.layers.push(Box::new(layer));
                self
            }

            /// Goes on with a function.
            pub fn add_fn<F>(self, function: F) -> Self
            where
                F: Fn(&Tensor) -> Tensor + Send + 'static,
            {
                self.add_named(FUNCTION, Box::new(function))
            }

            pub(super) fn add_named(self, name: &'static str, function: Box<dyn Fn(&Tensor) -> Tensor + Send>) -> Self {
                self.add(Function { name, function })
            }

            /// The output of each of the first `n` layers, or of all.
            pub fn $all(&self, xs: &Tensor, $($train: bool,)? n: Option<usize>) -> Vec<Tensor> {
                if self.layers.is_empty() {
                    return vec![xs.shallow_clone()];
                }
                let mut outputs: Vec<Tensor> = Vec::new();
                for layer in self.layers.iter().take(n.unwrap_or(self.layers.len())) {
                    let output = Self::call(layer.as_ref(), outputs.last().unwrap_or(xs), $($train)?);
                    outputs.push(output);
                }
                outputs
            }

            /// The layer at an index, from 0, as what it is: `net[0]` of PyTorch. Functions such as `relu()` count.
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
            pub fn layer<M: $module + 'static>(&self, index: usize) -> &M {
                let Some(layer) = self.layers.get(index) else {
                    panic!("layer: there is no layer {index} in a chain of {}; they count from 0", self.layers.len());
                };
                let any: &dyn Any = layer.as_ref();
                let is = kind(any, layer.as_ref().type_name());
                any.downcast_ref().unwrap_or_else(|| panic!("layer: layer {index} is {is}, not {}", type_name::<M>()))
            }

            fn call(layer: &dyn $link, xs: &Tensor, $($train: bool)?) -> Tensor {
                let any: &dyn Any = layer;
                watch::call(any, kind(any, layer.type_name()), &mut || layer.$forward(xs, $($train)?))
            }
        }

        impl $module for $chain {
            fn $forward(&self, xs: &Tensor, $($train: bool)?) -> Tensor {
                self.layers.iter().fold(xs.shallow_clone(), |xs, layer| Self::call(layer.as_ref(), &xs, $($train)?))
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
        self.add_named_t(FUNCTION, Box::new(function))
    }

    pub(super) fn add_named_t(self, name: &'static str, function: chain::FunctionT) -> Self {
        self.add(FunctionT { name, function })
    }
}

#[cfg(test)]
mod tests {
    use crate::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::{Chain, ChainT, linear};
    use crate::tests::panic_message;

    #[test]
    fn a_chain_gives_what_its_layers_give_one_after_the_other() {
        let vs = VarStore::new(Device::Cpu);
        let (hidden, out) =
            (|| linear(&vs.root() / "a", 3, 4, Default::default()), linear(&vs.root() / "b", 4, 2, Default::default()));
        let hidden = hidden();
        let expected = out.forward(&hidden.forward(&Tensor::ones([5, 3], (Kind::Float, Device::Cpu))).tanh());
        let net = seq().add(hidden).add_fn(Tensor::tanh).add(out);
        let xs = Tensor::ones([5, 3], (Kind::Float, Device::Cpu));
        assert!(net.forward(&xs).equal(&expected));
        assert_eq!((net.len(), net.is_empty(), seq().is_empty()), (3, false, true));
        let all = net.forward_all(&xs, None);
        assert_eq!(all.iter().map(Tensor::size).collect::<Vec<_>>(), [[5, 4], [5, 4], [5, 2]]);
        assert!(all[2].equal(&expected));
        assert_eq!(net.forward_all(&xs, Some(1)).len(), 1);
        assert!(seq().forward(&xs).equal(&xs) && seq_t().forward_t(&xs, true).equal(&xs));
    }

    #[test]
    fn a_layer_is_found_by_its_index() {
        let vs = VarStore::new(Device::Cpu);
        let net = seq_t().add(linear(&vs.root() / "a", 3, 4, Default::default())).relu();
        assert!(net.layer::<tch::nn::Linear>(0).ws.equal(&vs.variables()["a.weight"]));
        let message = |index| {
            let find = || drop(net.layer::<tch::nn::Linear>(index).ws.size());
            panic_message(find)
        };
        assert!(message(1).contains("layer 1 is ReLU, not tch::nn::linear::Linear"), "{}", message(1));
        assert!(message(2).contains("no layer 2 in a chain of 2"));
    }

    #[test]
    fn a_chain_may_stand_in_another_and_is_told_of_training() {
        let xs = Tensor::ones([2], (Kind::Float, Device::Cpu));
        let double = seq().add_fn(|xs| xs * 2.0);
        let net = seq_t().add(double).add_fn_t(|xs, train| if train { xs + 1.0 } else { xs.shallow_clone() });
        let net = seq_t().add(net).dropout(0.0).add(tch::nn::seq().relu());
        assert_eq!(net.forward_t(&xs, true), Tensor::from_slice(&[3f32, 3.0]));
        assert_eq!(net.forward_t(&xs, false), Tensor::from_slice(&[2f32, 2.0]));
        assert_eq!(net.forward_all_t(&xs, true, None).len(), 3);
    }
}
