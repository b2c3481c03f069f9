//! The points at which a running cell notices an interrupt: between its statements, at the head of every loop body and
//! function body, and at every `await` at its top level.

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::lock::lock;

/// What a cell is to notice, as bits.
static PENDING: AtomicU8 = AtomicU8::new(0);
const INTERRUPT: u8 = 1;
const CALL: u8 = 2;

/// What the thread that runs cells is to call.
static CALLED: Mutex<Option<fn()>> = Mutex::new(None);

thread_local! {
    static RUNS_CELLS: Cell<bool> = const { Cell::new(false) };
}

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
    if PENDING.load(Ordering::Relaxed) != 0 {
        attend();
    }
}

#[cold]
fn attend() {
    let pending = PENDING.load(Ordering::Relaxed);
    // Other threads of the cell's pass checkpoints as well.
    if pending & CALL != 0 && RUNS_CELLS.get() {
        PENDING.fetch_and(!CALL, Ordering::Relaxed);
        let function = lock(&CALLED).take();
        function.into_iter().for_each(|function| function());
    }
    if pending & INTERRUPT != 0 {
        unwind();
    }
}

fn unwind() {
    // A second panic while a destructor runs would abort the process.
    if !std::thread::panicking() {
        std::panic::resume_unwind(Box::new(Interrupt));
    }
}

/// Makes a cell the one that interrupts are for. Called as the request to run it arrives, ahead of any request to
/// interrupt it, so that no interrupt is lost and none reaches a later cell.
pub(crate) fn begin(run: u64) {
    PENDING.fetch_and(!INTERRUPT, Ordering::Relaxed);
    RUNNING.store(run, Ordering::Release);
}

/// Asks a cell to end at its next checkpoint, if it still runs.
pub(crate) fn interrupt(run: u64) {
    if RUNNING.load(Ordering::Acquire) == run {
        PENDING.fetch_or(INTERRUPT, Ordering::Relaxed);
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
    PENDING.load(Ordering::Relaxed) & INTERRUPT != 0
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
    PENDING.fetch_and(!INTERRUPT, Ordering::Relaxed);
}

/// Makes the current thread the one that runs cells.
pub(crate) fn run_cells_here() {
    RUNS_CELLS.set(true);
}

/// Whether the current thread is the one that runs cells.
pub(crate) fn is_where_cells_run() -> bool {
    RUNS_CELLS.get()
}

/// Has the thread that runs cells call a function at its next checkpoint.
pub(crate) fn call_at_checkpoint(function: fn()) {
    *lock(&CALLED) = Some(function);
    PENDING.fetch_or(CALL, Ordering::Relaxed);
}
