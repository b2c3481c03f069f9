//! Initial values for variables that are there already, as in `torch.nn.init`; and all of [`mod@tch::nn::init`], for
//! variables that are made.
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let net = nn::seq().add(nn::linear(&vs.root() / "1", 4, 8, Default::default())).tanh();
//! nn::init::apply(&vs, |name, variable| match name.ends_with("bias") {
//!     true => nn::init::zeros_(variable),
//!     false => nn::init::xavier_uniform_(variable, 1.0),
//! });
//! assert!(vs.variables()["1.bias"].abs().max().double_value(&[]) == 0.0);
//! ```
//!
//! Random numbers are those of libtorch: [`seed`](crate::nn::seed) repeats them.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use super::by_name;
use crate::modes::no_grad;

pub use tch::nn::init::*;

/// Uniform from `-1/sqrt(fan_in)` to `1/sqrt(fan_in)`: what the linear layers and the convolutions of PyTorch begin
/// with, weights and biases, where it is written as `kaiming_uniform_(weight, a=sqrt(5))`. For a bias, the fan is that
/// of its layer's weight.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let config = nn::LinearConfig { bs_init: Some(nn::Init::Const(0.0)), ..Default::default() };
/// let layer = nn::linear(vs.root(), 64, 64, config);
/// assert!(layer.ws.abs().max().double_value(&[]) <= 1.0 / 8.0);
/// ```
pub const PYTORCH_UNIFORM: Init = Init::Kaiming {
    dist: NormalOrUniform::Uniform,
    fan: FanInOut::FanIn,
    // sqrt(1/3): the gain of a leaky ReLU with a slope of sqrt(5).
    non_linearity: NonLinearity::ExplicitGain(0.577_350_269_189_625_8),
};

/// What an initial value is for a tensor of a layer whose weight is of a size: where it asks for a fan, that is the
/// weight's. A bias has none of its own, and tch would take it as 1.
pub(super) fn in_layer_of(weight: &[i64], init: Init) -> Init {
    let Init::Kaiming { dist, fan, non_linearity } = init else {
        return init;
    };
    let fan = fan.for_weight_dims(weight);
    if fan == 0 {
        return Init::Const(0.0);
    }
    let std = non_linearity.gain() / (fan as f64).sqrt();
    match dist {
        NormalOrUniform::Normal => Init::Randn { mean: 0.0, stdev: std },
        NormalOrUniform::Uniform => Init::Uniform { lo: -3f64.sqrt() * std, up: 3f64.sqrt() * std },
    }
}

/// Calls a function with the name and the tensor of each variable, in the order of the names: `net.apply` of PyTorch.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root(), 3, 2, Default::default());
/// nn::init::apply(&vs, |_, variable| nn::init::constant_(variable, 0.5));
/// assert_eq!(layer.forward(&Tensor::ones([1, 3], (Kind::Float, device()))).double_value(&[0, 0]), 2.0);
/// ```
pub fn apply(vs: &VarStore, mut init: impl FnMut(&str, &Tensor)) {
    // A map's own order differs from run to run, and with it what a seed gives.
    by_name(vs).iter().for_each(|(name, variable)| init(name, variable));
}

/// Draws from the uniform distribution from `low` to `high`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([100], (Kind::Float, Device::Cpu));
/// nn::init::uniform_(&x, -0.1, 0.1);
/// assert!(x.abs().max().double_value(&[]) <= 0.1);
/// ```
///
/// # Panics
///
/// Where `low` is above `high`.
pub fn uniform_(tensor: &Tensor, low: f64, high: f64) {
    assert!(low <= high, "uniform_: from {low} to {high}; the lower bound comes first");
    let _ = no_grad(|| tensor.shallow_clone().uniform_(low, high));
}

