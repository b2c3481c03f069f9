//! Displays that change while a cell runs: how often they may, and that the last state is always shown.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// A display that changes while a cell runs.
pub(crate) trait Live: Send {
    /// The cell has ended: shows the last state and lets go of the display. What changes later is shown anew, in the
    /// output of the cell that runs then.
    fn settle(&mut self);
}

thread_local! {
    static SHOWN: RefCell<Vec<Weak<Mutex<dyn Live>>>> = const { RefCell::new(Vec::new()) };
}

/// Has a display settled when the running cell ends.
pub(crate) fn settle_at_the_end<T: Live + 'static>(live: &Arc<Mutex<T>>) {
    let weak = Arc::downgrade(live);
    SHOWN.with_borrow_mut(|shown| {
        shown.retain(|live| live.strong_count() > 0);
        shown.push(weak);
    });
}

/// Settles what the cell has shown. Called on its thread; what another thread shows is settled as it is dropped.
pub(crate) fn settle() {
    for live in SHOWN.take().iter().filter_map(Weak::upgrade) {
        lock(&live).settle();
    }
}

/// Says when a display may change again.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// At most one change in that time, and the first at once.
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, next: None }
    }

    /// Whether a change is due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// A change was shown, which took that long. Where it takes long it is done less often, so that nine tenths of the
    /// time are the cell's.
    pub(crate) fn shown(&mut self, now: Instant, took: Duration) {
        self.next = Some(now + self.interval.max(9 * took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_keep_their_distance() {
        let mut pace = Pace::new(Duration::from_millis(100));
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        assert!(pace.is_due(start));
        pace.shown(start, Duration::from_millis(1));
        assert!(!pace.is_due(at(99)));
        assert!(pace.is_due(at(100)));
        pace.shown(at(100), Duration::from_millis(50));
        assert!(!pace.is_due(at(549)));
        assert!(pace.is_due(at(550)));
    }

    #[test]
    fn what_still_lives_is_settled_once() {
        struct Counts(usize);
        impl Live for Counts {
            fn settle(&mut self) {
                self.0 += 1;
            }
        }
        let (kept, dropped) = (Arc::new(Mutex::new(Counts(0))), Arc::new(Mutex::new(Counts(0))));
        settle_at_the_end(&kept);
        settle_at_the_end(&dropped);
        drop(dropped);
        settle();
        settle();
        assert_eq!(lock(&kept).0, 1);
    }
}
