//! The interrupts of one run, of a cell or of a shell: the first asks it to end, and one that comes when the user knows
//! what it will do ends the processes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxtorch_protocol::ToHost;
use parking_lot::Mutex;
use rustix::process::{Pid, PidfdFlags, Signal, getpgid, kill_process_group, pidfd_open, pidfd_send_signal};
use tokio::sync::Notify;

use crate::host::Requests;

/// When to tell a user that an interrupt has had no effect yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a user has to read what the next interrupt will do: a double or triple click is to end nothing.
const READING: Duration = Duration::from_secs(1);

/// What was asked of one run.
#[derive(Debug, Default)]
pub(super) struct Interrupts {
    asked: Mutex<Asked>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Asked {
    first: Option<Instant>,
    /// The user has asked again before anybody told what that would do.
    again: bool,
    /// When the user was told what the next interrupt will do.
    told: Option<Instant>,
    /// The processes were ended.
    ended: bool,
}

impl Asked {
    /// Whether the next interrupt is to end the processes.
    fn is_warned(&self) -> bool {
        let long_ago = |since: Option<Instant>, time| since.is_some_and(|since| since.elapsed() >= time);
        self.told.is_some() && (long_ago(self.first, PATIENCE) || long_ago(self.told, READING))
    }
}

impl Interrupts {
    /// Whether the run was interrupted, be it that it had ended by then.
    pub(super) fn any(&self) -> bool {
        self.asked.lock().first.is_some()
    }

    /// Whether its processes were ended.
    pub(super) fn ended(&self) -> bool {
        self.asked.lock().ended
    }

    /// Returns when the user is to be told that the run has not ended yet: once, some time after the first interrupt,
    /// or at the second.
    pub(super) async fn to_tell(&self) {
        loop {
            let wait = {
                let mut asked = self.asked.lock();
                let wait = match asked.first {
                    _ if asked.told.is_some() || asked.ended => None,
                    Some(_) if asked.again => Some(Duration::ZERO),
                    Some(first) => Some(PATIENCE.saturating_sub(first.elapsed())),
                    None => None,
                };
                if wait == Some(Duration::ZERO) {
                    asked.told = Some(Instant::now());
                    return;
                }
                wait
            };
            // A change that came meanwhile is remembered.
            let _ = tokio::time::timeout(wait.unwrap_or(Duration::MAX), self.changed.notified()).await;
        }
    }
}

/// A process that was started, in the group that it was started in. It may have left that.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pid: Option<Pid>,
    /// Whatever has its number by then, signals reach this process; `None` where the system has no such thing.
    process: Option<Arc<OwnedFd>>,
    group: Pid,
}

impl Running {
    /// A child that nobody has waited for yet.
    pub(super) fn of(pid: u32, group: Pid) -> Self {
        let pid = Pid::from_raw(pid.cast_signed());
        let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Self { pid, process: process.map(Arc::new), group }
    }

    fn signal(&self, signal: Signal) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(self.group, signal);
        // No process is to get it twice.
        if let Some(process) = &self.process
            && self.pid.is_some_and(|pid| getpgid(Some(pid)) != Ok(self.group))
        {
            let _ = pidfd_send_signal(process, signal);
        }
    }
}

/// Interrupts one run of one host, or of a shell beside it.
#[derive(Debug, Clone)]
pub struct RunInterrupter {
    /// The processes of the run.
    pub(super) running: Option<Running>,
    /// The host, where it runs a cell, and the number of the run.
    pub(super) request: Option<(Requests, u64)>,
    pub(super) interrupts: Arc<Interrupts>,
}

impl RunInterrupter {
    /// Asks the run to end, and the processes that it has started: a cell ends at its next checkpoint. Where the user
    /// was told that the next interrupt does so, ends all of them.
    pub fn interrupt(&self) {
        {
            let mut asked = self.interrupts.asked.lock();
            if asked.is_warned() {
                drop(asked);
                return self.end();
            }
            asked.again = asked.first.is_some();
            asked.first.get_or_insert_with(Instant::now);
        }
        self.interrupts.changed.notify_one();
        if let Some((requests, run)) = &self.request {
            // A host that is gone is noticed where its messages are read.
            let _ = requests.send(&ToHost::Interrupt { id: *run });
        }
        self.signal(Signal::INT);
    }

    /// Ends the processes of the run.
    pub fn end(&self) {
        {
            let mut asked = self.interrupts.asked.lock();
            asked.first.get_or_insert_with(Instant::now);
            asked.ended = true;
        }
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            running.signal(signal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interrupter() -> RunInterrupter {
        RunInterrupter { running: None, request: None, interrupts: Arc::default() }
    }

    #[tokio::test]
    async fn a_double_click_is_told_what_comes_and_ends_nothing() {
        let run = interrupter();
        run.interrupt();
        run.interrupt();
        // At once, not after `PATIENCE`.
        run.interrupts.to_tell().await;
        assert!(run.interrupts.asked.lock().first.is_some_and(|first| first.elapsed() < PATIENCE));
        run.interrupt();
        assert!(run.interrupts.any() && !run.interrupts.ended());
    }

    #[tokio::test]
    async fn who_was_told_and_had_time_to_read_ends_the_run() {
        let ago = |time| Instant::now().checked_sub(time);
        for (first, told) in [(PATIENCE, Duration::ZERO), (READING, READING)] {
            let run = interrupter();
            *run.interrupts.asked.lock() = Asked { first: ago(first), told: ago(told), ..Asked::default() };
            run.interrupt();
            assert!(run.interrupts.ended(), "{first:?} {told:?}");
        }
    }
}
