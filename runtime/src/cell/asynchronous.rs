//! Runs the stages that await something, on a tokio runtime that lives as long as the host.
//!
//! The runtime is made when a cell first needs it: a session without `await` pays nothing. Its worker threads run
//! spawned tasks between cells as well.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::{Mutex, OnceLock};

use tokio::runtime::Runtime;

use super::stage::{Error, stage};
use crate::checkpoint;
use crate::lock::lock;

thread_local! {
    /// How many of the runtimes this thread has entered: ours first, then those of `OTHERS`.
    static ENTERED: Cell<usize> = const { Cell::new(0) };
}

/// What has a thread enter a runtime of another tokio than ours, one for each that crates were built with.
static OTHERS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => panic!("cannot start the threads that run async code: {error}"),
    })
}

/// Lets this thread spawn tasks and make timers from now on. The kernel calls it in cells that mention `tokio` or
/// await.
pub fn enter_tokio() {
    let entered = ENTERED.get();
    if entered == 0 {
        // Left only as the host ends: the next cell may call an earlier function that spawns.
        std::mem::forget(runtime().enter());
        ENTERED.set(1);
    }
    let others = lock(&OTHERS).clone();
    for enter in others.iter().skip(entered.saturating_sub(1)) {
        enter();
    }
    ENTERED.set(1 + others.len());
}

/// Has [`enter_tokio`] call this as well, once on each thread. A library of crates that holds a tokio of its own calls
/// it as it is loaded.
pub fn enter_as_well(enter: fn()) {
    lock(&OTHERS).push(enter);
}

/// Runs one stage that awaits; as [`stage`], and an interrupt reaches it while it waits.
pub fn stage_async<T>(body: impl AsyncFnOnce() -> Result<T, Error>) -> Option<T> {
    stage(|| {
        let mut ended = None;
        drive(pin!(async { ended = Some(body().await) }));
        match ended {
            Some(ended) => ended,
            // `drive` returns only once the future has.
            None => unreachable!("the stage has not ended"),
        }
    })
}

/// Not generic, so that tokio's scheduler is compiled once and not into every cell.
fn drive(stage: Pin<&mut dyn Future<Output = ()>>) {
    runtime().block_on(async {
        tokio::select! {
            () = stage => {}
            () = checkpoint::interrupted() => checkpoint::checkpoint(),
        }
    });
}
