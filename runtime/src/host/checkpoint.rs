//! The points at which a running cell notices an interrupt: between its statements, at the head of every loop body and
//! function body, and at every `await` at its top level.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The run that interrupts are for; 0 while none is.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Wakes a cell that awaits something.
static WAKE: Notify = Notify::const_new();

/// The payload of the unwinding that an interrupt starts.
pub(crate) struct Interrupt;

/// Ends the cell here if the user has interrupted it; otherwise costs one load of a flag.
///
/// The kernel inserts a call between the statements of a cell and at the head of every loop body and function body.
/// Call it yourself inside code that the kernel does not see, such as a loop written by a macro.
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

/// Makes a cell the one that interrupts are for. Called as the request to run it arrives, ahead of any request to
/// interrupt it, so that no interrupt is lost and none reaches a later cell.
pub(crate) fn begin(run: u64) {
    INTERRUPTED.store(false, Ordering::Relaxed);
    RUNNING.store(run, Ordering::Release);
}

/// Asks a cell to end at its next checkpoint, if it still runs.
pub(crate) fn interrupt(run: u64) {
    if RUNNING.load(Ordering::Acquire) == run {
        INTERRUPTED.store(true, Ordering::Relaxed);
        WAKE.notify_one();
    }
}

/// Asks the cell that runs, if one does, to end at its next checkpoint.
pub(crate) fn interrupt_running() {
    if let Some(run) = running() {
        interrupt(run);
    }
}

/// The run that interrupts are for, while a cell runs.
pub(crate) fn running() -> Option<u64> {
    Some(RUNNING.load(Ordering::Acquire)).filter(|run| *run != 0)
}

/// Whether the running cell is to end.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Waits until the running cell is interrupted.
pub(crate) async fn interrupted() {
    // A wake-up may be left over from an earlier cell.
    while !is_interrupted() {
        WAKE.notified().await;
    }
}

/// No cell runs.
pub(crate) fn end() {
    RUNNING.store(0, Ordering::Release);
    INTERRUPTED.store(false, Ordering::Relaxed);
}
