//! Turns cells into running code.
//!
//! The rooms, in the order in which a cell goes through them: `cell` is its life from top to bottom; `commands` reads
//! what a line such as `%cd data` asks for, and `perform` does it; `source` reads the text; `plan` finds what its crate
//! holds; `emit` writes the crate, and takes back what rustc refuses of it; `compile` has rustc make a library of it,
//! and keeps that; `host` runs it; `report` says what went wrong. `assist` answers while the user types; `names` has
//! what other libraries call what is here. `evcxr` is another engine.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod assist;
mod cell;
mod commands;
mod compile;
mod crate_names;
mod diagnostic;
mod emit;
#[cfg(feature = "evcxr")]
pub mod evcxr;
#[cfg(test)]
mod fuzz;
mod host;
pub mod names;
mod perform;
mod plan;
mod report;
mod source;

pub use cell::NativeEngine;
pub use compile::cache::Cache;
pub use host::Confinement;
pub use perform::shell::IS_CHECKED;
pub use plan::prelude::is_name_of_every_cell;
pub use source::words::{declared_names, declared_variables};
