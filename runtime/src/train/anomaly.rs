//! Numbers that are no longer any: where a NaN or an infinity came up.

use std::fmt;

use tch::nn::VarStore;
use tch::{Kind, Tensor};
use thiserror::Error;

/// What is not finite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Anomaly {
    /// A value that should be a number.
    #[error("{what} is not finite: {bad} of {} elements are NaN or infinite", all)]
    Value {
        /// What it is called.
        what: String,
        /// How many elements are not finite.
        bad: i64,
        /// How many there are.
        all: usize,
    },
    /// A parameter or its gradient.
    #[error(
        "the {part} of {name:?} is not finite: {bad} of {all} elements are NaN or infinite. A lower learning rate, clipped \
         gradients or a loss that takes no logarithm of 0 may help"
    )]
    Parameter {
        /// The variable.
        name: String,
        /// Its values or its gradient.
        part: Part,
        /// How many elements are not finite.
        bad: i64,
        /// How many there are.
        all: usize,
    },
}

/// What of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The numbers that are learned.
    Value,
    /// Their gradient.
    Gradient,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Gradient => "gradient",
        })
    }
}

/// Says where a tensor, such as a loss, holds a NaN or an infinity: `check_finite("loss", &loss)?` in a loop ends it at
/// once.
///
/// ```
/// use oxtorch::prelude::*;
/// let loss = Tensor::from_slice(&[0.5f32]).log() - f64::INFINITY;
/// let error = train::check_finite("loss", &loss).unwrap_err();
/// assert!(error.to_string().starts_with("loss is not finite"));
/// ```
///
/// # Errors
///
/// Where an element is not finite.
pub fn check_finite(what: &str, tensor: &Tensor) -> Result<(), Anomaly> {
    match not_finite(tensor) {
        0 => Ok(()),
        bad => Err(Anomaly::Value { what: what.to_owned(), bad, all: tensor.numel() }),
    }
}

/// Names the first variable, by the alphabet, of which the gradient or the values are no longer finite. To be called
/// behind `backward()` in a loop whose loss becomes NaN; it reads every gradient, so not in each step of a loop that is
/// well.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let w = vs.root().zeros("w", &[2]);
/// train::detect_anomaly(&vs)?;
/// w.log().sum(Kind::Float).backward(); // 1 / 0
/// let error = train::detect_anomaly(&vs).unwrap_err();
/// assert!(error.to_string().contains("gradient of \"w\""));
/// ```
///
/// # Errors
///
/// Where one is not finite.
pub fn detect_anomaly(vs: &VarStore) -> Result<(), Anomaly> {
    in_variables(&crate::nn::by_name(vs))
}

pub(super) fn in_variables(variables: &[(String, Tensor)]) -> Result<(), Anomaly> {
    for (name, variable) in variables {
        let gradient = variable.grad();
        let parts = [(Part::Gradient, gradient.defined().then_some(&gradient)), (Part::Value, Some(variable))];
        for (part, tensor) in parts {
            let Some(tensor) = tensor else { continue };
            let bad = not_finite(tensor);
            if bad > 0 {
                return Err(Anomaly::Parameter { name: name.clone(), part, bad, all: tensor.numel() });
            }
        }
    }
    Ok(())
}

fn not_finite(tensor: &Tensor) -> i64 {
    tensor.detach().isfinite().logical_not().sum(Kind::Int64).int64_value(&[])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn the_gradient_is_named_before_the_value_that_it_made() {
        let vs = VarStore::new(Device::Cpu);
        let (_, mut bad) = (vs.root().ones("a", &[2]), vs.root().ones("layer_b", &[3]));
        assert_eq!(detect_anomaly(&vs), Ok(()));
        let _ = crate::modes::no_grad(|| bad.fill_(f64::NAN));
        let error = detect_anomaly(&vs).expect_err("a NaN");
        assert_eq!(
            error,
            Anomaly::Parameter { name: "layer_b".to_owned(), part: Part::Value, bad: 3, all: 3 },
            "{error}"
        );
        assert!(
            check_finite("x", &Tensor::from_slice(&[1.0, f64::INFINITY, f64::NAN]))
                .is_err_and(|error| { error == Anomaly::Value { what: "x".to_owned(), bad: 2, all: 3 } })
        );
        assert!(check_finite("n", &Tensor::from_slice(&[1i64])).is_ok());
    }
}
