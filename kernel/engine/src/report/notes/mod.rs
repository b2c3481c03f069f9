//! What is said of a cell that compiles and does something else than it seems to do.

pub(crate) mod floor_division;
pub(crate) mod shadowed;
pub(crate) mod unused;
