//! The network between two attentions, with a gate: `w2(silu(w1(x)) * w3(x))`.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Linear, Module};

use super::linear::{LinearConfig, linear};
use crate::nn::Path;

/// `w2(silu(w1(x)) * w3(x))`, where `silu(x) = x * sigmoid(x)` (N. Shazeer, GLU variants improve transformer, 2020).
///
/// The names are those of Meta's Llama; in the Transformers library `w1` is `gate_proj`, `w3` is `up_proj` and `w2` is
/// `down_proj`.
#[derive(Debug)]
pub struct SwiGLU {
    /// The gate, from `dim` to `hidden`.
    pub w1: Linear,
    /// From `hidden` back to `dim`.
    pub w2: Linear,
    /// What goes through the gate, from `dim` to `hidden`.
    pub w3: Linear,
}

/// Makes a [`SwiGLU`] from `dim` numbers to as many, with `hidden` in between: three matrices without biases, `w1`,
/// `w2` and `w3`, that begin as those of [`linear`]. For as many weights as in a network of two matrices with `4 * dim`
/// in between, give `8 * dim / 3`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let feed_forward: nn::SwiGLU = nn::swiglu(vs.root() / "feed_forward", 48, 128);
/// let x = Tensor::randn([2, 5, 48], (Kind::Float, device()));
/// assert_eq!(feed_forward.forward(&x).size(), [2, 5, 48]);
/// ```
pub fn swiglu<'a>(path: impl Borrow<Path<'a>>, dim: i64, hidden: i64) -> SwiGLU {
    let path = &path.borrow().layer();
    let config = LinearConfig { bias: false, ..Default::default() };
    SwiGLU {
        w1: linear(path / "w1", dim, hidden, config),
        w2: linear(path / "w2", hidden, dim, config),
        w3: linear(path / "w3", dim, hidden, config),
    }
}

/// `[..., dim]` to the same shape.
impl Module for SwiGLU {
    fn forward(&self, xs: &Tensor) -> Tensor {
        self.w2.forward(&(self.w1.forward(xs).silu() * self.w3.forward(xs)))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::VarStore;
    use crate::reference::Reference;

    #[test]
    fn outputs_and_gradients_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/norms.json"));
        let vs = VarStore::new(Device::Cpu);
        let layer = swiglu(vs.root(), 4, 6);
        reference.load("/swiglu/parameters", &vs);
        let output = layer.forward(&reference.tensor("/swiglu/input"));
        reference.check("/swiglu/output", &output, 1e-5);
        output.square().sum(Kind::Float).backward();
        for name in ["w1", "w2", "w3"] {
            let gradient = vs.variables()[&format!("{name}.weight")].grad();
            reference.check(&format!("/swiglu/gradients/{name}.weight"), &gradient, 1e-4);
        }
    }
}
