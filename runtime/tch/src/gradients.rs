//! Closures and guards while which gradients are recorded or not. A closure puts the mode back however it ends; guards
//! may be dropped in any order.
//!
//! Those of tch put nothing back where a closure panics or the user interrupts it: from then on nothing would record
//! gradients. tch's guard remembers the mode that it finds and puts that back. So it is right where guards end in the
//! reverse order of their beginning, as in a function. A cell that is run again makes the new guard before the old one
//! is dropped: tch's new one remembers that nothing is recorded.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs a closure whose operations record no gradients, for evaluation and for changing weights by hand: less memory,
/// and what comes out does not require gradients. `torch.no_grad()`.
///
/// Afterwards it is as before, also where the closure panics or is interrupted.
///
/// ```
/// use tch::{Device, Kind, Tensor, no_grad};
/// let w = Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// assert!(!no_grad(|| &w * 2.0).requires_grad());
/// let failed = std::panic::catch_unwind(|| no_grad(|| Tensor::zeros([2, 3], (Kind::Float, Device::Cpu)).view([5])));
/// assert!(failed.is_err());
/// assert!((&w * 2.0).requires_grad());
/// ```
pub fn no_grad<T, F: FnOnce() -> T>(run: F) -> T {
    // Dropped by unwinding as well.
    let _guard = no_grad_guard();
    run()
}

/// Runs a closure whose operations record gradients, within a part in which none are recorded. `torch.enable_grad()`.
///
/// Afterwards it is as before, also where the closure panics or is interrupted.
pub fn with_grad<T, F: FnOnce() -> T>(run: F) -> T {
    let _mode = Mode { before: record_gradients(true) };
    run()
}

/// Puts back whether gradients are recorded when it is dropped.
struct Mode {
    before: bool,
}

impl Drop for Mode {
    fn drop(&mut self) {
        record_gradients(self.before);
    }
}

/// No gradients are recorded on this thread while it is held; `tch::NoGradGuard`.
///
/// Dropping it has the mode be what it would be without it: of several guards the last one that is dropped puts back
/// what was before the first.
#[derive(Debug)]
#[must_use = "a guard that is not kept in a variable is dropped at once: `let guard = no_grad_guard();`"]
pub struct NoGradGuard {
    number: u64,
}

/// A guard that is held, and whether gradients would be recorded without it, and without those behind it.
struct Held {
    number: u64,
    before: bool,
}

thread_local! {
    /// The guards of this thread in the order in which they were made.
    static HELD: RefCell<Vec<Held>> = const { RefCell::new(Vec::new()) };
}

/// Has no gradients be recorded while the guard that it gives is held, in a variable of a cell for instance;
/// `tch::no_grad_guard`. For a part of a cell there is [`no_grad`].
///
/// ```
/// use tch::{Device, Kind, Tensor, no_grad_guard};
/// let w = Tensor::ones([2], (Kind::Float, Device::Cpu)).set_requires_grad(true);
/// let mut guard = no_grad_guard();
/// // As a cell that is run again: the new one is there before the old one goes.
/// guard = no_grad_guard();
/// assert!(!(&w * 2.0).requires_grad());
/// drop(guard);
/// assert!((&w * 2.0).requires_grad());
/// ```
pub fn no_grad_guard() -> NoGradGuard {
    static NUMBERS: AtomicU64 = AtomicU64::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let before = record_gradients(false);
    HELD.with_borrow_mut(|held| held.push(Held { number, before }));
    NoGradGuard { number }
}

impl Drop for NoGradGuard {
    fn drop(&mut self) {
        // At the end of a thread the list may be gone, and the thread's mode with it.
        let _ = HELD.try_with(|held| {
            let mut held = held.borrow_mut();
            // One that was made on another thread says nothing of this one.
            let Some(at) = held.iter().position(|held| held.number == self.number) else { return };
            let before = held.remove(at).before;
            match held.get_mut(at) {
                Some(next) => next.before = before,
                None => {
                    record_gradients(before);
                }
            }
        });
    }
}

/// Whether a guard of this thread is held.
pub fn is_held() -> bool {
    HELD.with_borrow(|held| !held.is_empty())
}

/// Has the mode agree with the guards that are held, where something else has set it since: a closure of `tch::no_grad`
/// puts back what it found, also where a guard was made or dropped within; and so does the end of a cell that failed.
/// `was_held` says whether a guard was held before that.
pub fn settle(was_held: bool) {
    if is_held() {
        if record_gradients(false) {
            HELD.with_borrow_mut(|held| held[0].before = true);
        }
    } else if was_held {
        record_gradients(true);
    }
}

/// Whether the operations of this thread record gradients.
pub fn records_gradients() -> bool {
    let records = record_gradients(true);
    record_gradients(records);
    records
}

/// Has the operations of this thread record gradients or not; says whether they did.
pub fn record_gradients(record: bool) -> bool {
    // SAFETY: changes a flag of this thread in libtorch, which is loaded with the runtime.
    unsafe { torch_sys::at_grad_set_enabled(c_int::from(record)) != 0 }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use torch::{Device, Kind, Tensor};

    use super::*;

    fn records() -> bool {
        (Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true) * 2.0).requires_grad()
    }

    #[test]
    fn gradients_are_recorded_again_after_a_panic() {
        let caught = catch_unwind(|| no_grad(|| no_grad(|| assert!(records(), "none are recorded"))));
        assert!(caught.is_err());
        assert!(records());
        assert!(no_grad(|| !records()));
    }

    #[test]
    fn none_are_recorded_again_after_a_panic_within() {
        let guard = no_grad_guard();
        assert!(catch_unwind(|| with_grad(|| assert!(!records(), "they are recorded"))).is_err());
        assert!(!records());
        drop(guard);
        assert!(records());
    }

    #[test]
    fn guards_end_in_any_order() {
        let first = no_grad_guard();
        let second = no_grad_guard();
        drop(first);
        assert!(!records());
        let third = no_grad_guard();
        drop(third);
        assert!(!records());
        drop(second);
        assert!(records());
    }

    #[test]
    fn what_a_guard_puts_back_is_what_holds_around_it() {
        let outer = no_grad_guard();
        torch::with_grad(|| {
            let inner = no_grad_guard();
            assert!(!records());
            drop(inner);
            assert!(records());
        });
        assert!(!records());
        // Made or dropped within a closure that it outlives.
        let escaped = no_grad(|| {
            drop(outer);
            assert!(!records());
            no_grad_guard()
        });
        assert!(!records());
        drop(escaped);
        assert!(records());
    }

    #[test]
    fn the_mode_agrees_with_what_is_held() {
        let escaped = torch::no_grad(no_grad_guard);
        assert!(records());
        settle(false);
        assert!(!records());
        drop(escaped);
        settle(true);
        assert!(records());
        let dropped = no_grad_guard();
        torch::with_grad(|| drop(dropped));
        settle(true);
        assert!(records());
        // What holds for another reason stays.
        torch::no_grad(|| {
            settle(false);
            assert!(!records());
        });
    }

    #[test]
    fn a_guard_of_another_thread_changes_nothing_here() {
        let theirs = std::thread::spawn(no_grad_guard).join().expect("it does not panic");
        let ours = no_grad_guard();
        drop(theirs);
        assert!(!records());
        drop(ours);
        assert!(records());
    }
}
