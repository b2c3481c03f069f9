//! The variables of a network by their names, and what a layer that is made again leaves of the one before.

mod entry;
mod remade_layers;
mod var_store;

pub use entry::Entry;
pub(crate) use var_store::forget_panics;
pub use var_store::{Path, VarStore};
