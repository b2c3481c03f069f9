//! The Oxtorch kernel: takes cells from a Jupyter frontend or a notebook file, compiles them with rustc and has a host
//! process run them.
//!
//! Read downward: [`cli`] starts either [`jupyter`] (a frontend over ZeroMQ) or [`headless`] (a notebook file); both
//! drive a [`session::Session`], which gives cells to the [`engine`]; the engine compiles them and the [`host`] runs
//! them. [`setup`] provides the libtorch and the runtime that host and cells link.

// Whoever reads may be gone, and what is written may come from anybody: `terminal` and `jupyter::log` see to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod cli;
mod content;
pub mod engine;
pub mod headless;
pub mod home;
pub mod host;
pub mod jupyter;
pub mod kernelspec;
mod processes;
pub mod session;
pub mod setup;
mod signals;
mod terminal;

#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod scripted;