/// Draws from the normal distribution.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([10000], (Kind::Float, Device::Cpu));
/// nn::init::normal_(&x, 1.0, 0.02);
/// assert!((x.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.01);
/// ```
///
/// # Panics
///
/// Where the deviation is negative.
pub fn normal_(tensor: &Tensor, mean: f64, std: f64) {
    assert!(std >= 0.0, "normal_: a deviation of {std}; it must not be negative");
    let _ = no_grad(|| tensor.shallow_clone().normal_(mean, std));
}

/// Draws from the part of the normal distribution that lies between `a` and `b`. PyTorch's defaults are a mean of 0, a
/// deviation of 1, and bounds of -2 and 2.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([1000], (Kind::Float, Device::Cpu));
/// nn::init::trunc_normal_(&x, 0.0, 0.02, -0.04, 0.04);
/// assert!(x.abs().max().double_value(&[]) <= 0.04 + 1e-6);
/// ```
///
/// # Panics
///
/// Where the deviation is not positive, or `a` is not below `b`.
pub fn trunc_normal_(tensor: &Tensor, mean: f64, std: f64, a: f64, b: f64) {
    assert!(
        std > 0.0 && a < b,
        "trunc_normal_: a deviation of {std} from {a} to {b}; it must be positive, and the lower bound comes first"
    );
    let cumulative = |x: f64| {
        let x = Tensor::from((x - mean) / std / 2f64.sqrt());
        x.erf().double_value(&[])
    };
    // The error function of what is drawn is uniform between those of the bounds.
    let (low, high) = (cumulative(a), cumulative(b));
    no_grad(|| {
        let mut drawn = Tensor::empty(tensor.size(), (Kind::Double, tensor.device()));
        let drawn = drawn.uniform_(low, high).erfinv() * (std * 2f64.sqrt()) + mean;
        tensor.shallow_clone().copy_(&drawn.clamp(a, b));
    });
}

/// Sets all to one value.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([2], (Kind::Float, Device::Cpu));
/// nn::init::constant_(&x, 0.5);
/// assert_eq!(x, Tensor::from_slice(&[0.5f32, 0.5]));
/// ```
pub fn constant_(tensor: &Tensor, value: f64) {
    let _ = no_grad(|| tensor.shallow_clone().fill_(value));
}

/// Sets all to 0.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::ones([2], (Kind::Float, Device::Cpu));
/// nn::init::zeros_(&x);
/// assert_eq!(x, Tensor::from_slice(&[0f32, 0.0]));
/// ```
pub fn zeros_(tensor: &Tensor) {
    constant_(tensor, 0.0);
}

/// Sets all to 1.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::zeros([2], (Kind::Float, Device::Cpu));
/// nn::init::ones_(&x);
/// assert_eq!(x, Tensor::from_slice(&[1f32, 1.0]));
/// ```
pub fn ones_(tensor: &Tensor) {
    constant_(tensor, 1.0);
}

/// Uniform from `-b` to `b`, `b = gain * sqrt(6 / (fan_in + fan_out))` (X. Glorot and Y. Bengio, Understanding the
/// difficulty of training deep feedforward neural networks, 2010). For tanh and sigmoid.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root(), 4, 2, Default::default());
/// nn::init::xavier_uniform_(&layer.ws, nn::init::NonLinearity::Tanh.gain());
/// assert!(layer.ws.abs().max().double_value(&[]) <= 5.0 / 3.0);
/// ```
///
/// # Panics
///
/// Where the tensor has fewer than two dimensions; so for those that follow.
pub fn xavier_uniform_(tensor: &Tensor, gain: f64) {
    let bound = 3f64.sqrt() * xavier_std("xavier_uniform_", tensor, gain);
    uniform_(tensor, -bound, bound);
}

/// Normal with the deviation `gain * sqrt(2 / (fan_in + fan_out))` (X. Glorot and Y. Bengio, 2010).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root(), 40, 20, Default::default());
/// nn::init::xavier_normal_(&layer.ws, 1.0);
/// assert!(layer.ws.std(true).double_value(&[]) < 0.3);
/// ```
pub fn xavier_normal_(tensor: &Tensor, gain: f64) {
    normal_(tensor, 0.0, xavier_std("xavier_normal_", tensor, gain));
}

