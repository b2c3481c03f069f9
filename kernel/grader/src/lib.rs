//! Grades what a class has handed in: each notebook runs in a sandbox, with the tests of the master, and what became
//! of each question is decided outside of it.
//!
//! [`session`] is what runs in the sandbox: the engine, the compiler, and the process that runs the cells. `worker`
//! drives it from outside, over the `messages` of a socket. [`batch`] is a class, [`submissions`] finds what was handed
//! in, and `verdict` says what each question gets.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

pub mod batch;
mod crates;
mod messages;
pub mod sandbox;
pub mod session;
pub mod slurm;
pub mod submissions;
mod verdict;
mod worker;

pub use batch::{Options, Share, earlier_rules, fill_in, grade};
pub use sandbox::{Bounds, Sandbox, SandboxError};
pub use slurm::{Cluster, grade_on_cluster};
pub use worker::Limits;
