//! Runs the stages of a cell, and remembers how the first one that did not end well ended.

use std::cell::RefCell;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use oxtorch_protocol::{Done, Outcome};

use super::{describe, notes, panic, store, timeit};
use crate::display::live;
use crate::{checkpoint, nn};

/// Why a stage ended early: with an error, or by a `return` of the user's, which is no failure.
///
/// `?` turns anything that can be displayed into one.
#[expect(missing_debug_implementations, reason = "the code around a cell has it, and no cell shows it")]
pub struct Error(Option<Failure>);

struct Failure {
    message: String,
    place: &'static Location<'static>,
}

// `Error` is itself not `Display`, so this does not overlap with `impl From<T> for T`.
impl<E: Display> From<E> for Error {
    // `?` passes on where it stands.
    #[track_caller]
    fn from(error: E) -> Self {
        // The alternate form of `anyhow::Error` is the whole chain of causes; others ignore the flag.
        Self(Some(Failure { message: format!("{error:#}"), place: Location::caller() }))
    }
}

/// What a `return` at the top level of a cell may have behind it.
#[diagnostic::on_unimplemented(
    message = "a cell returns nothing or a `Result<()>`, not `{Self}`",
    note = "the value of a cell is its last expression, without `return`"
)]
pub trait Ending {
    /// The error, where it is one.
    #[track_caller]
    fn error(self) -> Option<Error>;
}

impl Ending for () {
    fn error(self) -> Option<Error> {
        None
    }
}

// Of `()` alone, so that the compiler knows what `Err(error)` is a result of.
impl<E: Into<Error>> Ending for Result<(), E> {
    #[track_caller]
    fn error(self) -> Option<Error> {
        // Not `map(Into::into)`: the error's place is where this is called.
        match self {
            Ok(()) => None,
            Err(error) => Some(error.into()),
        }
    }
}

/// What the kernel makes of `return` at the top level of a cell: it ends all stages, whatever they have to give.
///
/// # Errors
/// Always, so that no later stage runs.
#[track_caller]
pub fn end_cell<T, V: Ending>(value: V) -> Result<T, Error> {
    Err(value.error().unwrap_or(Error(None)))
}

/// Says what the error of a cell's last value is where nothing else does, as in `Ok(())`: what `?` makes of errors.
///
/// # Errors
/// The value's own.
pub fn of_any_error<T>(value: Result<T, anyhow::Error>) -> Result<T, anyhow::Error> {
    value
}

thread_local! {
    static OUTCOME: RefCell<Outcome> = const { RefCell::new(Outcome::Ok) };
}

/// Gives the function that runs a cell the name that the host knows. A cell may forbid the attribute: it is unsafe
/// code.
#[doc(hidden)]
#[macro_export]
macro_rules! export_run {
    ($symbol:literal, $run:path) => {
        const _: () = {
            #[unsafe(export_name = $symbol)]
            pub fn run() {
                $run()
            }
        };
    };
}

/// Runs one stage; `None` when it returned early, failed, panicked or was interrupted. No stage begins after an
/// interrupt.
pub fn stage<T>(body: impl FnOnce() -> Result<T, Error>) -> Option<T> {
    let mut body = Some(body);
    let mut value = None;
    run_stage(&mut || {
        if let Some(body) = body.take() {
            value = Some(body()?);
        }
        Ok(())
    });
    value
}

/// Not generic, as what follows, and so compiled once: a cell has as many stages as it has `let`s that may fail.
fn run_stage(body: &mut dyn FnMut() -> Result<(), Error>) {
    if !may_begin() {
        return;
    }
    // What the closure borrows lives on in the cell whatever happens: the user can look at it and decide.
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {}
        Ok(Err(error)) => record_failure(error),
        Err(payload) => record_panic(payload),
    }
}

fn may_begin() -> bool {
    let interrupted = checkpoint::is_interrupted();
    if interrupted {
        OUTCOME.set(Outcome::Interrupted);
    }
    !interrupted
}

fn record_failure(Error(failure): Error) {
    let Some(Failure { message, place }) = failure else { return };
    let message = panic::first_sentence(&message);
    OUTCOME.set(Outcome::Failed { message, place: panic::user_place(place) });
}

static RUNS: AtomicU64 = AtomicU64::new(0);

/// Which run of a cell this is, from 1; 0 where there are no cells.
pub(crate) fn run() -> u64 {
    RUNS.load(Ordering::Relaxed)
}

/// Prepares for a cell.
pub(crate) fn begin() {
    RUNS.fetch_add(1, Ordering::Relaxed);
    OUTCOME.set(Outcome::Ok);
    store::begin();
}

/// How the cell ended, and what it kept.
pub(crate) fn end() -> Done {
    let outcome = OUTCOME.replace(Outcome::Ok);
    // What the interrupt ends can be an error to the cell, or a panic: a system call, a child process, a thread of
    // `thread::scope`. And what ran to its end when the user said stop is not followed by the next cell.
    let outcome = if checkpoint::is_interrupted() { Outcome::Interrupted } else { outcome };
    checkpoint::end();
    live::settle();
    nn::forget_panics();
    Done {
        outcome,
        kept: store::kept(),
        described: describe::take(),
        timing: timeit::take(),
        notes: notes::take(),
        // The host knows these.
        ..Done::default()
    }
}

/// Records a panic, of a stage or outside every stage, such as in the `Drop` of a variable that is replaced.
pub(crate) fn record_panic(payload: Box<dyn std::any::Any + Send>) {
    OUTCOME.set(panic::outcome(payload));
}
