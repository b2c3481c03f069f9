//! What a cell reads from stdin, the user is asked for: `io::stdin().read_line` as in any program.
//!
//! Nothing tells that somebody waits for a pipe, so the host stands in for libc's `read`, which the standard library
//! calls. The dynamic linker finds this one first. C code that reads by `scanf` finds an empty stdin, and so does a
//! child process.

use std::ffi::{c_int, c_void};

use libc::{size_t, ssize_t};

/// # Safety
/// As for libc's `read`: `count` bytes at `buffer` may be written to.
#[unsafe(no_mangle)]
unsafe extern "C" fn read(fd: c_int, buffer: *mut c_void, count: size_t) -> ssize_t {
    if fd != libc::STDIN_FILENO || buffer.is_null() || count == 0 || !is_nothing() {
        // SAFETY: the caller's promise is the same. This sets the error number, as `read` does.
        return unsafe { libc::syscall(libc::SYS_read, fd, buffer, count) as ssize_t };
    }
    // SAFETY: the caller's promise; bytes of any value are bytes.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), count) };
    match oxtorch::input::read_stdin(buffer) {
        Ok(read) => read as ssize_t,
        Err(number) => {
            // SAFETY: the address of a thread's error number is valid as long as the thread runs.
            unsafe { *libc::__errno_location() = number };
            -1
        }
    }
}

/// Whether stdin is what the host has put there, and not a file that a cell has put in its place.
fn is_nothing() -> bool {
    let mut found = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `found` is writable and of the right type; zeroes are valid for it should the call fail.
    let found = unsafe {
        libc::fstat(libc::STDIN_FILENO, found.as_mut_ptr());
        found.assume_init()
    };
    // The number of /dev/null.
    found.st_mode & libc::S_IFMT == libc::S_IFCHR && found.st_rdev == libc::makedev(1, 3)
}
