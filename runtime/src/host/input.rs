//! Asking the user for a line of text while a cell runs.

use std::ffi::c_int;
use std::io;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use oxtorch_protocol::FromHost;

use super::channel::{self, NoAnswer};
use crate::cell;
use crate::lock::lock;

/// Shows `prompt` and returns the line that the user types, without its end.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let epochs: usize = input("epochs? ")?.trim().parse()?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// `ErrorKind::Unsupported` where nobody can be asked, such as in a headless run.
pub fn input(prompt: &str) -> io::Result<String> {
    channel::ask(prompt, false)
}

/// Like [`input`], and asks the frontend not to show what is typed.
///
/// # Errors
///
/// As for [`input`].
pub fn password(prompt: &str) -> io::Result<String> {
    channel::ask(prompt, true)
}

/// What the user has typed and nobody has read yet.
static TYPED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// Reads from stdin as a cell finds it: waits for a line that the user types where none is left. Gives how many bytes
/// were read; at least one, for a user has no way to end stdin but to interrupt the cell.
///
/// # Errors
///
/// The error number that `read` is to give: `ENOTSUP` where nobody can be asked or no cell runs, `ECANCELED` where the
/// user interrupts. (For `EINTR` the standard library would ask again.)
#[doc(hidden)]
pub fn read_stdin(buffer: &mut [u8]) -> Result<usize, c_int> {
    let mut typed = lock(&TYPED);
    if typed.is_empty() {
        // Whoever calls `read` does not expect that it unwinds.
        let line = catch_unwind(|| channel::answer("", false)).unwrap_or(Err(NoAnswer::KernelGone));
        *typed = line.map_err(explained)?.into_bytes();
        typed.push(b'\n');
    }
    let length = typed.len().min(buffer.len());
    buffer[..length].copy_from_slice(&typed[..length]);
    typed.drain(..length);
    Ok(length)
}

/// The error number; its text says little, so what it is about is told as a note: a cell that goes on all the same has
/// not failed.
fn explained(reason: NoAnswer) -> c_int {
    let note = format!("stdin cannot be read: {reason}");
    match reason {
        NoAnswer::Interrupted => libc::ECANCELED,
        NoAnswer::NobodyToAsk => {
            cell::note(note);
            libc::ENOTSUP
        }
        NoAnswer::NoCell => {
            // Once after each cell, however often a thread tries.
            if TOLD_AFTER.swap(cell::run(), Ordering::Relaxed) != cell::run() {
                channel::send(&FromHost::Note { text: note });
            }
            libc::ENOTSUP
        }
        NoAnswer::KernelGone => libc::EPIPE,
    }
}

/// The last cell behind which a thread was told that nobody can be asked; none at first.
static TOLD_AFTER: AtomicU64 = AtomicU64::new(u64::MAX);
