//! The modes of libtorch that hold for what a thread computes next, and have to end with what they were set for.
//!
//! Closures in which no gradients are recorded put the mode back however they end; they stand in [`tch`], as cells see
//! it, and so do the guards. [`train::autocast`](crate::train::autocast) does so too. What else leaves a mode behind by
//! failing the host finds at the end of a cell that failed (`Modes`).
//!
//! What a call sets for good stays set, as any other effect of a statement: the number of threads, the seed, cuDNN's
//! choice of algorithms. A [`no_grad_guard`] that is kept in a variable holds as long as the variable does.

use std::ffi::c_int;

use tch::gradients::{record_gradients, records_gradients};
pub use tch::{no_grad, no_grad_guard};

// SAFETY: as `kernel/setup/src/shim/autocast.h` defines them; the shim is loaded with the runtime. They read and change
// flags of this thread, and take any number. The functions that `tch` has for that have libtorch print a warning, and
// know the GPU alone.
unsafe extern "C" {
    safe fn oxtorch_autocast() -> c_int;
    safe fn oxtorch_set_autocast(devices: c_int);
}

/// In the bits of the shim, those of all devices.
const ALL_DEVICES: c_int = 0b11;

/// Matrix products and convolutions of this thread in lower precision, or not, until it is dropped.
pub(crate) struct Autocast {
    /// On which devices it was before.
    before: c_int,
}

impl Autocast {
    pub(crate) fn begin(enabled: bool) -> Self {
        let before = oxtorch_autocast();
        oxtorch_set_autocast(if enabled { ALL_DEVICES } else { 0 });
        // SAFETY: changes a number of this thread in libtorch, which is loaded with the runtime.
        unsafe { torch_sys::at_autocast_increment_nesting() };
        Self { before }
    }
}

impl Drop for Autocast {
    fn drop(&mut self) {
        // SAFETY: as in `begin`. The weights in lower precision that are cleared are copies.
        unsafe {
            if torch_sys::at_autocast_decrement_nesting() == 0 {
                torch_sys::at_autocast_clear_cache();
            }
        }
        oxtorch_set_autocast(self.before);
    }
}

/// What holds on a thread for what it computes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Modes {
    records_gradients: bool,
    /// On which devices matrix products are computed in lower precision.
    autocast: c_int,
    /// How many parts that say so are under way.
    autocasts: c_int,
}

impl Modes {
    /// Those that hold now, on this thread.
    pub(crate) fn now() -> Self {
        // SAFETY: these change a number of this thread in libtorch, which is loaded with the runtime.
        let autocasts = unsafe {
            torch_sys::at_autocast_increment_nesting();
            torch_sys::at_autocast_decrement_nesting()
        };
        Self { records_gradients: records_gradients(), autocast: oxtorch_autocast(), autocasts }
    }

    /// Has these hold again, on the thread that they are of.
    pub(crate) fn put_back(self) {
        let now = Self::now();
        record_gradients(self.records_gradients);
        oxtorch_set_autocast(self.autocast);
        if now.autocasts > self.autocasts {
            // SAFETY: as in `now`. The weights in lower precision that are cleared are copies.
            unsafe {
                for _ in self.autocasts..now.autocasts {
                    torch_sys::at_autocast_decrement_nesting();
                }
                torch_sys::at_autocast_clear_cache();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    fn records() -> bool {
        (Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true) * 2.0).requires_grad()
    }

    #[test]
    fn what_a_failure_left_behind_is_put_back() {
        let before = Modes::now();
        assert_eq!(before, Modes { records_gradients: true, autocast: 0, autocasts: 0 });
        // SAFETY: what a guard and `tch::autocast` do, the latter on a machine with a GPU.
        unsafe {
            torch_sys::at_grad_set_enabled(0);
            torch_sys::at_autocast_set_enabled(1);
            torch_sys::at_autocast_increment_nesting();
        }
        assert_eq!(Modes::now(), Modes { records_gradients: false, autocast: 0b10, autocasts: 1 });
        std::mem::forget(Autocast::begin(true));
        assert_eq!(Modes::now(), Modes { records_gradients: false, autocast: 0b11, autocasts: 2 });
        assert!(!records());
        before.put_back();
        assert_eq!(Modes::now(), before);
        assert!(records());
    }

    #[test]
    fn a_mode_that_was_set_before_stays() {
        let guard = no_grad_guard();
        let before = Modes::now();
        record_gradients(true);
        assert!(records());
        before.put_back();
        assert!(!records());
        drop(guard);
        assert!(records());
    }
}
