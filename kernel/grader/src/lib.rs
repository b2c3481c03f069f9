//! Grades what a class has handed in: each notebook runs in a sandbox, with the tests of the master, and what became
//! of each question is decided outside of it.
//!
//! [`session`] is what runs in the sandbox: the engine, the compiler, and the process that runs the cells. `worker`
//! drives it from outside, over the `messages` of a socket.

mod messages;
pub mod sandbox;
pub mod session;
mod worker;

pub use sandbox::{Bounds, Sandbox, SandboxError};
