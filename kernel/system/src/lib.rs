//! What Oxtorch asks of the operating system: where it keeps things on disk, programs, processes, signals and the
//! terminal.
//!
//! It knows nothing of cells, of Jupyter or of what is kept.

// Whoever reads may be gone, and what is written may come from anybody: `terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod child;
pub mod home;
pub mod processes;
pub mod programs;
pub mod signals;
pub mod terminal;
pub mod transfer;
