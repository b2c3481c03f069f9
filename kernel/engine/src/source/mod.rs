//! Reads a cell: what its text consists of, where it is instrumented, which names it mentions.

pub(crate) mod awaits;
pub(crate) mod files;
pub(crate) mod fragment;
pub(crate) mod identifiers;
pub(crate) mod infallible;
pub(crate) mod instrument;
pub(crate) mod items;
pub(crate) mod macro_items;
pub(crate) mod members;
pub(crate) mod nesting;
pub(crate) mod parse;
pub(crate) mod source_map;
pub(crate) mod words;
