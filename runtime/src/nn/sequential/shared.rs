//! One layer in several places.

use std::any::type_name;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex};

use tch::Tensor;
use tch::nn::Module;

use crate::lock::lock;
use crate::nn::watch;

/// A layer that stands in several places with the same weights: each clone is the same layer.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let hidden = nn::shared(nn::linear(vs.root() / "hidden", 4, 4, Default::default()));
/// let net = nn::seq().add(hidden.clone()).tanh().add(hidden.clone()).tanh();
/// assert_eq!(net.forward(&Tensor::zeros([2, 4], (Kind::Float, device()))).size(), [2, 4]);
/// assert_eq!(vs.variables().len(), 2);
/// ```
///
/// Two layers of different kinds can share a weight alone, such as that of an embedding and of the layer before the
/// softmax (O. Press and L. Wolf, 2016):
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let tokens = nn::embedding(vs.root() / "tokens", 20, 8, Default::default());
/// let out = nn::Linear { ws: tokens.ws.shallow_clone(), bs: None };
/// let x = Tensor::from_slice(&[3i64, 1]).to_device(device());
/// assert_eq!(out.forward(&tokens.forward(&x)).size(), [2, 20]);
/// assert_eq!(vs.variables().len(), 1);
/// ```
pub struct Shared<M>(Arc<Mutex<M>>);

/// The layer's own.
impl<M: Debug> Debug for Shared<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0).fmt(f)
    }
}

/// Makes a layer one that can stand in several places.
pub fn shared<M>(layer: M) -> Shared<M> {
    Shared(Arc::new(Mutex::new(layer)))
}

/// The same layer once more, not a copy.
impl<M> Clone for Shared<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Module + 'static> Module for Shared<M> {
    fn forward(&self, xs: &Tensor) -> Tensor {
        let layer = lock(&self.0);
        watch::call(&*layer, type_name::<M>(), &mut || layer.forward(xs))
    }
}
