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

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::session::{CellError, CellRequest, Completeness, Completion, Event};

/// An evaluator of Rust cells that keeps state from one cell to the next.
pub trait Engine: Send + 'static {
    /// Runs a cell to its end; see [`crate::session::Session::execute`].
    fn execute(
        &mut self,
        request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> impl Future<Output = Result<(), CellError>> + Send;

    /// Names the cells that will probably follow the next one, so that work for them can be done ahead.
    fn expect(&mut self, _cells: Vec<String>) {}

    /// Whether a cell is ready to run.
    fn is_complete(&self, code: &str) -> Completeness;

    /// What could stand at the byte `cursor` of a cell; nothing, for an engine that cannot tell.
    fn complete(&mut self, _code: &str, cursor: usize) -> impl Future<Output = Completion> + Send {
        std::future::ready(Completion::none(cursor))
    }

    /// What is known of the name at the byte `cursor`, with its source where that is wanted; nothing, for an engine that
    /// cannot tell.
    fn inspect(
        &mut self,
        _code: &str,
        _cursor: usize,
        _with_source: bool,
    ) -> impl Future<Output = Option<String>> + Send {
        std::future::ready(None)
    }

    /// What is shown while no cell runs; see [`crate::session::Session::aside`].
    fn aside(&mut self) -> Option<mpsc::Receiver<Event>> {
        None
    }

    /// A handle that interrupts the running cell.
    fn interrupter(&self) -> Interrupter;

    /// Ends what the engine has started and removes what it keeps on disk.
    fn shutdown(self) -> impl Future<Output = ()> + Send;
}

/// Interrupts the running cell of one engine; does nothing while no cell runs.
#[derive(Clone)]
pub struct Interrupter(Arc<dyn Fn(Interrupt) + Send + Sync>);

/// How much is asked of an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// What the user asks for with the stop button.
    Ask,
    /// The end of whatever runs the cell, at once.
    End,
}

impl Interrupter {
    /// An interrupter that calls `interrupt`.
    pub fn new(interrupt: impl Fn(Interrupt) + Send + Sync + 'static) -> Self {
        Self(Arc::new(interrupt))
    }

    /// Interrupts the running cell and the processes that it has started: it ends at its next checkpoint and the variables
    /// stay. Where that has no effect the cell says what another call will do, which is to end the host process.
    pub fn interrupt(&self) {
        (self.0)(Interrupt::Ask)
    }

    /// Ends the processes of the running cell, and the variables with them, if it does not end in any better way at once.
    pub fn end(&self) {
        (self.0)(Interrupt::End)
    }
}
