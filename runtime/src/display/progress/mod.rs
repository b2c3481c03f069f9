//! Progress bars: how far a loop is, how fast it goes, and how long it still takes.
//!
//! ```
//! use oxtorch::prelude::*;
//!
//! for epoch in progress(0..3).describe("epochs") {
//!     // A bar within a bar stands below it, and is gone when it is full.
//!     for (batch, bar) in progress(0..100).describe(format!("epoch {epoch}")).with_bar() {
//!         let loss = 1.0 / (1 + batch) as f64;
//!         bar.postfix("loss", loss);
//!     }
//! }
//! ```
//!
//! The bars of a loop and of the loops within it are one display, which changes ten times a second at most. Its last
//! state stays in the notebook: full and with the whole time, or where the loop was left or interrupted.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::checkpoint::checkpoint;
use crate::display::{MimeBundle, RichDisplay};
use crate::lock::lock;

mod draw;
mod meter;
mod nested_bars;
mod reading;

use meter::Meter;
use nested_bars::{Ending, INTERVAL, NestedBars, Row};
pub use reading::Reading;

/// Shows how far an iteration is. The length is known for ranges, slices, `Vec`s, a
/// [`DataLoader`](crate::data::DataLoader) and all else that knows it, also behind `take`, `enumerate`, `zip` or `map`;
/// give it by [`Progress::total`] for others.
///
/// ```
/// use oxtorch::prelude::*;
/// let squares: Vec<i32> = progress(0..1000).describe("squares").map(|n| n * n).collect();
/// for line in progress("a b c".split(' ')).total(3) {
///     println!("{line}");
/// }
/// ```
pub fn progress<I: IntoIterator>(iterable: I) -> Progress<I::IntoIter> {
    let iterator = iterable.into_iter();
    let total = match iterator.size_hint() {
        (low, Some(high)) if low == high => Some(low as u64),
        _ => None,
    };
    Progress { iterator, bar: ProgressBar::new(total) }
}

/// A bar that is moved by hand, also from several threads.
///
/// ```
/// use oxtorch::prelude::*;
/// let bar = progress_bar(3).describe("files");
/// for path in ["a.csv", "b.csv", "c.csv"] {
///     bar.postfix("now", path);
///     bar.inc(1);
/// }
/// ```
pub fn progress_bar(total: u64) -> ProgressBar {
    ProgressBar::new(Some(total))
}

/// An iterator that shows how far it is; see [`progress`].
#[must_use = "a bar moves as its iterator does: `for x in progress(..)`"]
pub struct Progress<I> {
    iterator: I,
    bar: ProgressBar,
}

impl<I: Iterator> Progress<I> {
    /// Names the bar.
    pub fn describe(self, what: impl Into<String>) -> Self {
        lock(&self.bar.0.row).description = what.into();
        self
    }

    /// What is counted; `it` otherwise.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        lock(&self.bar.0.row).unit = unit.into();
        self
    }

    /// How many items there will be, where the iterator cannot tell.
    pub fn total(self, total: u64) -> Self {
        lock(&self.bar.0.row).meter.total = Some(total);
        self
    }

    /// Whether a full bar within another one stays on the screen. It does not otherwise.
    pub fn leave(self, leave: bool) -> Self {
        lock(&self.bar.0.row).leave = leave;
        self
    }

    /// The bar, to say something on it while the loop runs.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let steps = progress(0..10);
    /// let bar = steps.bar();
    /// for step in steps {
    ///     bar.postfix("step", step);
    /// }
    /// ```
    pub fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }

    /// Gives the bar together with each item: `for (batch, bar) in progress(&batches).with_bar()`.
    pub fn with_bar(self) -> impl Iterator<Item = (I::Item, ProgressBar)> {
        let bar = self.bar();
        self.map(move |item| (item, bar.clone()))
    }
}

impl<I: Iterator> Iterator for Progress<I> {
    type Item = I::Item;

    fn next(&mut self) -> Option<I::Item> {
        checkpoint();
        // The item before is done with, now that the next one is asked for.
        if !self.bar.start() {
            self.bar.advance(1);
        }
        let item = self.iterator.next();
        if item.is_none() {
            self.bar.0.end(Ending::Complete);
        }
        item
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iterator.size_hint()
    }
}

impl<I> Drop for Progress<I> {
    fn drop(&mut self) {
        self.bar.0.end(Ending::Stopped);
    }
}

/// A bar on the screen. Clones are handles on the same one; it ends with the last of them.
#[derive(Clone)]
pub struct ProgressBar(Arc<Inner>);

