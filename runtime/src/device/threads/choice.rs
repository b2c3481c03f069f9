//! Chooses the number of threads by what the machine is doing.
//!
//! The threads of an operation wait for each other at its end. If other processes keep the processors busy, one of
//! these threads is always the one that has to wait for its turn, and the small operations of a network take many
//! times as long as with one thread. So as many threads are used as there are processors left.
//!
//! A thread of its own looks at the machine from time to time. The thread that runs cells takes the number up when a
//! cell begins, and at a checkpoint in a long one: libtorch keeps the number for each thread.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::load::{Machine, Others, Sample};
use crate::checkpoint::call_at_checkpoint;
use crate::lock::lock;

/// How often the machine is looked at while a cell runs, and while none does.
const WHILE_RUNNING: Duration = Duration::from_secs(1);
const WHILE_IDLE: Duration = Duration::from_secs(5);

/// The number that the machine suggests.
static SUGGESTED: AtomicUsize = AtomicUsize::new(0);
/// Whether it is followed.
static IS_FOLLOWED: AtomicBool = AtomicBool::new(false);
/// What `:vars` says of it.
static REASON: Mutex<String> = Mutex::new(String::new());

static IS_CELL_RUNNING: Mutex<bool> = Mutex::new(false);
static CELL_BEGINS: Condvar = Condvar::new();

/// Begins to watch the machine, and to use at most `most` threads.
pub(super) fn start(most: usize) {
    if most > 1 {
        SUGGESTED.store(most, Ordering::Relaxed);
        IS_FOLLOWED.store(true, Ordering::Relaxed);
        // Where the system has no thread for it, all processors are used, as without this module.
        let _ = thread::Builder::new().name("threads".into()).spawn(move || watch(most));
    }
}

/// Leaves the number as it is from here on.
pub(super) fn stop() {
    IS_FOLLOWED.store(false, Ordering::Relaxed);
}

/// A cell begins, on the thread that calls this.
pub(crate) fn begin_cell() {
    take_up();
    *lock(&IS_CELL_RUNNING) = true;
    CELL_BEGINS.notify_one();
}

/// The cell has ended.
pub(crate) fn end_cell() {
    *lock(&IS_CELL_RUNNING) = false;
}

/// Why fewer threads are used than could be.
pub(crate) fn reason() -> Option<String> {
    Some(lock(&REASON).clone()).filter(|reason| !reason.is_empty() && IS_FOLLOWED.load(Ordering::Relaxed))
}

/// Uses the suggested number on the thread that calls this.
fn take_up() {
    let suggested = SUGGESTED.load(Ordering::Relaxed);
    if IS_FOLLOWED.load(Ordering::Relaxed) && suggested != super::num_threads() {
        super::use_threads(suggested);
    }
}

/// Looks at the machine as long as the system tells.
fn watch(most: usize) -> Option<Infallible> {
    let machine = Machine::look()?;
    let mut judge = Judge { most, processors: machine.processors(), quota: machine.quota, last: most };
    let mut earlier = machine.sample()?;
    loop {
        wait_until_due(&earlier);
        let now = machine.sample()?;
        let others = now.others_since(&earlier);
        earlier = now;
        suggest(judge.threads(&others), most, &others);
    }
}

fn suggest(threads: usize, most: usize, others: &Others) {
    *lock(&REASON) = if threads < most {
        format!(
            "Operations on the CPU use {threads} of {most} threads, since other processes keep {:.1} processors busy.",
            others.busy.max(others.in_container)
        )
    } else {
        String::new()
    };
    if SUGGESTED.swap(threads, Ordering::Relaxed) != threads {
        call_at_checkpoint(take_up);
    }
}

/// Waits until the time since a sample says something of the machine as it is now.
fn wait_until_due(earlier: &Sample) {
    let mut running = lock(&IS_CELL_RUNNING);
    loop {
        let due = earlier.at + if *running { WHILE_RUNNING } else { WHILE_IDLE };
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        running = CELL_BEGINS.wait_timeout(running, left).map_or_else(|poisoned| poisoned.into_inner().0, |it| it.0);
    }
}

/// Judges what was seen of the machine.
struct Judge {
    most: usize,
    processors: usize,
    quota: Option<usize>,
    /// The number that the last look suggests by itself.
    last: usize,
}

impl Judge {
    /// How many threads suit what the others do. They are fewer only if two looks in a row agree: a program that
    /// starts is no reason to change the last digits of a result, which depend on the number.
    fn threads(&mut self, others: &Others) -> usize {
        let left = |processors: usize, busy: f64| processors.saturating_sub(busy.round() as usize).max(1);
        let in_container = self.quota.map_or(self.most, |quota| left(quota, others.in_container));
        let now = left(self.processors, others.busy).min(in_container).min(self.most);
        now.max(std::mem::replace(&mut self.last, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(judge: &mut Judge, busy: f64, in_container: f64) -> usize {
        let others = Others { busy, in_container };
        judge.threads(&others);
        judge.threads(&others)
    }

    #[test]
    fn as_many_threads_are_used_as_processors_are_left() {
        let mut two = Judge { most: 2, processors: 2, quota: None, last: 2 };
        for (busy, threads) in [(0.0, 2), (0.3, 2), (0.67, 1), (2.0, 1), (5.0, 1), (0.1, 2)] {
            assert_eq!(settled(&mut two, busy, 0.0), threads, "{busy}");
        }
        // Two threads for each core, of which libtorch uses one.
        let mut cores = Judge { most: 8, processors: 16, quota: None, last: 8 };
        for (busy, threads) in [(0.0, 8), (7.0, 8), (12.2, 4), (64.0, 1)] {
            assert_eq!(settled(&mut cores, busy, 0.0), threads, "{busy}");
        }
    }

    #[test]
    fn what_a_container_gives_is_shared_with_those_in_it() {
        let mut limited = Judge { most: 4, processors: 64, quota: Some(4), last: 4 };
        for (busy, in_container, threads) in [(30.0, 0.0, 4), (30.0, 2.9, 1), (62.0, 0.0, 2), (3.0, 1.0, 3)] {
            assert_eq!(settled(&mut limited, busy, in_container), threads, "{busy} {in_container}");
        }
    }

    #[test]
    fn one_look_takes_no_thread_away_and_gives_them_back() {
        let mut judge = Judge { most: 2, processors: 2, quota: None, last: 2 };
        let (idle, busy) = (Others { busy: 0.0, in_container: 0.0 }, Others { busy: 2.0, in_container: 0.0 });
        let seen = [&busy, &idle, &busy, &busy, &busy, &idle].map(|others| judge.threads(others));
        assert_eq!(seen, [2, 2, 2, 1, 1, 2]);
    }
}
