//! Where a panic began is known here also when the user has a panic hook of their own, in place of the runtime's.
//!
//! The standard library begins to unwind by this function of libgcc's, and the dynamic linker finds this one first. The
//! exceptions of C++ begin by it as well, and are passed on.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// The beginning of libgcc's `_Unwind_Exception`; what else it has is libgcc's.
#[repr(C)]
struct Exception {
    class: [u8; 8],
}

/// That the standard library writes into its exceptions.
const OF_RUST: [u8; 8] = *b"MOZ\0RUST";

type Raise = unsafe extern "C-unwind" fn(*mut Exception) -> c_int;

/// libgcc's `_URC_FATAL_PHASE1_ERROR`: nobody can catch it, and the process ends.
const FATAL: c_int = 3;

/// # Safety
/// As for libgcc's: `exception` is one that its owner has filled.
#[unsafe(no_mangle)]
unsafe extern "C-unwind" fn _Unwind_RaiseException(exception: *mut Exception) -> c_int {
    // SAFETY: the caller's promise.
    if unsafe { (*exception).class } == OF_RUST {
        oxtorch::cell::unwinding_begins();
    }
    match next() {
        // SAFETY: the caller's promise is the same.
        Some(raise) => unsafe { raise(exception) },
        None => FATAL,
    }
}

/// libgcc's own.
fn next() -> Option<Raise> {
    static NEXT: OnceLock<Option<Raise>> = OnceLock::new();
    *NEXT.get_or_init(|| {
        // SAFETY: the name is a C string, and only looked up.
        let found: *mut c_void = unsafe { libc::dlsym(libc::RTLD_NEXT, c"_Unwind_RaiseException".as_ptr()) };
        // SAFETY: what has this name is a function of this type, in every library that has it.
        (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Raise>(found) })
    })
}
