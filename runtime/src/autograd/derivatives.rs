//! Derivatives of functions of one tensor.

use tch::Tensor;

use super::Grad;

/// All derivatives of a function: for an input of shape `[I..]` and an output of shape `[O..]` a tensor of shape
/// `[O.., I..]`, with `J[o, i] = ∂f(x)[o] / ∂x[i]`. `torch.autograd.functional.jacobian`.
///
/// It takes a backward pass for each element of the output. The result is not part of a graph; to differentiate it
/// further, use [`Grad`] with `create_graph`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0]);
/// let j = autograd::jacobian(|x| x * x, &x);
/// assert_eq!(j, (&x * 2.0).diag(0));
/// ```
///
/// # Panics
///
/// If the output does not depend on the input, or the function panics.
pub fn jacobian(function: impl Fn(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    let x = leaf(x);
    let y = depends("jacobian", function(&x));
    rows(&y, &x)
}

/// The second derivatives of a function that gives one number: for an input of shape `[I..]` a tensor of shape
/// `[I.., I..]`. `torch.autograd.functional.hessian`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[1.0f32, 2.0]);
/// let h = autograd::hessian(|x| x.prod(Kind::Float), &x);
/// assert_eq!(h, Tensor::from_slice2(&[[0.0f32, 1.0], [1.0, 0.0]]));
/// ```
///
/// # Panics
///
/// If the output has more than one element, does not depend on the input, or the function panics.
pub fn hessian(function: impl Fn(&Tensor) -> Tensor, x: &Tensor) -> Tensor {
    let x = leaf(x);
    let y = depends("hessian", function(&x));
    assert_eq!(y.numel(), 1, "hessian: the function must give one number, not a tensor of shape {:?}", y.size());
    let slope = Grad::of(&y.reshape([] as [i64; 0])).create_graph().by(&x);
    rows(&slope, &x)
}

/// The value of a function, and the vector-Jacobian product `vᵀ J`, of the shape of `x`, by one backward pass. `v` has
/// the shape of the output. `torch.autograd.functional.vjp`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[1.0f32, 2.0]);
/// let (y, product) = autograd::vjp(|x| x * x, &x, &Tensor::from_slice(&[1.0f32, 10.0]));
/// assert_eq!(y, Tensor::from_slice(&[1.0f32, 4.0]));
/// assert_eq!(product, Tensor::from_slice(&[2.0f32, 40.0]));
/// ```
///
/// # Panics
///
/// If `v` has another shape than the output, the output does not depend on the input, or the function panics.
pub fn vjp(function: impl Fn(&Tensor) -> Tensor, x: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
    let x = leaf(x);
    let y = depends("vjp", function(&x));
    let product = Grad::of(&y).grad_output(v).by(&x);
    (y.detach(), product)
}

/// The value of a function, and the Jacobian-vector product `J v`, of the shape of the output: how the output changes
/// along `v`, which has the shape of `x`. `torch.autograd.functional.jvp`.
///
/// It takes two backward passes: the gradient of `uᵀ J` by `u` is `J v`.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice(&[1.0f32, 2.0]);
/// let (_, product) = autograd::jvp(|x| x.prod(Kind::Float), &x, &Tensor::from_slice(&[1.0f32, 10.0]));
/// assert_eq!(product, Tensor::from(12.0f32));
/// ```
///
/// # Panics
///
/// If `v` has another shape than `x`, the output does not depend on the input, or the function panics.
pub fn jvp(function: impl Fn(&Tensor) -> Tensor, x: &Tensor, v: &Tensor) -> (Tensor, Tensor) {
    assert_eq!(v.size(), x.size(), "jvp: the direction must have the shape of the input");
    let x = leaf(x);
    let y = depends("jvp", function(&x));
    let u = y.zeros_like().set_requires_grad(true);
    let product = Grad::of(&y).grad_output(&u).create_graph().by(&x);
    let along = Grad::of(&product).grad_output(v).by_used(&u).unwrap_or_else(|| y.zeros_like());
    (y.detach(), along)
}

/// The derivatives of each element of `y` by `x`, of shape `[y.., x..]`.
pub(super) fn rows(y: &Tensor, x: &Tensor) -> Tensor {
    let shape: Vec<i64> = y.size().into_iter().chain(x.size()).collect();
    let flat = y.reshape([-1]);
    let jacobian = Tensor::zeros([flat.size()[0], x.numel() as i64], (x.kind(), x.device()));
    // The gradient of a function that is linear does not depend on what it is a gradient by.
    let count = if y.requires_grad() { flat.size()[0] } else { 0 };
    for index in 0..count {
        if let Some(row) = Grad::of(&flat.select(0, index)).retain_graph().by_used(x) {
            jacobian.select(0, index).copy_(&row.detach().reshape([-1]));
        }
    }
    jacobian.reshape(&shape)
}

fn leaf(x: &Tensor) -> Tensor {
    x.detach().set_requires_grad(true)
}

fn depends(function: &str, y: Tensor) -> Tensor {
    assert!(
        y.requires_grad(),
        "{function}: what the function gives does not depend on its argument; it has to compute with the tensor that it \
         is given, without `no_grad` and `detach`"
    );
    y
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::super::{TensorHooks, grad};
    use super::*;
    use crate::tests::panic_message;
    use crate::tests::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/autograd.json"))
    }

    #[test]
    fn derivatives_are_pytorchs() {
        let reference = reference();
        let [weight, x, direction, v] =
            ["weight", "x", "direction", "output_gradient"].map(|name| reference.tensor(&format!("/{name}")));
        let function = |x: &Tensor| x.matmul(&weight).tanh() * x.sum(None);
        reference.check("/jacobian", &jacobian(function, &x), 1e-9);
        reference.check("/hessian", &hessian(|x| function(x).square().sum(None), &x), 1e-9);
        reference.check("/vjp", &vjp(function, &x, &v).1, 1e-9);
        reference.check("/jvp", &jvp(function, &x, &direction).1, 1e-9);
    }

    #[test]
    fn a_gradient_penalty_is_pytorchs() {
        let reference = reference();
        let (weight, x) = (reference.tensor("/weight"), reference.tensor("/x").set_requires_grad(true));
        let y = (x.matmul(&weight).tanh() * x.sum(None)).square().sum(None);
        let penalty = (Grad::of(&y).create_graph().by(&x).norm() - 1.0).square();
        reference.check("/penalty", &penalty, 1e-9);
        reference.check("/penalty_gradient", &grad(&penalty, &x), 1e-9);
    }

    #[test]
    fn hooks_change_what_pytorchs_change() {
        let reference = reference();
        let (weight, x) = (reference.tensor("/weight"), reference.tensor("/x").set_requires_grad(true));
        let hidden = x.matmul(&weight);
        hidden.register_hook(|gradient| gradient.clamp(-0.1, 0.1));
        hidden.retain_grad();
        hidden.tanh().sum(None).backward();
        reference.check("/hooked/hidden", &hidden.grad(), 1e-9);
        reference.check("/hooked/x", &x.grad(), 1e-9);
    }

    #[test]
    fn what_does_not_depend_has_derivatives_of_zero() {
        let x = Tensor::from_slice(&[1.0f64, 2.0]);
        assert_eq!(hessian(|x| x.sum(None), &x), Tensor::zeros([2, 2], (Kind::Double, Device::Cpu)));
        let first = jacobian(|x| Tensor::stack(&[x.get(0), x.get(0) * 2.0], 0), &x);
        assert_eq!(first, Tensor::from_slice2(&[[1.0, 0.0], [2.0, 0.0]]));
        assert!(panic_message(|| jacobian(|x| x.detach(), &Tensor::from_slice(&[1.0]))).contains("does not depend"));
    }
}
