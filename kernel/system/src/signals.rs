//! The signal that a closed terminal sends, and those that a program has not heard of yet.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGHUP; `None` where it is ignored: `nohup` has programs outlive their terminal.
pub fn hangup() -> io::Result<Option<Signal>> {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `action` is writable and of the right type; zeroes are valid for it should the call fail.
    let action = unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    if action.sa_sigaction == libc::SIG_IGN { Ok(None) } else { signal(SignalKind::hangup()).map(Some) }
}

/// Waits for the next one; for ever where nobody listens.
pub async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Takes no notice of a signal from here on, nor does what is started.
pub fn ignore(signal: libc::c_int) {
    // SAFETY: to ignore a signal is a valid disposition.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Has a program begin with these signals ignored, until it asks for them: one that comes as it starts does not end it.
pub fn ignore_from_start(command: &mut Command, signals: &'static [libc::c_int]) {
    // SAFETY: runs between fork and exec, where only async-signal-safe calls are allowed; `signal` is one.
    unsafe {
        command.pre_exec(move || {
            for signal in signals {
                libc::signal(*signal, libc::SIG_IGN);
            }
            Ok(())
        });
    }
}
