//! The crate `tch` as cells see it: all that it has, with the [`IndexOp`] of the prelude in place of its own.
//!
//! A cell that says `use tch::IndexOp;`, as programs do, would else have the other trait beside or in place of this
//! one, and with it ranges and index tensors that mean something else.

pub use super::IndexOp;
pub use ::tch::*;

/// What [`tch` has](::tch::index) of indices, with the [`IndexOp`] of the prelude.
pub mod index {
    pub use super::IndexOp;
    pub use ::tch::index::*;
}
