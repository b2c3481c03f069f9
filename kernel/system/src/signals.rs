//! The signals that ask a program to end, and those that a program has not heard of yet.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, the request to end that a batch system or a frontend sends, and a closed terminal.
#[derive(Debug)]
pub struct Endings {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where SIGHUP is ignored: `nohup` has programs outlive their terminal.
    hangup: Option<Signal>,
}

impl Endings {
    /// Listens from now on; the signals lose the effect that they had.
    ///
    /// # Errors
    ///
    /// Where the system does not let the program listen.
    pub fn listen() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())?, hangup })
    }

    /// Waits for the next one.
    ///
    /// May be dropped and called again at any time.
    pub async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => drop(signal.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.terminate.recv() => SignalKind::terminate(),
            () = hangup => SignalKind::hangup(),
        }
    }
}

fn is_hangup_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: `action` is writable and of the right type; zeroes are valid for it should the call fail.
    let action = unsafe {
        libc::sigaction(libc::SIGHUP, std::ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
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
