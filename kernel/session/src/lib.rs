//! What a front asks of a session, and what it is told: the border between the fronts (a frontend over ZeroMQ, a
//! notebook file) and what evaluates cells.
//!
//! A front drives an [`Engine`]: it calls [`Engine::execute`] for a cell and forwards the [`Event`]s that arrive
//! meanwhile. An engine knows nothing of sockets or files, and a front nothing of Rust.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod aside;
mod engine;
mod error;
mod event;
pub mod formats;
mod interrupt;
mod question;

pub use aside::Aside;
pub use engine::{AHEAD, Author, CellRequest, Engine};
pub use error::{CellError, ErrorKind};
pub use event::{Event, ProgressLine, Stream, note_display};
pub use interrupt::{Interrupt, Interrupter};
pub use question::{Candidate, CandidateKind, Completeness, Completion, Documentation};
