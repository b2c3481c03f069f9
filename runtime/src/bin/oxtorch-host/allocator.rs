//! The process's memory comes from mimalloc, libtorch's as well: a step of training asks for thousands of small blocks
//! aligned to 64 bytes, which glibc keeps no list of for a thread (an LSTM's step takes a sixth less time so).
//!
//! The dynamic linker finds these symbols before libc's, in the host and in every library that it loads. All of them
//! are here, so no block reaches another allocator's `free`.
//!
//! mimalloc maps memory without reserving it, so the system would grant more than there is and end the process once it
//! is written to. What is more than there can be is refused here, as glibc's plain mapping has it: libtorch then says
//! how much was asked.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{EINVAL, ENOMEM};
use libmimalloc_sys as mimalloc;

/// Blocks from here on are spread: by itself mimalloc begins them all at multiples of 64 KiB.
const LARGE: usize = 128 << 10;
/// A processor takes a load for one of what was just stored where the addresses agree so far, and waits: a step of SGD,
/// which reads a gradient and a momentum and writes a weight, takes 7 % longer for it.
const SPAN: usize = 4096;
/// What a processor reads at once, in bytes.
const LINE: usize = 64;

/// Where the next large block lies before a multiple of the span: another place than the last 63.
fn next_place() -> usize {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    LAST.fetch_add(21 * LINE, Ordering::Relaxed) % SPAN
}

static MOST: AtomicUsize = AtomicUsize::new(isize::MAX as usize);

/// From here on, a block of more bytes than this is not to be had.
pub(crate) fn refuse_more_than(bytes: u64) {
    MOST.store(usize::try_from(bytes).unwrap_or(usize::MAX).min(isize::MAX as usize), Ordering::Relaxed);
}

fn is_refused(bytes: usize) -> bool {
    bytes > MOST.load(Ordering::Relaxed)
}

fn refuse() -> *mut c_void {
    // SAFETY: the address of a thread's error number is valid as long as the thread runs.
    unsafe { *libc::__errno_location() = ENOMEM };
    null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    if is_refused(size) { refuse() } else { unsafe { mimalloc::mi_malloc(size) } }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for; mimalloc checks the product.
    if is_refused(count.saturating_mul(size)) { refuse() } else { unsafe { mimalloc::mi_calloc(count, size) } }
}

/// # Safety
/// The block is null or one of this allocator's that was not freed.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller's promise is the same.
    if is_refused(size) { refuse() } else { unsafe { mimalloc::mi_realloc(block, size) } }
}

/// # Safety
/// As for [`realloc`].
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: the caller's promise is the same.
    unsafe { mimalloc::mi_free(block) }
}

/// # Safety
/// `block` may be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(block: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    if is_refused(size) {
        return ENOMEM;
    }
    if !alignment.is_power_of_two() || !alignment.is_multiple_of(size_of::<*mut c_void>()) {
        return EINVAL;
    }
    let aligned = if size >= LARGE && alignment <= LINE {
        // SAFETY: both alignments are powers of two, and the place is a multiple of the one that was asked for.
        unsafe { mimalloc::mi_malloc_aligned_at(size, SPAN, next_place()) }
    } else {
        // SAFETY: the alignment was checked.
        unsafe { mimalloc::mi_malloc_aligned(size, alignment) }
    };
    if aligned.is_null() {
        return ENOMEM;
    }
    // SAFETY: the caller's promise.
    unsafe { *block = aligned };
    0
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    if is_refused(size) || !alignment.is_power_of_two() {
        return refuse();
    }
    // SAFETY: the alignment was checked.
    unsafe { mimalloc::mi_malloc_aligned(size, alignment) }
}

#[unsafe(no_mangle)]
extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    aligned_alloc(alignment, size)
}

#[unsafe(no_mangle)]
extern "C" fn valloc(size: usize) -> *mut c_void {
    aligned_alloc(page(), size)
}

#[unsafe(no_mangle)]
extern "C" fn pvalloc(size: usize) -> *mut c_void {
    aligned_alloc(page(), size.checked_next_multiple_of(page()).unwrap_or(usize::MAX))
}

/// # Safety
/// As for [`realloc`].
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
    // SAFETY: the caller's promise is the same.
    unsafe { mimalloc::mi_usable_size(block) }
}

/// Gives what is free back to the system, as far as no thread keeps it for itself.
#[unsafe(no_mangle)]
extern "C" fn malloc_trim(_keep: usize) -> c_int {
    // SAFETY: it may be called at any time.
    unsafe { mimalloc::mi_collect(true) };
    1
}

fn page() -> usize {
    // SAFETY: only asks the system.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}
