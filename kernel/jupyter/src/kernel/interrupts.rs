//! Interrupts from the control socket and from signals, on their way to whatever the running cell waits for.

use std::sync::{Arc, OnceLock};

use oxtorch_session::Interrupter;
use tokio::sync::Notify;

/// Interrupts the running cell, wherever it is: in the engine, waiting for the engine to start, or for input.
#[derive(Clone, Default)]
pub(crate) struct Interrupts(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// There once the engine has started.
    engine: OnceLock<Interrupter>,
    /// Wakes what waits; nothing is remembered, so an interrupt between two cells is over with.
    waiting: Notify,
}

impl Interrupts {
    /// From now on the engine is told, too.
    pub(crate) fn engine_started(&self, interrupter: Interrupter) {
        let _ = self.0.engine.set(interrupter);
    }

    /// Interrupts the running cell; nothing happens when none runs.
    pub(crate) fn interrupt(&self) {
        // The engine first: a cell whose `input` then ends must find that it was interrupted.
        if let Some(engine) = self.0.engine.get() {
            engine.interrupt();
        }
        self.0.waiting.notify_waiters();
    }

    /// Waits for the next interrupt.
    pub(crate) async fn next(&self) {
        self.0.waiting.notified().await;
    }
}
