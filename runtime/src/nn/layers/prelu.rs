//! PReLU: a ReLU whose slope below 0 is learned.

use std::borrow::Borrow;

use tch::Tensor;
use tch::nn::{Init, Module};

use crate::nn::Path;

/// How a [`PReLU`] is made.
#[derive(Debug, Clone, Copy)]
pub struct PReLUConfig {
    /// 1 for one slope, or the number of channels for one each. Default 1.
    pub num_parameters: i64,
    /// The slope to begin with. Default 0.25.
    pub init: f64,
}

impl Default for PReLUConfig {
    fn default() -> Self {
        Self { num_parameters: 1, init: 0.25 }
    }
}

/// `x` where it is positive, else `weight * x` (K. He et al., Delving deep into rectifiers, 2015): PyTorch's
/// `nn.PReLU`.
#[derive(Debug)]
pub struct PReLU {
    /// `[1]`, or `[channels]`: the slopes.
    pub weight: Tensor,
}

/// Makes a [`PReLU`], with the variable `weight`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let prelu: nn::PReLU = nn::prelu(vs.root() / "prelu", Default::default());
/// let y = prelu.forward(&Tensor::from_slice(&[-4f32, 2.0]).to_device(device()));
/// assert_eq!(y, Tensor::from_slice(&[-1f32, 2.0]).to_device(device()));
/// ```
///
/// # Panics
///
/// Where there is no slope.
pub fn prelu<'a>(path: impl Borrow<Path<'a>>, config: PReLUConfig) -> PReLU {
    let count = config.num_parameters;
    assert!(count > 0, "prelu: {count} slopes; there is one, or one for each channel");
    PReLU { weight: path.borrow().layer().var("weight", &[count], Init::Const(config.init)) }
}

/// The shape stays. Where there is more than one slope, it takes `[N, channels, ...]`.
///
/// # Panics
///
/// Where there are neither one slope nor as many as channels.
impl Module for PReLU {
    fn forward(&self, xs: &Tensor) -> Tensor {
        let (size, count) = (xs.size(), self.weight.size()[0]);
        assert!(
            count == 1 || size.get(1) == Some(&count),
            "prelu: a tensor of {size:?} for {count} slopes; it is [N, {count}, ...] here"
        );
        xs.prelu(&self.weight)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::VarStore;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn outputs_and_gradients_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/norms.json"));
        for (name, num_parameters) in [("one", 1), ("channels", 3)] {
            let vs = VarStore::new(Device::Cpu);
            let layer = prelu(vs.root(), PReLUConfig { num_parameters, ..Default::default() });
            assert!(layer.weight.equal(&Tensor::full([num_parameters], 0.25, (Kind::Float, Device::Cpu))));
            reference.load(&format!("/prelu/{name}/parameters"), &vs);
            let output = layer.forward(&reference.tensor("/prelu/input"));
            reference.check(&format!("/prelu/{name}/output"), &output, 1e-6);
            output.square().sum(Kind::Float).backward();
            reference.check(&format!("/prelu/{name}/gradient"), &layer.weight.grad(), 1e-4);
        }
    }

    #[test]
    fn other_channels_than_slopes_are_refused() {
        let vs = VarStore::new(Device::Cpu);
        let layer = prelu(vs.root(), PReLUConfig { num_parameters: 3, ..Default::default() });
        let xs = Tensor::ones([2, 4], (Kind::Float, Device::Cpu));
        assert!(panic_message(|| layer.forward(&xs)).contains("it is [N, 3, ...] here"));
    }
}
