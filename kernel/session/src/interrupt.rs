//! Interrupts a running cell, from any thread.

use std::sync::Arc;

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

    /// Interrupts the running cell and the processes that it has started: it ends at its next checkpoint and the
    /// variables stay. Where that has no effect the cell says what another call will do, which is to end the host
    /// process.
    pub fn interrupt(&self) {
        (self.0)(Interrupt::Ask)
    }

    /// Ends the processes of the running cell, and the variables with them, if it does not end in any better way at
    /// once.
    pub fn end(&self) {
        (self.0)(Interrupt::End)
    }
}
