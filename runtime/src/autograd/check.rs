//! Whether the derivatives of a function are right, by differences.

use std::array;

use tch::{Kind, Tensor, no_grad};
use thiserror::Error;

use super::Grad;
use super::derivatives::rows;

/// How far an input is moved to each side.
const STEP: f64 = 1e-6;
/// By how much derivatives may differ, beside [`RELATIVE`].
const ABSOLUTE: f64 = 1e-5;
/// By what part of the numerical derivative they may differ.
const RELATIVE: f64 = 1e-3;

/// A derivative that is not what differences say.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GradcheckError {
    /// Single precision is too coarse for differences.
    #[error("input {0} (counted from 0) is not of Kind::Double; give it as `x.to_kind(Kind::Double)`")]
    Kind(usize),
    /// No input requires a gradient.
    #[error("no input requires a gradient; call `set_requires_grad(true)` on those to check")]
    NoInput,
    /// The derivatives differ.
    #[error(
        "the derivatives of the output by input {input} (counted from 0) are wrong.\nby differences: {numerical}\nby the \
         backward pass: {analytical}"
    )]
    Differs {
        /// Which input.
        input: usize,
        /// The Jacobian by differences, as text.
        numerical: String,
        /// The Jacobian by backward passes, as text.
        analytical: String,
    },
}

/// Compares the derivatives that backward passes give with central differences, `(f(x + ε) - f(x - ε)) / 2ε` with
/// ε = 10⁻⁶, for each input that requires a gradient. They may differ by 10⁻⁵ and a thousandth.
/// `torch.autograd.gradcheck`.
///
/// The inputs are of [`Kind::Double`].
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[0.5, -1.0]).set_requires_grad(true);
/// autograd::gradcheck(|[x]| x.sin(), [&x])?;
/// let wrong = |x: &Tensor| autograd::custom([x], |[x]| x.sin(), |gradient, _| [gradient.copy()]);
/// assert!(autograd::gradcheck(|[x]| wrong(x), [&x]).is_err());
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
///
/// Which derivatives differ, or why they cannot be compared.
pub fn gradcheck<const N: usize>(
    function: impl Fn([&Tensor; N]) -> Tensor,
    inputs: [&Tensor; N],
) -> Result<(), GradcheckError> {
    if let Some(number) = inputs.iter().position(|input| input.kind() != Kind::Double) {
        return Err(GradcheckError::Kind(number));
    }
    if !inputs.iter().any(|input| input.requires_grad()) {
        return Err(GradcheckError::NoInput);
    }
    let leaves = leaves(inputs);
    let y = function(leaves.each_ref());
    for (number, input) in leaves.iter().enumerate().filter(|(_, input)| input.requires_grad()) {
        let numerical = differences(&function, &leaves, number, y.numel() as i64);
        let analytical = rows(&y, input).reshape(numerical.size());
        if !analytical.allclose(&numerical, RELATIVE, ABSOLUTE, false) {
            let (numerical, analytical) = (format!("{numerical}"), format!("{analytical}"));
            return Err(GradcheckError::Differs { input: number, numerical, analytical });
        }
    }
    Ok(())
}

/// The same for second derivatives: checks the derivatives of `vᵀ J` by the inputs and by random `v`.
/// `torch.autograd.gradgradcheck`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[0.5, -1.0]).set_requires_grad(true);
/// autograd::gradgradcheck(|[x]| x.sin(), [&x])?;
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Errors
///
/// As [`gradcheck`].
pub fn gradgradcheck<const N: usize>(
    function: impl Fn([&Tensor; N]) -> Tensor,
    inputs: [&Tensor; N],
) -> Result<(), GradcheckError> {
    gradcheck(&function, inputs)?;
    let y = function(leaves(inputs).each_ref());
    let v = y.detach().randn_like().set_requires_grad(true);
    for (number, _) in inputs.iter().enumerate().filter(|(_, input)| input.requires_grad()) {
        // The product depends on all inputs and on `v`: what is not checked by its own derivative is a constant here.
        let product = |inputs: [&Tensor; N], v: &Tensor| {
            let y = function(inputs);
            let product = Grad::of(&y).grad_output(v).create_graph().by_used(inputs[number]);
            product.unwrap_or_else(|| inputs[number].zeros_like())
        };
        gradcheck(|inputs| product(inputs, &v), inputs)?;
        let fixed = leaves(inputs);
        gradcheck(|[v]| product(fixed.each_ref(), v), [&v])?;
    }
    Ok(())
}

/// Leaves with the values of the inputs.
fn leaves<const N: usize>(inputs: [&Tensor; N]) -> [Tensor; N] {
    inputs.map(|input| input.detach().copy().set_requires_grad(input.requires_grad()))
}

/// The Jacobian by central differences, a row for each element of the output.
fn differences<const N: usize>(
    function: &impl Fn([&Tensor; N]) -> Tensor,
    inputs: &[Tensor; N],
    number: usize,
    outputs: i64,
) -> Tensor {
    let moved = |element: i64, step: f64| {
        let moved = no_grad(|| {
            let moved = inputs[number].detach().copy();
            let _ = moved.view([-1]).select(0, element).g_add_scalar_(step);
            moved
        });
        let moved = moved.set_requires_grad(true);
        let y = function(array::from_fn(|other| if other == number { &moved } else { &inputs[other] }));
        y.detach().reshape([outputs])
    };
    let columns = (0..inputs[number].numel() as i64)
        .map(|element| (moved(element, STEP) - moved(element, -STEP)) / (2.0 * STEP))
        .collect::<Vec<_>>();
    if columns.is_empty() { inputs[number].detach().reshape([outputs, 0]) } else { Tensor::stack(&columns, 1) }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::super::custom;
    use super::*;

    fn leaf(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).set_requires_grad(true)
    }

    #[test]
    fn derivatives_of_operations_are_right() {
        let (a, b) = (leaf(&[0.3, -0.7]), leaf(&[1.5, 0.4]));
        gradcheck(|[a, b]| a / b, [&a, &b]).expect("is right");
        gradgradcheck(|[a, b]| a / b, [&a, &b]).expect("is right");
        // The gradient of what is linear is a constant.
        gradgradcheck(|[a]| a * 3.0, [&a]).expect("is right");
        let fixed = b.detach();
        gradcheck(|[a, b]| a * b, [&a, &fixed]).expect("an input without a gradient is not checked");
    }

    #[test]
    fn a_second_derivative_that_is_wrong_is_found() {
        let x = leaf(&[0.3, -0.7]);
        // Its gradient is right, and is then taken to be constant.
        let square =
            |x: &Tensor| custom([x], |[x]| x * x, |gradient, saved| [gradient * saved.inputs[0].detach() * 2.0]);
        gradcheck(|[x]| square(x), [&x]).expect("the first is right");
        let error = gradgradcheck(|[x]| square(x), [&x]).expect_err("the second is not");
        assert!(matches!(error, GradcheckError::Differs { input: 0, .. }), "{error}");
    }

    #[test]
    fn what_cannot_be_compared_says_why() {
        let x = Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        assert!(gradcheck(|[x]| x.sin(), [&x]).expect_err("too coarse").to_string().contains("Kind::Double"));
        assert!(matches!(gradcheck(|[x]| x.sin(), [&leaf(&[1.0]).detach()]), Err(GradcheckError::NoInput)));
    }
}
