//! Operations whose backward pass is given, not derived.

use std::array;

use tch::{Tensor, no_grad};

use super::shim;

/// What an operation was computed from, and what it gave.
#[derive(Debug)]
pub struct Saved<const N: usize> {
    /// The inputs.
    pub inputs: [Tensor; N],
    /// The output.
    pub output: Tensor,
}

/// An operation with a backward pass of its own; `torch.autograd.Function`.
///
/// `forward` computes the output from the inputs, and is not differentiated. `backward` gets the gradient of the
/// output, and what the operation was computed from; it gives the gradients of the inputs, each of the shape of its
/// input, as `[Tensor; N]`, or as `[Option<Tensor>; N]` if some have none. If it uses operations of tensors only, the
/// operation can be differentiated twice.
///
/// ```
/// use oxtorch::prelude::*;
/// /// Rounds; the gradient passes straight through (Bengio et al. 2013, <https://arxiv.org/abs/1308.3432>).
/// fn round_straight_through(x: &Tensor) -> Tensor {
///     autograd::custom([x], |[x]| x.round(), |gradient, _| [gradient.copy()])
/// }
/// /// The identity, whose gradient is reversed (Ganin and Lempitsky 2015, <https://arxiv.org/abs/1409.7495>).
/// fn reverse_gradient(x: &Tensor, strength: f64) -> Tensor {
///     autograd::custom([x], |[x]| x.copy(), move |gradient, _| [gradient * -strength])
/// }
/// let x = Tensor::from_slice(&[0.4f32, 1.6]).set_requires_grad(true);
/// let y = reverse_gradient(&round_straight_through(&x), 0.5);
/// assert_eq!(y, Tensor::from_slice(&[0.0f32, 2.0]));
/// y.sum(None).backward();
/// assert_eq!(x.grad(), Tensor::from_slice(&[-0.5f32, -0.5]));
/// ```
///
/// `backward` is kept with the graph: it owns what it uses (`move`). So are the inputs and the output, which must not
/// be changed in place before the backward pass; libtorch refuses that.
///
/// # Panics
///
/// If `forward` does. If `backward` panics, or gives a gradient of another shape, the backward pass fails with a
/// message.
pub fn custom<const N: usize, G: Into<Option<Tensor>>>(
    inputs: [&Tensor; N],
    forward: impl FnOnce([&Tensor; N]) -> Tensor,
    backward: impl Fn(&Tensor, &Saved<N>) -> [G; N] + Send + 'static,
) -> Tensor {
    let output = no_grad(|| forward(inputs));
    custom_of(&inputs, &output, move |gradient, mut saved| {
        let output = saved.pop().expect("the output is saved last");
        let mut saved = saved.into_iter();
        let inputs = array::from_fn(|_| saved.next().expect("each input is saved"));
        Ok(backward(&gradient, &Saved { inputs, output }).into_iter().map(Into::into).collect())
    })
}

/// The same for any number of inputs; `backward` gets the gradient, and the inputs with the output behind them.
pub(super) fn custom_of(
    inputs: &[&Tensor],
    output: &Tensor,
    backward: impl Fn(Tensor, Vec<Tensor>) -> Result<Vec<Option<Tensor>>, String> + Send + 'static,
) -> Tensor {
    let shapes: Vec<_> = inputs.iter().map(|input| input.size()).collect();
    let called = move |mut arguments: Vec<Option<Tensor>>| {
        let gradient = arguments.pop().flatten().ok_or("the output has no gradient")?;
        let saved = arguments.into_iter().collect::<Option<Vec<_>>>().ok_or("an input is gone")?;
        let gradients = backward(gradient, saved)?;
        let fits = |(gradient, shape): (&Option<Tensor>, &Vec<i64>)| {
            gradient.as_ref().is_none_or(|gradient| gradient.size() == *shape)
        };
        match gradients.iter().zip(&shapes).position(|pair| !fits(pair)) {
            Some(number) => Err(format!(
                "custom: the gradient of input {number} (counted from 0) must have the shape of the input, {:?}, not {:?}",
                shapes[number],
                gradients[number].as_ref().map(Tensor::size).unwrap_or_default(),
            )),
            None => Ok(gradients),
        }
    };
    shim::custom(inputs, output, Box::new(called)).unwrap_or_else(|error| panic!("custom: {error}"))
}

#[cfg(test)]
mod tests {
    use super::super::{Grad, gradcheck, gradgradcheck};
    use super::*;

    fn leaf(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).set_requires_grad(true)
    }

    fn exponential(x: &Tensor) -> Tensor {
        custom([x], |[x]| x.exp(), |gradient, saved| [gradient * &saved.output])
    }

    fn product(a: &Tensor, b: &Tensor) -> Tensor {
        let backward = |gradient: &Tensor, saved: &Saved<2>| [gradient * &saved.inputs[1], gradient * &saved.inputs[0]];
        custom([a, b], |[a, b]| a * b, backward)
    }

    #[test]
    fn it_is_differentiated_as_often_as_its_backward_pass_can_be() {
        let (a, b) = (leaf(&[0.3, -0.7]), leaf(&[1.1, 0.2]));
        gradcheck(|[x]| exponential(x), [&a]).expect("is right");
        gradgradcheck(|[x]| exponential(x), [&a]).expect("is right");
        gradgradcheck(|[a, b]| product(a, b), [&a, &b]).expect("is right");
    }

    #[test]
    fn an_input_may_have_no_gradient() {
        let (a, b) = (leaf(&[1.0]), leaf(&[2.0]));
        let y = custom([&a, &b], |[a, b]| a * b, |gradient, _| [Some(gradient.copy()), None]);
        let [da, db] = Grad::of(&y).by_used([&a, &b]);
        assert_eq!(da, Some(Tensor::from_slice(&[1.0f64])));
        assert!(db.is_none());
        assert!(!custom([&a.detach()], |[a]| a.copy(), |gradient, _| [gradient.copy()]).requires_grad());
    }

    #[test]
    fn an_output_that_was_changed_in_place_is_refused() {
        let x = leaf(&[1.0, 2.0]);
        let mut y = exponential(&x);
        let _ = y.g_mul_(&Tensor::from(2.0));
        assert!(y.sum(None).f_backward().expect_err("it was kept").to_string().contains("inplace operation"));
    }

    #[test]
    fn a_backward_pass_that_fails_says_why() {
        let x = leaf(&[1.0, 2.0]);
        let y = custom([&x], |[x]| x.copy(), |gradient, _| [gradient.sum(None)]);
        let error = y.sum(None).f_backward().expect_err("another shape").to_string();
        assert!(error.contains("input 0") && error.contains("[2]"), "{error}");
        let y = custom([&x], |[x]| x.copy(), |_, _| -> [Tensor; 1] { panic!("not today") });
        assert!(y.sum(None).f_backward().expect_err("it panics").to_string().contains("not today"));
    }

    #[test]
    fn what_it_saves_goes_with_the_graph() {
        let kept = std::sync::Arc::new(());
        let x = leaf(&[1.0]);
        let token = kept.clone();
        let y = custom(
            [&x],
            |[x]| x.exp(),
            move |gradient, saved| {
                let _token = &token;
                [gradient * &saved.output]
            },
        );
        drop(y);
        assert_eq!(std::sync::Arc::strong_count(&kept), 1);
    }
}