impl ProgressBar {
    /// A bar that may not know its total.
    pub(crate) fn new(total: Option<u64>) -> Self {
        let row = Row {
            description: String::new(),
            unit: "it".to_owned(),
            leave: false,
            meter: Meter::new(total),
            postfix: Vec::new(),
            begun: None,
            took: Duration::ZERO,
            ending: None,
            next_look: None,
        };
        Self(Arc::new(Inner { row: Arc::new(Mutex::new(row)), bars: Mutex::new(None) }))
    }

    /// Names the bar.
    pub fn describe(self, what: impl Into<String>) -> Self {
        lock(&self.0.row).description = what.into();
        self
    }

    /// What is counted; `it` otherwise.
    pub fn unit(self, unit: impl Into<String>) -> Self {
        lock(&self.0.row).unit = unit.into();
        self
    }

    /// Whether the bar, when it is full and stands within another one, stays on the screen. It does not otherwise.
    pub fn leave(self, leave: bool) -> Self {
        lock(&self.0.row).leave = leave;
        self
    }

    /// Counts so many more. The bar is full, and ends, when it reaches its total.
    pub fn inc(&self, count: u64) {
        self.start();
        self.advance(count);
        let is_full = lock(&self.0.row).meter.is_full();
        if is_full {
            self.0.end(Ending::Complete);
        }
    }

    /// Shows a value behind the bar, such as the loss: a number, text, or a tensor of one element. A later value of the
    /// same name takes its place. A tensor is read when the bar is drawn and not each time, so a GPU need not wait for
    /// it.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// for (step, bar) in progress(0..100).with_bar() {
    ///     let loss = Tensor::from(1.0 / (1.0 + step as f64));
    ///     bar.postfix("loss", &loss).postfix("step", step);
    /// }
    /// ```
    pub fn postfix(&self, name: &str, value: impl Reading) -> &Self {
        let mut row = lock(&self.0.row);
        let latest = value.latest();
        match row.postfix.iter_mut().find(|(known, _)| known == name) {
            Some((_, value)) => *value = latest,
            None => row.postfix.push((name.to_owned(), latest)),
        }
        let ended = row.ending.is_some();
        drop(row);
        if ended && let Some(bars) = &*lock(&self.0.bars) {
            lock(bars).draw(Instant::now());
        }
        self
    }

    /// Ends the bar where it is, as done. A bar that is dropped before it is full says that it was stopped.
    pub fn finish(&self) {
        self.start();
        self.0.end(Ending::Complete);
    }

    /// Shows the bar if it is not yet on the screen; says whether that is so.
    fn start(&self) -> bool {
        let mut row = lock(&self.0.row);
        let resumed = row.ending == Some(Ending::Settled);
        if row.begun.is_some() && !resumed {
            return false;
        }
        let now = Instant::now();
        row.ending = None;
        let is_new = row.begun.is_none();
        row.begun.get_or_insert(now);
        drop(row);
        *lock(&self.0.bars) = Some(NestedBars::with(&self.0.row, now));
        is_new
    }

    fn advance(&self, count: u64) {
        let mut row = lock(&self.0.row);
        if row.ending.is_some() {
            return;
        }
        row.meter.advance(count);
        let now = Instant::now();
        if row.next_look.is_some_and(|next| now < next) {
            return;
        }
        row.next_look = Some(now + INTERVAL);
        drop(row);
        if let Some(bars) = &*lock(&self.0.bars) {
            lock(bars).draw_if_due(now);
        }
    }
}

/// The bar as text, as it is now.
impl fmt::Debug for ProgressBar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&draw::text(&[lock(&self.0.row).view(Instant::now())]))
    }
}

/// It is on the screen already, so a cell may end with it.
impl RichDisplay for ProgressBar {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::empty()
    }
}

impl<I> fmt::Debug for Progress<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bar.fmt(f)
    }
}

struct Inner {
    row: Arc<Mutex<Row>>,
    /// The display that it is part of, once it has begun.
    bars: Mutex<Option<Arc<Mutex<NestedBars>>>>,
}

