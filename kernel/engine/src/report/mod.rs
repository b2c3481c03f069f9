//! Says what went wrong, in the user's words and on the user's lines.

pub(crate) mod brackets;
mod distinct;
pub(crate) mod errors;
mod further;
pub(crate) mod hints;
mod inference;
pub(crate) mod layout;
pub(crate) mod notes;
pub(crate) mod python_hints;
pub(crate) mod render;
pub(crate) mod runtime_hints;
mod type_hints;
pub(crate) mod type_names;
pub(crate) mod underline;
