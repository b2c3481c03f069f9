//! Numbers and tensors as parameters, brought to one shape.

use tch::{Device, Kind, TchError, Tensor};

use super::constraint::{Constraint, check};

/// A parameter of a distribution: a number, or a tensor with one number for each distribution of the batch. Functions
/// take `impl Into<Parameter>`, so that `Normal::new(0.0, 1.0)` and `Normal::new(&mu, &sigma)` can be written.
///
/// Numbers become tensors of the kind and on the device of the tensor beside them; without one, of float32 on the CPU,
/// as in PyTorch.
#[derive(Debug)]
pub enum Parameter {
    /// The same for all distributions of the batch.
    Number(f64),
    /// Floats of any shape that broadcasts to that of the other parameters.
    Tensor(Tensor),
}

impl From<&Tensor> for Parameter {
    fn from(tensor: &Tensor) -> Self {
        Self::Tensor(tensor.shallow_clone())
    }
}

impl From<Tensor> for Parameter {
    fn from(tensor: Tensor) -> Self {
        Self::Tensor(tensor)
    }
}

impl From<f64> for Parameter {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<f32> for Parameter {
    fn from(number: f32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i32> for Parameter {
    fn from(number: i32) -> Self {
        Self::Number(number.into())
    }
}

impl From<i64> for Parameter {
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

impl Parameter {
    fn into_tensor(self, options: (Kind, Device)) -> Tensor {
        match self {
            Self::Number(number) => Tensor::full([0i64; 0], number, options),
            Self::Tensor(tensor) => tensor,
        }
    }
}

/// A parameter with its name.
pub(super) type Named = (&'static str, Parameter);

/// The parameters as tensors of one shape.
///
/// # Panics
///
/// Where a tensor is not of floats, or the shapes do not broadcast.
#[track_caller]
pub(super) fn broadcast<const N: usize>(family: &str, parameters: [Named; N]) -> [Tensor; N] {
    let options = parameters.iter().find_map(|(_, parameter)| match parameter {
        Parameter::Tensor(tensor) => Some((tensor.kind(), tensor.device())),
        Parameter::Number(_) => None,
    });
    let options = options.unwrap_or((Kind::Float, Device::Cpu));
    let names = parameters.each_ref().map(|(name, _)| *name);
    let tensors = parameters.map(|(_, parameter)| parameter.into_tensor(options));
    for (name, tensor) in names.iter().zip(&tensors) {
        check_floats(family, name, tensor);
    }
    broadcast_all(tensors.each_ref()).unwrap_or_else(|_| {
        let shapes: Vec<_> = names.iter().zip(&tensors).map(|(name, it)| format!("`{name}` {:?}", it.size())).collect();
        panic!("{family}: the parameters do not broadcast to one shape: {}", shapes.join(", "))
    })
}

/// Tensors of one shape.
///
/// # Errors
///
/// Where they have none.
pub(super) fn broadcast_all<const N: usize>(tensors: [&Tensor; N]) -> Result<[Tensor; N], TchError> {
    let broadcast = Tensor::f_broadcast_tensors(&tensors)?;
    Ok(broadcast.try_into().unwrap_or_else(|_| unreachable!("libtorch returns as many tensors as it was given")))
}

/// As [`broadcast`], of parameters each of which has to satisfy a constraint.
///
/// # Panics
///
/// As there, and where one does not.
#[track_caller]
pub(super) fn parameters<const N: usize>(
    family: &str,
    parameters: [(&'static str, Parameter, Constraint<'_>); N],
) -> [Tensor; N] {
    let mut rules = Vec::with_capacity(N);
    let named = parameters.map(|(name, parameter, constraint)| {
        rules.push((name, constraint));
        (name, parameter)
    });
    let tensors = broadcast(family, named);
    let rules: Vec<_> = rules.iter().zip(&tensors).map(|((name, rule), tensor)| (*name, tensor, rule)).collect();
    check(family, &rules);
    tensors
}

/// # Panics
///
/// Where the tensor is not of floats.
#[track_caller]
pub(super) fn check_floats(family: &str, name: &str, tensor: &Tensor) {
    assert!(
        tensor.is_floating_point(),
        "{family}: `{name}` is of {:?}; parameters are floats: give `.to_kind(Kind::Float)` of it",
        tensor.kind()
    );
}
