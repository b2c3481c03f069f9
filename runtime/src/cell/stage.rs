//! Runs the stages of a cell, and remembers how the first one that did not end well ended.

use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use oxtorch_protocol::{Cost, Done, Outcome};

use super::{describe, panic, store, timeit};
use crate::checkpoint;

/// What `?` turns an error into at the top level of a cell: anything that can be displayed.
pub struct Error {
    message: String,
    place: &'static Location<'static>,
}

// `Error` is itself not `Display`, so this does not overlap with `impl From<T> for T`.
impl<E: Display> From<E> for Error {
    // `?` passes on where it stands.
    #[track_caller]
    fn from(error: E) -> Self {
        // The alternate form of `anyhow::Error` is the whole chain of causes; others ignore the flag.
        Self { message: format!("{error:#}"), place: Location::caller() }
    }
}

thread_local! {
    static OUTCOME: RefCell<Outcome> = const { RefCell::new(Outcome::Ok) };
}

/// Runs one stage; `None` when it failed, panicked or was interrupted.
pub fn stage<T>(body: impl FnOnce() -> Result<T, Error>) -> Option<T> {
    // What the closure borrows lives on in the cell whatever happens: the user can look at it and decide.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            record_failure(error);
            None
        }
        Err(payload) => {
            record_panic(payload);
            None
        }
    }
}

fn record_failure(Error { message, place }: Error) {
    let message = panic::first_sentence(&message);
    OUTCOME.set(Outcome::Failed { message, place: panic::user_place(place) });
}

/// Prepares for a cell.
pub(crate) fn begin() {
    OUTCOME.set(Outcome::Ok);
    store::begin();
}

/// How the cell ended, and what it kept.
pub(crate) fn end() -> Done {
    checkpoint::end();
    Done {
        outcome: OUTCOME.replace(Outcome::Ok),
        kept: store::kept(),
        described: describe::take(),
        timing: timeit::take(),
        // The host knows these.
        cost: Cost::default(),
        dir: None,
    }
}

/// Records a panic, of a stage or outside every stage, such as in the `Drop` of a replaced variable.
pub(crate) fn record_panic(payload: Box<dyn std::any::Any + Send>) {
    OUTCOME.set(panic::outcome(payload));
}
