//! When the kernel has to go: a signal, or the death of the frontend that started it.

use std::io;
use std::time::Duration;

use oxtorch_system::signals::Endings;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tokio::signal::unix::SignalKind;

use crate::kernel::interrupts::Interrupts;
use crate::log::log;

/// How often the parent is looked for. There is no event for the death of a process that is not one's child.
const PARENT_POLL: Duration = Duration::from_secs(1);

/// Set by a frontend whose kernels shall not outlive it, to its own process id.
const PARENT_VARIABLE: &str = "JPY_PARENT_PID";

/// Waits for SIGTERM, or for SIGHUP: the terminal in which the frontend runs was closed. Forwards SIGINT to the running
/// cell meanwhile, as frontends send it that know no interrupt messages.
pub(super) async fn told_to_end(interrupts: Interrupts) -> io::Result<()> {
    let mut signals = Endings::listen()?;
    loop {
        let signal = signals.next().await;
        if signal == SignalKind::interrupt() {
            interrupts.interrupt();
            continue;
        }
        let name = if signal == SignalKind::hangup() { "SIGHUP" } else { "SIGTERM" };
        log(format_args!("ended by {name}"));
        return Ok(());
    }
}

/// Waits until the frontend that started this kernel is gone; for ever where the kernel was started on its own.
pub(super) async fn orphaned() {
    let Some(frontend) = std::env::var(PARENT_VARIABLE).ok().and_then(|pid| pid.parse::<i32>().ok()) else {
        return std::future::pending().await;
    };
    // What is not the number of a process is not looked for.
    let frontend = Pid::from_raw(frontend.max(0));
    let exists = || frontend.is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH));
    let parent = std::os::unix::process::parent_id();
    let mut ticks = tokio::time::interval(PARENT_POLL);
    // The parent may be a wrapper that goes with or without the frontend, so both are watched.
    while exists() && std::os::unix::process::parent_id() == parent {
        ticks.tick().await;
    }
    log(format_args!("ended: the frontend that started this kernel is gone"));
}
