//! The signal that a closed terminal sends.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGHUP; `None` where it is ignored: `nohup` has programs outlive their terminal.
pub(crate) fn hangup() -> io::Result<Option<Signal>> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `action` is writable and of the right type; zeroes are valid for it should the call fail.
    let action = unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    if action.sa_sigaction == libc::SIG_IGN { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

/// Waits for the next one; for ever where nobody listens.
pub(crate) async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
