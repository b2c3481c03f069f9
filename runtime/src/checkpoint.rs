//! The points at which a running cell notices an interrupt: between its statements, at the head of every loop body and
//! function body, and at every `await` at its top level.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether the interrupt has begun to unwind any thread.
static UNWOUND: AtomicBool = AtomicBool::new(false);

/// The run that interrupts are for; 0 while none is.
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Wakes a cell that awaits something.
static WAKE: Notify = Notify::const_new();

/// The payload of the unwinding that an interrupt starts.
pub(crate) struct Interrupt;

/// Ends the cell here if the user has interrupted it; otherwise costs one load of a flag.
///
/// The kernel inserts a call between the statements of a cell and at the head of every loop body and function body. Call it
/// yourself inside code that the kernel does not see, such as a loop written by a macro.
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
        UNWOUND.store(true, Ordering::Relaxed);
        std::panic::resume_unwind(Box::new(Interrupt));
    }
}

/// Makes a cell the one that interrupts are for. Called as the request to run it arrives, ahead of any request to
/// interrupt it, so that no interrupt is lost and none reaches a later cell.
pub(crate) fn begin(run: u64) {
    forget_interrupt();
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
    let run = RUNNING.load(Ordering::Acquire);
    if run != 0 {
        interrupt(run);
    }
}

/// Whether the running cell is to end.
pub(crate) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Whether a thread of the running cell has ended, or is about to, because of the interrupt.
pub(crate) fn has_unwound() -> bool {
    UNWOUND.load(Ordering::Relaxed)
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
    forget_interrupt();
}

fn forget_interrupt() {
    INTERRUPTED.store(false, Ordering::Relaxed);
    UNWOUND.store(false, Ordering::Relaxed);
}
