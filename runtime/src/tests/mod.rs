//! What the tests of several rooms need, and tests of what several rooms do together.

mod indexing;
pub(crate) mod reference;
pub(crate) mod server;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cell::payload_text;

/// What a call that has to panic says.
#[track_caller]
pub(crate) fn panic_message<T>(run: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(_) => panic!("it does not panic"),
        Err(panic) => payload_text(&*panic),
    }
}
