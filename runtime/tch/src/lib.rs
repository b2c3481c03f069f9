//! The crate `tch` as cells see it: all that [it has](torch), with indices, guards and closures of our own in place of
//! some.
//!
//! A cell that says `use tch::IndexOp;`, as programs do, would else have the other trait beside or in place of ours,
//! and with it ranges and index tensors that mean something else. So it is with the guards and closures of
//! [`gradients`], which a cell may run again before the old ones are dropped, and may leave by a panic.

pub mod gradients;
pub mod index;
#[doc(hidden)]
pub mod instances;

pub use gradients::{NoGradGuard, no_grad, no_grad_guard, with_grad};
pub use index::IndexOp;
pub use torch::*;
