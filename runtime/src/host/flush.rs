//! Sends on what the process has printed and still holds: text of Rust's stdout behind the last line end, and what C
//! and C++ code has printed.
//!
//! Rust's stdout has a lock, which a thread of the user's may hold for as long as it likes. So a thread of its own
//! waits for it, and whoever wants the text sent waits for that thread a short time only.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crate::lock::lock;

/// How soon text that does not end in a newline, such as `print!("\r{i}")`, is on its way.
const INTERVAL: Duration = Duration::from_millis(25);

/// How long text waits for whoever holds the lock. Printing takes it for some microseconds.
const PATIENCE: Duration = Duration::from_millis(100);

static FLUSHER: OnceLock<Flusher> = OnceLock::new();

/// The thread that flushes, as others see it.
#[derive(Default)]
struct Flusher {
    requests: Mutex<Requests>,
    asked: Condvar,
    answered: Condvar,
}

#[derive(Default)]
struct Requests {
    /// How many there have been.
    asked: u64,
    /// How many of them have been answered.
    answered: u64,
    /// Whether one has waited in vain: the others need not wait as long.
    is_held_up: bool,
}

/// Starts the thread that flushes, also when nobody asks for it.
pub(crate) fn start() -> io::Result<()> {
    let flusher = FLUSHER.get_or_init(Flusher::default);
    thread::Builder::new().name("flush".into()).spawn(|| flusher.serve()).map(drop)
}

/// Sends on what was printed; says whether that was possible. It is not while another thread keeps stdout to itself, or
/// this one does.
pub(crate) fn flush() -> bool {
    match FLUSHER.get() {
        // A fork of the process has this thread alone.
        Some(flusher) if !super::channel::is_fork() => flusher.ask(),
        _ => {
            flush_all();
            true
        }
    }
}

/// Sends on what was printed, on this thread: for one that holds the lock itself.
pub(crate) fn flush_all() {
    let _ = io::stdout().flush();
    // SAFETY: flushes what C and C++ code (libtorch) has printed; valid at any time.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

impl Flusher {
    fn ask(&self) -> bool {
        let mut requests = lock(&self.requests);
        requests.asked += 1;
        let number = requests.asked;
        self.asked.notify_one();
        if requests.is_held_up {
            return false;
        }
        let (mut requests, _) = self
            .answered
            .wait_timeout_while(requests, PATIENCE, |requests| requests.answered < number)
            .unwrap_or_else(PoisonError::into_inner);
        let is_answered = requests.answered >= number;
        requests.is_held_up = !is_answered;
        is_answered
    }

    fn serve(&self) {
        loop {
            let (requests, _) = self
                .asked
                .wait_timeout_while(lock(&self.requests), INTERVAL, |requests| requests.asked == requests.answered)
                .unwrap_or_else(PoisonError::into_inner);
            let (asked, answered) = (requests.asked, requests.answered);
            drop(requests);
            if asked == answered {
                // Nobody asked. C code has buffers of its own, and flushes them when it likes.
                let _ = io::stdout().flush();
                continue;
            }
            flush_all();
            let mut requests = lock(&self.requests);
            requests.answered = asked;
            requests.is_held_up = false;
            drop(requests);
            self.answered.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_keeps_stdout_to_himself_holds_nobody_up() {
        start().expect("a thread");
        assert!(flush(), "nobody holds stdout");
        let (locked, is_locked) = channel();
        let (release, released) = channel::<()>();
        let holder = thread::spawn(move || {
            let lock = io::stdout().lock();
            locked.send(()).expect("the test waits");
            let _ = released.recv();
            drop(lock);
        });
        is_locked.recv().expect("the thread runs");
        assert!(!flush());
        assert!(!flush());
        drop(release);
        holder.join().expect("the thread ends");
        // Those that were not waited for are answered now.
        let flusher = FLUSHER.get().expect("it was started");
        let waits = flusher.answered.wait_while(lock(&flusher.requests), |requests| requests.answered < requests.asked);
        drop(waits.expect("no thread panicked"));
        assert!(flush());
    }
}