impl Inner {
    fn end(&self, ending: Ending) {
        let now = Instant::now();
        // Drawing locks the row again.
        let has_ended = lock(&self.row).end(ending, now);
        if has_ended && let Some(bars) = &*lock(&self.bars) {
            lock(bars).ended(&self.row, now);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end(Ending::Stopped);
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::display::live;

    fn shown(bar: &ProgressBar) -> String {
        format!("{bar:?}")
    }

    #[test]
    fn a_loop_to_its_end_is_full() {
        let steps = progress(0..3).describe("steps");
        let bar = steps.bar();
        assert_eq!(steps.map(|n| n * 2).collect::<Vec<_>>(), [0, 2, 4]);
        let text = shown(&bar);
        assert!(text.starts_with("steps: 100 %|") && text.contains("| 3/3 [") && !text.contains("stopped"), "{text}");
    }

    #[test]
    fn a_loop_that_is_left_says_where() {
        let steps = progress(vec!['a', 'b', 'c', 'd']);
        let bar = steps.bar();
        for letter in steps {
            if letter == 'c' {
                break;
            }
        }
        let text = shown(&bar);
        assert!(text.contains(" 50 %|") && text.contains("| 2/4 [") && text.contains("stopped"), "{text}");
    }

    #[test]
    fn a_length_is_taken_where_it_is_exact() {
        assert_eq!(lock(&progress(0..7).bar().0.row).meter.total, Some(7));
        assert_eq!(lock(&progress((0..7).filter(|n| n % 2 == 0)).bar().0.row).meter.total, None);
        let loader = crate::data::DataLoader::new(crate::data::digits(), 64);
        assert_eq!(lock(&progress(&loader).bar().0.row).meter.total, Some(29));
        assert_eq!(lock(&progress(loader.iter().take(5).enumerate()).bar().0.row).meter.total, Some(5));
        assert_eq!(lock(&progress(loader.iter().zip(0..7)).bar().0.row).meter.total, Some(7));
        assert_eq!(lock(&progress((0..7).filter(|n| n % 2 == 0)).total(4).bar().0.row).meter.total, Some(4));
    }

    #[test]
    fn an_iterator_that_has_ended_stays_so() {
        let mut steps = progress(0..2);
        assert_eq!((steps.next(), steps.next(), steps.next(), steps.next()), (Some(0), Some(1), None, None));
        assert!(shown(&steps.bar()).contains("2/2"));
    }

    #[test]
    fn bars_in_a_loop_with_a_bar_are_part_of_its_display() {
        let mut outer = progress(0..2);
        outer.next();
        let bars = |bar: &ProgressBar| lock(&bar.0.bars).clone().expect("has begun");
        let of_outer = bars(&outer.bar());
        let mut inner = progress(0..2);
        inner.next();
        assert!(Arc::ptr_eq(&of_outer, &bars(&inner.bar())));
        assert_eq!(lock(&of_outer).rows.len(), 2);
        inner.by_ref().for_each(drop);
        assert_eq!(lock(&of_outer).rows.len(), 1);
        progress(0..2).leave(true).for_each(drop);
        assert_eq!(lock(&of_outer).rows.len(), 2);
        outer.by_ref().for_each(drop);
        let mut later = progress(0..2);
        later.next();
        assert!(!Arc::ptr_eq(&of_outer, &bars(&later.bar())));
    }

    #[test]
    fn a_panic_leaves_every_bar_where_it_was() {
        let outer = progress(0..2).describe("outer");
        let bar = outer.bar();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in outer {
                for step in progress(0..4) {
                    assert_ne!(step, 2, "on purpose");
                }
            }
        }));
        assert!(panicked.is_err());
        let bars = lock(&bar.0.bars).clone().expect("has begun");
        let rows: Vec<String> =
            lock(&bars).rows.iter().map(|row| draw::text(&[lock(row).view(Instant::now())])).collect();
        assert!(rows[0].contains("0/2") && rows[0].contains("stopped"), "{rows:?}");
        assert!(rows[1].contains("2/4") && rows[1].contains("stopped"), "{rows:?}");
    }

    #[test]
    fn a_bar_that_outlives_its_cell_goes_on_in_another_display() {
        let bar = progress_bar(4);
        bar.inc(1);
        let first = lock(&bar.0.bars).clone().expect("has begun");
        live::settle();
        assert!(shown(&bar).contains("1/4"));
        bar.inc(1);
        let second = lock(&bar.0.bars).clone().expect("has begun again");
        assert!(!Arc::ptr_eq(&first, &second));
        bar.inc(2);
        assert!(shown(&bar).contains("100 %") && lock(&second).closed);
    }

    #[test]
    fn several_threads_move_one_bar() {
        let bar = progress_bar(400);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| bar.inc(1)));
            }
        });
        assert!(shown(&bar).contains("400/400"), "{}", shown(&bar));
    }

    #[test]
    fn a_postfix_is_replaced_by_its_name() {
        let bar = progress_bar(2);
        bar.postfix("loss", 0.123456).postfix("step", 1).postfix("loss", Tensor::from(0.5)).postfix("on", "cpu");
        bar.inc(1);
        assert!(shown(&bar).ends_with("] loss 0.5, step 1, on cpu"), "{}", shown(&bar));
    }
}
