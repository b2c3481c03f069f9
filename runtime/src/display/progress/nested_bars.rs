//! The bars of a loop and of the loops within it, which are one display.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use super::meter::Meter;
use super::{draw, reading};
use crate::display::live::{self, Live, Pace};
use crate::display::{DisplayHandle, MimeBundle, display};
use crate::host::channel;
use crate::lock::lock;

/// The least time between two states of a display.
pub(super) const INTERVAL: Duration = Duration::from_millis(100);

/// How a bar ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All is done.
    Complete,
    /// The loop was left: by `break`, a panic, an interrupt.
    Stopped,
    /// The cell has ended ahead of the bar, which may go on in another one.
    Settled,
}

/// One bar.
pub(super) struct Row {
    pub(super) description: String,
    pub(super) unit: String,
    pub(super) leave: bool,
    pub(super) meter: Meter,
    pub(super) postfix: Vec<(String, reading::Latest)>,
    pub(super) begun: Option<Instant>,
    /// The whole time, once it has ended.
    pub(super) took: Duration,
    pub(super) ending: Option<Ending>,
    /// When to ask next whether it may be drawn: asking is what costs time.
    pub(super) next_look: Option<Instant>,
}

impl Row {
    /// Says whether this is what has ended it.
    pub(super) fn end(&mut self, ending: Ending, now: Instant) -> bool {
        let ended = matches!(self.ending, Some(Ending::Complete | Ending::Stopped));
        let Some(begun) = self.begun.filter(|_| !ended) else { return false };
        self.took = now.duration_since(begun);
        self.ending = Some(ending);
        true
    }

    pub(super) fn view(&mut self, now: Instant) -> draw::View {
        let elapsed = match (self.ending, self.begun) {
            (None, Some(begun)) => now.duration_since(begun),
            _ => self.took,
        };
        self.meter.observe(elapsed);
        draw::View {
            description: self.description.clone(),
            unit: self.unit.clone(),
            done: self.meter.done,
            total: self.meter.total,
            elapsed,
            rate: if self.ending.is_some() { self.meter.mean_rate(elapsed) } else { self.meter.rate() },
            remaining: self.meter.remaining().filter(|_| self.ending.is_none()),
            ending: self.ending,
            postfix: self.postfix.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Weak<Mutex<NestedBars>>> = const { RefCell::new(Weak::new()) };
}

/// One display: a bar, and those of the loops within its loop.
pub(super) struct NestedBars {
    pub(super) rows: Vec<Arc<Mutex<Row>>>,
    /// How many rows it has had at once. A loop within a loop shows its first bar at once; those that follow take its
    /// place.
    pub(super) deepest: usize,
    pub(super) pace: Pace,
    pub(super) handle: Option<DisplayHandle>,
    pub(super) closed: bool,
}

impl NestedBars {
    /// The display that a new bar belongs to: that of the loop around it, or one of its own.
    pub(super) fn with(row: &Arc<Mutex<Row>>, now: Instant) -> Arc<Mutex<Self>> {
        if let Some(bars) = CURRENT.with_borrow(Weak::upgrade) {
            let mut around = lock(&bars);
            if !around.closed {
                around.begin(row, now);
                drop(around);
                return bars;
            }
        }
        let mut bars = Self { rows: Vec::new(), deepest: 0, pace: Pace::new(INTERVAL), handle: None, closed: false };
        bars.begin(row, now);
        let bars = Arc::new(Mutex::new(bars));
        CURRENT.set(Arc::downgrade(&bars));
        live::settle_at_the_end(&bars);
        bars
    }

    fn begin(&mut self, row: &Arc<Mutex<Row>>, now: Instant) {
        self.rows.push(Arc::clone(row));
        if self.rows.len() > self.deepest {
            self.deepest = self.rows.len();
            self.draw(now);
        } else {
            self.draw_if_due(now);
        }
    }

    pub(super) fn ended(&mut self, row: &Arc<Mutex<Row>>, now: Instant) {
        let is_first = self.rows.first().is_some_and(|first| Arc::ptr_eq(first, row));
        if is_first {
            self.close(Ending::Stopped, now);
        } else if self.closed {
            self.draw(now);
        } else {
            // Where the cell panics, each bar shows how far it was.
            if !lock(row).leave && !std::thread::panicking() {
                self.rows.retain(|other| !Arc::ptr_eq(other, row));
            }
            self.draw_if_due(now);
        }
    }

    fn close(&mut self, ending: Ending, now: Instant) {
        for row in &self.rows {
            let mut row = lock(row);
            if row.ending.is_none() {
                row.end(ending, now);
            }
        }
        self.closed = true;
        self.draw(now);
    }

    pub(super) fn draw_if_due(&mut self, now: Instant) {
        if self.pace.is_due(now) && !self.closed {
            self.draw(now);
        }
    }

    pub(super) fn draw(&mut self, now: Instant) {
        if self.rows.is_empty() {
            return;
        }
        let views: Vec<draw::View> = self.rows.iter().map(|row| lock(row).view(now)).collect();
        let text = draw::text(&views);
        if !channel::has_front() {
            // Lines in a terminal cannot be replaced one by one; the last state says what matters.
            if self.closed {
                eprintln!("{text}");
            }
            return;
        }
        let bundle = MimeBundle::html(draw::html(&views)).with("text/plain", text);
        match &self.handle {
            Some(handle) => handle.update(&bundle),
            None => self.handle = Some(display(&bundle)),
        }
        self.pace.shown(now, now.elapsed());
    }
}

impl Live for NestedBars {
    fn settle(&mut self) {
        if !self.closed {
            self.close(Ending::Settled, Instant::now());
            // What goes on does so in another display.
            self.rows.clear();
        }
    }
}
