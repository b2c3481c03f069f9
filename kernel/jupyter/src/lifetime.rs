//! When the kernel has to go: a signal, or the death of the frontend that started it.

use std::io;
use std::time::Duration;

use oxtorch_system::signals;
use tokio::signal::unix::{SignalKind, signal};

use super::interrupts::Interrupts;
use super::log::log;

/// How often the parent is looked for. There is no event for the death of a process that is not one's child.
const PARENT_POLL: Duration = Duration::from_secs(1);

/// Set by a frontend whose kernels shall not outlive it, to its own process id.
const PARENT_VARIABLE: &str = "JPY_PARENT_PID";

/// Forwards SIGINT to the running cell, as frontends do that know no interrupt messages.
pub(super) async fn forward_interrupts(interrupts: Interrupts) -> io::Result<()> {
    let mut signals = signal(SignalKind::interrupt())?;
    while signals.recv().await.is_some() {
        interrupts.interrupt();
    }
    Ok(())
}

/// Waits for SIGTERM, or for SIGHUP: the terminal in which the frontend runs was closed.
pub(super) async fn terminated() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signals::hangup()?;
    let name = tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        () = signals::next(&mut hangup) => "SIGHUP",
    };
    log(format_args!("ended by {name}"));
    Ok(())
}

/// Waits until the frontend that started this kernel is gone; for ever where the kernel was started on its own.
pub(super) async fn orphaned() {
    let Some(frontend) = std::env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse::<libc::pid_t>().ok()) else {
        return std::future::pending().await;
    };
    let parent = std::os::unix::process::parent_id();
    let mut ticks = tokio::time::interval(PARENT_POLL);
    // The parent may be a wrapper that goes with or without the frontend, so both are watched.
    while exists(frontend) && std::os::unix::process::parent_id() == parent {
        ticks.tick().await;
    }
    log(format_args!("ended: the frontend that started this kernel is gone"));
}

fn exists(pid: libc::pid_t) -> bool {
    if pid <= 0 {
        return true;
    }
    // SAFETY: signal 0 is never delivered; the call only reports whether the process is there.
    let found = unsafe { libc::kill(pid, 0) };
    found == 0 || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}
