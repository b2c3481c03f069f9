//! The crate `tch` as cells see it: all that it has, with the [`IndexOp`] and the [`no_grad_guard`] of the prelude in place of its own.
//!
//! A cell that says `use tch::IndexOp;`, as programs do, would else have the other trait beside or in place of this
//! one, and with it ranges and index tensors that mean something else. So it is with the guards of [`modes`](crate::modes), which a cell that
//! is run again makes before the old ones are dropped.

pub use super::IndexOp;
pub use crate::modes::{NoGradGuard, no_grad_guard};
pub use ::tch::*;

/// What [`tch` has](::tch::index) of indices, with the [`IndexOp`] of the prelude.
pub mod index {
    pub use super::IndexOp;
    pub use ::tch::index::*;
}
