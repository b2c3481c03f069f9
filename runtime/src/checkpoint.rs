//! The points at which a running cell notices an interrupt: the head of every loop body and function body.

use std::sync::atomic::{AtomicBool, Ordering};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The payload of the unwinding that an interrupt starts.
pub(crate) struct Interrupt;

/// Ends the cell here if the user has interrupted it; otherwise costs one load of a flag.
///
/// The kernel inserts a call at the head of every loop body and function body of a cell. Call it yourself inside
/// code that the kernel does not see, such as a loop written by a macro.
#[inline(always)]
pub fn checkpoint() {
    if INTERRUPTED.load(Ordering::Relaxed) {
        unwind();
    }
}

#[cold]
fn unwind() {
    // A second panic while a destructor runs would abort the process.
    if !std::thread::panicking() {
        std::panic::resume_unwind(Box::new(Interrupt));
    }
}

/// Asks the running cell to end at its next checkpoint. Safe to call from a signal handler.
pub(crate) fn interrupt() {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// Forgets an interrupt, ahead of the next cell.
pub(crate) fn clear() {
    INTERRUPTED.store(false, Ordering::Relaxed);
}

/// Whether an interrupt waits for a checkpoint.
pub(crate) fn pending() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
