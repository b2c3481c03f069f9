//! The gradients of chosen outputs by chosen inputs.

use std::array;

use tch::Tensor;

use super::shim;

/// One tensor or several, as they are given to [`grad`]; its gradients come in the same form.
pub trait Tensors {
    /// The form with something else in place of each tensor.
    type Of<T>;

    /// The tensors in order.
    fn tensors(&self) -> Vec<&Tensor>;

    /// What there is for each tensor, in this form.
    fn in_form<T>(&self, each: Vec<T>) -> Self::Of<T>;
}

impl Tensors for &Tensor {
    type Of<T> = T;

    fn tensors(&self) -> Vec<&Tensor> {
        vec![self]
    }

    fn in_form<T>(&self, each: Vec<T>) -> T {
        each.into_iter().next().expect("there is one for the tensor")
    }
}

impl<const N: usize> Tensors for [&Tensor; N] {
    type Of<T> = [T; N];

    fn tensors(&self) -> Vec<&Tensor> {
        self.to_vec()
    }

    fn in_form<T>(&self, each: Vec<T>) -> [T; N] {
        let mut each = each.into_iter();
        array::from_fn(|_| each.next().expect("there is one for each tensor"))
    }
}

/// Lists, such as `&Vec<Tensor>`, `&[Tensor]` and `&[&Tensor]`.
macro_rules! list {
    ($list:ty) => {
        impl Tensors for &$list {
            type Of<T> = Vec<T>;

            fn tensors(&self) -> Vec<&Tensor> {
                self.iter().map(|tensor| -> &Tensor { tensor }).collect()
            }

            fn in_form<T>(&self, each: Vec<T>) -> Vec<T> {
                each
            }
        }
    };
}

list!([Tensor]);
list!([&Tensor]);
list!(Vec<Tensor>);
list!(Vec<&Tensor>);

/// Tensors with their names, as [`VarStore::named_parameters`](crate::nn::VarStore::named_parameters) gives them.
impl Tensors for &Vec<(String, Tensor)> {
    type Of<T> = Vec<T>;

    fn tensors(&self) -> Vec<&Tensor> {
        self.iter().map(|(_, tensor)| tensor).collect()
    }

    fn in_form<T>(&self, each: Vec<T>) -> Vec<T> {
        each
    }
}

/// The gradients of one number by tensors; `torch.autograd.grad(output, inputs)`. Nothing is added to the `grad()` of
/// any tensor. For more there is [`Grad`].
///
/// The inputs are one tensor, an array or a list, and the gradients come in the same form; those of a list of tensors
/// with names come without them. Each has the shape of its input.
///
/// ```
/// use oxtorch::prelude::*;
/// let w = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
/// let b = Tensor::from(0.5f32).set_requires_grad(true);
/// let loss = (&w * 3.0 + &b).sum(None);
/// let [dw, db] = autograd::grad(&loss, [&w, &b]);
/// assert_eq!(dw, Tensor::from_slice(&[3.0f32, 3.0]));
/// assert_eq!(db, Tensor::from(2.0f32));
/// let dw = autograd::grad(&(&w * &w).sum(None), &w);
/// assert_eq!(dw, &w * 2.0);
/// ```
///
/// # Panics
///
/// If the output has more than one element, if a tensor requires no gradient or the output does not depend on it, or if
/// the graph of the output is gone, as after an earlier `backward`.
pub fn grad<I: Tensors>(output: &Tensor, inputs: I) -> I::Of<Tensor> {
    Grad::of(output).by(inputs)
}

/// What is wanted of the gradients of outputs; `torch.autograd.grad` with its options.
///
/// ```
/// use oxtorch::prelude::*;
/// // A step of MAML: what the loss after a step of gradient descent says of the weights before it.
/// let w = Tensor::from_slice(&[1.0f64]).set_requires_grad(true);
/// let loss = |w: &Tensor| (w * w).sum(None);
/// let slope = autograd::Grad::of(&loss(&w)).create_graph().by(&w);
/// let adapted = &w - slope * 0.1;
/// assert!(autograd::grad(&loss(&adapted), &w).allclose(&Tensor::from_slice(&[1.28f64]), 1e-9, 1e-9, false));
/// ```
#[derive(Debug)]
#[must_use = "nothing is computed before `by`"]
pub struct Grad<'a> {
    outputs: Vec<&'a Tensor>,
    gradients: Option<Vec<&'a Tensor>>,
    retain_graph: bool,
    create_graph: bool,
}

impl<'a> Grad<'a> {
    /// Of one number, or of a tensor whose own gradient is given by [`grad_output`](Self::grad_output).
    pub fn of(output: &'a Tensor) -> Self {
        Self::of_all(&[output])
    }