fn xavier_std(what: &str, tensor: &Tensor, gain: f64) -> f64 {
    gain * (2.0 / (fan(what, tensor, FanInOut::FanIn) + fan(what, tensor, FanInOut::FanOut))).sqrt()
}

fn fan(what: &str, tensor: &Tensor, side: FanInOut) -> f64 {
    let size = tensor.size();
    assert!(
        size.len() >= 2,
        "{what}: a tensor of {size:?} has no fan in and fan out; a weight has two dimensions at least, a bias takes zeros_"
    );
    side.for_weight_dims(&size) as f64
}

/// Uniform from `-b` to `b`, `b = gain * sqrt(3 / fan)` (K. He et al., Delving deep into rectifiers, 2015). For ReLU
/// and its kin.
///
/// ```
/// use oxtorch::prelude::*;
/// use nn::init::{FanInOut, NonLinearity, kaiming_uniform_};
/// let vs = nn::VarStore::new(device());
/// let layer = nn::conv2d(vs.root(), 3, 8, 3, Default::default());
/// kaiming_uniform_(&layer.ws, FanInOut::FanIn, NonLinearity::ReLU);
/// assert!(layer.ws.abs().max().double_value(&[]) <= (6f64 / 27.0).sqrt());
/// ```
pub fn kaiming_uniform_(tensor: &Tensor, mode: FanInOut, non_linearity: NonLinearity) {
    let bound = non_linearity.gain() * (3.0 / fan("kaiming_uniform_", tensor, mode)).sqrt();
    uniform_(tensor, -bound, bound);
}

/// Normal with the deviation `gain / sqrt(fan)` (K. He et al., 2015).
///
/// ```
/// use oxtorch::prelude::*;
/// use nn::init::{FanInOut, kaiming_normal_, leaky_relu_gain};
/// let vs = nn::VarStore::new(device());
/// let layer = nn::conv2d(vs.root(), 3, 8, 3, Default::default());
/// kaiming_normal_(&layer.ws, FanInOut::FanOut, leaky_relu_gain(0.2));
/// ```
pub fn kaiming_normal_(tensor: &Tensor, mode: FanInOut, non_linearity: NonLinearity) {
    normal_(tensor, 0.0, non_linearity.gain() / fan("kaiming_normal_", tensor, mode).sqrt());
}

/// `sqrt(2 / (1 + slope^2))`: what a leaky ReLU takes; with a slope of `sqrt(5)`, what PyTorch's linear layers begin
/// with.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(nn::init::leaky_relu_gain(0.0).gain(), 2f64.sqrt());
/// ```
pub fn leaky_relu_gain(slope: f64) -> NonLinearity {
    NonLinearity::ExplicitGain((2.0 / (1.0 + slope * slope)).sqrt())
}

