//! The variables of a network by their names, and what a layer that is made again leaves of the one before.

mod entry;
mod given;
mod path;
mod remade_layers;
mod var_store;

pub use entry::Entry;
pub use given::functional_call;
pub use path::Path;
pub use var_store::VarStore;
pub(crate) use var_store::{by_name, forget_panics, is_trainable};