    /// Of several outputs: the sum of their gradients.
    pub fn of_all(outputs: &[&'a Tensor]) -> Self {
        Self { outputs: outputs.to_vec(), gradients: None, retain_graph: false, create_graph: false }
    }

    /// The gradient of the output, of its shape: the vector of a vector-Jacobian product. Without it, it is 1.
    pub fn grad_output(self, gradient: &'a Tensor) -> Self {
        self.grad_outputs(&[gradient])
    }

    /// The gradients of the outputs, one for each.
    pub fn grad_outputs(self, gradients: &[&'a Tensor]) -> Self {
        Self { gradients: Some(gradients.to_vec()), ..self }
    }

    /// Keeps the graph, so that there can be another backward pass through it.
    pub fn retain_graph(self) -> Self {
        Self { retain_graph: true, ..self }
    }

    /// Records how the gradients are computed, so that they can be differentiated; this keeps the graph as well.
    pub fn create_graph(self) -> Self {
        Self { create_graph: true, retain_graph: true, ..self }
    }

    /// By inputs, on each of which an output depends.
    ///
    /// # Panics
    ///
    /// As [`grad`].
    pub fn by<I: Tensors>(self, inputs: I) -> I::Of<Tensor> {
        let gradients = self.computed(&inputs.tensors());
        let each = gradients.into_iter().enumerate().map(|(number, gradient)| {
            gradient.unwrap_or_else(|| {
                panic!(
                    "grad: no output depends on input {number} (counted from 0); check that the outputs were computed \
                     from that very tensor, or ask by `by_used` instead of `by`, which gives None for it"
                )
            })
        });
        inputs.in_form(each.collect())
    }

    /// By inputs, with `None` for each on which no output depends; `allow_unused=True`.
    ///
    /// # Panics
    ///
    /// As [`grad`], except for inputs that are not used.
    pub fn by_used<I: Tensors>(self, inputs: I) -> I::Of<Option<Tensor>> {
        inputs.in_form(self.computed(&inputs.tensors()))
    }

    fn computed(self, inputs: &[&Tensor]) -> Vec<Option<Tensor>> {
        for (number, input) in inputs.iter().enumerate() {
            assert!(
                input.requires_grad(),
                "grad: input {number} (counted from 0, shape {:?}) requires no gradient; call `set_requires_grad(true)` \
                 on it before the outputs are computed",
                input.size()
            );
        }
        for output in &self.outputs {
            assert!(
                output.requires_grad(),
                "grad: an output depends on nothing that requires a gradient; was it computed within `no_grad`, or \
                 detached?"
            );
        }
        let gradients = match &self.gradients {
            Some(gradients) => self.checked(gradients),
            None => {
                let large = self.outputs.iter().find(|output| output.numel() != 1);
                if let Some(large) = large {
                    panic!(
                        "grad: an output has the shape {:?}, and only of one number the gradient is known to be 1; sum \
                         it, or give its gradient by `Grad::of(&output).grad_output(&gradient)`",
                        large.size()
                    );
                }
                vec![None; self.outputs.len()]
            }
        };
        shim::grad(&self.outputs, &gradients, inputs, self.retain_graph, self.create_graph)
            .unwrap_or_else(|error| panic!("grad: {error}"))
    }

    fn checked(&self, gradients: &[&'a Tensor]) -> Vec<Option<&'a Tensor>> {
        assert_eq!(gradients.len(), self.outputs.len(), "grad: there must be one gradient for each output");
        for (gradient, output) in gradients.iter().zip(&self.outputs) {
            assert_eq!(gradient.size(), output.size(), "grad: the gradient of an output must have its shape");
        }
        gradients.iter().copied().map(Some).collect()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::tests::panic_message;

    fn weights() -> Tensor {
        Tensor::from_slice(&[1.0f64, -2.0, 3.0]).set_requires_grad(true)
    }

    #[test]
    fn gradients_come_in_the_form_of_the_inputs() {
        let (a, b) = (weights(), weights());
        let output = || (&a * &b * &b).sum(None);
        let (da, db) = (&b * &b, &a * &b * 2.0);
        assert_eq!(grad(&output(), &a), da);
        assert_eq!(grad(&output(), [&a, &b]), [da.copy(), db.copy()]);
        assert_eq!(grad(&output(), &[&a, &b][..]), [da.copy(), db.copy()]);
        assert_eq!(grad(&output(), &vec![a.shallow_clone(), b.shallow_clone()]), [da.copy(), db.copy()]);
        let named = vec![("a".to_owned(), a.shallow_clone()), ("b".to_owned(), b.shallow_clone())];
        assert_eq!(grad(&output(), &named), [da, db]);
        assert!(!a.grad().defined(), "nothing is accumulated");
    }

    #[test]
    fn gradients_of_gradients_are_there_when_asked_for() {
        let x = weights();
        let slope = Grad::of(&(&x * &x * &x).sum(None)).create_graph().by(&x);
        assert_eq!(grad(&slope.sum(None), &x), &x * 6.0);
        let flat = Grad::of(&(&x * &x).sum(None)).retain_graph().by(&x);
        assert!(!flat.requires_grad());
    }

    #[test]
    fn the_gradients_of_outputs_count() {
        let x = weights();
        let (double, square) = (&x * 2.0, &x * &x);
        let v = Tensor::from_slice(&[1.0f64, 10.0, 100.0]);
        let found = Grad::of_all(&[&double, &square]).grad_outputs(&[&v, &v]).by(&x);
        assert_eq!(found, &v * 2.0 + &v * &x * 2.0);
    }

    #[test]
    fn an_input_that_is_not_used_has_none() {
        let (x, other) = (weights(), weights());
        let [dx, none] = Grad::of(&x.sum(None)).by_used([&x, &other]);
        assert_eq!(dx, Some(Tensor::ones([3], (Kind::Double, Device::Cpu))));
        assert!(none.is_none());
        assert!(panic_message(|| grad(&x.sum(None), [&x, &other])).contains("input 1"));
    }

    #[test]
    fn what_cannot_be_differentiated_says_why() {
        let x = weights();
        assert!(panic_message(|| grad(&(&x * 2.0), &x)).contains("the shape [3]"));
        assert!(panic_message(|| grad(&x.sum(None), &x.detach())).contains("set_requires_grad"));
        assert!(panic_message(|| grad(&x.detach().sum(None), &x)).contains("no_grad"));
        let v = Tensor::ones([2], (Kind::Double, Device::Cpu));
        assert!(panic_message(|| Grad::of(&(&x * 2.0)).grad_output(&v).by(&x)).contains("must have its shape"));
        let y = (&x * &x).sum(None);
        let _ = grad(&y, &x);
        assert!(panic_message(|| grad(&y, &x)).contains("second time"), "the graph is gone");
    }
}