/// A (semi-)orthogonal matrix times `gain`; further dimensions are taken into the second (A. Saxe et al., Exact
/// solutions to the nonlinear dynamics of learning in deep linear neural networks, 2013).
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root(), 3, 3, Default::default());
/// nn::init::orthogonal_(&layer.ws, 1.0);
/// let identity = Tensor::eye(3, (Kind::Float, device()));
/// assert!(layer.ws.matmul(&layer.ws.tr()).allclose(&identity, 1e-5, 1e-5, false));
/// ```
pub fn orthogonal_(tensor: &Tensor, gain: f64) {
    let _ = fan("orthogonal_", tensor, FanInOut::FanIn);
    let drawn = f_init(Init::Orthogonal { gain }, &tensor.size(), tensor.device(), Kind::Float);
    let drawn = drawn.unwrap_or_else(|error| panic!("orthogonal_: a tensor of {:?}: {error}", tensor.size()));
    no_grad(|| tensor.shallow_clone().copy_(&drawn.view_as(tensor)));
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    fn weight(size: &[i64]) -> Tensor {
        Tensor::zeros(size, (Kind::Float, Device::Cpu)).set_requires_grad(true)
    }

    /// The mean, the deviation and the greatest magnitude are those that PyTorch's drew for a tensor of the same shape.
    #[test]
    fn what_is_drawn_is_distributed_as_pytorchs() {
        let reference = Reference::parse(include_str!("../../../tests/reference/init.json"));
        type Case = (&'static str, fn(&Tensor));
        let cases: [Case; 9] = [
            ("uniform", |w| uniform_(w, -0.5, 2.0)),
            ("normal", |w| normal_(w, 1.0, 0.3)),
            ("trunc_normal", |w| trunc_normal_(w, 0.5, 1.0, -1.0, 1.5)),
            ("xavier_uniform", |w| xavier_uniform_(w, NonLinearity::Tanh.gain())),
            ("xavier_normal", |w| xavier_normal_(w, 1.0)),
            ("kaiming_uniform", |w| kaiming_uniform_(w, FanInOut::FanIn, NonLinearity::ReLU)),
            ("kaiming_normal", |w| kaiming_normal_(w, FanInOut::FanOut, NonLinearity::ReLU)),
            ("kaiming_leaky", |w| kaiming_uniform_(w, FanInOut::FanIn, leaky_relu_gain(5f64.sqrt()))),
            ("orthogonal", |w| orthogonal_(w, 1.5)),
        ];
        for (name, init) in cases {
            for shape in ["linear", "conv"] {
                let at = |what: &str| format!("/{name}/{shape}/{what}");
                let size: Vec<i64> =
                    reference.numbers(&format!("/shapes/{shape}")).into_iter().map(|side| side as i64).collect();
                let drawn = weight(&size);
                init(&drawn);
                assert!(drawn.requires_grad() && drawn.is_leaf(), "{name}");
                let scale = reference.number(&at("std"));
                let near = |actual: f64, what: &str, tolerance: f64| {
                    let expected = reference.number(&at(what));
                    assert!((actual - expected).abs() < tolerance * scale, "{name} {what}: {actual}, not {expected}");
                };
                near(drawn.mean(Kind::Double).double_value(&[]), "mean", 0.04);
                near(drawn.std(true).double_value(&[]), "std", 0.03);
                if !["normal", "xavier_normal", "kaiming_normal", "orthogonal"].contains(&name) {
                    near(drawn.min().double_value(&[]), "min", 0.01);
                    near(drawn.max().double_value(&[]), "max", 0.01);
                }
            }
        }
    }

    #[test]
    fn gains_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../tests/reference/init.json"));
        let gains = [
            ("relu", NonLinearity::ReLU),
            ("tanh", NonLinearity::Tanh),
            ("linear", NonLinearity::Linear),
            ("sigmoid", NonLinearity::Sigmoid),
            ("selu", NonLinearity::SELU),
            ("leaky_relu", leaky_relu_gain(0.2)),
        ];
        for (name, gain) in gains {
            assert!((gain.gain() - reference.number(&format!("/gains/{name}"))).abs() < 1e-9, "{name}");
        }
    }

    #[test]
    fn rows_or_columns_of_an_orthogonal_weight_stand_at_right_angles() {
        for size in [[4, 9], [9, 4]] {
            let drawn = weight(&size);
            orthogonal_(&drawn, 2.0);
            let drawn = drawn.detach();
            let product = if size[0] < size[1] { drawn.matmul(&drawn.tr()) } else { drawn.tr().matmul(&drawn) };
            let expected = Tensor::eye(4, (Kind::Float, Device::Cpu)) * 4.0;
            assert!(product.allclose(&expected, 1e-4, 1e-4, false), "{product}");
        }
    }

    #[test]
    #[should_panic(expected = "a bias takes zeros_")]
    fn a_bias_has_no_fan() {
        xavier_uniform_(&weight(&[4]), 1.0);
    }
}
