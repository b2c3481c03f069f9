//! Layers whose weight is computed from other variables: `torch.nn.utils.parametrizations`.

use std::fmt::{self, Debug};
use std::sync::Mutex;

use tch::Tensor;
use tch::nn::{Conv, ConvTranspose1D, ConvTranspose2D, ConvTranspose3D, Embedding, Linear};

use crate::lock::lock;
use crate::nn::layers::linear::Bilinear;
use crate::nn::{Path, VarStore};

mod spectral_norm;
#[cfg(test)]
mod tests;
mod weight_norm;

pub use spectral_norm::{SpectralNorm, SpectralNormConfig, spectral_norm};
pub use weight_norm::{WeightNorm, WeightNormConfig, weight_norm};

/// A layer with a weight that can be replaced.
pub trait Weighted {
    /// The variable `weight`.
    fn weight_mut(&mut self) -> &mut Tensor;

    /// The variable `bias`.
    fn bias_mut(&mut self) -> Option<&mut Tensor>;

    /// Which dimension of the weight counts the outputs.
    fn output_dim(&self) -> i64 {
        0
    }
}

macro_rules! weighted {
    ($(($($generic:tt)*) $layer:ty, $output_dim:literal;)*) => {
        $(impl $($generic)* Weighted for $layer {
            fn weight_mut(&mut self) -> &mut Tensor {
                &mut self.ws
            }

            fn bias_mut(&mut self) -> Option<&mut Tensor> {
                self.bs.as_mut()
            }

            fn output_dim(&self) -> i64 {
                $output_dim
            }
        })*
    };
}

weighted! {
    () Linear, 0;
    () Bilinear, 0;
    (<ND>) Conv<ND>, 0;
    () ConvTranspose1D, 1;
    () ConvTranspose2D, 1;
    () ConvTranspose3D, 1;
}

impl Weighted for Embedding {
    fn weight_mut(&mut self) -> &mut Tensor {
        &mut self.ws
    }

    fn bias_mut(&mut self) -> Option<&mut Tensor> {
        None
    }
}

/// A layer that runs with another weight each time, and has none in between: so it keeps no graph alive.
struct Reweighted<L>(Mutex<L>);

impl<L: Debug> Debug for Reweighted<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0).fmt(f)
    }
}

impl<L: Weighted> Reweighted<L> {
    /// Makes the layer, with its bias at the path. What its weight begins with is returned beside it, and no variable.
    fn new(path: &Path<'_>, make: impl FnOnce(&Path<'_>) -> L) -> (Self, Tensor) {
        let mut elsewhere = VarStore::new(path.device());
        elsewhere.set_kind(path.kind());
        let mut layer = make(&elsewhere.root());
        if let Some(bias) = layer.bias_mut() {
            *bias = path.add("bias", bias.detach(), true);
        }
        let weight = std::mem::replace(layer.weight_mut(), Tensor::new()).detach();
        (Self(Mutex::new(layer)), weight)
    }

    fn run(&self, weight: Tensor, forward: impl FnOnce(&L) -> Tensor) -> Tensor {
        let mut layer = lock(&self.0);
        *layer.weight_mut() = weight;
        let output = forward(&layer);
        *layer.weight_mut() = Tensor::new();
        output
    }
}

/// Where PyTorch has the variables that a weight is computed from.
fn place<'a>(path: &Path<'a>) -> Path<'a> {
    path / "parametrizations" / "weight"
}
