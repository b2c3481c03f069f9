//! Turns cells into running code.
//!
//! A cell goes downward through these: `parse` sorts its text, `expand` asks what macros make of it, `scope` plans what
//! its crate holds, `emit` writes the crate, `rustc` compiles it, `refusals` learns from what rustc refuses, `render`
//! draws what is the user's error; `cache` keeps what was compiled; `native` has the host run the result and commits
//! it.

mod advice;
mod awaits;
pub mod cache;
mod captures;
mod commands;
mod complete;
mod content;
mod contents;
mod deps;
mod depth;
mod edits;
mod emit;
#[cfg(feature = "evcxr")]
pub mod evcxr;
mod expand;
mod extent;
mod failures;
mod files;
mod fragment;
#[cfg(test)]
mod fuzz;
mod habits;
pub mod host;
mod macro_items;
mod mentions;
mod names;
pub mod native;
#[cfg(test)]
mod orders;
mod parse;
mod plan;
mod prelude;
mod refusals;
mod render;
mod rustc;
mod scope;
mod source_map;
mod sure;
mod type_names;
mod unbalanced;
mod variables;
