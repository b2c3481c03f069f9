//! Closures that see the gradients of tensors on their way.

use std::fmt;

use tch::Tensor;

use super::shim;

/// What a hook gives: nothing, or the gradient to go on with.
pub trait HookResult {
    /// The gradient, if there is one.
    fn gradient(self) -> Option<Tensor>;
}

impl HookResult for () {
    fn gradient(self) -> Option<Tensor> {
        None
    }
}

impl HookResult for Tensor {
    fn gradient(self) -> Option<Tensor> {
        Some(self)
    }
}

impl HookResult for Option<Tensor> {
    fn gradient(self) -> Option<Tensor> {
        self
    }
}

/// Hooks of tensors, as methods.
pub trait TensorHooks {
    /// Has a closure be called with the gradient of this tensor in each backward pass that computes it, before it goes
    /// on to what the tensor was computed from. A tensor that the closure gives takes the gradient's place; so a hook
    /// can clip or reverse it. `torch.Tensor.register_hook`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
    /// let hook = x.register_hook(|gradient| gradient.clamp(-1.0, 1.0));
    /// (&x * 5.0).sum(None).backward();
    /// assert_eq!(x.grad(), Tensor::from_slice(&[1.0f32, 1.0]));
    /// hook.remove();
    /// ```
    ///
    /// # Panics
    ///
    /// If the tensor requires no gradient. If the closure panics, the backward pass fails with its message.
    fn register_hook<R: HookResult>(&self, hook: impl Fn(&Tensor) -> R + Send + 'static) -> Hook;

    /// Keeps the gradient of a tensor that is not a leaf, so that `grad()` gives it after a backward pass.
    /// `torch.Tensor.retain_grad`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
    /// let hidden = &x * 2.0;
    /// hidden.retain_grad();
    /// (&hidden * &hidden).sum(None).backward();
    /// assert_eq!(hidden.grad(), Tensor::from_slice(&[4.0f32, 8.0]));
    /// ```
    ///
    /// # Panics
    ///
    /// If the tensor requires no gradient.
    fn retain_grad(&self);
}

impl TensorHooks for Tensor {
    fn register_hook<R: HookResult>(&self, hook: impl Fn(&Tensor) -> R + Send + 'static) -> Hook {
        assert!(
            self.requires_grad(),
            "register_hook: the tensor requires no gradient, so the hook would never be called; call \
             `set_requires_grad(true)` on it first"
        );
        let called = move |gradients: Vec<Option<Tensor>>| {
            let gradient = gradients.first().and_then(Option::as_ref);
            Ok(vec![gradient.and_then(|gradient| hook(gradient).gradient())])
        };
        let number =
            shim::register_hook(self, Box::new(called)).unwrap_or_else(|error| panic!("register_hook: {error}"));
        Hook { tensor: self.shallow_clone(), number }
    }

    fn retain_grad(&self) {
        assert!(
            self.requires_grad(),
            "retain_grad: the tensor requires no gradient; was it computed within `no_grad`, or from tensors without?"
        );
        shim::retain_grad(self).unwrap_or_else(|error| panic!("retain_grad: {error}"));
    }
}

/// A hook of a tensor. Dropping it leaves the hook where it is.
pub struct Hook {
    tensor: Tensor,
    number: u32,
}

impl Hook {
    /// Removes the hook from its tensor.
    pub fn remove(self) {
        shim::remove_hook(&self.tensor, self.number).unwrap_or_else(|error| panic!("remove a hook: {error}"));
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hook {} of a tensor of shape {:?}", self.number, self.tensor.size())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn leaf() -> Tensor {
        Tensor::from_slice(&[1.0f64, 2.0]).set_requires_grad(true)
    }

    #[test]
    fn hooks_are_called_in_order_until_they_are_removed() {
        let x = leaf();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let double = x.register_hook(|gradient| gradient * 2.0);
        let see = {
            let seen = Arc::clone(&seen);
            x.register_hook(move |gradient| seen.lock().expect("no hook panicked").push(gradient.double_value(&[0])))
        };
        x.sum(None).backward();
        double.remove();
        x.sum(None).backward();
        see.remove();
        x.sum(None).backward();
        assert_eq!(*seen.lock().expect("no hook panicked"), [2.0, 1.0]);
        assert_eq!(x.grad(), Tensor::from_slice(&[4.0f64, 4.0]));
    }

    #[test]
    fn a_hook_between_changes_what_goes_on() {
        let x = leaf();
        let hidden = &x * 3.0;
        hidden.register_hook(|gradient| gradient.neg());
        hidden.retain_grad();
        hidden.sum(None).backward();
        assert_eq!(x.grad(), Tensor::from_slice(&[-3.0f64, -3.0]));
        assert_eq!(hidden.grad(), Tensor::from_slice(&[-1.0f64, -1.0]));
    }

    #[test]
    fn a_hook_that_panics_fails_the_pass_with_its_message() {
        let x = leaf();
        x.register_hook(|_| -> Tensor { panic!("no such gradient") });
        let error = x.sum(None).f_backward().expect_err("the hook panicked");
        assert!(error.to_string().contains("no such gradient"), "{error}");
    }
}
