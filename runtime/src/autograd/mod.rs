//! Gradients beyond `loss.backward()`, as `torch.autograd` has them.
//!
//! - [`grad`] and [`Grad`]: gradients of chosen outputs by chosen inputs, which can be differentiated again if asked.
//! - [`custom`]: an operation with a backward pass of its own, for straight-through estimators or gradient reversal.
//! - [`TensorHooks`]: `x.register_hook(..)` sees or changes a gradient on its way, `x.retain_grad()` keeps it.
//! - [`jacobian`], [`hessian`], [`vjp`], [`jvp`]: derivatives of functions.
//! - [`gradcheck`] and [`gradgradcheck`]: whether derivatives are right.
//! - [`checkpoint`], [`checkpointed`] and [`checkpointed_t`]: less memory in training, for computing activations twice.
//!
//! ```
//! use oxtorch::prelude::*;
//! let x = Tensor::from_slice(&[1.0f32, 2.0]).set_requires_grad(true);
//! let y = (&x * &x * &x).sum(None);
//! let slope = autograd::Grad::of(&y).create_graph().by(&x);
//! let curvature = autograd::grad(&slope.sum(None), &x);
//! assert_eq!(curvature, Tensor::from_slice(&[6.0f32, 12.0]));
//! ```

mod check;
mod checkpoint;
mod custom;
mod derivatives;
mod grad;
mod hook;
mod shim;

pub use check::{GradcheckError, gradcheck, gradgradcheck};
pub use checkpoint::{Checkpoint, CheckpointT, checkpoint, checkpointed, checkpointed_t};
pub use custom::{Saved, custom};
pub use derivatives::{hessian, jacobian, jvp, vjp};
pub use grad::{Grad, Tensors, grad};
pub use hook::{Hook, HookResult, TensorHooks};
