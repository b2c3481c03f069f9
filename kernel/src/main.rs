//! The Oxtorch kernel: takes cells from a Jupyter frontend or a notebook file, compiles them with rustc and has a host
//! process run them.
//!
//! [`cli`] starts either `oxtorch_jupyter` (a frontend over ZeroMQ) or `oxtorch_notebook` (a notebook file). Both drive
//! an engine of `oxtorch_engine` by the trait in `oxtorch_session`; `oxtorch_setup` provides what the engine's cells
//! run against.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` and the log of
// `oxtorch_jupyter` see to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod arguments;
mod assignment;
mod cli;
mod data;
mod grade;

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "evcxr")]
    oxtorch_engine::evcxr::hook();
    cli::main()
}
